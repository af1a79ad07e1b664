//! A whole answer, as a client gets it.

use crate::{
    dialect::{
        bedrock::{
            encode::block::{Pen, is_empty, push_citation, push_thinking},
            usage,
        },
        pivot::{
            citation::Citation,
            dropped::Dropped,
            part::Content,
            reply::{Reply, Stop},
            text::{Json, Text},
        },
    },
    wire::json::{
        document::{Document, Value},
        write::{Array, Object},
    },
};

/// Append the answer. Of several only the first is told: this API knows no more. It has no place
/// for an id and a model.
pub fn encode(out: &mut Vec<u8>, reply: &Reply<'_>, dropped: &mut Dropped) {
    let first = reply.choices.iter().min_by_key(|choice| choice.index);
    let mut object = Object::open(out);
    let mut output = object.object("output");
    let mut message = output.object("message");
    message.text("role", "assistant");
    let mut content = message.array("content");
    let mut pen = Pen { dropped, keeps_marks: false, documents: 0, path: "content" };
    for part in first.iter().flat_map(|choice| &choice.parts) {
        match &part.content {
            Content::Text(text) if text.is_empty() => {}
            Content::Thinking { text, signature } => {
                push_thinking(&mut content, text, signature.as_ref());
            }
            Content::Cited { text, citations } => {
                push_cited(&mut content, text, citations, &mut pen);
            }
            _ if is_empty(part) && reply.choices.len() > 1 => {}
            _ => pen.push(&mut content, part),
        }
    }
    content.close();
    message.close();
    output.close();
    let has_refusal = first.is_some_and(|choice| {
        choice.parts.iter().any(|part| matches!(part.content, Content::Refusal(_)))
    });
    if let Some(stop) = first.and_then(|choice| choice.stop.as_ref()) {
        object.text("stopReason", stop_word(stop, has_refusal, dropped));
        push_sequence(&mut object, stop);
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

/// Append words and where they are from: `{"citationsContent":{"content":[…],"citations":[…]}}`.
fn push_cited(array: &mut Array<'_>, text: &Text<'_>, citations: &Json<'_>, pen: &mut Pen<'_>) {
    let mut document = Document::default();
    let list = document.parse(citations.0.as_bytes()).ok();
    let told: Vec<_> = list.into_iter().flat_map(Value::items).map(Citation::of).collect();
    if told.iter().any(Option::is_none) {
        pen.dropped.name("content.citations");
    }
    let mut object = array.object();
    let mut inner = object.object("citationsContent");
    let mut content = inner.array("content");
    let mut words = content.object();
    text.push(words.key("text"));
    words.close();
    content.close();
    let mut list = inner.array("citations");
    for citation in told.iter().flatten() {
        push_citation(list.object(), citation);
    }
    list.close();
    inner.close();
    object.close();
}

/// Append before which words it ended, where that is known; as Anthropic's models tell it here.
pub fn push_sequence(object: &mut Object<'_>, stop: &Stop<'_>) {
    if let Stop::Sequence(Some(text)) = stop {
        let mut fields = object.object("additionalModelResponseFields");
        text.push(fields.key("stop_sequence"));
        fields.close();
    }
}

/// The word for a reason; what has none is named, and is the nearest.
pub fn stop_word(stop: &Stop<'_>, has_refusal: bool, dropped: &mut Dropped) -> &'static str {
    match stop {
        Stop::Refusal | Stop::Filter => "content_filtered",
        Stop::End if has_refusal => "content_filtered",
        Stop::End | Stop::Sequence(None) => "end_turn",
        Stop::Length => "max_tokens",
        Stop::ToolUse => "tool_use",
        Stop::Sequence(Some(_)) => "stop_sequence",
        Stop::Pause => {
            dropped.name("stop_reason.pause_turn");
            "end_turn"
        }
        Stop::Other(text) => {
            dropped.name(format!("finish_reason.{}", text.read()));
            "end_turn"
        }
    }
}
