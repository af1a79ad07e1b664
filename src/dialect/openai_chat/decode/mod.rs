//! From OpenAI's words to the pivot's.

mod content;
mod message;
pub mod reply;
pub mod request;
pub mod stream;
