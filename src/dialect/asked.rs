//! What the APIs ask by the same words, read once for all of them.

use crate::{
    dialect::{
        field::Field,
        pivot::{
            dropped::Dropped,
            part::{Content, Part},
            request::{Effort, Other, Output, Reasoning, Request, Role, Turn},
            text::{Arguments, Json, Text},
            tool::{Tool, ToolChoice},
        },
    },
    lexicon::refusal::Refused,
    wire::json::{document::Value, write::Object},
};
use std::borrow::Cow;

/// Read a number that bears on how a model chooses its words, in either spelling; false of another
/// field.
pub fn sampling<'b>(
    request: &mut Request<'b>,
    name: &str,
    field: &Field<'_, 'b, '_>,
) -> Result<bool, Refused> {
    let slot = match name {
        "temperature" => &mut request.temperature,
        "top_p" | "topP" => &mut request.top_p,
        "top_k" | "topK" => &mut request.top_k,
        "frequency_penalty" | "frequencyPenalty" => &mut request.frequency_penalty,
        "presence_penalty" | "presencePenalty" => &mut request.presence_penalty,
        "seed" => &mut request.seed,
        _ => return Ok(false),
    };
    field.number_into(slot)?;
    Ok(true)
}

/// A field that has no noun here, as the client wrote it.
#[must_use]
pub fn other<'b>(name: &Cow<'b, str>, field: &Field<'_, 'b, '_>) -> Other<'b> {
    Other { name: name.clone(), value: Json::of(field.value) }
}

/// The word of an effort, of which `none` is not to think at all.
pub fn effort(field: &Field<'_, '_, '_>) -> Result<Reasoning, Refused> {
    let word = field.text()?;
    let word = word.read();
    if &*word == "none" {
        return Ok(Reasoning::Off);
    }
    let effort = Effort::of(&word);
    let words = "none, minimal, low, medium, high, xhigh or max";
    effort.map(Reasoning::Effort).ok_or_else(|| field.refuse(words))
}

/// `{"type":"enabled","budget_tokens":1024}`, `{"type":"adaptive"}`, `{"type":"disabled"}`
pub fn thinking(field: &Field<'_, '_, '_>) -> Result<Reasoning, Refused> {
    field.object()?;
    match &*field.word("type") {
        "enabled" => match field.get("budget_tokens") {
            Some(budget) => budget.count().map(Reasoning::Budget),
            None => Ok(Reasoning::Adaptive(None)),
        },
        "adaptive" => Ok(Reasoning::Adaptive(None)),
        "disabled" => Ok(Reasoning::Off),
        _ => Err(field.refuse_member("type", "enabled, adaptive or disabled")),
    }
}

/// Read a tool of the client's; `own` reads the members that go by other names from API to API.
pub fn tool<'d, 'b>(
    field: &Field<'d, 'b, '_>,
    dropped: &mut Dropped,
    mut own: impl FnMut(&mut Tool<'b>, &str, &Field<'d, 'b, '_>) -> Result<bool, Refused>,
) -> Result<Tool<'b>, Refused> {
    let mut name = None;
    let mut tool = Tool::default();
    field.known_members(dropped, |key, field, _| {
        if own(&mut tool, key, field)? {
            return Ok(true);
        }
        match key {
            "name" => field.text_into(&mut name)?,
            "description" => field.text_into(&mut tool.description)?,
            "strict" => tool.is_strict = Some(field.boolean()?),
            "cache_control" => tool.cache = Some(field.json_object()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    tool.name = name.ok_or_else(|| field.refuse_member("name", "a string"))?;
    Ok(tool)
}

/// The words that OpenAI's APIs share for which tool is to be called.
#[must_use]
pub fn choice_word(word: &str) -> Option<ToolChoice<'static>> {
    match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" | "any" => Some(ToolChoice::Required),
        _ => None,
    }
}

/// The form that OpenAI's APIs ask an answer for, by its type; `inner` is the member in which a
/// schema stands, if not in the same object.
pub fn output<'b>(field: &Field<'_, 'b, '_>, inner: Option<&str>) -> Result<Output<'b>, Refused> {
    field.object()?;
    match &*field.word("type") {
        "text" => Ok(Output::Text),
        "json_object" => Ok(Output::JsonObject),
        "json_schema" => match inner {
            Some(inner) => json_schema(&field.need(inner, "an object")?),
            None => json_schema(field),
        },
        _ => Err(field.refuse_member("type", "text, json_object or json_schema")),
    }
}

fn json_schema<'b>(field: &Field<'_, 'b, '_>) -> Result<Output<'b>, Refused> {
    Ok(Output::JsonSchema {
        name: field.get_text("name"),
        description: field.get_text("description"),
        schema: field.need("schema", "a schema")?.json_object()?,
        is_strict: field.value.get("strict").and_then(Value::as_bool),
    })
}

/// Append what one side says. Results of tools stand among a user's words in some APIs, and are a
/// turn of their own.
pub fn push_turn<'b>(turns: &mut Vec<Turn<'b>>, role: Role, mut parts: Vec<Part<'b>>) {
    let is_result = |part: &Part<'_>| matches!(part.content, Content::ToolResult(_));
    if role == Role::User && parts.iter().any(is_result) {
        let (results, words): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_result);
        turns.push(Turn { role: Role::Tool, name: None, parts: results });
        parts = words;
        if parts.is_empty() {
            return;
        }
    }
    turns.push(Turn { role, name: None, parts });
}

/// Append the parts of a content that is a text or a list, each read by `read`.
pub fn content<'d, 'b>(
    parts: &mut Vec<Part<'b>>,
    field: &Field<'d, 'b, '_>,
    mut read: impl FnMut(&mut Vec<Part<'b>>, &Field<'d, 'b, '_>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let text: Option<Text<'b>> = field.text_or_items(|item| read(parts, item))?;
    parts.extend(text.map(Part::text));
    Ok(())
}

/// The input of a custom tool, which is no JSON: elsewhere it is the one argument of a call.
#[must_use]
pub fn custom_arguments(input: &Text<'_>) -> Arguments<'static> {
    let mut json = Vec::new();
    let mut inside = Object::open(&mut json);
    input.push(inside.key("input"));
    inside.close();
    Arguments::Value(Json(Cow::Owned(String::from_utf8_lossy(&json).into_owned())))
}
