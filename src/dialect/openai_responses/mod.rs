//! OpenAI's Responses API.
//!
//! ```text
//! {"model":"m","instructions":"…","input":[{"role":"user","content":"Hi"},
//!   {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
//!   {"type":"function_call_output","call_id":"c1","output":"done"}]}
//! {"id":"resp_1","object":"response","status":"completed","output":[{"type":"message",…}],…}
//! ```
//! Its errors are OpenAI's (`openai_chat/error.rs`) but for those in the midst of a stream.
//!
//! **Invariants**: where both sides speak this language the bytes pass; only `model` is changed.
//! What a vendor keeps (earlier responses, conversations, prompts, work in the background) is asked
//! of a vendor that keeps it, or refused: an answer without it would be an answer to another
//! question.
//! **Source**: the `CreateResponse` and `Response` of OpenAI's own description of its API, 2.3.0,
//! and recorded traffic.

pub mod decode;
pub mod encode;
pub mod ending;
pub mod error;
mod event;
mod seal;
pub mod usage;
