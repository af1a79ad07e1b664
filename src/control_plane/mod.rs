//! Ordinary threads that know the world outside.
//!
//! `journal/` stores what the receipt ring brings up, `telemetry/` counts it for Prometheus,
//! `admin.rs` answers operators.
//!
//! **Invariants**: the data plane serves on without anything here.

pub mod admin;
pub mod journal;
pub mod telemetry;
