//! A whole answer, read in full.

use crate::{
    dialect::{
        anthropic::{decode::block, usage},
        field::Field,
        pivot::{
            dropped::Dropped,
            reply::{Choice, Reply, Stop},
            text::Text,
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};

/// Read an answer.
///
/// # Errors
/// What is not as its dialect says; whose fault it is, the caller knows.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Reply<'b>, Refused> {
    let mut reply = Reply::default();
    let mut choice = Choice::default();
    for (key, value) in root.members() {
        match &*key {
            _ if value.is_null() => {}
            "id" => reply.id = Text::of(value),
            "model" => reply.model = Text::of(value),
            "stop_reason" => choice.stop = stop(value, root.get("stop_sequence")),
            "usage" => reply.usage = usage::decode(value),
            "type" | "role" | "content" | "stop_sequence" => {}
            // `container`, `context_management`, `stop_details`: for those who speak this dialect.
            _ => dropped.name(key.into_owned()),
        }
    }
    Field::root(root).need("content", "an array")?.items(|block| {
        choice.parts.push(block::decode(block, dropped)?);
        Ok(())
    })?;
    reply.choices.push(choice);
    Ok(reply)
}

/// Why it ended.
#[must_use]
pub fn stop<'b>(reason: Value<'_, 'b>, sequence: Option<Value<'_, 'b>>) -> Option<Stop<'b>> {
    let text = Text::of(reason)?;
    Some(match &*text.read() {
        "end_turn" => Stop::End,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "stop_sequence" => Stop::Sequence(sequence.and_then(Text::of)),
        "tool_use" => Stop::ToolUse,
        "pause_turn" => Stop::Pause,
        "refusal" => Stop::Refusal,
        _ => Stop::Other(text.clone()),
    })
}
