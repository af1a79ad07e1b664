//! A panic ends one exchange, never a core.

use pin_project_lite::pin_project;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// What a caught panic leaves behind; its words are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

pin_project! {
    /// A future whose panic is an output.
    pub struct Catch<F> {
        #[pin]
        future: F,
    }
}

/// Run `future` to its end, or to its panic.
///
/// What the future owned is dropped while it unwinds, so its Trail files the receipt. **Cost**: no
/// larger than the future itself, which an `async fn` would hold twice.
pub fn catch<F: Future>(future: F) -> Catch<F> {
    Catch { future }
}

impl<F: Future> Future for Catch<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        // The future is never polled again after a panic, so no one sees what it left half done.
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Panicked, catch};
    use std::{
        cell::Cell,
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    struct Filed<'a>(&'a Cell<bool>);

    impl Drop for Filed<'_> {
        fn drop(&mut self) {
            self.0.set(std::thread::panicking());
        }
    }

    #[test]
    fn what_a_panicking_future_held_is_dropped_while_it_unwinds() {
        let filed = Cell::new(false);
        let held = Filed(&filed);
        let future = pin!(catch(async move {
            let _held = held;
            panic!("rehearsed");
        }));

        let poll: Poll<Result<(), Panicked>> = future.poll(&mut Context::from_waker(Waker::noop()));

        assert_eq!(poll, Poll::Ready(Err(Panicked)));
        assert!(filed.get(), "the receipt is filed, and knows why");
    }
}
