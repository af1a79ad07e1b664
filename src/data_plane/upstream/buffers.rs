//! Large buffers, and heads of answers with the room they have grown to, shared by the connections
//! of a core so that idle ones hold none. The last one given is the first one taken: its cache
//! lines are warm.

use crate::wire::http1::reply::ReplyHead;
use std::cell::RefCell;

/// The size of a fresh buffer: one TLS record, most answers whole.
pub const BUFFER_BYTES: usize = 16 << 10;
/// A buffer that grew beyond this is not kept.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// How many are kept: enough for 32 exchanges that each wait for a model with three.
const KEPT_MAX: usize = 128;

/// A core's free list.
#[derive(Default)]
pub struct Buffers {
    kept: RefCell<Vec<Vec<u8>>>,
    heads: RefCell<Vec<ReplyHead>>,
}

impl Buffers {
    /// An empty buffer.
    pub fn take(&self) -> Vec<u8> {
        self.kept.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    /// Give a buffer back, whatever is in it.
    pub fn give(&self, mut buffer: Vec<u8>) {
        let mut kept = self.kept.borrow_mut();
        let is_fit = (BUFFER_BYTES..=KEPT_BYTES_MAX).contains(&buffer.capacity());
        if is_fit && kept.len() < KEPT_MAX {
            buffer.clear();
            kept.push(buffer);
        }
    }

    /// A head that is to be parsed.
    pub fn take_head(&self) -> ReplyHead {
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Give a head back, whatever was parsed.
    pub fn give_head(&self, mut head: ReplyHead) {
        let mut heads = self.heads.borrow_mut();
        if heads.len() < KEPT_MAX {
            head.forget();
            heads.push(head);
        }
    }
}
