//! From Anthropic's words to the pivot's.

mod block;
mod message;
pub mod reply;
pub mod request;
pub mod stream;
