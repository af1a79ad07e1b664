//! The words every floor speaks: values only.
//!
//! Start with `refusal.rs` (what a client is told) and `receipt.rs` (the bill); the rest are small.
//!
//! **Invariants**: knows no runtime, reads no clock, opens nothing, logs nothing; every type here
//! is plain data that can be compared and printed, and what must not be printed cannot be
//! (`Secret`).

pub mod fault;
pub mod health;
pub mod ids;
pub mod listen;
pub mod meter;
pub mod operation;
pub mod problem;
pub mod receipt;
pub mod refusal;
pub mod secret;
pub mod settings;
pub mod subject;
pub mod time;
pub mod usage;
