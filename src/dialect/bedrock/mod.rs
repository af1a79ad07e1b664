//! AWS Bedrock's Converse API.
//!
//! A request names neither its model nor whether it is streamed: both stand in its path. Streamed
//! answers are frames (`wire/eventstream.rs`), whose names stand beside their payload. `chunk.rs`
//! is the older API, which takes Anthropic's words for Anthropic's models.
//!
//! **Source**: docs.aws.amazon.com/bedrock/latest/APIReference, `API_runtime_Converse`,
//! `API_runtime_ConverseStream` and the types that they name, read 2026-11-21, and recorded
//! traffic.

pub mod chunk;
pub mod decode;
pub mod encode;
pub mod error;
mod format;
pub mod usage;
