//! From Cohere's words to the pivot's.

pub mod reply;
pub mod stream;
