//! A panic ends one exchange, never a core.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// What a caught panic leaves behind; its words are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Run `future` to its end, or to its panic.
///
/// What the future owned is dropped while it unwinds, so its Trail files the receipt.
pub async fn catch<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |context| poll_caught(future.as_mut(), context)).await
}

fn poll_caught<F: Future>(
    future: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<Result<F::Output, Panicked>> {
    // The future is never polled again after a panic, so no one sees what it left half done.
    match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => Poll::Ready(Err(Panicked)),
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
