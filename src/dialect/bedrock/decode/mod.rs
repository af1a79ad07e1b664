//! From Bedrock's words to the pivot's.

mod block;
pub mod reply;
pub mod request;
pub mod stream;
