//! How Anthropic's clients are told no, and how its API says it.
//!
//! ```text
//! {"type":"error","error":{"type":"rate_limit_error","message":"…"},"request_id":"req_…"}
//! event: error\ndata: {"type":"error","error":{…}}\n\n                       the same, in a stream
//! ```
//! **Source**: docs.claude.com/en/api/errors, read 2026-11-21.

use crate::{
    dialect::pivot::{
        failure::{Failure, FailureKind},
        text::Text,
    },
    lexicon::refusal::Refused,
    wire::json::{document::Value, write::Object},
};
use std::borrow::Cow;

/// The class of an error by its type.
const TYPES: [(&str, FailureKind); 9] = [
    ("invalid_request_error", FailureKind::Invalid),
    ("authentication_error", FailureKind::Authentication),
    ("permission_error", FailureKind::Permission),
    ("not_found_error", FailureKind::NotFound),
    ("request_too_large", FailureKind::TooLarge),
    ("rate_limit_error", FailureKind::RateLimit),
    ("overloaded_error", FailureKind::Overloaded),
    ("timeout_error", FailureKind::Timeout),
    ("api_error", FailureKind::Internal),
];

/// Read an error object; `None` where it is none. `status` is what it came with, if it came alone.
#[must_use]
pub fn decode<'b>(root: Value<'_, 'b>, status: Option<u16>) -> Option<Failure<'b>> {
    let error = root.get("error")?;
    let message = error.get("message").and_then(Text::of)?;
    let code = error.get("type").and_then(Text::of);
    let known = code.as_ref().and_then(|code| {
        let name = code.read();
        TYPES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    });
    let by_status = status.map(FailureKind::of_status);
    let kind = known.or(by_status).unwrap_or(FailureKind::Internal);
    Some(Failure { kind, message, code, param: None })
}

/// Append an error object.
pub fn encode(out: &mut Vec<u8>, failure: &Failure<'_>, request_id: &str) {
    push(out, type_of(failure.kind), &failure.message, request_id);
}

/// Append a refusal of ours.
pub fn push_refused(out: &mut Vec<u8>, refused: &Refused, request_id: &str) {
    let row = refused.refusal.row();
    let message = match &*refused.detail {
        "" => Cow::Borrowed(row.sentence),
        detail => Cow::Owned(format!("{} {detail}", row.sentence)),
    };
    let kind = type_of(FailureKind::of_status(row.status));
    push(out, kind, &Text::Plain(message), request_id);
}

/// Append what was appended by `push` as an event of a stream.
pub fn push_event(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"event: error\ndata: ");
    push(out);
    out.extend_from_slice(b"\n\n");
}

fn push(out: &mut Vec<u8>, kind: &str, message: &Text<'_>, request_id: &str) {
    let mut object = Object::open(out);
    object.text("type", "error");
    let mut error = object.object("error");
    error.text("type", kind);
    message.push(error.key("message"));
    error.close();
    object.text("request_id", request_id);
    object.close();
}

fn type_of(kind: FailureKind) -> &'static str {
    TYPES.iter().find(|(_, known)| *known == kind).map_or("api_error", |(name, _)| name)
}
