//! OpenAI's language, spoken on both sides.
//!
//! `request.rs` reads an Ask and splices a Call, `stream.rs` and `reply.rs` watch what comes back,
//! `error.rs` says no; `decode/` and `encode/` are its side of a translation.
//!
//! **Invariants**: where both sides speak this language the bytes pass; the closed list of what is
//! changed stands in each file's header.

pub mod decode;
pub mod encode;
pub mod error;
mod likeness;
pub mod reply;
pub mod request;
pub mod stream;
pub mod usage;
