//! From the pivot's words to Cohere's.

mod message;
pub mod request;
