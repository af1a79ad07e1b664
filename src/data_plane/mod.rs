//! One thread a core: from a client's bytes to a model's and back.
//!
//! Start at `exchange.rs`, the page that the rest serves. `stage/` holds its steps, `upstream/`
//! the way to a target; `verdicts.rs` remembers what policy says of requests that are alike.
//! `connection.rs` is what stands around an exchange, `core.rs` what stands around all.
//! `listener.rs` and `accept.rs` are the doors, `handover.rs` moves connections between cores by
//! the rule in `balance.rs`.
//!
//! **Invariants**: nothing here is `Send` after a core has begun, nothing is locked in steady
//! state, nothing blocks, nothing calls a database or resolves a name. No floor above knows an I/O
//! type.

pub mod accept;
pub mod body_memory;
pub mod core;
pub mod handover;
pub mod listener;
pub mod tls;

mod alarm;
mod balance;
mod catch;
mod clock;
mod connection;
mod decode;
mod departures;
mod descriptor;
mod downlink;
mod exchange;
mod hedges;
mod http2;
mod inbound;
mod keys;
mod link;
mod local;
mod newest;
mod peer;
mod queues;
mod quota;
mod request_id;
mod stage;
mod targets;
mod trail;
mod upstream;
mod verdicts;

#[cfg(test)]
mod sizes;
