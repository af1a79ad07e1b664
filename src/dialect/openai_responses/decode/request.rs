//! A Responses request, read in full.
//!
//! **Source**: the `CreateResponse` of OpenAI's own description of its API, 2.3.0.

use crate::{
    dialect::{
        field::{self, Path, once},
        openai_responses::decode::{input, tool},
        pivot::{
            dropped::Dropped,
            part::Part,
            request::{Effort, Other, Output, Reasoning, Request, Role, Turn},
            text::{Json, Text},
        },
    },
    lexicon::refusal::{Refusal, Refused},
    wire::json::document::Value,
};
use std::borrow::Cow;

/// Read a request.
///
/// # Errors
/// `InvalidField` and `DuplicateField`, each with the path of the field; `InvalidField` too of what
/// only a vendor that keeps responses can honor.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Request<'b>, Refused> {
    let mut request = Request { wants_usage: true, ..Request::default() };
    let mut fields = Fields::default();
    for (key, value) in root.members() {
        let path = Path::root(&key);
        if value.is_null() {
            continue;
        }
        let is_known = content_field(&mut request, &mut fields, &key, value, &path, dropped)?
            || asking_field(&mut request, &key, value, &path, dropped)?
            || kept_field(&key, value, &path, dropped)?;
        if !is_known {
            request.others.push(Other { name: key, value: Json::of(value) });
        }
    }
    if let Some(text) = fields.instructions.filter(|text| !text.is_empty()) {
        let turn = Turn { role: Role::System, name: None, parts: vec![Part::text(text)] };
        request.turns.insert(0, turn);
    }
    Ok(request)
}

/// What must be there once at most.
#[derive(Default)]
struct Fields<'b> {
    model: Option<()>,
    input: Option<()>,
    instructions: Option<Text<'b>>,
}

fn content_field<'b>(
    request: &mut Request<'b>,
    fields: &mut Fields<'b>,
    key: &str,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    match key {
        "model" => {
            once(&mut fields.model, (), path)?;
            request.model = field::text(value, path)?;
        }
        "input" => {
            once(&mut fields.input, (), path)?;
            input::decode(&mut request.turns, value, path, dropped)?;
        }
        "instructions" => once(&mut fields.instructions, field::text(value, path)?, path)?,
        "tools" => {
            for (index, item) in field::array(value, path)?.items().enumerate() {
                tool::decode(request, item, &path.index(index), dropped)?;
            }
        }
        "tool_choice" => {
            if let Some(choice) = tool::choice(value, path, dropped)? {
                once(&mut request.tool_choice, choice, path)?;
            }
        }
        "user" => request.user = Some(field::text(value, path)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn asking_field<'b>(
    request: &mut Request<'b>,
    key: &str,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    let number = || field::number(value, path);
    match key {
        "stream" => request.is_streaming = field::boolean(value, path)?,
        "max_output_tokens" => once(&mut request.max_tokens, field::count(value, path)?, path)?,
        "temperature" => once(&mut request.temperature, number()?, path)?,
        "top_p" => once(&mut request.top_p, number()?, path)?,
        "frequency_penalty" => once(&mut request.frequency_penalty, number()?, path)?,
        "presence_penalty" => once(&mut request.presence_penalty, number()?, path)?,
        "top_logprobs" => {
            let top = field::count(value, path)?;
            if top > 0 {
                request.logprobs = Some(true);
                once(&mut request.top_logprobs, top, path)?;
            }
        }
        "parallel_tool_calls" => {
            once(&mut request.parallel_tools, field::boolean(value, path)?, path)?;
        }
        "reasoning" => read_reasoning(request, value, path, dropped)?,
        "text" => read_text(request, value, path, dropped)?,
        "include" => {
            for (index, item) in field::array(value, path)?.items().enumerate() {
                let path = path.index(index);
                match &*field::text(item, &path)?.read() {
                    // It is told wherever there is some.
                    "reasoning.encrypted_content" => {}
                    "message.output_text.logprobs" => request.logprobs = Some(true),
                    other => dropped.name(format!("include.{other}")),
                }
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What hangs on a vendor that keeps responses, or that only this API has.
fn kept_field(
    key: &str,
    value: Value<'_, '_>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    let is_true = || field::boolean(value, path);
    match key {
        "previous_response_id" | "conversation" | "prompt" => return Err(refuse(key)),
        "background" if is_true()? => return Err(refuse(key)),
        "store" if is_true()? => dropped.name(key.to_owned()),
        "background" | "store" => {}
        "truncation" if value.plain().as_deref() == Some("disabled") => {}
        "stream_options" => {
            if value.get("include_obfuscation").and_then(Value::as_bool) == Some(true) {
                dropped.name("stream_options.include_obfuscation");
            }
        }
        "truncation" | "max_tool_calls" | "context_management" | "moderation" => {
            dropped.name(key.to_owned());
        }
        _ => return Ok(false),
    }
    Ok(true)
}

#[cold]
fn refuse(field: &str) -> Refused {
    let detail = format!(
        "The model's vendor keeps no responses, so that \"{field}\" cannot be honored: send the \
         whole conversation as \"input\"."
    );
    Refusal::InvalidField.about(field, detail)
}

/// `{"effort":"high","summary":"auto"}`: thoughts are told as far as a vendor tells them, summed up
/// or not.
fn read_reasoning(
    request: &mut Request<'_>,
    value: Value<'_, '_>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*key {
            _ if value.is_null() => {}
            "effort" => {
                let word = field::text(value, &path)?;
                let word = word.read();
                request.reasoning = match Effort::of(&word) {
                    Some(effort) => Reasoning::Effort(effort),
                    None if word == "none" => Reasoning::Off,
                    None => {
                        let words = "none, minimal, low, medium, high, xhigh or max";
                        return Err(path.refuse(words));
                    }
                };
            }
            "summary" | "generate_summary" => {}
            _ => dropped.name(path.to_string()),
        }
    }
    Ok(())
}

/// `{"format":{"type":"json_schema","name":"n","schema":{…},"strict":true},"verbosity":"low"}`
fn read_text<'b>(
    request: &mut Request<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*key {
            _ if value.is_null() => {}
            "format" => request.output = read_format(value, &path)?,
            // What it is said to be elsewhere.
            "verbosity" => {
                let (name, value) = (Cow::Borrowed("verbosity"), Json::of(value));
                request.others.push(Other { name, value });
            }
            _ => dropped.name(path.to_string()),
        }
    }
    Ok(())
}

fn read_format<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Output<'b>, Refused> {
    let object = field::object(value, path)?;
    match object.get("type").and_then(Value::plain).as_deref() {
        Some("text") => Ok(Output::Text),
        Some("json_object") => Ok(Output::JsonObject),
        Some("json_schema") => {
            let schema = object.get("schema");
            let schema = schema.ok_or_else(|| path.name("schema").refuse("a schema"))?;
            Ok(Output::JsonSchema {
                name: object.get("name").and_then(Text::of),
                description: object.get("description").and_then(Text::of),
                schema: field::json_object(schema, &path.name("schema"))?,
                is_strict: object.get("strict").and_then(Value::as_bool),
            })
        }
        _ => Err(path.name("type").refuse("text, json_object or json_schema")),
    }
}
