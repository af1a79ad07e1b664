//! Errors: whole ones are OpenAI's, as `openai_chat/error.rs` says; in a stream they are events.
//!
//! ```text
//! event: error
//! data: {"type":"error","sequence_number":2,"code":"…","message":"…","param":null,"error":{}}
//! event: response.failed
//! data: {"type":"response.failed","response":{…,"status":"failed","error":{"code":"…",…}}}
//! ```
//! OpenAI's description has the members of an `error` event flat, its API tells them in an object;
//! clients read one or the other, so both are told.
//! **Source**: `ResponseErrorEvent` of OpenAI's own description of its API, 2.3.0, and recorded
//! traffic.

use crate::{
    dialect::{
        openai_chat,
        openai_responses::event,
        pivot::{
            failure::{Failure, FailureKind},
            text::Text,
        },
    },
    wire::json::document::{Kind, Value},
};

/// Read an error: alone, in a response that failed, or as an event; `None` where there is none.
#[must_use]
pub fn decode<'b>(root: Value<'_, 'b>, status: Option<u16>) -> Option<Failure<'b>> {
    let is_event = root.get("type").and_then(Value::plain).as_deref() == Some("error");
    let holder = root.get("response").filter(|it| it.kind() == Kind::Object).unwrap_or(root);
    let has_error = holder.get("error").is_some_and(|error| !error.is_null());
    let mut failure = if has_error {
        openai_chat::error::decode(holder, status)?
    } else if is_event {
        let text = |name: &str| root.get(name).and_then(Text::of);
        Failure {
            kind: status.map_or(FailureKind::Internal, FailureKind::of_status),
            message: text("message")?,
            code: text("code"),
            param: text("param"),
        }
    } else {
        return None;
    };
    if let Some(kind) = failure.code.as_ref().and_then(|code| kind_of(&code.read()))
        && status.is_none()
    {
        failure.kind = kind;
    }
    Some(failure)
}

/// The class of an error by its code, where no status tells it.
/// **Source**: `ResponseErrorCode` of OpenAI's own description of its API, 2.3.0.
fn kind_of(code: &str) -> Option<FailureKind> {
    match code {
        "rate_limit_exceeded" | "insufficient_quota" => Some(FailureKind::RateLimit),
        "invalid_prompt" | "context_length_exceeded" => Some(FailureKind::Invalid),
        "server_is_overloaded" | "slow_down" => Some(FailureKind::Overloaded),
        _ if code.starts_with("invalid_") || code.starts_with("image_") => {
            Some(FailureKind::Invalid)
        }
        _ => None,
    }
}

/// Append an event whose error is written by `push` as a document of OpenAI's.
pub fn push_event(out: &mut Vec<u8>, mut sequence: u64, push: impl FnOnce(&mut Vec<u8>)) {
    let mut document = Vec::with_capacity(256);
    push(&mut document);
    let mut parsed = crate::wire::json::document::Document::default();
    let error = parsed.parse(&document).ok().and_then(|root| root.get("error"));
    let mut object = event::begin(out, "error", &mut sequence);
    for name in ["code", "message", "param"] {
        let told = error.and_then(|error| error.get(name)).map_or("null", Value::raw);
        object.raw(name, told);
    }
    object.raw("error", error.map_or("null", Value::raw));
    object.close();
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::{decode, push_event};
    use crate::{dialect::pivot::failure::FailureKind, wire::json::document::Document};

    fn kind(text: &str) -> Option<(FailureKind, String)> {
        let mut document = Document::default();
        let failure = decode(document.parse(text.as_bytes()).expect("valid"), None)?;
        Some((failure.kind, failure.message.read().into_owned()))
    }

    #[test]
    fn an_error_is_found_in_each_of_its_places() {
        let limited = Some((FailureKind::RateLimit, "no".to_owned()));
        let flat = r#"{"type":"error","code":"rate_limit_exceeded","message":"no","param":null}"#;
        assert_eq!(kind(flat), limited);
        let nested = r#"{"type":"error","error":{"type":"insufficient_quota","message":"no"}}"#;
        assert_eq!(kind(nested), limited);
        let failed = r#"{"type":"response.failed","response":{"error":
            {"code":"rate_limit_exceeded","message":"no"}}}"#;
        assert_eq!(kind(failed), limited);
        assert_eq!(kind(r#"{"object":"response","error":null}"#), None);
    }

    #[test]
    fn an_event_is_told_flat_and_as_an_object() {
        let mut out = Vec::new();
        push_event(&mut out, 7, |out| {
            out.extend_from_slice(br#"{"error":{"message":"no","code":"c","param":null}}"#);
        });
        let text = String::from_utf8_lossy(&out);
        let expected = "event: error\ndata: {\"type\":\"error\",\"sequence_number\":7,\
            \"code\":\"c\",\"message\":\"no\",\"param\":null,\
            \"error\":{\"message\":\"no\",\"code\":\"c\",\"param\":null}}\n\n";
        assert_eq!(text, expected);
    }
}
