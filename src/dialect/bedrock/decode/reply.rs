//! A whole answer, read in full.

use crate::{
    dialect::{
        bedrock::{decode::block, usage},
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
    let fields = root.get("additionalModelResponseFields");
    for (key, value) in root.members() {
        match &*key {
            _ if value.is_null() => {}
            "stopReason" => choice.stop = stop(value, fields),
            "usage" => reply.usage = usage::decode(value),
            // How long it took, and what stood in the request.
            "output" | "metrics" | "performanceConfig" | "serviceTier" => {}
            "additionalModelResponseFields" if told_sequence(value).is_some() => {}
            _ => dropped.name(key.into_owned()),
        }
    }
    let root = Field::root(root);
    let output = root.need("output", "an object")?;
    let message = output.need("message", "an object")?;
    block::decode_all(&mut choice.parts, &message.need("content", "an array")?, dropped)?;
    reply.choices.push(choice);
    Ok(reply)
}

/// Why it ended; the fields that the model adds may tell before which words.
#[must_use]
pub fn stop<'b>(reason: Value<'_, 'b>, fields: Option<Value<'_, 'b>>) -> Option<Stop<'b>> {
    let text = Text::of(reason)?;
    Some(match &*text.read() {
        "end_turn" => Stop::End,
        "tool_use" => Stop::ToolUse,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "stop_sequence" => Stop::Sequence(fields.and_then(told_sequence)),
        "guardrail_intervened" | "content_filtered" => Stop::Filter,
        _ => Stop::Other(text.clone()),
    })
}

/// Before which words the model stopped, as Anthropic's models tell it where they are asked to.
fn told_sequence<'b>(fields: Value<'_, 'b>) -> Option<Text<'b>> {
    let fields = fields.get("delta").unwrap_or(fields);
    fields.get("stop_sequence").and_then(Text::of)
}
