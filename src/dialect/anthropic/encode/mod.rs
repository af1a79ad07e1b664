//! From the pivot's words to Anthropic's.

pub(in crate::dialect) mod block;
mod message;
pub mod reply;
pub mod request;
pub mod stream;
pub mod thinking;
