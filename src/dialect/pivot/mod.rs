//! The language between languages: what a client wants and what a model says, in no API's words.
//!
//! Each dialect decodes its bytes into these values and encodes them into its bytes, so that six
//! dialects are twelve translations and not thirty. `request.rs` is a conversation with what is
//! asked of it, `part.rs` what turns are made of, `tool.rs` what a model may call, `reply.rs` a
//! whole answer, `delta.rs` one step of a streamed one, `citation.rs` where words are from,
//! `usage.rs` the tokens, `failure.rs` an error, `target.rs` what the other side can do,
//! `manner.rs` how a reply is told, `text.rs` words and values as they were written, `dropped.rs`
//! the list of what could not be said, `unfold.rs` turns a forced tool back into text, `nesting.rs`
//! sees when the JSON of a tool call is complete.
//!
//! **Invariants**: values only, borrowed from the bytes they were decoded from; text stays escaped
//! as it was written; what a dialect says and the pivot has no word for is named by the decoder,
//! what the pivot says and a dialect has no word for by the encoder, and never left out in silence.

pub mod citation;
pub mod delta;
pub mod dropped;
pub mod failure;
pub mod manner;
pub mod nesting;
pub mod part;
pub mod reply;
pub mod request;
pub mod target;
pub mod text;
pub mod tool;
pub mod unfold;
pub mod usage;
