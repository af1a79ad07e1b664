//! The only lanes between the planes.
//!
//! Down: `lane.rs` carries the newest snapshot and the newest weather. Up: `receipts/` carries
//! the bill of every exchange through a ring that outlives the process; `pulse.rs` says how a core
//! feels. Across: `handover.rs` moves connections from core to core. Shared: `quota/`, the limits
//! that all cores spend from; `health.rs`, how targets fare, which all cores read.
//!
//! **Invariants**: a core never waits here: it takes what is newest, writes into what is its own,
//! and hears of a full ring at once. No snapshot field, no receipt field is interpreted here.

pub mod handover;
pub mod health;
pub mod lane;
pub mod phase;
pub mod pulse;
pub mod quota;
pub mod receipts;
pub mod seats;
pub mod weather;
