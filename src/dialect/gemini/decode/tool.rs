//! The tools of a request, and which of them are to be called.

use crate::{
    dialect::{
        asked,
        field::Field,
        gemini::{
            name::{camel, get},
            schema,
        },
        pivot::{
            dropped::Dropped,
            part::{Dialect, Foreign},
            request::Request,
            text::{Json, Text},
            tool::{ServerKind, ServerTool, Tool, ToolChoice},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};
use std::borrow::Cow;

/// Read one element of `tools`: functions, or tools that the vendor runs, each by its name.
pub fn decode<'b>(
    request: &mut Request<'b>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.members(|name, field| {
        let name = camel(name);
        if name == "functionDeclarations" {
            return field.items(|item| {
                request.tools.push(function(item, dropped)?);
                Ok(())
            });
        }
        let kind = match &*name {
            "googleSearch" | "googleSearchRetrieval" | "enterpriseWebSearch" => {
                ServerKind::WebSearch
            }
            "urlContext" => ServerKind::WebFetch,
            "codeExecution" => ServerKind::CodeExecution,
            _ => ServerKind::Other,
        };
        let json = Json(Cow::Owned(format!("{{\"{name}\":{}}}", field.value.raw())));
        let name = Text::Plain(Cow::Owned(name.into_owned()));
        let tool = Foreign { dialect: Dialect::Gemini, name, json };
        request.server_tools.push(ServerTool { kind, tool });
        Ok(())
    })
}

fn function<'b>(field: &Field<'_, 'b, '_>, dropped: &mut Dropped) -> Result<Tool<'b>, Refused> {
    // What a function answers, `behavior` and what is newer is named as dropped.
    asked::tool(field, dropped, |tool, name, field| {
        match &*camel(name) {
            "parameters" => {
                field.object()?;
                field.once(&mut tool.parameters, schema::from_google(field.value))?;
            }
            "parametersJsonSchema" => field.once(&mut tool.parameters, field.json_object()?)?,
            _ => return Ok(false),
        }
        Ok(true)
    })
}

/// `{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}`
pub fn decode_config<'b>(
    request: &mut Request<'b>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.known_members(dropped, |name, field, dropped| {
        let is_known = camel(name) == "functionCallingConfig";
        if is_known && let Some(choice) = calling(field, dropped)? {
            field.once(&mut request.tool_choice, choice)?;
        }
        Ok(is_known)
    })
}

fn calling<'b>(
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<Option<ToolChoice<'b>>, Refused> {
    field.object()?;
    let names = get(field, "allowedFunctionNames").map(|list| list.value);
    let mut names = names.into_iter().flat_map(Value::items).filter_map(Text::of);
    let (first, second) = (names.next(), names.next());
    Ok(match &*field.word("mode").to_ascii_uppercase() {
        "" | "MODE_UNSPECIFIED" => None,
        "AUTO" => Some(ToolChoice::Auto),
        // As AUTO, with calls that follow their schema.
        "VALIDATED" => {
            field.drop_member("mode", dropped);
            Some(ToolChoice::Auto)
        }
        "NONE" => Some(ToolChoice::None),
        "ANY" => match (first, second) {
            (Some(only), None) => Some(ToolChoice::Tool(only)),
            (None, _) => Some(ToolChoice::Required),
            (Some(_), Some(_)) => {
                field.drop_member("allowedFunctionNames", dropped);
                Some(ToolChoice::Required)
            }
        },
        _ => return Err(field.refuse_member("mode", "AUTO, ANY, NONE or VALIDATED")),
    })
}
