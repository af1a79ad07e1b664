//! JSON without a tree: find top-level members, replace some, leave the rest byte for byte.
//!
//! `object.rs` finds members, `skip.rs` is its hot primitive (with `blocks.rs`, 64 bytes at a
//! time), `value.rs` reads and writes single values, `splice.rs` applies edits, `prune.rs`
//! takes members out, `flat.rs` reads objects of strings, `finder.rs` looks for members in a
//! document that arrives in pieces. `document.rs` parses in full what is to be translated,
//! `write.rs` writes the translation.
//!
//! **Invariants**: never re-serializes, never builds a tree, never recurses. What is not looked at
//! is checked for UTF-8, balanced brackets, terminated strings without control characters, and
//! depth, but not for the grammar inside nested values: that is the vendor's to judge, and whoever
//! needs the content parses it in full (`document.rs`).

#[cfg(target_arch = "x86_64")]
mod blocks;
pub mod document;
pub mod finder;
pub mod flat;
pub mod object;
pub mod prune;
mod skip;
pub mod splice;
pub mod value;
pub mod write;

/// Brackets within brackets, the outermost counted. The common parsers stop there too.
pub const DEPTH_MAX: usize = 128;

/// Why a document is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    NotUtf8,
    /// It is, or begins as, something other than an object.
    NotAnObject,
    /// The grammar is broken at this offset, or the document ends there too early.
    Malformed {
        at: usize,
    },
    /// More than [`DEPTH_MAX`] brackets are open.
    TooDeep,
    /// The wanted key with this index is there twice: two readers could take two values.
    Duplicate(usize),
}
