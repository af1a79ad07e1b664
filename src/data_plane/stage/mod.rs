//! The steps of an exchange, each a leaf: what to do and when is the page's business.
//!
//! **Invariants**: a stage knows no other stage; it takes what it needs and returns what it found.

pub mod admit;
mod alter;
pub mod ask;
pub mod attempt;
pub mod classifier;
mod classify;
pub mod directives;
pub mod finish;
mod hedge;
mod judge;
pub mod parse;
pub mod relay;
pub mod respond;
mod retry_after;
mod retry_directive;
pub mod route;
pub mod send;
pub mod translate;
