//! Cohere's Chat API, version 2: spoken to vendors, for no client comes with it.
//!
//! **Source**: docs.cohere.com/reference/chat and …/chat-stream, read 2026-11-21, and recorded
//! traffic.

pub mod decode;
pub mod encode;
pub mod error;
pub mod usage;
