//! The items of a request's `input`.
//!
//! What a model said in one go comes as several items: thoughts, words and calls in a row are one
//! turn. So are the results of its calls.

use crate::{
    dialect::{
        field::{self, Path},
        openai_responses::{
            decode::content,
            seal::{self, Seal},
        },
        pivot::{
            dropped::Dropped,
            part::{Content, Part, ToolCall, ToolResult},
            request::{Role, Turn},
            text::{Arguments, Json, Text},
        },
    },
    lexicon::refusal::{Refusal, Refused},
    wire::json::{document::Value, write::Object},
};
use std::borrow::Cow;

/// Append the turns that an `input` is.
pub fn decode<'b>(
    turns: &mut Vec<Turn<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    if let Some(text) = Text::of(value) {
        turns.push(Turn { role: Role::User, name: None, parts: vec![Part::text(text)] });
        return Ok(());
    }
    let items = field::array(value, path).map_err(|_| path.refuse("a string or an array"))?.items();
    for (index, value) in items.enumerate() {
        item(turns, value, &path.index(index), dropped)?;
    }
    Ok(())
}

fn item<'b>(
    turns: &mut Vec<Turn<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let object = field::object(value, path)?;
    match object.get("type").and_then(Value::plain).as_deref() {
        None | Some("message") => return message(turns, object, path, dropped),
        Some("function_call") => {
            let arguments = Arguments::Text(text(object, "arguments", path)?);
            add(turns, Role::Assistant, call(object, arguments, path)?);
        }
        // Its input is no JSON: elsewhere it is the one argument of a call.
        Some("custom_tool_call") => {
            let mut json = Vec::new();
            let mut inside = Object::open(&mut json);
            text(object, "input", path)?.push(inside.key("input"));
            inside.close();
            let json = String::from_utf8_lossy(&json).into_owned();
            let arguments = Arguments::Value(Json(Cow::Owned(json)));
            add(turns, Role::Assistant, call(object, arguments, path)?);
        }
        Some("function_call_output" | "custom_tool_call_output") => {
            let id = text(object, "call_id", path)?;
            let mut content = Vec::new();
            if let Some(output) = object.get("output") {
                content::decode(&mut content, output, &path.name("output"), dropped)?;
            }
            let result = ToolResult { id, name: None, content, is_error: false };
            add(turns, Role::Tool, Content::ToolResult(result));
        }
        Some("reasoning") => reasoning(turns, object, path, dropped),
        // What stands behind these is with a vendor, and is what the answer hangs on.
        Some(kind @ ("item_reference" | "compaction")) => {
            let detail = format!("Items of type {kind:?} can be read only by their own vendor.");
            return Err(Refusal::InvalidField.about(&path.to_string(), detail));
        }
        // What the vendor's own tools were asked and answered: only that vendor can say it.
        Some(kind) => dropped.name(path.name(kind).to_string()),
    }
    Ok(())
}

fn text<'b>(object: Value<'_, 'b>, key: &str, path: &Path<'_>) -> Result<Text<'b>, Refused> {
    let path = path.name(key);
    field::text(object.get(key).ok_or_else(|| path.refuse("a string"))?, &path)
}

fn call<'b>(
    object: Value<'_, 'b>,
    arguments: Arguments<'b>,
    path: &Path<'_>,
) -> Result<Content<'b>, Refused> {
    let (id, name) = (text(object, "call_id", path)?, text(object, "name", path)?);
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
    object: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let role = match object.get("role").and_then(Value::plain).as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        _ => return Err(path.name("role").refuse("user, assistant, system or developer")),
    };
    let mut parts = Vec::new();
    let path = path.name("content");
    let content = object.get("content").filter(|content| !content.is_null());
    let content = content.ok_or_else(|| path.refuse("a string or an array"))?;
    content::decode(&mut parts, content, &path, dropped)?;
    add_all(turns, role, parts);
    Ok(())
}

fn reasoning<'b>(
    turns: &mut Vec<Turn<'b>>,
    object: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) {
    let text = thoughts(object);
    let encrypted = object.get("encrypted_content").and_then(Text::of);
    let content = match encrypted.as_ref().map(seal::open) {
        Some(Seal::Thinking(signature)) => {
            Content::Thinking { text: text.unwrap_or_default(), signature: Some(signature) }
        }
        Some(Seal::Redacted(data)) => Content::RedactedThinking(data),
        other => {
            if other.is_some() {
                dropped.name(path.name("encrypted_content").to_string());
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
