//! API languages.
//!
//! `openai_chat/` is OpenAI's: chat completions, completions and embeddings share its shapes of
//! request, stream, reply and error. `anthropic/` is Anthropic's Messages, `bedrock/` AWS Bedrock's
//! Converse, `cohere/` Cohere's chat, `openai_responses/` the API that OpenAI gives to agents,
//! `gemini/` Google's `generateContent`. Where client and target speak different languages,
//! `pivot/` stands between them: each dialect's `decode/` reads its bytes into the pivot's values
//! and its `encode/` writes them; `translation.rs` joins the two. What is like the last is read by
//! `mold/` without being parsed. `bound.rs` says what a request
//! can use at most.
//!
//! **Invariants**: sans-IO; bytes come in, bytes and values go out; a field that is not ours to
//! change is never re-serialized; a field that cannot be said is named, never left out in silence.
//! No vendor's name appears here.

pub mod anthropic;
mod asked;
pub mod bedrock;
pub mod bound;
pub mod cohere;
mod field;
pub mod gemini;
pub mod mold;
pub mod openai_chat;
pub mod openai_responses;
pub mod pivot;
mod told;
pub mod translation;
