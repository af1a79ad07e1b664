//! One message of a request.

use crate::{
    dialect::{
        anthropic::decode::block,
        field::{self, Path},
        pivot::{
            dropped::Dropped,
            part::{Content, Part},
            request::{Role, Turn},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};

/// Append the turns that a message is: results of tools, which here stand before a user's words,
/// are a turn of their own.
pub fn decode<'b>(
    turns: &mut Vec<Turn<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let mut role = None;
    let mut content = None;
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*key {
            "role" => field::once(&mut role, read_role(value, &path)?, &path)?,
            "content" => field::once(&mut content, value, &path)?,
            _ if value.is_null() => {}
            _ => dropped.name(path.to_string()),
        }
    }
    let role = role.ok_or_else(|| path.name("role").refuse("a role"))?;
    let path = path.name("content");
    let content = content.ok_or_else(|| path.refuse("a string or an array"))?;
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

fn read_role(value: Value<'_, '_>, path: &Path<'_>) -> Result<Role, Refused> {
    match value.plain().as_deref() {
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        Some("system") => Ok(Role::System),
        _ => Err(path.refuse("user, assistant or system")),
    }
}
