//! Large buffers, and heads of answers and documents with the room they have grown to, shared by
//! the connections of a core so that idle ones hold none. The last one given is the first one
//! taken: its cache lines are warm.

use crate::wire::{http1::reply::ReplyHead, json::document::Document};
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
    documents: RefCell<Vec<Document>>,
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

    /// A document that is to be parsed.
    pub fn take_document(&self) -> Document {
        self.documents.borrow_mut().pop().unwrap_or_default()
    }

    /// Give a document back, whatever was parsed.
    pub fn give_document(&self, document: Document) {
        let mut documents = self.documents.borrow_mut();
        if document.kept_bytes() <= KEPT_BYTES_MAX && documents.len() < KEPT_MAX {
            documents.push(document);
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
