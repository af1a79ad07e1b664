//! Where a model lives and how we prove ourselves there.
//!
//! `vendor.rs` is a table, one row a vendor; `target.rs` is one model at one place, ready to call.
//!
//! **Invariants**: no `match` on a vendor's name anywhere: what differs between vendors is a
//! column. Nothing here connects, resolves or reads a clock.

pub mod target;
pub mod vendor;
