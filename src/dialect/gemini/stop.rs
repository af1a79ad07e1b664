//! Why an answer ends.
//!
//! **Source**: ai.google.dev/api/generate-content(`FinishReason`, `BlockReason`) and
//! Vertex's `Candidate.FinishReason`, read 2026-11-21.

use crate::dialect::pivot::{dropped::Dropped, reply::Stop, text::Text};

/// Words for a filter that cut the answer.
const FILTERS: [&str; 10] = [
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "LANGUAGE",
];

/// What a word says. An answer that calls tools ends as any other here.
pub fn decode<'b>(word: &Text<'b>, has_calls: bool) -> Option<Stop<'b>> {
    Some(match &*word.read() {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" if has_calls => Stop::ToolUse,
        "STOP" => Stop::End,
        "MAX_TOKENS" => Stop::Length,
        filter if FILTERS.contains(&filter) => Stop::Filter,
        // `MALFORMED_FUNCTION_CALL`, `UNEXPECTED_TOOL_CALL`, `OTHER` and newer ones.
        _ => Stop::Other(word.clone()),
    })
}

/// The word for a reason; what has none is named, and is the nearest.
pub fn encode(stop: &Stop<'_>, dropped: &mut Dropped) -> &'static str {
    match stop {
        Stop::End | Stop::ToolUse | Stop::Sequence(None) => "STOP",
        Stop::Sequence(Some(_)) => {
            dropped.name("stop_sequence");
            "STOP"
        }
        Stop::Length => "MAX_TOKENS",
        Stop::Filter | Stop::Refusal => "SAFETY",
        Stop::Pause => {
            dropped.name("stop_reason.pause_turn");
            "STOP"
        }
        Stop::Other(text) => {
            dropped.name(format!("finish_reason.{}", text.read()));
            "OTHER"
        }
    }
}
