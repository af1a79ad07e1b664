//! Quota by escrow: limits that all cores spend from, exact to the unit, without a lock.
//!
//! `meter.rs` is one counted limit: a board for the node, a cell for each core (`cell.rs`).
//! `node.rs` knows every meter of the process and bounds how many there are; `share.rs` is a
//! core's own list of those it uses, so that a request meets no lock.

mod cell;
pub mod meter;
pub mod node;
pub mod share;
mod turns;
