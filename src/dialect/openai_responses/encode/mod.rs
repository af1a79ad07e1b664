//! From the pivot's words to the Responses API's.

mod annotation;
mod input;
mod item;
pub mod reply;
pub mod request;
pub mod stream;
mod told;
