//! From OpenAI's words to the pivot's.

pub mod content;
mod message;
pub mod reply;
pub mod request;
mod source;
pub mod stream;
