//! From the Responses API's words to the pivot's.

mod content;
mod input;
pub mod reply;
pub mod request;
pub mod stream;
mod tool;
