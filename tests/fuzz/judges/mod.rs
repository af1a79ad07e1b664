//! What must hold of any bytes: one judge a subject. Each panics where it does not hold.
//!
//! The same judges are driven by libFuzzer (`tests/fuzz/targets/`) and, wherever stable Rust runs,
//! by `tests/fuzz_corpus.rs`. The others that we are held against are hyper, simd-json,
//! `serde_json`, and readers written for this purpose, which share no line with ours.

#![allow(dead_code, reason = "each target drives one judge")]

pub mod bedrock;
pub mod chat;
pub mod chunked;
pub mod cohere;
pub mod eventstream;
pub mod gemini;
pub mod hyper_peer;
pub mod json;
pub mod manifests;
pub mod messages;
pub mod metadata;
pub mod replies;
pub mod requests;
pub mod responses;
pub mod splice;
pub mod sse;
pub mod translated;
