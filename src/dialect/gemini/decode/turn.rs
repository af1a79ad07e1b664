//! The turns of a request.

use crate::{
    dialect::{
        field::{self, Path},
        gemini::{
            decode::part::{self, arguments, call_name},
            id::Seed,
            name::get,
        },
        pivot::{
            dropped::Dropped,
            part::{Content, Part, ToolCall, ToolResult},
            request::{Role, Turn},
            text::{Json, Text},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::{Kind, Value},
};
use std::borrow::Cow;

/// Calls of the conversation so far: results may tell the name alone.
#[derive(Default)]
pub struct Calls<'b> {
    seed: Seed,
    made: u32,
    /// Names and ids of calls without a result.
    pending: Vec<(Text<'b>, Text<'b>)>,
}

/// Append the turns of `contents`: one content, a list, or a text.
pub fn decode_all<'b>(
    turns: &mut Vec<Turn<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let mut calls = Calls::default();
    for (index, content) in field::array(value, path)?.items().enumerate() {
        decode(turns, content, &path.index(index), &mut calls, dropped)?;
    }
    Ok(())
}

/// The words of a `systemInstruction`, whose role says nothing.
pub fn decode_system<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Turn<'b>, Refused> {
    let mut turn = Turn { role: Role::System, name: None, parts: Vec::new() };
    if let Some(text) = Text::of(value) {
        turn.parts.push(Part::text(text));
        return Ok(turn);
    }
    let parts = field::object(value, path)?.get("parts");
    let path = path.name("parts");
    let parts = parts.ok_or_else(|| path.refuse("an array"))?;
    // One part stands for a list of one, as in Google's own examples.
    let one = (parts.kind() == Kind::Object).then_some(parts);
    for (index, item) in one.into_iter().chain(parts.items()).enumerate() {
        turn.parts.extend(part::of_client(item, &path.index(index), dropped)?);
    }
    Ok(turn)
}

fn decode<'b>(
    turns: &mut Vec<Turn<'b>>,
    content: Value<'_, 'b>,
    path: &Path<'_>,
    calls: &mut Calls<'b>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let role = match field::object(content, path)?.get("role").and_then(Value::plain).as_deref() {
        None | Some("" | "user" | "function" | "tool") => Role::User,
        Some("model") => Role::Assistant,
        Some("system") => Role::System,
        Some(_) => return Err(path.name("role").refuse("user or model")),
    };
    let path = path.name("parts");
    let parts = content.get("parts").ok_or_else(|| path.refuse("an array"))?;
    let one = (parts.kind() == Kind::Object).then_some(parts);
    if one.is_none() {
        field::array(parts, &path)?;
    }
    let (mut results, mut words) = (Vec::new(), Vec::new());
    for (index, item) in one.into_iter().chain(parts.items()).enumerate() {
        let path = path.index(index);
        field::object(item, &path)?;
        if let Some(call) = get(item, "functionCall") {
            words.push(decode_call(call, &path.name("functionCall"), calls)?);
        } else if let Some(result) = get(item, "functionResponse") {
            results.push(decode_result(result, &path.name("functionResponse"), calls, dropped)?);
        } else if let Some(part) = part::of_client(item, &path, dropped)? {
            push_words(&mut words, part);
        }
    }
    if !results.is_empty() {
        push_turn(turns, Role::Tool, results);
    }
    if !words.is_empty() {
        push_turn(turns, role, words);
    }
    Ok(())
}

/// Clients keep a streamed answer as the pieces it came in: they are one turn again.
fn push_turn<'b>(turns: &mut Vec<Turn<'b>>, role: Role, parts: Vec<Part<'b>>) {
    match turns.last_mut() {
        Some(last) if last.role == role && role != Role::User => {
            for part in parts {
                push_words(&mut last.parts, part);
            }
        }
        _ => turns.push(Turn { role, name: None, parts }),
    }
}

/// Thoughts in pieces are one, until they are signed.
fn push_words<'b>(words: &mut Vec<Part<'b>>, part: Part<'b>) {
    if let (
        Some(Part { content: Content::Thinking { text, signature: known @ None }, .. }),
        Content::Thinking { text: more, signature },
    ) = (words.last_mut(), &part.content)
    {
        let joined = [text.read(), more.read()].concat();
        *text = Text::Plain(Cow::Owned(joined));
        known.clone_from(signature);
        return;
    }
    words.push(part);
}

fn decode_call<'b>(
    call: Value<'_, 'b>,
    path: &Path<'_>,
    calls: &mut Calls<'b>,
) -> Result<Part<'b>, Refused> {
    let name = call_name(field::object(call, path)?, path)?;
    let own = call.get("id").and_then(Text::of);
    let id = calls.seed.call_id(own, (0, calls.made), &name, None);
    calls.made += 1;
    calls.pending.push((name.clone(), id.clone()));
    let call = ToolCall { id, name, arguments: arguments(call), signature: None };
    Ok(Content::ToolCall(call).into())
}

fn decode_result<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    calls: &mut Calls<'b>,
    dropped: &mut Dropped,
) -> Result<Part<'b>, Refused> {
    let name = call_name(field::object(value, path)?, path)?;
    let own = value.get("id").and_then(Text::of).filter(|id| !id.is_empty());
    let at = calls.pending.iter().position(|(called, id)| match &own {
        Some(own) => id == own,
        None => *called == name,
    });
    let found = at.map(|at| calls.pending.remove(at).1);
    let id = own.or(found).ok_or_else(|| path.name("name").refuse("that of an earlier call"))?;
    let (content, is_error) = match value.get("response") {
        Some(response) => read_response(response),
        None => (Vec::new(), false),
    };
    let mut content = content;
    let parts = path.name("parts");
    for (index, item) in value.get("parts").into_iter().flat_map(Value::items).enumerate() {
        content.extend(part::of_client(item, &parts.index(index), dropped)?);
    }
    for mark in ["willContinue", "scheduling"] {
        if get(value, mark).is_some() {
            dropped.name(path.name(mark).to_string());
        }
    }
    let result = ToolResult { id, name: Some(name), content, is_error };
    Ok(Content::ToolResult(result).into())
}

/// What came of a call is an object; where it only wraps a text, that is it.
///
/// **Source**: ai.google.dev/api/caching#FunctionResponse ("output" and "error"), read 2026-11-21;
/// `result` is what Google's own SDK writes.
fn read_response<'b>(response: Value<'_, 'b>) -> (Vec<Part<'b>>, bool) {
    let mut members = response.members();
    if let (Some((key, value)), None) = (members.next(), members.next())
        && let Some(text) = Text::of(value)
        && matches!(&*key, "output" | "result" | "error")
    {
        return (vec![Part::text(text)], &*key == "error");
    }
    let Json(raw) = Json::of(response);
    (vec![Part::text(Text::Plain(raw))], false)
}
