//! The memory that all bodies of all cores may take together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bodies up to this size are not counted: connections are bounded, and so are they.
const FREE_BYTES: usize = 16 << 10;

/// What is left of `--body-memory`, shared by all cores.
#[derive(Clone, Debug)]
pub struct BodyMemory(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    left: AtomicUsize,
    /// What is never given to bodies that have not come yet.
    kept: usize,
}

/// What one connection's body holds of it; given back on drop.
#[derive(Debug)]
pub struct Lease {
    memory: BodyMemory,
    bytes: usize,
}

impl BodyMemory {
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Pool { left: AtomicUsize::new(bytes), kept: bytes / 2 }))
    }

    /// An empty lease.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease { memory: self.clone(), bytes: 0 }
    }

    fn take(&self, bytes: usize, kept: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes).filter(|rest| *rest >= kept);
        self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

impl Lease {
    /// Hold `bytes` in all; false where there is not that much left.
    #[must_use]
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        self.grow(bytes, 0)
    }

    /// The same for bytes that have not come yet: true only while half of the memory is left, so
    /// that those who claim a length and send nothing never take the room of those who send.
    #[must_use]
    pub fn grow_early_to(&mut self, bytes: usize) -> bool {
        let kept = self.memory.0.kept;
        self.grow(bytes, kept)
    }

    fn grow(&mut self, bytes: usize, kept: usize) -> bool {
        let wanted = if bytes <= FREE_BYTES { 0 } else { bytes };
        let more = wanted.saturating_sub(self.bytes);
        if more > 0 && !self.memory.take(more, kept) {
            return false;
        }
        self.bytes += more;
        true
    }

    /// Give back what is held beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        if less > 0 {
            self.memory.0.left.fetch_add(less, Ordering::Relaxed);
            self.bytes -= less;
        }
    }

    /// Give all of it back.
    pub fn clear(&mut self) {
        self.shrink_to(0);
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
    #[test]
    fn bodies_that_have_not_come_yet_leave_half_to_those_that_come() {
        let memory = BodyMemory::new(100 << 10);
        let mut claims = memory.lease();
        let mut comes = memory.lease();
        assert!(claims.grow_early_to(50 << 10));
        assert!(claims.grow_early_to(50 << 10), "it has that already");
        assert!(!claims.grow_early_to(51 << 10));
        assert!(!comes.grow_early_to(20 << 10));
        assert!(comes.grow_to(50 << 10));
    }
}
