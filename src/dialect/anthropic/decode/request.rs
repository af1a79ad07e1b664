//! A Messages request, read in full.
//!
//! **Source**: docs.claude.com/en/api/messages, read 2026-11-21, and recorded traffic.

use crate::{
    dialect::{
        anthropic::decode::{block, message},
        field::{self, Path, once},
        openai_chat::decode::request::read_thinking,
        pivot::{
            dropped::Dropped,
            part::{Dialect, Foreign},
            request::{Effort, Other, Output, Reasoning, Request, Role, Turn},
            text::{Json, Text},
            tool::{ServerKind, ServerTool, Tool, ToolChoice},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::{Kind, Value},
};

/// Read a request.
///
/// # Errors
/// `InvalidField` and `DuplicateField`, each with the path of the field.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Request<'b>, Refused> {
    let mut request = Request { wants_usage: true, ..Request::default() };
    let mut fields = Fields::default();
    for (key, value) in root.members() {
        let path = Path::root(&key);
        if value.is_null() {
            continue;
        }
        let is_known = content_field(&mut request, &mut fields, &key, value, &path, dropped)?
            || asking_field(&mut request, &mut fields, &key, value, &path, dropped)?;
        if !is_known {
            request.others.push(Other { name: key, value: Json::of(value) });
        }
    }
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
        "messages" => {
            once(&mut fields.messages, (), path)?;
            for (index, item) in field::array(value, path)?.items().enumerate() {
                message::decode(&mut request.turns, item, &path.index(index), dropped)?;
            }
        }
        "system" => {
            let mut parts = Vec::new();
            block::decode_all(&mut parts, value, path, dropped)?;
            let turn = Turn { role: Role::System, name: None, parts };
            once(&mut fields.system, turn, path)?;
        }
        "tools" => {
            for (index, item) in field::array(value, path)?.items().enumerate() {
                read_tool(request, item, &path.index(index), dropped)?;
            }
        }
        "metadata" => {
            for (key, value) in field::object(value, path)?.members() {
                let path = path.name(&key);
                match &*key {
                    _ if value.is_null() => {}
                    "user_id" => request.user = Some(field::text(value, &path)?),
                    _ => dropped.name(path.to_string()),
                }
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn asking_field<'b>(
    request: &mut Request<'b>,
    fields: &mut Fields<'b>,
    key: &str,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    let number = || field::number(value, path);
    match key {
        "max_tokens" => once(&mut request.max_tokens, field::count(value, path)?, path)?,
        "temperature" => once(&mut request.temperature, number()?, path)?,
        "top_p" => once(&mut request.top_p, number()?, path)?,
        "top_k" => once(&mut request.top_k, number()?, path)?,
        "stream" => request.is_streaming = field::boolean(value, path)?,
        "stop_sequences" => {
            for (index, item) in field::array(value, path)?.items().enumerate() {
                request.stop.push(field::text(item, &path.index(index))?);
            }
        }
        "tool_choice" => read_choice(request, value, path)?,
        "thinking" => fields.thinking = Some(read_thinking(value, path)?),
        "output_config" => read_output_config(request, fields, value, path, dropped)?,
        "output_format" => request.output = read_format(value, path)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// `{"effort":"high","format":{"type":"json_schema","schema":{…}}}`
fn read_output_config<'b>(
    request: &mut Request<'b>,
    fields: &mut Fields<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*key {
            _ if value.is_null() => {}
            "effort" => {
                let word = field::text(value, &path)?;
                let effort = Effort::of(&word.read());
                let wanted = "low, medium, high, xhigh or max";
                fields.effort = Some(effort.ok_or_else(|| path.refuse(wanted))?);
            }
            "format" => request.output = read_format(value, &path)?,
            _ => dropped.name(path.to_string()),
        }
    }
    Ok(())
}

fn read_format<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Output<'b>, Refused> {
    let object = field::object(value, path)?;
    match (object.get("type").and_then(Value::plain).as_deref(), object.get("schema")) {
        (Some("json_schema"), Some(schema)) => Ok(Output::JsonSchema {
            name: object.get("name").and_then(Text::of),
            description: None,
            schema: Json::of(schema),
            // It is always followed to the letter here.
            is_strict: Some(true),
        }),
        _ => Err(path.refuse("a json_schema with its schema")),
    }
}

fn read_choice<'b>(
    request: &mut Request<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
) -> Result<(), Refused> {
    let object = field::object(value, path)?;
    let kind = object.get("type").and_then(Value::plain).unwrap_or_default();
    let choice = match &*kind {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => {
            let path = path.name("name");
            let name = object.get("name").ok_or_else(|| path.refuse("a string"))?;
            ToolChoice::Tool(field::text(name, &path)?)
        }
        _ => return Err(path.name("type").refuse("auto, any, tool or none")),
    };
    once(&mut request.tool_choice, choice, path)?;
    if let Some(disabled) = object.get("disable_parallel_tool_use") {
        let path = path.name("disable_parallel_tool_use");
        request.parallel_tools = Some(!field::boolean(disabled, &path)?);
    }
    Ok(())
}

fn read_tool<'b>(
    request: &mut Request<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let object = field::object(value, path)?;
    let kind = object.get("type").and_then(Text::of);
    if let Some(kind) = kind.filter(|kind| *kind != *"custom") {
        let tool =
            Foreign { dialect: Dialect::Anthropic, name: kind.clone(), json: Json::of(value) };
        request.server_tools.push(ServerTool { kind: server_kind(&kind.read()), tool });
        return Ok(());
    }
    let mut name = None;
    let mut tool = Tool::default();
    for (key, value) in object.members() {
        let path = path.name(&key);
        match &*key {
            "type" => {}
            _ if value.is_null() => {}
            "name" => once(&mut name, field::text(value, &path)?, &path)?,
            "description" => once(&mut tool.description, field::text(value, &path)?, &path)?,
            "input_schema" => {
                once(&mut tool.parameters, field::json_object(value, &path)?, &path)?;
            }
            "strict" => tool.is_strict = Some(field::boolean(value, &path)?),
            "cache_control" => tool.cache = Some(field::json_object(value, &path)?),
            _ if value.kind() == Kind::Boolean && value.as_bool() == Some(false) => {}
            _ => dropped.name(path.to_string()),
        }
    }
    tool.name = name.ok_or_else(|| path.name("name").refuse("a string"))?;
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
