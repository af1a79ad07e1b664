//! A whole answer, read in full.

use crate::{
    dialect::{
        cohere::usage,
        field::{self, Path},
        pivot::{
            dropped::Dropped,
            part::{Content, Dialect, Foreign, Part, ToolCall},
            reply::{Choice, Reply, Stop},
            text::{Arguments, Json, Text},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};
use std::borrow::Cow;

/// Read an answer.
///
/// # Errors
/// What is not as its dialect says, and an answer that ends in an error.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Reply<'b>, Refused> {
    let mut reply = Reply::default();
    let mut choice = Choice::default();
    let mut message = None;
    for (key, value) in root.members() {
        match &*key {
            _ if value.is_null() => {}
            "id" => reply.id = Text::of(value),
            "message" => message = Some(value),
            "finish_reason" => {
                let path = Path::root(&key);
                choice.stop = Some(stop(value).ok_or_else(|| path.refuse("no error"))?);
            }
            "usage" => reply.usage = usage::decode(value),
            _ => dropped.name(key.into_owned()),
        }
    }
    let path = Path::root("message");
    let message = message.ok_or_else(|| path.refuse("an object"))?;
    read_message(&mut choice.parts, field::object(message, &path)?, &path, dropped)?;
    reply.choices.push(choice);
    Ok(reply)
}

/// Why it ended; `None` where it failed.
#[must_use]
pub fn stop<'b>(reason: Value<'_, 'b>) -> Option<Stop<'b>> {
    let text = Text::of(reason)?;
    Some(match &*text.read() {
        "COMPLETE" => Stop::End,
        "STOP_SEQUENCE" => Stop::Sequence(None),
        "MAX_TOKENS" => Stop::Length,
        "TOOL_CALL" => Stop::ToolUse,
        "ERROR" | "TIMEOUT" => return None,
        _ => Stop::Other(text.clone()),
    })
}

/// A citation, whole or of a stream, that only this dialect can say.
#[must_use]
pub fn citation<'b>(value: Value<'_, 'b>) -> Foreign<'b> {
    Foreign { dialect: Dialect::Cohere, name: Text::plain("citations"), json: Json::of(value) }
}

fn read_message<'b>(
    parts: &mut Vec<Part<'b>>,
    message: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let get = |name: &str| message.get(name).filter(|value| !value.is_null());
    // The plan is what the model thinks before it calls.
    if let Some(text) = get("tool_plan").and_then(Text::of).filter(|text| !text.is_empty()) {
        parts.push(Content::Thinking { text, signature: None }.into());
    }
    if let Some(content) = get("content") {
        if let Some(text) = Text::of(content) {
            parts.push(Part::text(text));
        }
        for (index, item) in content.items().enumerate() {
            parts.push(read_part(item, &path.name("content").index(index))?);
        }
    }
    for (index, item) in get("tool_calls").into_iter().flat_map(Value::items).enumerate() {
        let calls = path.name("tool_calls");
        parts.push(Content::ToolCall(read_call(item, &calls.index(index))?).into());
    }
    if let Some(citations) = get("citations").filter(|list| list.items().next().is_some()) {
        parts.push(Content::Foreign(citation(citations)).into());
    }
    let known = ["role", "tool_plan", "content", "tool_calls", "citations"];
    for (key, value) in message.members() {
        if !known.contains(&&*key) && !value.is_null() {
            dropped.name(path.name(&key).to_string());
        }
    }
    Ok(())
}

fn read_part<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Part<'b>, Refused> {
    let kind = value.get("type").and_then(Text::of);
    let kind = kind.ok_or_else(|| path.name("type").refuse("a string"))?;
    let text = |name: &str| {
        let path = path.name(name);
        field::text(value.get(name).ok_or_else(|| path.refuse("a string"))?, &path)
    };
    let content = match &*kind.read() {
        "text" => Content::Text(text("text")?),
        "thinking" => Content::Thinking { text: text("thinking")?, signature: None },
        _ => Content::Foreign(Foreign {
            dialect: Dialect::Cohere,
            name: kind.clone(),
            json: Json::of(value),
        }),
    };
    Ok(content.into())
}

/// Append a call's id, name and arguments; those of a tool without any are told as `null`.
fn read_call<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<ToolCall<'b>, Refused> {
    let text = |of: Option<Value<'_, 'b>>, name: &str| {
        let found = of.and_then(|it| it.get(name)).and_then(Text::of);
        found.ok_or_else(|| path.name(name).refuse("a string"))
    };
    let function = value.get("function");
    let arguments = match function.and_then(|it| it.get("arguments")).and_then(Text::of) {
        Some(text) if text != *"null" => Arguments::Text(text),
        _ => Arguments::Value(Json(Cow::Borrowed("{}"))),
    };
    Ok(ToolCall {
        id: text(Some(value), "id")?,
        name: text(function, "name")?,
        arguments,
        signature: None,
    })
}
