//! Where documents come from.
//!
//! **Invariants**: a source hands over text with a name; it understands none of it.

pub mod folder;
