//! Bytes on the wire: HTTP/1.1, JSON and the two framings of streams, read where they lie.
//!
//! `http1/` reads heads and chunks, `json/` finds and replaces members without parsing what it does
//! not need, `sse.rs` and `eventstream.rs` cut a stream into events, `headers.rs` says which
//! headers may travel, `forwarded.rs` and `proxy_protocol.rs` what proxies in front say of a
//! client. All of them answer with offsets into the caller's buffer ([`span::Span`] or a range), so
//! that what is not changed is never copied.
//!
//! **Invariants**: no sockets, files, clocks or threads; bytes in, values out. Total: no input
//! panics, and every loop and buffer has a named bound. Nothing here is told what a model is: no
//! dialect, vendor or policy. `unsafe` lives in `json/blocks.rs` alone.

pub mod eventstream;
pub mod forwarded;
pub mod headers;
pub mod http1;
pub mod json;
pub mod proxy_protocol;
pub mod span;
pub mod sse;
