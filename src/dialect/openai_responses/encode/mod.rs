//! From the pivot's words to the Responses API's.

mod annotation;
mod input;
pub mod reply;
pub mod request;
pub mod stream;
mod told;
