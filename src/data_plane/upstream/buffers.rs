//! Large buffers, shared by the connections of a core so that idle ones hold none.

use std::cell::RefCell;

/// The size of a fresh buffer: one TLS record, most answers whole.
pub const BUFFER_BYTES: usize = 16 << 10;
/// A buffer that grew beyond this is not kept.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// How many are kept: enough for 32 exchanges that each wait for a model with three.
const KEPT_MAX: usize = 128;

/// A core's free list.
#[derive(Default)]
pub struct Buffers(RefCell<Vec<Vec<u8>>>);

impl Buffers {
    /// An empty buffer.
    pub fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    /// Give a buffer back, whatever is in it.
    pub fn give(&self, mut buffer: Vec<u8>) {
        let mut kept = self.0.borrow_mut();
        let is_fit = (BUFFER_BYTES..=KEPT_BYTES_MAX).contains(&buffer.capacity());
        if is_fit && kept.len() < KEPT_MAX {
            buffer.clear();
            kept.push(buffer);
        }
    }
}
