//! The items of a request's `input`.
//!
//! What a model said in one go comes as several items: thoughts, words and calls in a row are one
//! turn. So are the results of its calls.

use crate::{
    dialect::{
        asked,
        field::Field,
        openai_responses::{
            decode::content,
            seal::{self, Seal},
        },
        pivot::{
            dropped::Dropped,
            part::{Content, Part, ToolCall, ToolResult},
            request::{Role, Turn},
            text::{Arguments, Text},
        },
    },
    lexicon::refusal::{Refusal, Refused},
    wire::json::document::Value,
};
use std::borrow::Cow;

/// Append the turns that an `input` is.
pub fn decode<'b>(
    turns: &mut Vec<Turn<'b>>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let text = field.text_or_items(|value| item(turns, value, dropped))?;
    if let Some(text) = text {
        turns.push(Turn { role: Role::User, name: None, parts: vec![Part::text(text)] });
    }
    Ok(())
}

fn item<'b>(
    turns: &mut Vec<Turn<'b>>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.object()?;
    match &*field.word("type") {
        "" | "message" => return message(turns, field, dropped),
        "function_call" => {
            let arguments = Arguments::Text(field.need_text("arguments")?);
            add(turns, Role::Assistant, call(field, arguments)?);
        }
        "custom_tool_call" => {
            let arguments = asked::custom_arguments(&field.need_text("input")?);
            add(turns, Role::Assistant, call(field, arguments)?);
        }
        "function_call_output" | "custom_tool_call_output" => {
            let id = field.need_text("call_id")?;
            let mut content = Vec::new();
            if let Some(output) = field.get("output") {
                content::decode(&mut content, &output, dropped)?;
            }
            let result = ToolResult { id, name: None, content, is_error: false };
            add(turns, Role::Tool, Content::ToolResult(result));
        }
        "reasoning" => reasoning(turns, field, dropped),
        // What stands behind these is with a vendor, and is what the answer hangs on.
        kind @ ("item_reference" | "compaction") => {
            let detail = format!("Items of type {kind:?} can be read only by their own vendor.");
            return Err(Refusal::InvalidField.about(&field.path(), detail));
        }
        // What the vendor's own tools were asked and answered: only that vendor can say it.
        kind => field.drop_member(kind, dropped),
    }
    Ok(())
}

fn call<'b>(field: &Field<'_, 'b, '_>, arguments: Arguments<'b>) -> Result<Content<'b>, Refused> {
    let (id, name) = (field.need_text("call_id")?, field.need_text("name")?);
    Ok(Content::ToolCall(ToolCall { id, name, arguments, signature: None }))
}

/// Append to the turn of this side, or begin one.
fn add<'b>(turns: &mut Vec<Turn<'b>>, role: Role, content: Content<'b>) {
    add_all(turns, role, vec![content.into()]);
}

fn add_all<'b>(turns: &mut Vec<Turn<'b>>, role: Role, parts: Vec<Part<'b>>) {
    let is_joined = matches!(role, Role::Assistant | Role::Tool);
    match turns.last_mut() {
        Some(last) if is_joined && last.role == role => last.parts.extend(parts),
        _ => turns.push(Turn { role, name: None, parts }),
    }
}

fn message<'b>(
    turns: &mut Vec<Turn<'b>>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let role = match &*field.word("role") {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "developer" => Role::Developer,
        _ => return Err(field.refuse_member("role", "user, assistant, system or developer")),
    };
    let mut parts = Vec::new();
    let content = field.need("content", "a string or an array")?;
    content::decode(&mut parts, &content, dropped)?;
    add_all(turns, role, parts);
    Ok(())
}

fn reasoning<'b>(turns: &mut Vec<Turn<'b>>, field: &Field<'_, 'b, '_>, dropped: &mut Dropped) {
    let text = thoughts(field.value);
    let encrypted = field.get_text("encrypted_content");
    let content = match encrypted.as_ref().map(seal::open) {
        Some(Seal::Thinking(signature)) => {
            Content::Thinking { text: text.unwrap_or_default(), signature: Some(signature) }
        }
        Some(Seal::Redacted(data)) => Content::RedactedThinking(data),
        other => {
            if other.is_some() {
                field.drop_member("encrypted_content", dropped);
            }
            let Some(text) = text else { return };
            Content::Thinking { text, signature: None }
        }
    };
    add(turns, Role::Assistant, content);
}

/// What a `reasoning` item tells: its summary, else the thoughts themselves; `None` of nothing.
pub fn thoughts<'b>(item: Value<'_, 'b>) -> Option<Text<'b>> {
    let texts = |name: &str| {
        let list = item.get(name);
        let texts = list.into_iter().flat_map(Value::items).filter_map(|part| part.get("text"));
        texts.filter_map(Text::of).filter(|text| !text.is_empty()).collect::<Vec<_>>()
    };
    let mut found = texts("summary");
    if found.is_empty() {
        found = texts("content");
    }
    if found.len() < 2 {
        return found.pop();
    }
    // Each is a paragraph.
    let all: Vec<_> = found.iter().map(Text::read).collect();
    Some(Text::Plain(Cow::Owned(all.join("\n\n"))))
}
