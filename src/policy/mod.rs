//! Compiled decisions: pure, total, no clock, no IO.
//!
//! `access.rs` says who may use what; `metadata.rs` says which metadata holds for a request;
//! `condition.rs` says for which requests a rule holds. `limit.rs` is what rate limits say,
//! `budget.rs` what budgets say, `calendar.rs` when they begin anew and `spending.rs` how it is
//! told what was spent of them, `alert.rs` whom
//! they tell; `price.rs` is what tokens cost and `price_table.rs` what the
//! vendors' lists say of that. `route/` says which targets may answer a request, in which order.
//!
//! **Invariants**: every function here answers for every input, allocates at most for its answer,
//! and knows neither where a request came from nor where it goes.

pub mod access;
pub mod alert;
pub mod budget;
pub mod calendar;
pub mod condition;
pub mod limit;
pub mod metadata;
pub mod price;
pub mod price_table;
pub mod route;
pub mod spending;
