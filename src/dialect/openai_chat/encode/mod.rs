//! From the pivot's words to OpenAI's.

mod citation;
mod content;
mod message;
pub mod reply;
pub mod request;
pub mod stream;
