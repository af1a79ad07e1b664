//! What a model may call, and must.

use crate::{
    dialect::{
        field::{self, Path, once},
        pivot::{
            dropped::Dropped,
            part::{Dialect, Foreign},
            request::Request,
            text::{Json, Text},
            tool::{ServerKind, ServerTool, Tool, ToolChoice},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::{Kind, Value},
};
use std::borrow::Cow;

/// Append a tool: one of the client's, or one that the vendor runs.
pub fn decode<'b>(
    request: &mut Request<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let object = field::object(value, path)?;
    let at = path.name("type");
    let kind = field::text(object.get("type").ok_or_else(|| at.refuse("a string"))?, &at)?;
    if kind == *"function" {
        request.tools.push(function(object, path, dropped)?);
        return Ok(());
    }
    // What is said of it beside its type; the pivot's own name for the tool says the rest.
    let is_bare = object.members().all(|(key, value)| key == "type" || value.is_null());
    let json = if is_bare { Json(Cow::Borrowed("{}")) } else { Json::of(value) };
    let server_kind = match &*kind.read() {
        name if name.starts_with("web_search") => ServerKind::WebSearch,
        "code_interpreter" => ServerKind::CodeExecution,
        _ => ServerKind::Other,
    };
    let tool = Foreign { dialect: Dialect::OpenAiResponses, name: kind.clone(), json };
    request.server_tools.push(ServerTool { kind: server_kind, tool });
    Ok(())
}

fn function<'b>(
    object: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Tool<'b>, Refused> {
    let mut name = None;
    let mut tool = Tool::default();
    for (key, value) in object.members() {
        let path = path.name(&key);
        match &*key {
            "type" => {}
            _ if value.is_null() => {}
            "name" => once(&mut name, field::text(value, &path)?, &path)?,
            "description" => once(&mut tool.description, field::text(value, &path)?, &path)?,
            "parameters" => once(&mut tool.parameters, field::json_object(value, &path)?, &path)?,
            // False is what other dialects take for said where nothing is.
            "strict" => tool.is_strict = field::boolean(value, &path)?.then_some(true),
            _ if value.kind() == Kind::Boolean && value.as_bool() == Some(false) => {}
            _ => dropped.name(path.to_string()),
        }
    }
    tool.name = name.ok_or_else(|| path.name("name").refuse("a string"))?;
    Ok(tool)
}

/// `"auto"`, `{"type":"function","name":"f"}`, `{"type":"allowed_tools","mode":"auto","tools":[…]}`
pub fn choice<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Option<ToolChoice<'b>>, Refused> {
    let wanted = "auto, none, required or a tool";
    let by_word = |word: &str| match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        _ => None,
    };
    if let Some(word) = value.plain() {
        return by_word(&word).map(Some).ok_or_else(|| path.refuse(wanted));
    }
    let object = field::object(value, path)?;
    let name = object.get("name").and_then(Text::of);
    match (object.get("type").and_then(Value::plain).as_deref(), name) {
        (Some("function" | "custom"), Some(name)) => Ok(Some(ToolChoice::Tool(name))),
        (Some("allowed_tools"), _) => {
            dropped.name(path.name("tools").to_string());
            let mode = object.get("mode").and_then(Value::plain);
            Ok(mode.and_then(|word| by_word(&word)))
        }
        (Some(_), None) => {
            dropped.name(path.to_string());
            Ok(None)
        }
        _ => Err(path.refuse(wanted)),
    }
}
