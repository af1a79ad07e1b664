//! What a model may call, and must.

use crate::{
    dialect::{
        asked,
        field::Field,
        pivot::{
            dropped::Dropped,
            part::{Dialect, Foreign},
            request::Request,
            text::Json,
            tool::{ServerKind, ServerTool, Tool, ToolChoice},
        },
    },
    lexicon::refusal::Refused,
};
use std::borrow::Cow;

/// Append a tool: one of the client's, or one that the vendor runs.
pub fn decode<'b>(
    request: &mut Request<'b>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.object()?;
    let kind = field.need_text("type")?;
    if kind == *"function" {
        request.tools.push(function(field, dropped)?);
        return Ok(());
    }
    // What is said of it beside its type; the pivot's own name for the tool says the rest.
    let is_bare = field.value.members().all(|(key, value)| key == "type" || value.is_null());
    let json = if is_bare { Json(Cow::Borrowed("{}")) } else { Json::of(field.value) };
    let server_kind = match &*kind.read() {
        name if name.starts_with("web_search") => ServerKind::WebSearch,
        "code_interpreter" => ServerKind::CodeExecution,
        _ => ServerKind::Other,
    };
    let tool = Foreign { dialect: Dialect::OpenAiResponses, name: kind.clone(), json };
    request.server_tools.push(ServerTool { kind: server_kind, tool });
    Ok(())
}

fn function<'b>(field: &Field<'_, 'b, '_>, dropped: &mut Dropped) -> Result<Tool<'b>, Refused> {
    asked::tool(field, dropped, |tool, name, field| {
        match name {
            "type" => {}
            "parameters" => field.once(&mut tool.parameters, field.json_object()?)?,
            // False is what other dialects take for said where nothing is.
            "strict" => tool.is_strict = field.boolean()?.then_some(true),
            _ => return Ok(field.value.as_bool() == Some(false)),
        }
        Ok(true)
    })
}

/// `"auto"`, `{"type":"function","name":"f"}`, `{"type":"allowed_tools","mode":"auto","tools":[…]}`
pub fn choice<'b>(
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<Option<ToolChoice<'b>>, Refused> {
    let wanted = "auto, none, required or a tool";
    if let Some(word) = field.value.plain() {
        return asked::choice_word(&word).map(Some).ok_or_else(|| field.refuse(wanted));
    }
    field.object()?;
    match (&*field.word("type"), field.get_text("name")) {
        ("function" | "custom", Some(name)) => Ok(Some(ToolChoice::Tool(name))),
        ("allowed_tools", _) => {
            field.drop_member("tools", dropped);
            Ok(asked::choice_word(&field.word("mode")))
        }
        (kind, None) if !kind.is_empty() => {
            field.drop_into(dropped);
            Ok(None)
        }
        _ => Err(field.refuse(wanted)),
    }
}
