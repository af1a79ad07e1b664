//! One message of a request.

use crate::{
    dialect::{
        field::{self, Path},
        openai_chat::decode::content,
        pivot::{
            dropped::Dropped,
            part::{Content, Part, ToolCall, ToolResult},
            request::{Role, Turn},
            text::{Arguments, Json, Text},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};

/// The members of a message, each where it is there and not null.
#[derive(Default)]
struct Members<'d, 'b> {
    content: Option<Value<'d, 'b>>,
    name: Option<Text<'b>>,
    tool_call_id: Option<Text<'b>>,
    tool_calls: Option<Value<'d, 'b>>,
    function_call: Option<Value<'d, 'b>>,
    refusal: Option<Text<'b>>,
    reasoning: Option<Text<'b>>,
    thinking_blocks: Option<Value<'d, 'b>>,
    cache: Option<Json<'b>>,
}

/// Read one message.
pub fn decode<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Turn<'b>, Refused> {
    let mut role = None;
    let mut members = Members::default();
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*key {
            _ if value.is_null() => {}
            "role" => field::once(&mut role, read_role(value, &path)?, &path)?,
            "content" => field::once(&mut members.content, value, &path)?,
            "name" => members.name = Some(field::text(value, &path)?),
            "tool_call_id" => members.tool_call_id = Some(field::text(value, &path)?),
            "tool_calls" => field::once(&mut members.tool_calls, value, &path)?,
            "function_call" => members.function_call = Some(value),
            "refusal" => members.refusal = Some(field::text(value, &path)?),
            "reasoning_content" | "reasoning" => members.reasoning = Text::of(value),
            "thinking_blocks" => members.thinking_blocks = Some(value),
            "cache_control" => members.cache = Some(field::json_object(value, &path)?),
            _ => dropped.name(path.to_string()),
        }
    }
    let role = role.ok_or_else(|| path.name("role").refuse("a role"))?;
    let mut turn = match role {
        Role::Assistant => assistant(members, path, dropped)?,
        Role::Tool => tool(members, path, dropped)?,
        _ => {
            let mut parts = Vec::new();
            if let Some(content) = members.content {
                content::decode(&mut parts, content, &path.name("content"), dropped)?;
            }
            mark_last(&mut parts, members.cache);
            Turn { role, name: members.name, parts }
        }
    };
    turn.role = role;
    Ok(turn)
}

fn read_role(value: Value<'_, '_>, path: &Path<'_>) -> Result<Role, Refused> {
    match value.plain().as_deref() {
        Some("system") => Ok(Role::System),
        Some("developer") => Ok(Role::Developer),
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        Some("tool" | "function") => Ok(Role::Tool),
        _ => Err(path.refuse("system, developer, user, assistant or tool")),
    }
}

/// A mark on a message is one on its last part.
fn mark_last<'b>(parts: &mut [Part<'b>], cache: Option<Json<'b>>) {
    if let (Some(last), Some(cache)) = (parts.last_mut(), cache) {
        last.cache.get_or_insert(cache);
    }
}

fn assistant<'b>(
    members: Members<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Turn<'b>, Refused> {
    let mut parts = Vec::new();
    if let Some(blocks) = members.thinking_blocks {
        let path = path.name("thinking_blocks");
        for (index, block) in field::array(blocks, &path)?.items().enumerate() {
            content::part(&mut parts, block, &path.index(index), dropped)?;
        }
    } else if let Some(text) = members.reasoning.filter(|text| !text.is_empty()) {
        parts.push(Content::Thinking { text, signature: None }.into());
    }
    if let Some(content) = members.content {
        content::decode(&mut parts, content, &path.name("content"), dropped)?;
    }
    if let Some(refusal) = members.refusal {
        parts.push(Content::Refusal(refusal).into());
    }
    if let Some(calls) = members.tool_calls {
        let path = path.name("tool_calls");
        for (index, call) in field::array(calls, &path)?.items().enumerate() {
            tool_call(&mut parts, call, &path.index(index), dropped)?;
        }
    }
    if let Some(call) = members.function_call {
        let path = path.name("function_call");
        let name = function_name(call, &path)?;
        let arguments = function_arguments(call, &path)?;
        let call = ToolCall { id: name.clone(), name, arguments, signature: None };
        parts.push(Content::ToolCall(call).into());
    }
    mark_last(&mut parts, members.cache);
    Ok(Turn { role: Role::Assistant, name: members.name, parts })
}

fn tool_call<'b>(
    parts: &mut Vec<Part<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let call = field::object(value, path)?;
    let Some(function) = call.get("function") else {
        // A custom tool's: its input is no JSON, and no other dialect has the like.
        dropped.name(path.to_string());
        return Ok(());
    };
    let id = call.get("id").ok_or_else(|| path.name("id").refuse("a string"))?;
    let id = field::text(id, &path.name("id"))?;
    let path = path.name("function");
    let name = function_name(function, &path)?;
    let arguments = function_arguments(function, &path)?;
    let call = ToolCall { id, name, arguments, signature: None };
    parts.push(Content::ToolCall(call).into());
    Ok(())
}

fn function_name<'b>(function: Value<'_, 'b>, path: &Path<'_>) -> Result<Text<'b>, Refused> {
    let path = path.name("name");
    let name = function.get("name").ok_or_else(|| path.refuse("a string"))?;
    field::text(name, &path)
}

fn function_arguments<'b>(
    function: Value<'_, 'b>,
    path: &Path<'_>,
) -> Result<Arguments<'b>, Refused> {
    match function.get("arguments") {
        None => Ok(Arguments::Text(Text::default())),
        Some(value) => field::text(value, &path.name("arguments")).map(Arguments::Text),
    }
}

fn tool<'b>(
    members: Members<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Turn<'b>, Refused> {
    let mut content = Vec::new();
    if let Some(value) = members.content {
        content::decode(&mut content, value, &path.name("content"), dropped)?;
    }
    // Of old a function's result had its name only.
    let id = members.tool_call_id.or_else(|| members.name.clone());
    let id = id.ok_or_else(|| path.name("tool_call_id").refuse("a string"))?;
    let result = ToolResult { id, name: members.name, content, is_error: false };
    let part = Part { content: Content::ToolResult(result), cache: members.cache };
    Ok(Turn { role: Role::Tool, name: None, parts: vec![part] })
}
