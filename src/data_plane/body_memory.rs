//! The memory that all bodies of all cores may take together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bodies up to this size are not counted: connections are bounded, and so are they.
const FREE_BYTES: usize = 16 << 10;

/// What is left of `--body-memory`, shared by all cores.
#[derive(Clone, Debug)]
pub struct BodyMemory(Arc<AtomicUsize>);

/// What one connection's body holds of it; given back on drop.
#[derive(Debug)]
pub struct Lease {
    memory: BodyMemory,
    bytes: usize,
}

impl BodyMemory {
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// An empty lease.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease { memory: self.clone(), bytes: 0 }
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

impl Lease {
    /// Hold `bytes` in all; false where there is not that much left.
    #[must_use]
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let wanted = if bytes <= FREE_BYTES { 0 } else { bytes };
        let more = wanted.saturating_sub(self.bytes);
        if more > 0 && !self.memory.take(more) {
            return false;
        }
        self.bytes += more;
        true
    }

    /// Give all of it back.
    pub fn clear(&mut self) {
        if self.bytes > 0 {
            self.memory.0.fetch_add(self.bytes, Ordering::Relaxed);
            self.bytes = 0;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::BodyMemory;

    #[test]
    fn what_one_body_holds_another_cannot_have_until_it_is_given_back() {
        let memory = BodyMemory::new(100 << 10);
        let mut first = memory.lease();
        let mut second = memory.lease();
        assert!(first.grow_to(60 << 10));
        assert!(!second.grow_to(60 << 10));
        assert!(second.grow_to(40 << 10));
        assert!(second.grow_to(8 << 10), "small bodies are always welcome");
        drop(first);
        assert!(second.grow_to(100 << 10));
        assert!(!second.grow_to((100 << 10) + 1));
    }
}
