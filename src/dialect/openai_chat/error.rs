//! How OpenAI's clients are told no.
//!
//! ```text
//! {"error":{"message":"…","type":"authentication_error","param":null,"code":"invalid_api_key",
//!  "request_id":"…"}}
//! data: {"error":{…}}                                    the same, in a stream
//! ```
//! **Source**: platform.openai.com/docs/guides/error-codes, read 2026-11-21. `request_id` is ours.

use crate::{lexicon::refusal::Refused, wire::json};

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

/// Append a vendor's error in OpenAI's shape, from the one text in it.
pub fn push_foreign(out: &mut Vec<u8>, message: &str, status: u16, request_id: &str) {
    let (kind, code) = match status {
        404 => ("not_found_error", "upstream_not_found"),
        429 => ("rate_limit_error", "upstream_rate_limited"),
        400..=499 => ("invalid_request_error", "upstream_rejected"),
        _ => ("upstream_error", "upstream_failed"),
    };
    push_error(out, message, kind, code, None, request_id);
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
