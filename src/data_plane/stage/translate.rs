//! The Call: what we send to a target, head and body in one buffer.

use crate::{
    data_plane::{inbound::Request, stage::finish},
    dialect::openai_chat::request::{self, Ask},
    lexicon::{fault::Fault, time::UnixMillis},
    provider::target::Target,
    wire::{headers, http1},
};

/// Room for the length, which is known only when the body is there.
const LENGTH_DIGITS: usize = 10;

/// Write the call into `out`, which is empty.
///
/// Both sides speak the same language: the body is the client's own bytes, spliced. `dropped` then
/// names what the target will not see of them.
///
/// # Errors
/// `SecretUnavailable` where the call cannot be signed.
pub fn call(
    mut out: Vec<u8>,
    target: &Target,
    ask: &Ask<'_>,
    from: &Request<'_>,
    (now, dropped): (UnixMillis, &mut Vec<&'static str>),
) -> Result<Vec<u8>, Fault> {
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
    finish::fit(&mut out, body_at, &target.fit, dropped);
    let length = out.len() - body_at;

    // Spaces before a value are part of the grammar; so the digits are set at the right.
    let digits_at = out.len();
    http1::push_decimal(&mut out, length as u64);
    let digits = out.len() - digits_at;
    out.copy_within(digits_at.., length_at + LENGTH_DIGITS - digits);
    out.truncate(digits_at);
    if let Some(signer) = &target.signer {
        finish::sign(&mut out, body_at, signer, now)?;
    }
    Ok(out)
}
