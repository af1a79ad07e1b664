//! The Call: what we send to a target, head and body in one buffer.

use crate::{
    data_plane::inbound::Request,
    dialect::openai_chat::request::{self, Ask},
    provider::target::Target,
    wire::{headers, http1},
};

/// Room for the length, which is known only when the body is there.
const LENGTH_DIGITS: usize = 10;

/// Write the call into `out`, which is empty.
///
/// Both sides speak the same language: the body is the client's own bytes, spliced.
pub fn call(mut out: Vec<u8>, target: &Target, ask: &Ask<'_>, from: &Request<'_>) -> Vec<u8> {
    debug_assert!(out.is_empty());
    let head = target.head(ask.operation);
    out.reserve(head.len() + from.body.len() + 512);
    out.extend_from_slice(head);
    for (name, value) in from.head.iter(from.bytes) {
        if headers::passes_upstream(name) {
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"content-length: ");
    let length_at = out.len();
    out.extend_from_slice(&[b' '; LENGTH_DIGITS]);
    out.extend_from_slice(b"\r\n\r\n");

    let body_at = out.len();
    let rejects_stream_options = target.rejects_stream_options;
    request::splice(&mut out, from.body, ask, &target.model_json, rejects_stream_options);
    let length = out.len() - body_at;

    // Spaces before a value are part of the grammar; so the digits are set at the right.
    let digits_at = out.len();
    http1::push_decimal(&mut out, length as u64);
    let digits = out.len() - digits_at;
    out.copy_within(digits_at.., length_at + LENGTH_DIGITS - digits);
    out.truncate(digits_at);
    out
}
