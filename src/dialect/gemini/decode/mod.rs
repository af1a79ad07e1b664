//! From Gemini's words to the pivot's.

mod grounding;
mod logprobs;
mod part;
mod partial;
pub mod reply;
pub mod request;
pub mod stream;
mod tool;
mod turn;
