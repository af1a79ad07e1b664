//! The readers of answers alone, for tests of whole conversations.

pub mod answer;
pub mod anthropic;
pub mod openai;
pub mod responses;
