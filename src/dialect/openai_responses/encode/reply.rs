//! A whole answer, as a client gets it.

use crate::{
    dialect::{
        openai_responses::{
            encode::{
                annotation,
                told::{Head, State},
            },
            seal,
        },
        pivot::{
            dropped::Dropped,
            manner::Manner,
            part::{Content, Part},
            reply::{Choice, Reply},
            text::{Json, Text},
        },
    },
    wire::json::{
        object::scan_object,
        write::{Array, Object},
    },
};

/// Append the answer. Of several only the first is told: this API knows no more.
pub fn encode(out: &mut Vec<u8>, reply: &Reply<'_>, manner: &Manner<'_>, dropped: &mut Dropped) {
    let head = Head::new(reply.id.as_ref(), reply.model.as_ref(), reply.created, manner);
    let first = reply.choices.iter().min_by_key(|choice| choice.index);
    if reply.choices.len() > 1 {
        dropped.name("choices");
    }
    let mut output = Vec::new();
    if let Some(choice) = first {
        push_items(&mut output, choice, &head, dropped);
    }
    let has_refusal = first.is_some_and(|choice| choice.parts.iter().any(is_refusal));
    let state = State::of(first.and_then(|choice| choice.stop.as_ref()), has_refusal, dropped);
    let usage = Some(&reply.usage).filter(|usage| usage.is_told());
    let items = output.get(1..output.len().saturating_sub(1)).unwrap_or_default();
    head.push(out, state, items, usage);
}

const fn is_refusal(part: &Part<'_>) -> bool {
    matches!(part.content, Content::Refusal(_))
}

const fn is_spoken(part: &Part<'_>) -> bool {
    matches!(part.content, Content::Text(_) | Content::Cited { .. } | Content::Refusal(_))
}

/// Append the items as an array; words in a row are one message.
fn push_items(out: &mut Vec<u8>, choice: &Choice<'_>, head: &Head, dropped: &mut Dropped) {
    let mut items = Array::open(out);
    let mut index = 0;
    let mut logprobs = choice.logprobs.as_ref().and_then(listed);
    for parts in choice.parts.chunk_by(|a, b| is_spoken(a) && is_spoken(b)) {
        match &parts[0].content {
            Content::ToolCall(call) => {
                let mut item = open(&mut items, "function_call", head, ("fc_", index));
                call.id.push(item.key("call_id"));
                call.name.push(item.key("name"));
                // A tool called with no words at all is called with `{}`.
                if call.arguments.read().is_empty() {
                    item.text("arguments", "{}");
                } else {
                    call.arguments.push_text(item.key("arguments"));
                }
                item.text("status", "completed");
                item.close();
            }
            Content::Thinking { text, signature } => {
                let mut item = open(&mut items, "reasoning", head, ("rs_", index));
                push_summary(&mut item, text);
                if let Some(signature) = signature {
                    seal::push_thinking(item.key("encrypted_content"), signature);
                }
                item.close();
            }
            Content::RedactedThinking(data) => {
                let mut item = open(&mut items, "reasoning", head, ("rs_", index));
                item.raw("summary", "[]");
                seal::push_redacted(item.key("encrypted_content"), data);
                item.close();
            }
            _ if parts.iter().any(is_spoken) => {
                let mut item = open(&mut items, "message", head, ("msg_", index));
                item.text("status", "completed");
                item.text("role", "assistant");
                let mut content = item.array("content");
                for part in parts {
                    push_part(content.object(), part, logprobs.take(), dropped);
                }
                content.close();
                item.close();
            }
            _ => {
                dropped.name(format!("content.{}", parts[0].name()));
                continue;
            }
        }
        index += 1;
    }
    items.close();
}

fn open<'a>(
    items: &'a mut Array<'_>,
    kind: &str,
    head: &Head,
    (prefix, index): (&str, u64),
) -> Object<'a> {
    let mut item = items.object();
    head.push_item_id(item.key("id"), prefix, index);
    item.text("type", kind);
    item
}

/// The list in what a chat says of its tokens.
fn listed<'l>(logprobs: &'l Json<'_>) -> Option<&'l str> {
    let json = logprobs.0.as_bytes();
    let list = scan_object(json, &["content"]).ok()?.values[0]?.of(json);
    std::str::from_utf8(list).ok().filter(|list| list.starts_with('['))
}

fn push_summary(item: &mut Object<'_>, text: &Text<'_>) {
    let mut summary = item.array("summary");
    if !text.is_empty() {
        let mut part = summary.object();
        part.text("type", "summary_text");
        text.push(part.key("text"));
        part.close();
    }
    summary.close();
}

fn push_part(
    mut object: Object<'_>,
    part: &Part<'_>,
    logprobs: Option<&str>,
    dropped: &mut Dropped,
) {
    match &part.content {
        Content::Refusal(text) => {
            object.text("type", "refusal");
            text.push(object.key("refusal"));
        }
        content => {
            let text = part.as_text().cloned().unwrap_or_default();
            object.text("type", "output_text");
            let mut annotations = object.array("annotations");
            if let Content::Cited { citations, .. } = content {
                let chars = text.read().chars().count() as u64;
                annotation::push_all(&mut annotations, &citations.0, chars, dropped);
            }
            annotations.close();
            object.raw("logprobs", logprobs.unwrap_or("[]"));
            text.push(object.key("text"));
        }
    }
    object.close();
}
