//! The newest value of a lane, as one core adopted it.

use crate::bridge::lane;
use std::{rc::Rc, sync::Arc};

/// It is counted by the core alone: an exchange that holds it touches no cache line of another.
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
    #[expect(clippy::redundant_allocation, reason = "the Rc spares an atomic count a request")]
    pub fn look(&mut self) -> Rc<Arc<T>> {
        if let Some(newest) = self.receiver.changed() {
            self.value = Rc::new(newest);
        }
        Rc::clone(&self.value)
    }
}
