//! Anthropic's Messages API.
//!
//! **Invariants**: where both sides speak this language the bytes pass; only `model` is changed.

pub mod decode;
pub mod encode;
pub mod error;
pub mod usage;
