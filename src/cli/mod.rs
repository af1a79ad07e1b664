//! What the command offers beside `serve`.
//!
//! `flags.rs` is the command line, `serve.rs` what it says to `weir serve`. `check.rs` says what is
//! wrong with a configuration, `explain/` what becomes of a request, `token.rs` makes a token,
//! `receipts.rs` prints the receipt store.
//!
//! **Invariants**: everything here writes to the `out` it is given and returns; nothing serves.

pub mod check;
pub mod explain;
pub mod flags;
pub mod receipts;
pub mod serve;
pub mod token;
