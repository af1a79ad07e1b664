//! How Google's clients are told no, and how its APIs say it.
//!
//! ```text
//! {"error":{"code":429,"message":"…","status":"RESOURCE_EXHAUSTED","details":[{…}]}}
//! data: {"error":{…}}\n\n                                the same, in a stream
//! [{"error":{…}}]                                        the same, in a stream that is an array
//! ```
//! **Source**: cloud.google.com/apis/design/errors, read 2026-11-21, and recorded errors.

use crate::{
    dialect::pivot::{
        failure::{Failure, FailureKind},
        text::Text,
    },
    lexicon::refusal::Refused,
    wire::json::{
        document::{Kind, Value},
        write::Object,
    },
};
use std::borrow::Cow;

/// The class of an error by its status; the first of a class is the one that is written.
const STATUSES: [(&str, FailureKind); 13] = [
    ("INVALID_ARGUMENT", FailureKind::Invalid),
    ("FAILED_PRECONDITION", FailureKind::Invalid),
    ("OUT_OF_RANGE", FailureKind::Invalid),
    ("UNIMPLEMENTED", FailureKind::Invalid),
    ("UNAUTHENTICATED", FailureKind::Authentication),
    ("PERMISSION_DENIED", FailureKind::Permission),
    ("NOT_FOUND", FailureKind::NotFound),
    ("RESOURCE_EXHAUSTED", FailureKind::RateLimit),
    ("UNAVAILABLE", FailureKind::Overloaded),
    ("DEADLINE_EXCEEDED", FailureKind::Timeout),
    ("INTERNAL", FailureKind::Internal),
    ("UNKNOWN", FailureKind::Internal),
    ("DATA_LOSS", FailureKind::Internal),
];

/// Read an error object; `None` where it is none. `status` is what it came with, if it came alone.
///
/// A key that is not valid is an invalid argument to Google, and to us what it is.
#[must_use]
pub fn decode<'b>(root: Value<'_, 'b>, status: Option<u16>) -> Option<Failure<'b>> {
    let root = if root.kind() == Kind::Array { root.items().next()? } else { root };
    let error = root.get("error")?;
    let message = error.get("message").and_then(Text::of)?;
    let word = error.get("status").and_then(Text::of);
    let number = error.get("code").and_then(Value::as_u64);
    let number = number.and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
    let known = word.as_ref().and_then(|word| {
        let name = word.read();
        STATUSES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    });
    let by_status = status.or(number).map(FailureKind::of_status);
    let mut kind = known.or(by_status).unwrap_or(FailureKind::Internal);
    let mut code = word;
    if has_reason(error, "API_KEY_INVALID") {
        kind = FailureKind::Authentication;
    }
    if message.read().contains("exceeds the maximum number of tokens") {
        code = Some(Text::plain("context_length_exceeded"));
    }
    Some(Failure { kind, message, code, param: None })
}

fn has_reason(error: Value<'_, '_>, reason: &str) -> bool {
    let details = error.get("details").into_iter().flat_map(Value::items);
    details.filter_map(|one| one.get("reason")?.plain()).any(|found| found == reason)
}

/// Seconds after which to ask again, where the error says so: `"retryDelay":"48.9s"`, rounded up.
#[must_use]
pub fn retry_after_seconds(root: Value<'_, '_>) -> Option<u64> {
    let root = if root.kind() == Kind::Array { root.items().next()? } else { root };
    let details = root.get("error")?.get("details")?;
    let delay = details.items().find_map(|one| one.get("retryDelay")?.plain())?;
    let seconds = delay.strip_suffix('s')?;
    let (whole, rest) = seconds.split_once('.').unwrap_or((seconds, ""));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(whole) || !is_plain(rest) {
        return None;
    }
    let has_more = rest.bytes().any(|digit| digit != b'0');
    whole.parse::<u64>().ok()?.checked_add(u64::from(has_more))
}

/// Append an error object.
pub fn encode(out: &mut Vec<u8>, failure: &Failure<'_>, request_id: &str) {
    push(out, failure.kind, failure.kind.status(), &failure.message, request_id);
}

/// Append a refusal of ours.
pub fn push_refused(out: &mut Vec<u8>, refused: &Refused, request_id: &str) {
    let row = refused.refusal.row();
    let message = match &*refused.detail {
        "" => Cow::Borrowed(row.sentence),
        detail => Cow::Owned(format!("{} {detail}", row.sentence)),
    };
    let kind = FailureKind::of_status(row.status);
    push(out, kind, row.status, &Text::Plain(message), request_id);
}

/// Append what was appended by `push` as an event of a stream.
pub fn push_event(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"data: ");
    push(out);
    out.extend_from_slice(b"\n\n");
}

fn push(out: &mut Vec<u8>, kind: FailureKind, code: u16, message: &Text<'_>, request_id: &str) {
    let found = STATUSES.iter().find(|(_, known)| *known == kind);
    // What is too large is an invalid argument here.
    let status = found.map_or("INVALID_ARGUMENT", |(name, _)| name);
    let mut object = Object::open(out);
    let mut error = object.object("error");
    error.number("code", u64::from(code));
    message.push(error.key("message"));
    error.text("status", status);
    let mut details = error.array("details");
    let mut info = details.object();
    info.text("@type", "type.googleapis.com/google.rpc.RequestInfo");
    info.text("requestId", request_id);
    info.close();
    details.close();
    error.close();
    object.close();
}

#[cfg(test)]
mod tests {
    use super::{decode, retry_after_seconds};
    use crate::{dialect::pivot::failure::FailureKind, wire::json::document::Document};

    #[test]
    fn fault_23_the_delay_of_retry_info_is_whole_seconds() {
        let told = |delay: &str| {
            let text =
                format!(r#"[{{"error":{{"details":[{{"a":1}},{{"retryDelay":{delay}}}]}}}}]"#);
            let mut document = Document::default();
            retry_after_seconds(document.parse(text.as_bytes()).expect("valid"))
        };
        assert_eq!(told("\"48s\""), Some(48));
        assert_eq!(told("\"48.939935699s\""), Some(49));
        assert_eq!(told("\"48.000s\""), Some(48));
        for garbage in
            ["\"\"", "\"s\"", "\"-1s\"", "\"1e3s\"", "7", "\"9\"", "\"99999999999999999999s\""]
        {
            assert_eq!(told(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn an_invalid_key_is_a_matter_of_authentication() {
        let text = r#"{"error":{"code":400,"message":"API key not valid.","status":
            "INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#;
        let mut document = Document::default();
        let root = document.parse(text.as_bytes()).expect("valid");
        let failure = decode(root, Some(400)).expect("an error");
        assert_eq!(failure.kind, FailureKind::Authentication);
    }
}
