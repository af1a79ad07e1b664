//! From the pivot's words to Gemini's.

mod config;
mod grounding;
mod logprobs;
mod part;
pub mod reply;
pub mod request;
pub mod stream;
mod tool;
mod turn;
