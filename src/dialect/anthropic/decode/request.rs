//! A Messages request, read in full.
//!
//! **Source**: docs.claude.com/en/api/messages, read 2026-11-21, and recorded traffic.

use crate::{
    dialect::{
        anthropic::decode::{block, message},
        asked,
        field::Field,
        pivot::{
            dropped::Dropped,
            part::{Dialect, Foreign},
            request::{Effort, Output, Reasoning, Request, Role, Turn},
            text::Json,
            tool::{ServerKind, ServerTool, ToolChoice},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};

/// Read a request.
///
/// # Errors
/// `InvalidField` and `DuplicateField`, each with the path of the field.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Request<'b>, Refused> {
    let mut request = Request { wants_usage: true, ..Request::default() };
    let mut fields = Fields::default();
    Field::root(root).members(|name, field| {
        let is_known = content_field(&mut request, &mut fields, name, field, dropped)?
            || asking_field(&mut request, &mut fields, name, field, dropped)?
            || asked::sampling(&mut request, name, field)?;
        if !is_known {
            request.others.push(asked::other(name, field));
        }
        Ok(())
    })?;
    if let Some(system) = fields.system {
        request.turns.insert(0, system);
    }
    request.reasoning = match (fields.thinking, fields.effort) {
        (Some(Reasoning::Adaptive(_)), effort) => Reasoning::Adaptive(effort),
        (Some(thinking), _) => thinking,
        (None, Some(effort)) => Reasoning::Effort(effort),
        (None, None) => Reasoning::Unsaid,
    };
    Ok(request)
}

/// What stands in one place here and in another in the pivot.
#[derive(Default)]
struct Fields<'b> {
    model: Option<()>,
    messages: Option<()>,
    system: Option<Turn<'b>>,
    thinking: Option<Reasoning>,
    effort: Option<Effort>,
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
        "messages" => {
            field.once(&mut fields.messages, ())?;
            field.items(|item| message::decode(&mut request.turns, item, dropped))?;
        }
        "system" => {
            let mut parts = Vec::new();
            block::decode_all(&mut parts, field, dropped)?;
            field.once(&mut fields.system, Turn { role: Role::System, name: None, parts })?;
        }
        "tools" => field.items(|item| read_tool(request, item, dropped))?,
        "metadata" => field.known_members(dropped, |name, field, _| {
            if name == "user_id" {
                request.user = Some(field.text()?);
            }
            Ok(name == "user_id")
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn asking_field<'b>(
    request: &mut Request<'b>,
    fields: &mut Fields<'b>,
    name: &str,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    match name {
        "max_tokens" => field.count_into(&mut request.max_tokens)?,
        "stream" => request.is_streaming = field.boolean()?,
        "stop_sequences" => field.texts_into(&mut request.stop)?,
        "tool_choice" => read_choice(request, field)?,
        "thinking" => fields.thinking = Some(asked::thinking(field)?),
        "output_config" => read_output_config(request, fields, field, dropped)?,
        "output_format" => request.output = read_format(field)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// `{"effort":"high","format":{"type":"json_schema","schema":{…}}}`
fn read_output_config<'b>(
    request: &mut Request<'b>,
    fields: &mut Fields<'b>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.known_members(dropped, |name, field, _| {
        match name {
            "effort" => {
                let effort = Effort::of(&field.text()?.read());
                let wanted = "low, medium, high, xhigh or max";
                fields.effort = Some(effort.ok_or_else(|| field.refuse(wanted))?);
            }
            "format" => request.output = read_format(field)?,
            _ => return Ok(false),
        }
        Ok(true)
    })
}

fn read_format<'b>(field: &Field<'_, 'b, '_>) -> Result<Output<'b>, Refused> {
    field.object()?;
    match (&*field.word("type"), field.get("schema")) {
        ("json_schema", Some(schema)) => Ok(Output::JsonSchema {
            name: field.get_text("name"),
            description: None,
            schema: Json::of(schema.value),
            // It is always followed to the letter here.
            is_strict: Some(true),
        }),
        _ => Err(field.refuse("a json_schema with its schema")),
    }
}

fn read_choice<'b>(request: &mut Request<'b>, field: &Field<'_, 'b, '_>) -> Result<(), Refused> {
    field.object()?;
    let choice = match &*field.word("type") {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Tool(field.need_text("name")?),
        _ => return Err(field.refuse_member("type", "auto, any, tool or none")),
    };
    field.once(&mut request.tool_choice, choice)?;
    if let Some(disabled) = field.get("disable_parallel_tool_use") {
        request.parallel_tools = Some(!disabled.boolean()?);
    }
    Ok(())
}

fn read_tool<'b>(
    request: &mut Request<'b>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.object()?;
    if let Some(kind) = field.get_text("type").filter(|kind| *kind != *"custom") {
        let json = Json::of(field.value);
        let tool = Foreign { dialect: Dialect::Anthropic, name: kind.clone(), json };
        request.server_tools.push(ServerTool { kind: server_kind(&kind.read()), tool });
        return Ok(());
    }
    let tool = asked::tool(field, dropped, |tool, name, field| {
        match name {
            "type" => {}
            "input_schema" => field.once(&mut tool.parameters, field.json_object()?)?,
            _ => return Ok(name != "strict" && field.value.as_bool() == Some(false)),
        }
        Ok(true)
    })?;
    request.tools.push(tool);
    Ok(())
}

/// Server tools are named with the date of their version: `web_search_20250305`.
fn server_kind(name: &str) -> ServerKind {
    match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "web_search_" => ServerKind::WebSearch,
        "web_fetch_" => ServerKind::WebFetch,
        "code_execution_" => ServerKind::CodeExecution,
        _ => ServerKind::Other,
    }
}
