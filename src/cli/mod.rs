//! What the command offers beside `serve`.
//!
//! `receipts.rs` prints the receipt store.
//!
//! **Invariants**: everything here writes to the `out` it is given and returns; nothing serves.

pub mod receipts;
