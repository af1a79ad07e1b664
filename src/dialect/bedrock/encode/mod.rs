//! From the pivot's words to Bedrock's.

mod block;
mod message;
mod plan;
pub mod reply;
pub mod request;
pub mod stream;
