//! What a core adopted last of a lane.

use crate::bridge::lane;
use std::{rc::Rc, sync::Arc};

/// The newest value of a lane, as this core adopted it. It is counted by the core alone: an
/// exchange that holds it touches no cache line of another core.
#[expect(clippy::redundant_allocation, reason = "the Rc spares an atomic count a request")]
pub struct Newest<T> {
    receiver: lane::Receiver<T>,
    value: Rc<Arc<T>>,
}

impl<T: Default> Newest<T> {
    pub fn new(receiver: lane::Receiver<T>) -> Self {
        Self { receiver, value: Rc::new(Arc::new(T::default())) }
    }
}

impl<T> Newest<T> {
    #[inline]
    #[expect(clippy::redundant_allocation, reason = "the Rc spares an atomic count a request")]
    pub fn look(&mut self) -> Rc<Arc<T>> {
        if let Some(newest) = self.receiver.changed() {
            self.value = Rc::new(newest);
        }
        Rc::clone(&self.value)
    }
}
