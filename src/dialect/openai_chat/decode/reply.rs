//! A whole answer, read in full.

use crate::{
    dialect::{
        field::Field,
        openai_chat::{
            decode::{
                message,
                source::{self, LISTS},
            },
            usage,
        },
        pivot::{
            citation::Citation,
            dropped::Dropped,
            part::{Content, Part},
            reply::{Choice, Reply, Stop},
            text::{Json, Text},
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
    let mut lists = [None; LISTS.len()];
    let root = Field::root(root);
    root.members(|name, field| {
        let value = field.value;
        match &**name {
            "id" => reply.id = Text::of(value),
            "model" => reply.model = Text::of(value),
            "created" => reply.created = value.as_u64(),
            "usage" => reply.usage = usage::decode(value),
            "service_tier" => reply.service_tier = Text::of(value),
            "choices" => field.any_items(|item| {
                reply.choices.push(choice(item, dropped)?);
                Ok(())
            })?,
            name if let Some(at) = LISTS.iter().position(|list| *list == name) => {
                lists[at] = Some(value);
            }
            name if says_something(name, value) => field.drop_into(dropped),
            _ => {}
        }
        Ok(())
    })?;
    cite(&mut reply, lists, dropped);
    if reply.choices.is_empty() {
        return Err(root.refuse_member("choices", "there"));
    }
    Ok(reply)
}

/// The words of each choice are from all of these sources.
fn cite(reply: &mut Reply<'_>, lists: [Option<Value<'_, '_>>; LISTS.len()], dropped: &mut Dropped) {
    let (found, are_all) = source::read(lists);
    for (name, _) in LISTS.into_iter().zip(are_all).filter(|(_, are_all)| !are_all) {
        dropped.name(name);
    }
    if found.is_empty() {
        return;
    }
    for choice in &mut reply.choices {
        let text = choice.parts.iter_mut().rfind(|part| matches!(part.content, Content::Text(_)));
        let Some(Part { content, .. }) = text else {
            dropped.name("citations");
            continue;
        };
        if let Content::Text(text) = content {
            let (text, citations) = (std::mem::take(text), Citation::list(found.iter()));
            *content = Content::Cited { text, citations };
        }
    }
}

/// Is that of an answer, as a whole or of a piece, more than a fact about the vendor's machinery?
///
/// `related_questions` is Perplexity's, `prompt_filter_results` Azure's.
#[must_use]
pub fn says_something(name: &str, value: Value<'_, '_>) -> bool {
    const PLAIN: [&str; 7] = [
        "id",
        "object",
        "created",
        "model",
        "system_fingerprint",
        "service_tier",
        // What pads a piece, so that its length tells nothing.
        "obfuscation",
    ];
    !PLAIN.contains(&name) && !value.is_null() && !matches!(value.raw(), "[]" | "{}")
}

fn choice<'b>(field: &Field<'_, 'b, '_>, dropped: &mut Dropped) -> Result<Choice<'b>, Refused> {
    field.drop_others(&["index", "message", "finish_reason", "logprobs"], dropped);
    let value = field.value;
    let index = value.get("index").and_then(Value::as_u64).unwrap_or(0);
    let mut parts = message::decode_answer(&field.need("message", "an object")?, dropped)?.parts;
    parts
        .retain(|part: &Part<'_>| !matches!(&part.content, Content::Text(text) if text.is_empty()));
    Ok(Choice {
        index: u32::try_from(index).unwrap_or(0),
        parts,
        stop: value.get("finish_reason").and_then(stop),
        logprobs: value.get("logprobs").map(Json::of),
    })
}

/// Why it ended; some vendors say `""` where they say nothing.
#[must_use]
pub fn stop<'b>(value: Value<'_, 'b>) -> Option<Stop<'b>> {
    let text = Text::of(value).filter(|text| !text.is_empty())?;
    Some(match &*text.read() {
        // `eos` is how Together says it.
        "stop" | "eos" => Stop::End,
        // `max_tokens` and `model_length` are how self-hosted servers and Mistral say it.
        "length" | "max_tokens" | "model_length" => Stop::Length,
        "tool_calls" | "function_call" => Stop::ToolUse,
        "content_filter" => Stop::Filter,
        _ => Stop::Other(text.clone()),
    })
}
