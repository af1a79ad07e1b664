//! A whole answer, read in full.

use crate::{
    dialect::{
        cohere::{decode::citation, usage},
        field::Field,
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
    let root = Field::root(root);
    root.known_members(dropped, |name, field, _| {
        match name {
            "id" => reply.id = Text::of(field.value),
            "message" => {}
            "finish_reason" => {
                choice.stop = Some(stop(field.value).ok_or_else(|| field.refuse("no error"))?);
            }
            "usage" => reply.usage = usage::decode(field.value),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    read_message(&mut choice.parts, &root.need("message", "an object")?, dropped)?;
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

fn read_message<'b>(
    parts: &mut Vec<Part<'b>>,
    message: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    message.object()?;
    // The plan is what the model thinks before it calls.
    if let Some(text) = message.get_text("tool_plan").filter(|text| !text.is_empty()) {
        parts.push(Content::Thinking { text, signature: None }.into());
    }
    let first = parts.len();
    if let Some(content) = message.get("content") {
        parts.extend(Text::of(content.value).map(Part::text));
        content.any_items(|item| {
            parts.push(read_part(item)?);
            Ok(())
        })?;
    }
    if let Some(calls) = message.get("tool_calls") {
        calls.any_items(|call| {
            parts.push(Content::ToolCall(read_call(call)?).into());
            Ok(())
        })?;
    }
    if let Some(list) = message.get("citations").filter(|it| it.value.items().next().is_some())
        && !citation::cite(parts, first, list.value)
    {
        parts.push(Content::Foreign(citation::foreign(list.value)).into());
    }
    let known = ["role", "tool_plan", "content", "tool_calls", "citations"];
    message.drop_others(&known, dropped);
    Ok(())
}

fn read_part<'b>(field: &Field<'_, 'b, '_>) -> Result<Part<'b>, Refused> {
    let kind = field.need_text("type")?;
    let content = match &*kind.read() {
        "text" => Content::Text(field.need_text("text")?),
        "thinking" => Content::Thinking { text: field.need_text("thinking")?, signature: None },
        _ => Content::Foreign(Foreign {
            dialect: Dialect::Cohere,
            name: kind.clone(),
            json: Json::of(field.value),
        }),
    };
    Ok(content.into())
}

/// Read a call; the arguments of a tool without any are told as `null`.
fn read_call<'b>(field: &Field<'_, 'b, '_>) -> Result<ToolCall<'b>, Refused> {
    let function = field.need("function", "an object")?;
    let arguments = match function.get_text("arguments") {
        Some(text) if text != *"null" => Arguments::Text(text),
        _ => Arguments::Value(Json(Cow::Borrowed("{}"))),
    };
    Ok(ToolCall {
        id: field.need_text("id")?,
        name: function.need_text("name")?,
        arguments,
        signature: None,
    })
}
