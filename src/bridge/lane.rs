//! The lane down: the newest value, one look a request.

use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

struct Shared<T> {
    /// Bumped after `newest` is set.
    version: AtomicU64,
    newest: Mutex<Arc<T>>,
}

/// The sending end: whoever makes new values.
pub struct Sender<T>(Arc<Shared<T>>);

/// The receiving end: one a core.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

/// A lane that holds `first`.
#[must_use]
pub fn lane<T>(first: Arc<T>) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared { version: AtomicU64::new(1), newest: Mutex::new(first) });
    (Sender(Arc::clone(&shared)), Receiver { shared, seen: 0 })
}

impl<T> Sender<T> {
    /// Every receiver's next look finds this value.
    pub fn publish(&self, value: Arc<T>) {
        *self.0.newest.lock() = value;
        self.0.version.fetch_add(1, Ordering::Release);
    }

    /// Another receiver of the same lane.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver { shared: Arc::clone(&self.0), seen: 0 }
    }
}

impl<T> Receiver<T> {
    /// The newest value, if it is not the one returned last.
    ///
    /// **Cost**: one atomic load while nothing is new; the lock is taken only after a change.
    pub fn changed(&mut self) -> Option<Arc<T>> {
        let version = self.shared.version.load(Ordering::Acquire);
        if version == self.seen {
            return None;
        }
        self.seen = version;
        Some(Arc::clone(&self.shared.newest.lock()))
    }
}

#[cfg(test)]
mod tests {
    use super::lane;
    use std::sync::Arc;

    #[test]
    fn a_receiver_sees_the_newest_value_once() {
        let (sender, mut receiver) = lane(Arc::new(1));
        assert_eq!(receiver.changed().as_deref(), Some(&1));
        assert_eq!(receiver.changed(), None);

        sender.publish(Arc::new(2));
        sender.publish(Arc::new(3));

        assert_eq!(receiver.changed().as_deref(), Some(&3));
        assert_eq!(receiver.changed(), None);
        assert_eq!(sender.subscribe().changed().as_deref(), Some(&3));
    }
}
