//! From the pivot's words to OpenAI's.

mod citation;
pub mod content;
mod message;
pub mod reply;
pub mod request;
pub mod stream;
