//! The tools of a request, and which of them are to be called.

use crate::{
    dialect::{
        field::{self, Path, once},
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
    wire::json::document::{Kind, Value},
};
use std::borrow::Cow;

/// Read one element of `tools`: functions, or tools that the vendor runs, each by its name.
pub fn decode<'b>(
    request: &mut Request<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        if value.is_null() {
            continue;
        }
        let name = camel(&key);
        if name == "functionDeclarations" {
            for (index, item) in field::array(value, &path)?.items().enumerate() {
                request.tools.push(function(item, &path.index(index), dropped)?);
            }
            continue;
        }
        let kind = match &*name {
            "googleSearch" | "googleSearchRetrieval" | "enterpriseWebSearch" => {
                ServerKind::WebSearch
            }
            "urlContext" => ServerKind::WebFetch,
            "codeExecution" => ServerKind::CodeExecution,
            _ => ServerKind::Other,
        };
        let json = Json(Cow::Owned(format!("{{\"{name}\":{}}}", value.raw())));
        let name = Text::Plain(Cow::Owned(name.into_owned()));
        let tool = Foreign { dialect: Dialect::Gemini, name, json };
        request.server_tools.push(ServerTool { kind, tool });
    }
    Ok(())
}

fn function<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Tool<'b>, Refused> {
    let mut name = None;
    let mut tool = Tool::default();
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*camel(&key) {
            _ if value.is_null() => {}
            "name" => once(&mut name, field::text(value, &path)?, &path)?,
            "description" => once(&mut tool.description, field::text(value, &path)?, &path)?,
            "parameters" => {
                let schema = schema::from_google(field::object(value, &path)?);
                once(&mut tool.parameters, schema, &path)?;
            }
            "parametersJsonSchema" => {
                once(&mut tool.parameters, field::json_object(value, &path)?, &path)?;
            }
            // What a function answers, `behavior` and what is newer.
            _ => dropped.name(path.to_string()),
        }
    }
    tool.name = name.ok_or_else(|| path.name("name").refuse("a string"))?;
    Ok(tool)
}

/// `{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}`
pub fn decode_config<'b>(
    request: &mut Request<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*camel(&key) {
            _ if value.is_null() => {}
            "functionCallingConfig" => {
                let choice = calling(value, &path, dropped)?;
                if let Some(choice) = choice {
                    once(&mut request.tool_choice, choice, &path)?;
                }
            }
            _ => dropped.name(path.to_string()),
        }
    }
    Ok(())
}

fn calling<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Option<ToolChoice<'b>>, Refused> {
    let mode = field::object(value, path)?.get("mode").and_then(Value::plain).unwrap_or_default();
    let names = get(value, "allowedFunctionNames").filter(|list| list.kind() == Kind::Array);
    let mut names = names.into_iter().flat_map(Value::items).filter_map(Text::of);
    let (first, second) = (names.next(), names.next());
    Ok(match &*mode.to_ascii_uppercase() {
        "" | "MODE_UNSPECIFIED" => None,
        "AUTO" => Some(ToolChoice::Auto),
        // As AUTO, with calls that follow their schema.
        "VALIDATED" => {
            dropped.name(path.name("mode").to_string());
            Some(ToolChoice::Auto)
        }
        "NONE" => Some(ToolChoice::None),
        "ANY" => match (first, second) {
            (Some(only), None) => Some(ToolChoice::Tool(only)),
            (None, _) => Some(ToolChoice::Required),
            (Some(_), Some(_)) => {
                dropped.name(path.name("allowedFunctionNames").to_string());
                Some(ToolChoice::Required)
            }
        },
        _ => return Err(path.name("mode").refuse("AUTO, ANY, NONE or VALIDATED")),
    })
}
