//! The turns of a request.

use crate::{
    dialect::{
        field::Field,
        gemini::{
            decode::part::{self, arguments},
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

/// Read the turns of `contents`.
pub fn decode_all<'b>(
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<Vec<Turn<'b>>, Refused> {
    let mut turns = Vec::new();
    let mut calls = Calls::default();
    field.items(|content| decode(&mut turns, content, &mut calls, dropped))?;
    Ok(turns)
}

/// The words of a `systemInstruction`, whose role says nothing.
pub fn decode_system<'b>(
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<Turn<'b>, Refused> {
    let mut turn = Turn { role: Role::System, name: None, parts: Vec::new() };
    if let Some(text) = Text::of(field.value) {
        turn.parts.push(Part::text(text));
        return Ok(turn);
    }
    field.object()?;
    one_or_items(&field.need("parts", "an array")?, |item| {
        turn.parts.extend(part::of_client(item, dropped)?);
        Ok(())
    })?;
    Ok(turn)
}

/// One part stands for a list of one, as in Google's own examples.
fn one_or_items<'d, 'b>(
    field: &Field<'d, 'b, '_>,
    mut read: impl FnMut(&Field<'d, 'b, '_>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    if field.value.kind() == Kind::Object { read(field) } else { field.items(read) }
}

fn decode<'b>(
    turns: &mut Vec<Turn<'b>>,
    content: &Field<'_, 'b, '_>,
    calls: &mut Calls<'b>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    content.object()?;
    let role = match &*content.word("role") {
        "" | "user" | "function" | "tool" => Role::User,
        "model" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(content.refuse_member("role", "user or model")),
    };
    let (mut results, mut words) = (Vec::new(), Vec::new());
    one_or_items(&content.need("parts", "an array")?, |item| {
        item.object()?;
        if let Some(call) = get(item, "functionCall") {
            words.push(decode_call(&call, calls)?);
        } else if let Some(result) = get(item, "functionResponse") {
            results.push(decode_result(&result, calls, dropped)?);
        } else if let Some(part) = part::of_client(item, dropped)? {
            push_words(&mut words, part);
        }
        Ok(())
    })?;
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

fn decode_call<'b>(call: &Field<'_, 'b, '_>, calls: &mut Calls<'b>) -> Result<Part<'b>, Refused> {
    call.object()?;
    let name = call.need_text("name")?;
    let id = calls.seed.call_id(call.get_text("id"), (0, calls.made), &name, None);
    calls.made += 1;
    calls.pending.push((name.clone(), id.clone()));
    let arguments = arguments(call.value);
    let call = ToolCall { id, name, arguments, signature: None };
    Ok(Content::ToolCall(call).into())
}

fn decode_result<'b>(
    field: &Field<'_, 'b, '_>,
    calls: &mut Calls<'b>,
    dropped: &mut Dropped,
) -> Result<Part<'b>, Refused> {
    field.object()?;
    let name = field.need_text("name")?;
    let own = field.get_text("id").filter(|id| !id.is_empty());
    let at = calls.pending.iter().position(|(called, id)| match &own {
        Some(own) => id == own,
        None => *called == name,
    });
    let found = at.map(|at| calls.pending.remove(at).1);
    let id = own.or(found);
    let id = id.ok_or_else(|| field.refuse_member("name", "that of an earlier call"))?;
    let response = field.get("response").map(|response| read_response(response.value));
    let (mut content, is_error) = response.unwrap_or_default();
    if let Some(parts) = field.get("parts") {
        parts.any_items(|item| {
            content.extend(part::of_client(item, dropped)?);
            Ok(())
        })?;
    }
    for mark in ["willContinue", "scheduling"] {
        if let Some(mark) = get(field, mark) {
            mark.drop_into(dropped);
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
