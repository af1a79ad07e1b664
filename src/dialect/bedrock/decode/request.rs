//! A Converse request, read in full. Model and streaming stand in the path, and are the caller's.

use crate::{
    dialect::{
        bedrock::decode::block,
        field::{self, Path, once},
        openai_chat::decode::request::read_thinking,
        pivot::{
            dropped::Dropped,
            part::{Content, Dialect, Foreign, Part},
            request::{Effort, Other, Output, Reasoning, Request, Role, Turn},
            text::{Json, Text},
            tool::{ServerKind, ServerTool, Tool, ToolChoice},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};
use std::borrow::Cow;

/// Read a request.
///
/// # Errors
/// `InvalidField` and `DuplicateField`, each with the path of the field.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Request<'b>, Refused> {
    let mut request = Request { wants_usage: true, ..Request::default() };
    let (mut system, mut messages) = (None, None);
    for (key, value) in root.members() {
        let path = Path::root(&key);
        match &*key {
            _ if value.is_null() => {}
            "messages" => once(&mut messages, value, &path)?,
            "system" => once(&mut system, value, &path)?,
            "inferenceConfig" => read_inference(&mut request, value, &path, dropped)?,
            "toolConfig" => read_tools(&mut request, value, &path, dropped)?,
            "outputConfig" => request.output = read_output(value, &path)?,
            "additionalModelRequestFields" => read_fields(&mut request, value, &path, dropped)?,
            _ => request.others.push(Other { name: key, value: Json::of(value) }),
        }
    }
    if let Some(system) = system {
        let mut parts = Vec::new();
        block::decode_all(&mut parts, system, &Path::root("system"), dropped)?;
        if !parts.is_empty() {
            request.turns.push(Turn { role: Role::System, name: None, parts });
        }
    }
    let path = Path::root("messages");
    for (index, item) in messages.into_iter().flat_map(Value::items).enumerate() {
        read_message(&mut request.turns, item, &path.index(index), dropped)?;
    }
    Ok(request)
}

/// Append the turns that a message is: results of tools are a turn of their own.
fn read_message<'b>(
    turns: &mut Vec<Turn<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let role = value.get("role").and_then(Value::plain);
    let role = match role.as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        _ => return Err(path.name("role").refuse("user or assistant")),
    };
    let path = path.name("content");
    let content = value.get("content").ok_or_else(|| path.refuse("an array"))?;
    let mut parts = Vec::new();
    block::decode_all(&mut parts, content, &path, dropped)?;
    let is_result = |part: &Part<'_>| matches!(part.content, Content::ToolResult(_));
    if role == Role::User && parts.iter().any(is_result) {
        let (results, words): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_result);
        turns.push(Turn { role: Role::Tool, name: None, parts: results });
        parts = words;
        if parts.is_empty() {
            return Ok(());
        }
    }
    turns.push(Turn { role, name: None, parts });
    Ok(())
}

fn read_inference<'b>(
    request: &mut Request<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*key {
            _ if value.is_null() => {}
            "maxTokens" => once(&mut request.max_tokens, field::count(value, &path)?, &path)?,
            "temperature" => {
                once(&mut request.temperature, field::number(value, &path)?, &path)?;
            }
            "topP" => once(&mut request.top_p, field::number(value, &path)?, &path)?,
            "stopSequences" => {
                for (index, item) in field::array(value, &path)?.items().enumerate() {
                    request.stop.push(field::text(item, &path.index(index))?);
                }
            }
            _ => dropped.name(path.to_string()),
        }
    }
    Ok(())
}

fn read_tools<'b>(
    request: &mut Request<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let config = field::object(value, path)?;
    let tools_path = path.name("tools");
    for (index, item) in config.get("tools").into_iter().flat_map(Value::items).enumerate() {
        let path = tools_path.index(index);
        let mut members = field::object(item, &path)?.members();
        let Some((kind, inner)) = members.next() else { return Err(path.refuse("a tool")) };
        match &*kind {
            "toolSpec" => {
                let tool = read_tool(inner, &path.name("toolSpec"), dropped)?;
                request.tools.push(tool);
            }
            "cachePoint" => match request.tools.last_mut() {
                Some(tool) => tool.cache = Some(block::cache(inner)),
                None => dropped.name(path.to_string()),
            },
            _ => {
                let name = inner.get("name").and_then(Text::of).unwrap_or(Text::Plain(kind));
                let json = Json::of(item);
                let tool = Foreign { dialect: Dialect::Bedrock, name, json };
                request.server_tools.push(ServerTool { kind: ServerKind::Other, tool });
            }
        }
    }
    let Some(choice) = config.get("toolChoice").filter(|choice| !choice.is_null()) else {
        return Ok(());
    };
    let path = path.name("toolChoice");
    let mut members = field::object(choice, &path)?.members();
    request.tool_choice = Some(match members.next() {
        Some((kind, _)) if &*kind == "auto" => ToolChoice::Auto,
        Some((kind, _)) if &*kind == "any" => ToolChoice::Required,
        Some((kind, inner)) if &*kind == "tool" => {
            let path = path.name("tool");
            let name = inner.get("name").and_then(Text::of);
            ToolChoice::Tool(name.ok_or_else(|| path.name("name").refuse("a string"))?)
        }
        _ => return Err(path.refuse("auto, any or tool")),
    });
    Ok(())
}

fn read_tool<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Tool<'b>, Refused> {
    let mut name = None;
    let mut tool = Tool::default();
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*key {
            _ if value.is_null() => {}
            "name" => once(&mut name, field::text(value, &path)?, &path)?,
            "description" => once(&mut tool.description, field::text(value, &path)?, &path)?,
            "inputSchema" => {
                let path = path.name("json");
                let json = value.get("json").ok_or_else(|| path.refuse("an object"))?;
                tool.parameters = Some(field::json_object(json, &path)?);
            }
            "strict" => tool.is_strict = Some(field::boolean(value, &path)?),
            _ => dropped.name(path.to_string()),
        }
    }
    tool.name = name.ok_or_else(|| path.name("name").refuse("a string"))?;
    Ok(tool)
}

/// `{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{…}","name":"…"}}}}`:
/// the schema is a text that holds one.
fn read_output<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Output<'b>, Refused> {
    let path = path.name("textFormat");
    let Some(format) = value.get("textFormat") else { return Ok(Output::Text) };
    let schema = format.get("structure").and_then(|structure| structure.get("jsonSchema"));
    let text = |name: &str| schema.and_then(|schema| schema.get(name)).and_then(Text::of);
    let written = text("schema").ok_or_else(|| path.refuse("a jsonSchema with its schema"))?;
    let written = written.read().into_owned();
    let mut document = crate::wire::json::document::Document::default();
    let is_object = document
        .parse(written.as_bytes())
        .is_ok_and(|value| value.kind() == crate::wire::json::document::Kind::Object);
    if !is_object {
        return Err(path.refuse("a jsonSchema whose schema is the text of an object"));
    }
    Ok(Output::JsonSchema {
        name: text("name"),
        description: text("description"),
        schema: Json(Cow::Owned(written)),
        is_strict: Some(true),
    })
}

/// What only some models know: how much to think, and from how many tokens to choose.
fn read_fields<'b>(
    request: &mut Request<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let mut effort = None;
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        let word = |value: Option<Value<'_, '_>>| Effort::of(&value?.plain()?);
        match &*key {
            _ if value.is_null() => {}
            "thinking" | "reasoning_config" => request.reasoning = read_thinking(value, &path)?,
            "reasoning_effort" => effort = word(Some(value)),
            "output_config" => effort = word(value.get("effort")),
            "reasoningConfig" => effort = word(value.get("maxReasoningEffort")),
            "top_k" => once(&mut request.top_k, field::number(value, &path)?, &path)?,
            _ => dropped.name(path.to_string()),
        }
    }
    request.reasoning = match (request.reasoning, effort) {
        (Reasoning::Adaptive(_), effort) => Reasoning::Adaptive(effort),
        (Reasoning::Unsaid, Some(effort)) => Reasoning::Effort(effort),
        (said, _) => said,
    };
    Ok(())
}
