//! A Converse request, read in full. Model and streaming stand in the path, and are the caller's.

use crate::{
    dialect::{
        asked,
        bedrock::decode::block,
        field::Field,
        pivot::{
            dropped::Dropped,
            part::{Dialect, Foreign},
            request::{Effort, Output, Reasoning, Request, Role, Turn},
            text::{Json, Text},
            tool::{ServerKind, ServerTool, Tool, ToolChoice},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::{Document, Kind, Value},
};
use std::borrow::Cow;

/// Read a request.
///
/// # Errors
/// `InvalidField` and `DuplicateField`, each with the path of the field.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Request<'b>, Refused> {
    let mut request = Request { wants_usage: true, ..Request::default() };
    let (mut system, mut turns) = (None, None);
    Field::root(root).members(|name, field| {
        match &**name {
            "messages" => {
                let mut read = Vec::new();
                field.items(|item| read_message(&mut read, item, dropped))?;
                field.once(&mut turns, read)?;
            }
            "system" => {
                let mut parts = Vec::new();
                block::decode_all(&mut parts, field, dropped)?;
                field.once(&mut system, parts)?;
            }
            "inferenceConfig" => read_inference(&mut request, field, dropped)?,
            "toolConfig" => read_tools(&mut request, field, dropped)?,
            "outputConfig" => request.output = read_output(field)?,
            "additionalModelRequestFields" => read_fields(&mut request, field, dropped)?,
            _ => request.others.push(asked::other(name, field)),
        }
        Ok(())
    })?;
    request.turns = turns.unwrap_or_default();
    if let Some(parts) = system.filter(|parts| !parts.is_empty()) {
        request.turns.insert(0, Turn { role: Role::System, name: None, parts });
    }
    Ok(request)
}

/// Append the turns that a message is: results of tools are a turn of their own.
fn read_message<'b>(
    turns: &mut Vec<Turn<'b>>,
    message: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let role = match &*message.word("role") {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => return Err(message.refuse_member("role", "user or assistant")),
    };
    let mut parts = Vec::new();
    block::decode_all(&mut parts, &message.need("content", "an array")?, dropped)?;
    asked::push_turn(turns, role, parts);
    Ok(())
}

fn read_inference<'b>(
    request: &mut Request<'b>,
    config: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    config.known_members(dropped, |name, field, _| {
        match name {
            "maxTokens" => field.count_into(&mut request.max_tokens)?,
            "stopSequences" => field.texts_into(&mut request.stop)?,
            _ => return asked::sampling(request, name, field),
        }
        Ok(true)
    })
}

fn read_tools<'b>(
    request: &mut Request<'b>,
    config: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    config.object()?;
    if let Some(tools) = config.get("tools") {
        tools.any_items(|item| read_tool(request, item, dropped))?;
    }
    let Some(choice) = config.get("toolChoice") else { return Ok(()) };
    choice.object()?;
    request.tool_choice = Some(match choice.value.members().next() {
        Some((kind, _)) if kind == "auto" => ToolChoice::Auto,
        Some((kind, _)) if kind == "any" => ToolChoice::Required,
        Some((kind, _)) if kind == "tool" => {
            ToolChoice::Tool(choice.need("tool", "an object")?.need_text("name")?)
        }
        _ => return Err(choice.refuse("auto, any or tool")),
    });
    Ok(())
}

/// Append a tool, which stands under its kind, or mark the one before.
fn read_tool<'b>(
    request: &mut Request<'b>,
    item: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    item.object()?;
    let Some((kind, inner)) = item.value.members().next() else {
        return Err(item.refuse("a tool"));
    };
    match &*kind {
        "toolSpec" => {
            let tool = read_spec(&item.need("toolSpec", "an object")?, dropped)?;
            request.tools.push(tool);
        }
        "cachePoint" => match request.tools.last_mut() {
            Some(tool) => tool.cache = Some(block::cache(inner)),
            None => item.drop_into(dropped),
        },
        _ => {
            let name = inner.get("name").and_then(Text::of).unwrap_or(Text::Plain(kind));
            let tool = Foreign { dialect: Dialect::Bedrock, name, json: Json::of(item.value) };
            request.server_tools.push(ServerTool { kind: ServerKind::Other, tool });
        }
    }
    Ok(())
}

fn read_spec<'b>(field: &Field<'_, 'b, '_>, dropped: &mut Dropped) -> Result<Tool<'b>, Refused> {
    asked::tool(field, dropped, |tool, name, field| {
        if name == "inputSchema" {
            tool.parameters = Some(field.need("json", "an object")?.json_object()?);
        }
        Ok(name == "inputSchema")
    })
}

/// `{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{…}","name":"…"}}}}`:
/// the schema is a text that holds one.
fn read_output<'b>(field: &Field<'_, 'b, '_>) -> Result<Output<'b>, Refused> {
    let Some(format) = field.get("textFormat") else { return Ok(Output::Text) };
    let structure = format.value.get("structure");
    let schema = structure.and_then(|structure| structure.get("jsonSchema"));
    let text = |name: &str| schema.and_then(|schema| schema.get(name)).and_then(Text::of);
    let written = text("schema").ok_or_else(|| format.refuse("a jsonSchema with its schema"))?;
    let written = written.read().into_owned();
    let mut document = Document::default();
    let parsed = document.parse(written.as_bytes());
    if !parsed.is_ok_and(|value| value.kind() == Kind::Object) {
        return Err(format.refuse("a jsonSchema whose schema is the text of an object"));
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
    fields: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let mut effort = None;
    fields.known_members(dropped, |name, field, _| {
        match name {
            "thinking" | "reasoning_config" => request.reasoning = asked::thinking(field)?,
            "reasoning_effort" => effort = field.value.plain().and_then(|word| Effort::of(&word)),
            "output_config" => effort = Effort::of(&field.word("effort")),
            "reasoningConfig" => effort = Effort::of(&field.word("maxReasoningEffort")),
            "top_k" => field.number_into(&mut request.top_k)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    request.reasoning = match (request.reasoning, effort) {
        (Reasoning::Adaptive(_), effort) => Reasoning::Adaptive(effort),
        (Reasoning::Unsaid, Some(effort)) => Reasoning::Effort(effort),
        (said, _) => said,
    };
    Ok(())
}
