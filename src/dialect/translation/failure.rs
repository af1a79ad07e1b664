//! Errors, from one dialect into another.

use crate::{
    dialect::{
        anthropic, bedrock, cohere, gemini, openai_chat, openai_responses,
        pivot::{failure::Failure, part::Dialect},
    },
    lexicon::refusal::Refused,
    wire::json::document::{Document, Value},
};

/// Seconds after which a vendor's error says to ask again, where its dialect says so in the body.
#[must_use]
pub fn retry_after_seconds(root: Value<'_, '_>, from: Dialect) -> Option<u64> {
    match from {
        Dialect::Gemini => gemini::error::retry_after_seconds(root),
        _ => None,
    }
}

/// Read an error of this dialect, which came with this status; `None` where it is none.
#[must_use]
pub fn decode_failure<'b>(
    root: Value<'_, 'b>,
    from: Dialect,
    status: Option<u16>,
) -> Option<Failure<'b>> {
    match from {
        Dialect::OpenAiChat => openai_chat::error::decode(root, status),
        Dialect::Anthropic => anthropic::error::decode(root, status),
        Dialect::Bedrock => bedrock::error::decode(root, status),
        Dialect::OpenAiResponses => openai_responses::error::decode(root, status),
        Dialect::Gemini => gemini::error::decode(root, status),
        Dialect::Cohere => cohere::error::decode(root, status),
    }
}

/// Append an error in this dialect.
pub fn push_failure(out: &mut Vec<u8>, failure: &Failure<'_>, to: Dialect, request_id: &str) {
    match to {
        Dialect::OpenAiChat | Dialect::Cohere | Dialect::OpenAiResponses => {
            openai_chat::error::encode(out, failure, request_id);
        }
        Dialect::Anthropic => anthropic::error::encode(out, failure, request_id),
        Dialect::Bedrock => bedrock::error::encode(out, failure),
        Dialect::Gemini => gemini::error::encode(out, failure, request_id),
    }
}

/// Append a refusal of ours in this dialect.
pub fn push_refused(out: &mut Vec<u8>, refused: &Refused, to: Dialect, request_id: &str) {
    match to {
        Dialect::OpenAiChat | Dialect::Cohere | Dialect::OpenAiResponses => {
            openai_chat::error::push(out, refused, request_id);
        }
        Dialect::Anthropic => anthropic::error::push_refused(out, refused, request_id),
        Dialect::Bedrock => bedrock::error::push_refused(out, refused),
        Dialect::Gemini => gemini::error::push_refused(out, refused, request_id),
    }
}

/// Append an error that AWS tells, as its document, as an event of this dialect's streams.
pub fn push_failure_event(out: &mut Vec<u8>, document: &[u8], to: Dialect, request_id: &str) {
    let mut notes = Document::default();
    let root = notes.parse(document).ok();
    let Some(failure) = root.and_then(|root| bedrock::error::decode(root, None)) else { return };
    if to == Dialect::Anthropic {
        anthropic::error::push_event(out, |out| push_failure(out, &failure, to, request_id));
    }
}
