//! A whole answer, as a client gets it.

use crate::{
    dialect::{
        anthropic::{encode::block, usage},
        pivot::{
            dropped::Dropped,
            manner::Manner,
            part::{Content, Part},
            reply::{Reply, Stop},
            text::Text,
        },
    },
    wire::json::{
        value::push_json_string,
        write::{Array, Object},
    },
};

/// Append the answer. Of several only the first is told: this API knows no more.
pub fn encode(out: &mut Vec<u8>, reply: &Reply<'_>, manner: &Manner<'_>, dropped: &mut Dropped) {
    let mut object = Object::open(out);
    push_or(object.key("id"), reply.id.as_ref(), manner.id);
    object.text("type", "message");
    object.text("role", "assistant");
    push_or(object.key("model"), reply.model.as_ref(), manner.model);
    let first = reply.choices.iter().min_by_key(|choice| choice.index);
    let mut content = object.array("content");
    for part in first.iter().flat_map(|choice| &choice.parts) {
        push_part(&mut content, part, dropped);
    }
    content.close();
    let has_refusal = first.is_some_and(|choice| {
        choice.parts.iter().any(|part| matches!(part.content, Content::Refusal(_)))
    });
    let stop = first.and_then(|choice| choice.stop.as_ref());
    match stop {
        Some(stop) => object.text("stop_reason", stop_word(stop, has_refusal, dropped)),
        None => object.raw("stop_reason", "null"),
    }
    match stop {
        Some(Stop::Sequence(Some(text))) => text.push(object.key("stop_sequence")),
        _ => object.raw("stop_sequence", "null"),
    }
    usage::encode(object.key("usage"), &reply.usage);
    object.close();
    if reply.choices.len() > 1 {
        dropped.name("choices");
    }
    if first.is_some_and(|choice| choice.logprobs.is_some()) {
        dropped.name("logprobs");
    }
}

/// Append a text, or what stands in for it.
pub fn push_or(out: &mut Vec<u8>, text: Option<&Text<'_>>, other: &str) {
    match text {
        Some(text) => text.push(out),
        None => push_json_string(out, other),
    }
}

fn push_part(content: &mut Array<'_>, part: &Part<'_>, dropped: &mut Dropped) {
    match &part.content {
        _ if block::is_empty(part) => {}
        // Thinking of other vendors' models bears no signature; clients want the member.
        Content::Thinking { text, signature } => {
            let mut object = content.object();
            object.text("type", "thinking");
            text.push(object.key("thinking"));
            signature.as_ref().unwrap_or(&Text::default()).push(object.key("signature"));
            object.close();
        }
        // Of whichever vendor it is: it comes back to it.
        Content::RedactedThinking(data) => {
            let mut object = content.object();
            object.text("type", "redacted_thinking");
            data.push(object.key("data"));
            object.close();
        }
        _ => block::push(content, part, dropped),
    }
}

/// The word for a reason; what has none is named, and is the nearest.
pub fn stop_word(stop: &Stop<'_>, has_refusal: bool, dropped: &mut Dropped) -> &'static str {
    match stop {
        Stop::Refusal | Stop::Filter => "refusal",
        Stop::End if has_refusal => "refusal",
        Stop::End | Stop::Sequence(None) => "end_turn",
        Stop::Length => "max_tokens",
        Stop::ToolUse => "tool_use",
        Stop::Sequence(Some(_)) => "stop_sequence",
        Stop::Pause => "pause_turn",
        Stop::Other(text) => {
            dropped.name(format!("finish_reason.{}", text.read()));
            "end_turn"
        }
    }
}
