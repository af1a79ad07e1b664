//! Google's Gemini API: `generateContent` and its stream, at AI Studio and Vertex.
//!
//! The model and whether the answer is streamed stand in the path, not in the body. Names are in
//! camel case, in requests also in snake case: see `name.rs`. Calls of tools may lack an id, so
//! `id.rs` makes them; `signature.rs` keeps the proofs of thought that the vendor wants back;
//! `schema.rs` is between JSON Schema and Google's own; `stop.rs` has the reasons to end.
//! **Source**: ai.google.dev/api/generate-content and docs.cloud.google.com/vertex-ai/
//! generative-ai/docs/model-reference/inference, read 2026-11-21, and recorded traffic.
//!
//! **Invariants**: where both sides speak this language the body passes byte for byte.

pub mod decode;
pub mod encode;
pub mod error;
pub(super) mod id;
mod name;
mod schema;
mod signature;
mod stop;
pub mod usage;
