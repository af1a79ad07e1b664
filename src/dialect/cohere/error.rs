//! How Cohere says that it failed.
//!
//! ```text
//! {"id":"…","message":"model 'x' not found, …"}                with a status
//! {"type":"message-end","delta":{"finish_reason":"ERROR","error":"…","usage":{…}}}
//! ```
//! **Source**: docs.cohere.com/reference/errors, read 2026-11-21, and recorded traffic.

use crate::{
    dialect::pivot::{
        failure::{Failure, FailureKind},
        text::Text,
    },
    wire::json::document::Value,
};

/// Read an error; `None` where it is none. `status` is what it came with, if it came alone.
#[must_use]
pub fn decode<'b>(root: Value<'_, 'b>, status: Option<u16>) -> Option<Failure<'b>> {
    let by_status = status.map_or(FailureKind::Internal, FailureKind::of_status);
    if let Some(message) = root.get("message").and_then(Text::of) {
        return Some(Failure { kind: by_status, message, code: None, param: None });
    }
    let end = root.get("delta").unwrap_or(root);
    let reason = end.get("finish_reason").and_then(Value::plain)?;
    let kind = match &*reason {
        "ERROR" => by_status,
        "TIMEOUT" => FailureKind::Timeout,
        _ => return None,
    };
    let message = end.get("error").and_then(Text::of);
    let message = message.unwrap_or(Text::plain("The model's vendor failed and says no more."));
    Some(Failure { kind, message, code: None, param: None })
}
