//! From Cohere's words to the pivot's.

mod citation;
pub mod reply;
pub mod stream;
