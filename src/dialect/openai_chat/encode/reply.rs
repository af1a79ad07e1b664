//! A whole answer, as a client gets it.

use crate::{
    dialect::{
        openai_chat::{encode::citation, usage},
        pivot::{
            dropped::Dropped,
            manner::Manner,
            part::{Content, Part},
            reply::{Choice, Reply, Stop},
            text::Text,
        },
    },
    wire::{
        http1::push_decimal,
        json::{
            value::push_json_string,
            write::{Array, Object},
        },
    },
};

/// Append the answer.
pub fn encode(out: &mut Vec<u8>, reply: &Reply<'_>, manner: &Manner<'_>, dropped: &mut Dropped) {
    let mut object = Object::open(out);
    push_or(object.key("id"), reply.id.as_ref(), manner.id);
    let created = object.members(r#""object":"chat.completion","created":"#);
    push_decimal(created, reply.created.unwrap_or(manner.now_seconds));
    push_or(object.key("model"), reply.model.as_ref(), manner.model);
    let mut choices = object.array("choices");
    for choice in &reply.choices {
        push_choice(choices.object(), choice, manner, dropped);
    }
    choices.close();
    if reply.usage.is_told() {
        usage::encode(object.key("usage"), &reply.usage);
    }
    object.close();
}

/// Append a text, or what stands in for it.
pub fn push_or(out: &mut Vec<u8>, text: Option<&Text<'_>>, other: &str) {
    match text {
        Some(text) => text.push(out),
        None => push_json_string(out, other),
    }
}

fn push_choice(
    mut object: Object<'_>,
    choice: &Choice<'_>,
    manner: &Manner<'_>,
    dropped: &mut Dropped,
) {
    object.number("index", u64::from(choice.index));
    let mut message = object.object("message");
    push_content(message.members(r#""role":"assistant","content":"#), &choice.parts, manner);
    push_refusal(&mut message, &choice.parts);
    if manner.is_strict_openai {
        push_thinking(&mut message, &choice.parts);
    }
    push_calls(&mut message, &choice.parts);
    citation::push(&mut message, &choice.parts, dropped);
    message.close();
    match &choice.logprobs {
        Some(logprobs) => logprobs.push(object.key("logprobs")),
        None => object.raw("logprobs", "null"),
    }
    match choice.stop.as_ref().map(|stop| stop_word(stop, dropped)) {
        Some(word) => object.word("finish_reason", word),
        None => object.raw("finish_reason", "null"),
    }
    object.close();
    name_unsaid(&choice.parts, dropped);
}

/// A text, or null where nothing was said; in the loose manner parts, if there is thinking.
fn push_content(out: &mut Vec<u8>, parts: &[Part<'_>], manner: &Manner<'_>) {
    let thinks = |part: &Part<'_>| {
        matches!(part.content, Content::Thinking { .. } | Content::RedactedThinking(_))
    };
    if !manner.is_strict_openai && parts.iter().any(thinks) {
        return push_parts(out, parts);
    }
    let mut texts = parts.iter().filter_map(Part::as_text).peekable();
    if texts.peek().is_none() {
        return out.extend_from_slice(b"null");
    }
    out.push(b'"');
    for text in texts {
        text.push_inside(out);
    }
    out.push(b'"');
}

fn push_parts(out: &mut Vec<u8>, parts: &[Part<'_>]) {
    let mut array = Array::open(out);
    for part in parts {
        if let Some(text) = part.as_text() {
            let mut object = array.object();
            object.text("type", "text");
            text.push(object.key("text"));
            object.close();
        } else {
            push_thought(&mut array, part);
        }
    }
    array.close();
}

/// Append thinking as Anthropic writes it, so that it can be sent back as it came.
fn push_thought(array: &mut Array<'_>, part: &Part<'_>) {
    match &part.content {
        Content::Thinking { text, signature } => {
            let mut object = array.object();
            object.text("type", "thinking");
            text.push(object.key("thinking"));
            if let Some(signature) = signature {
                signature.push(object.key("signature"));
            }
            object.close();
        }
        Content::RedactedThinking(data) => {
            let mut object = array.object();
            object.text("type", "redacted_thinking");
            data.push(object.key("data"));
            object.close();
        }
        _ => {}
    }
}

fn push_refusal(message: &mut Object<'_>, parts: &[Part<'_>]) {
    let refusal = parts.iter().find_map(|part| match &part.content {
        Content::Refusal(text) => Some(text),
        _ => None,
    });
    match refusal {
        Some(text) => text.push(message.key("refusal")),
        None => message.raw("refusal", "null"),
    }
}

/// `reasoning_content` for those who read it, `thinking_blocks` for those who send it back.
fn push_thinking(message: &mut Object<'_>, parts: &[Part<'_>]) {
    let mut texts = parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::Thinking { text, .. } => Some(text),
            _ => None,
        })
        .peekable();
    if texts.peek().is_some() {
        let out = message.key("reasoning_content");
        out.push(b'"');
        for text in texts {
            text.push_inside(out);
        }
        out.push(b'"');
    }
    let is_provable = |part: &&Part<'_>| {
        matches!(
            part.content,
            Content::Thinking { signature: Some(_), .. } | Content::RedactedThinking(_)
        )
    };
    let mut blocks = parts.iter().filter(is_provable).peekable();
    if blocks.peek().is_some() {
        let mut array = message.array("thinking_blocks");
        for part in blocks {
            push_thought(&mut array, part);
        }
        array.close();
    }
}

fn push_calls(message: &mut Object<'_>, parts: &[Part<'_>]) {
    let mut calls = parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::ToolCall(call) => Some(call),
            _ => None,
        })
        .peekable();
    if calls.peek().is_none() {
        return;
    }
    let mut array = message.array("tool_calls");
    for call in calls {
        let mut object = array.object();
        call.id.push(object.key("id"));
        object.text("type", "function");
        let mut function = object.object("function");
        call.name.push(function.key("name"));
        call.arguments.push_text(function.key("arguments"));
        function.close();
        object.close();
    }
    array.close();
}

fn name_unsaid(parts: &[Part<'_>], dropped: &mut Dropped) {
    for part in parts {
        match &part.content {
            Content::Text(_)
            | Content::Cited { .. }
            | Content::ToolCall(_)
            | Content::Thinking { .. }
            | Content::RedactedThinking(_)
            | Content::Refusal(_) => {}
            _ => dropped.name(format!("content.{}", part.name())),
        }
    }
}

/// The word for a reason; what has none is named, and is the nearest.
pub fn stop_word(stop: &Stop<'_>, dropped: &mut Dropped) -> &'static str {
    match stop {
        Stop::End => "stop",
        Stop::Sequence(text) => {
            if text.is_some() {
                dropped.name("stop_sequence");
            }
            "stop"
        }
        Stop::Length => "length",
        Stop::ToolUse => "tool_calls",
        Stop::Filter | Stop::Refusal => "content_filter",
        Stop::Pause => {
            dropped.name("stop_reason.pause_turn");
            "stop"
        }
        Stop::Other(text) => {
            dropped.name(format!("stop_reason.{}", text.read()));
            "stop"
        }
    }
}
