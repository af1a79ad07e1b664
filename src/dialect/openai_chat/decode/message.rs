//! One message of a request.

use crate::{
    dialect::{
        asked,
        field::Field,
        openai_chat::decode::content,
        openai_responses::decode::reply::annotation,
        pivot::{
            citation::Citation,
            dropped::Dropped,
            part::{Content, Part, ToolCall, ToolResult},
            request::{Role, Turn},
            text::{Arguments, Json, Text},
        },
    },
    lexicon::refusal::Refused,
};

/// The members of a message, each where it is there and not null.
#[derive(Default)]
struct Members<'b> {
    role: Option<Role>,
    content: Option<Vec<Part<'b>>>,
    name: Option<Text<'b>>,
    tool_call_id: Option<Text<'b>>,
    calls: Option<Vec<Part<'b>>>,
    function_call: Option<Part<'b>>,
    refusal: Option<Text<'b>>,
    reasoning: Option<Text<'b>>,
    thinking_blocks: Option<Vec<Part<'b>>>,
    cache: Option<Json<'b>>,
}

/// Read one message of a request.
pub fn decode<'b>(message: &Field<'_, 'b, '_>, dropped: &mut Dropped) -> Result<Turn<'b>, Refused> {
    // No vendor takes the sources of an earlier answer back without its own proof of them.
    read(message, dropped, |annotations, dropped| {
        if annotations.value.items().next().is_some() {
            annotations.drop_into(dropped);
        }
    })
}

/// Read the message that an answer is, with the sources of its words.
pub fn decode_answer<'b>(
    message: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<Turn<'b>, Refused> {
    let mut found = Vec::new();
    let plain = message.word("content");
    let mut turn = read(message, dropped, |annotations, dropped| {
        for one in annotations.value.items() {
            let told = one.get("url_citation").unwrap_or(one);
            found.extend(annotation(told, &plain, dropped));
        }
    })?;
    let is_text = |part: &&mut Part<'_>| matches!(part.content, Content::Text(_));
    if let (Some(part), false) = (turn.parts.iter_mut().find(is_text), found.is_empty())
        && let Content::Text(text) = &mut part.content
    {
        let (text, citations) = (std::mem::take(text), Citation::list(found.iter()));
        part.content = Content::Cited { text, citations };
    }
    Ok(turn)
}

fn read<'d, 'b>(
    message: &Field<'d, 'b, '_>,
    dropped: &mut Dropped,
    mut annotate: impl FnMut(&Field<'d, 'b, '_>, &mut Dropped),
) -> Result<Turn<'b>, Refused> {
    let mut members = Members::default();
    message.known_members(dropped, |name, field, dropped| {
        match name {
            "role" => field.once(&mut members.role, read_role(field)?)?,
            "content" => {
                let mut parts = Vec::new();
                content::decode(&mut parts, field, dropped)?;
                field.once(&mut members.content, parts)?;
            }
            "name" => members.name = Some(field.text()?),
            "tool_call_id" => members.tool_call_id = Some(field.text()?),
            "tool_calls" => {
                let mut calls = Vec::new();
                field.items(|call| tool_call(&mut calls, call, dropped))?;
                field.once(&mut members.calls, calls)?;
            }
            "function_call" => members.function_call = Some(function_call(field)?),
            "refusal" => members.refusal = Some(field.text()?),
            "reasoning_content" | "reasoning" => members.reasoning = Text::of(field.value),
            "thinking_blocks" => {
                let mut blocks = Vec::new();
                field.items(|block| content::part(&mut blocks, block, dropped))?;
                members.thinking_blocks = Some(blocks);
            }
            "cache_control" => members.cache = Some(field.json_object()?),
            "annotations" => annotate(field, dropped),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let role = members.role.ok_or_else(|| message.refuse_member("role", "a role"))?;
    match role {
        Role::Tool => {
            let wanted = "a string";
            tool(members).ok_or_else(|| message.refuse_member("tool_call_id", wanted))
        }
        _ => Ok(turn(role, members)),
    }
}

fn read_role(field: &Field<'_, '_, '_>) -> Result<Role, Refused> {
    match field.value.plain().as_deref() {
        Some("system") => Ok(Role::System),
        Some("developer") => Ok(Role::Developer),
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        Some("tool" | "function") => Ok(Role::Tool),
        _ => Err(field.refuse("system, developer, user, assistant or tool")),
    }
}

/// Of a model's message the parts in the order in which they were thought, said and called.
fn turn(role: Role, members: Members<'_>) -> Turn<'_> {
    let mut parts = members.content.unwrap_or_default();
    if role == Role::Assistant {
        if let Some(blocks) = members.thinking_blocks {
            parts.splice(..0, blocks);
        } else if let Some(text) = members.reasoning.filter(|text| !text.is_empty()) {
            parts.insert(0, Content::Thinking { text, signature: None }.into());
        }
        parts.extend(members.refusal.map(|refusal| Content::Refusal(refusal).into()));
        parts.extend(members.calls.unwrap_or_default());
        parts.extend(members.function_call);
    }
    // A mark on a message is one on its last part.
    if let (Some(last), Some(cache)) = (parts.last_mut(), members.cache) {
        last.cache.get_or_insert(cache);
    }
    Turn { role, name: members.name, parts }
}

fn tool_call<'b>(
    parts: &mut Vec<Part<'b>>,
    call: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    call.object()?;
    let (name, arguments) = match (call.get("function"), call.get("custom")) {
        (Some(function), _) => (function.need_text("name")?, arguments(&function)?),
        // What came of it stands in a message of its own, and needs its call.
        (None, Some(custom)) => {
            (custom.need_text("name")?, asked::custom_arguments(&custom.need_text("input")?))
        }
        (None, None) => {
            call.drop_into(dropped);
            return Ok(());
        }
    };
    let id = call.need_text("id")?;
    let call = ToolCall { id, name, arguments, signature: None };
    parts.push(Content::ToolCall(call).into());
    Ok(())
}

/// As calls were before there were several: known by the name alone.
fn function_call<'b>(function: &Field<'_, 'b, '_>) -> Result<Part<'b>, Refused> {
    let name = function.need_text("name")?;
    let arguments = arguments(function)?;
    let call = ToolCall { id: name.clone(), name, arguments, signature: None };
    Ok(Content::ToolCall(call).into())
}

fn arguments<'b>(function: &Field<'_, 'b, '_>) -> Result<Arguments<'b>, Refused> {
    let written = function.get("arguments");
    written.map_or(Ok(Text::default()), |text| text.text()).map(Arguments::Text)
}

/// What came of a call; `None` where it does not say of which.
fn tool(members: Members<'_>) -> Option<Turn<'_>> {
    // Of old a function's result had its name only.
    let id = members.tool_call_id.or_else(|| members.name.clone())?;
    let content = members.content.unwrap_or_default();
    let result = ToolResult { id, name: members.name, content, is_error: false };
    let part = Part { content: Content::ToolResult(result), cache: members.cache };
    Some(Turn { role: Role::Tool, name: None, parts: vec![part] })
}
