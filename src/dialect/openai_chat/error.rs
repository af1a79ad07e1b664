//! How OpenAI's clients are told no.
//!
//! ```text
//! {"error":{"message":"…","type":"authentication_error","param":null,"code":"invalid_api_key",
//!  "request_id":"…"}}
//! data: {"error":{…}}                                    the same, in a stream
//! ```
//! **Source**: platform.openai.com/docs/guides/error-codes, read 2026-11-21. `request_id` is ours.

use crate::{
    dialect::pivot::{
        failure::{Failure, FailureKind},
        text::Text,
    },
    lexicon::refusal::Refused,
    wire::json::{
        self,
        document::{Kind, Value},
        write::Object,
    },
};

/// Append the error object.
pub fn push(out: &mut Vec<u8>, refused: &Refused, request_id: &str) {
    let row = refused.refusal.row();
    let mut message = String::with_capacity(row.sentence.len() + refused.detail.len() + 1);
    message.push_str(row.sentence);
    if !refused.detail.is_empty() {
        message.push(' ');
        message.push_str(&refused.detail);
    }
    push_error(out, &message, row.kind, row.code, refused.param.as_deref(), request_id);
}

/// Append the error as one event of a stream.
pub fn push_event(out: &mut Vec<u8>, refused: &Refused, request_id: &str) {
    out.extend_from_slice(b"data: ");
    push(out, refused, request_id);
    out.extend_from_slice(b"\n\n");
}

/// The type and the code of each class of error.
const CLASSES: [(FailureKind, &str, &str); 9] = [
    (FailureKind::Invalid, "invalid_request_error", "upstream_rejected"),
    (FailureKind::Authentication, "authentication_error", "upstream_auth"),
    (FailureKind::Permission, "permission_error", "upstream_auth"),
    (FailureKind::NotFound, "not_found_error", "upstream_not_found"),
    (FailureKind::TooLarge, "invalid_request_error", "upstream_rejected"),
    (FailureKind::RateLimit, "rate_limit_error", "upstream_rate_limited"),
    (FailureKind::Overloaded, "overloaded_error", "upstream_overloaded"),
    (FailureKind::Timeout, "timeout_error", "upstream_timeout"),
    (FailureKind::Internal, "upstream_error", "upstream_failed"),
];

/// Read a document with an error; `None` where there is none. `status` is what it came with.
#[must_use]
pub fn decode<'b>(root: Value<'_, 'b>, status: Option<u16>) -> Option<Failure<'b>> {
    let error = root.get("error").filter(|error| !error.is_null())?;
    let text = |name: &str| error.get(name).and_then(Text::of);
    // Some say only a text, and of those that say more some call it otherwise.
    let message = Text::of(error).or_else(|| text("message")).or_else(|| text("detail"));
    let code = error.get("code");
    let number = code.and_then(Value::as_u64).or_else(|| error.get("status")?.as_u64());
    let number = number.and_then(|number| u16::try_from(number).ok());
    let class = text("type").as_ref().and_then(|name| class(&name.read()));
    let by_status = status.or(number.filter(|code| *code >= 400)).map(FailureKind::of_status);
    Some(Failure {
        kind: class.or(by_status).unwrap_or(FailureKind::Internal),
        message: message.unwrap_or(Text::plain("The model's vendor failed and says no more.")),
        code: code.filter(|code| code.kind() == Kind::String).and_then(Text::of),
        param: text("param"),
    })
}

fn class(name: &str) -> Option<FailureKind> {
    match name {
        // What a vendor calls its own failures and quota.
        "server_error" | "api_error" => Some(FailureKind::Internal),
        "insufficient_quota" | "requests" | "tokens" => Some(FailureKind::RateLimit),
        _ => CLASSES.iter().find(|(_, kind, _)| *kind == name).map(|(class, ..)| *class),
    }
}

/// Append a vendor's error, as OpenAI's clients know it.
pub fn encode(out: &mut Vec<u8>, failure: &Failure<'_>, request_id: &str) {
    let found = CLASSES.iter().find(|(kind, ..)| *kind == failure.kind);
    let (kind, code) = found.map_or(("upstream_error", "upstream_failed"), |(_, k, c)| (k, c));
    let mut object = Object::open(out);
    let mut error = object.object("error");
    failure.message.push(error.key("message"));
    error.text("type", kind);
    match &failure.param {
        Some(param) => param.push(error.key("param")),
        None => error.raw("param", "null"),
    }
    match &failure.code {
        Some(code) => code.push(error.key("code")),
        None => error.text("code", code),
    }
    error.text("request_id", request_id);
    error.close();
    object.close();
}

fn push_error(
    out: &mut Vec<u8>,
    message: &str,
    kind: &str,
    code: &str,
    param: Option<&str>,
    request_id: &str,
) {
    out.extend_from_slice(b"{\"error\":{\"message\":");
    json::value::push_json_string(out, message);
    out.extend_from_slice(b",\"type\":");
    json::value::push_json_string(out, kind);
    out.extend_from_slice(b",\"param\":");
    match param {
        Some(param) => json::value::push_json_string(out, param),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"code\":");
    json::value::push_json_string(out, code);
    out.extend_from_slice(b",\"request_id\":");
    json::value::push_json_string(out, request_id);
    out.extend_from_slice(b"}}");
}

#[cfg(test)]
mod tests {
    use super::push;
    use crate::lexicon::refusal::Refusal;

    #[test]
    fn an_error_is_json_whatever_the_detail() {
        let refused = Refusal::InvalidField.about("model", "Not \"a\nb\".");
        let mut out = Vec::new();

        push(&mut out, &refused, "req-1");

        let value: serde_json::Value = serde_json::from_slice(&out).expect("valid JSON");
        let error = &value["error"];
        assert_eq!(error["code"], "invalid_field");
        assert_eq!(error["param"], "model");
        assert_eq!(error["request_id"], "req-1");
        assert!(error["message"].as_str().expect("text").ends_with("Not \"a\nb\"."));
    }
}
