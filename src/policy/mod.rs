//! Compiled decisions: pure, total, no clock, no IO.
//!
//! `access.rs` says who may use what; `metadata.rs` says which metadata holds for a request;
//! `condition.rs` says for which requests a rule holds. `limit.rs` is what rate limits say,
//! `price.rs` what tokens cost and `price_table.rs` what the vendors' lists say of that. `route/`
//! says which targets may answer a request, in which order.
//!
//! **Invariants**: every function here answers for every input, allocates at most for its answer,
//! and knows neither where a request came from nor where it goes.

pub mod access;
pub mod condition;
pub mod limit;
pub mod metadata;
pub mod price;
pub mod price_table;
pub mod route;
