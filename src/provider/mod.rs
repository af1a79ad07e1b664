//! Where a model lives and how we prove ourselves there.
//!
//! `vendor.rs` is a table, one row a vendor; `target.rs` is one model at one place, ready to call;
//! `head.rs` writes the request heads it carries; `base_url.rs` takes a vendor's address apart;
//! `auth/` gets tokens from clouds and signs requests; `fit.rs` makes a body fit for a vendor.
//!
//! **Invariants**: no `match` on a vendor's name anywhere: what differs between vendors is a
//! column. Nothing here connects, resolves or reads a clock.

pub mod ability;
pub mod auth;
pub mod base_url;
pub mod head;
pub mod target;
pub mod vendor;
