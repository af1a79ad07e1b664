//! A Responses request, read in full.
//!
//! **Source**: the `CreateResponse` of OpenAI's own description of its API, 2.3.0.

use crate::{
    dialect::{
        asked,
        field::Field,
        openai_responses::decode::{input, tool},
        pivot::{
            dropped::Dropped,
            part::Part,
            request::{Other, Request, Role, Turn},
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
    Field::root(root).members(|name, field| {
        let is_known = content_field(&mut request, &mut fields, name, field, dropped)?
            || asking_field(&mut request, name, field, dropped)?
            || asked::sampling(&mut request, name, field)?
            || kept_field(name, field, dropped)?;
        if !is_known {
            request.others.push(asked::other(name, field));
        }
        Ok(())
    })?;
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
    name: &str,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    match name {
        "model" => {
            field.once(&mut fields.model, ())?;
            request.model = field.text()?;
        }
        "input" => {
            field.once(&mut fields.input, ())?;
            input::decode(&mut request.turns, field, dropped)?;
        }
        "instructions" => field.text_into(&mut fields.instructions)?,
        "tools" => field.items(|item| tool::decode(request, item, dropped))?,
        "tool_choice" => {
            if let Some(choice) = tool::choice(field, dropped)? {
                field.once(&mut request.tool_choice, choice)?;
            }
        }
        "user" => request.user = Some(field.text()?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn asking_field<'b>(
    request: &mut Request<'b>,
    name: &str,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    match name {
        "stream" => request.is_streaming = field.boolean()?,
        "max_output_tokens" => field.count_into(&mut request.max_tokens)?,
        "top_logprobs" => {
            let top = field.count()?;
            if top > 0 {
                request.logprobs = Some(true);
                field.once(&mut request.top_logprobs, top)?;
            }
        }
        "parallel_tool_calls" => field.boolean_into(&mut request.parallel_tools)?,
        "reasoning" => read_reasoning(request, field, dropped)?,
        "text" => read_text(request, field, dropped)?,
        "include" => field.items(|item| {
            match &*item.text()?.read() {
                // It is told wherever there is some.
                "reasoning.encrypted_content" => {}
                "message.output_text.logprobs" => request.logprobs = Some(true),
                other => dropped.name(format!("include.{other}")),
            }
            Ok(())
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// What hangs on a vendor that keeps responses, or that only this API has.
fn kept_field(
    name: &str,
    field: &Field<'_, '_, '_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    match name {
        "previous_response_id" | "conversation" | "prompt" => return Err(refuse(name)),
        "background" if field.boolean()? => return Err(refuse(name)),
        "store" if field.boolean()? => field.drop_into(dropped),
        "background" | "store" => {}
        "truncation" if field.value.plain().as_deref() == Some("disabled") => {}
        "stream_options" => {
            let obfuscation = field.get("include_obfuscation");
            if let Some(it) = obfuscation.filter(|it| it.value.as_bool() == Some(true)) {
                it.drop_into(dropped);
            }
        }
        "truncation" | "max_tool_calls" | "context_management" | "moderation" => {
            field.drop_into(dropped);
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
    field: &Field<'_, '_, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.known_members(dropped, |name, field, _| {
        match name {
            "effort" => request.reasoning = asked::effort(field)?,
            "summary" | "generate_summary" => {}
            _ => return Ok(false),
        }
        Ok(true)
    })
}

/// `{"format":{"type":"json_schema","name":"n","schema":{…},"strict":true},"verbosity":"low"}`
fn read_text<'b>(
    request: &mut Request<'b>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.known_members(dropped, |name, field, _| {
        match name {
            "format" => request.output = asked::output(field, None)?,
            // What it is said to be elsewhere.
            "verbosity" => {
                let (name, value) = (Cow::Borrowed("verbosity"), Json::of(field.value));
                request.others.push(Other { name, value });
            }
            _ => return Ok(false),
        }
        Ok(true)
    })
}
