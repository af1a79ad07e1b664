//! Weir: one door between applications and every model and tool they call.
//!
//! # The map
//!
//! Two planes and a bridge. The *data plane* is one thread a core that owns all it touches; the
//! *control plane* is ordinary threads; the *bridge* is the only lanes between them. Rooms stand on
//! floors; a room imports only from floors below it, and `tests/tidy.rs` holds that law:
//!
//! | floor | rooms |
//! |---|---|
//! | 9 | `main` |
//! | 8 | `gateway`, [`cli`] |
//! | 7 | `data_plane`, [`control_plane`], `rehearsal` |
//! | 6 | [`bridge`] |
//! | 5 | [`snapshot`] |
//! | 4 | [`provider`] |
//! | 3 | [`policy`], [`dialect`] |
//! | 2 | [`manifest`], [`wire`] |
//! | 1 | [`lexicon`] |
//!
//! Start reading at `data_plane/exchange.rs`: it is the page that the rest serves.
//!
//! # The noun list: one word, one meaning
//!
//! Ask: what a client wants, parsed. Caller: who asks. Pass: what was reserved for it. Guard: a
//! look at the words. Plan: targets in order. Target: one model at one place. Call: what we send.
//! Seat: one of the calls that a target may have at once. Answer: what comes back. Reply: what the
//! client gets. Delta: one step of a stream. Usage: tokens seen. Trail: the facts on the way.
//! Receipt: the bill. Transcript: the words, if kept. Pulse: a core's second. Meter: a counted
//! limit. Manifest: what operators write. Problem: why it cannot be obeyed. Snapshot: what cores
//! obey. Verdict: what its rules say of a kind of request. Refusal: what a client is told. Fault:
//! what went wrong upstream. Dialect: an API's language. Vendor: a row in the table.
//!
//! # Invariants
//!
//! No circles, no handle that everyone holds, no type maps, no globals but the allocator. No lock,
//! no blocking call and no clock below floor 6; `unsafe` only where `tests/tidy.rs` lists it.

#![deny(unsafe_code)]

pub mod bridge;
pub mod cli;
pub mod control_plane;
pub mod data_plane;
pub mod dialect;
pub mod gateway;
pub mod lexicon;
pub mod manifest;
pub mod policy;
pub mod provider;
pub mod rehearsal;
pub mod snapshot;
pub mod wire;
