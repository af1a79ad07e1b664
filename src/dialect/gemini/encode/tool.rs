//! The tools of a request, and which of them are to be called.

use crate::{
    dialect::{
        gemini::schema,
        pivot::{
            dropped::Dropped,
            part::Dialect,
            request::{Output, Request},
            target::FORCED_TOOL,
            text::Text,
            tool::{ServerKind, ServerTool, Tool, ToolChoice},
        },
    },
    wire::json::write::{Array, Object},
};

/// Append the members `tools` and `toolConfig`. `is_forced`: the answer's form is said by a tool.
pub fn push_all(
    object: &mut Object<'_>,
    request: &Request<'_>,
    is_forced: bool,
    dropped: &mut Dropped,
) {
    let has_functions = !request.tools.is_empty() || is_forced;
    let server_tools = || request.server_tools.iter().filter(|one| own_name(one).is_some());
    for one in &request.server_tools {
        let is_own = one.tool.dialect == Dialect::Gemini;
        if own_name(one).is_none() || !is_own && one.has_options() {
            dropped.name(format!("tools[{}]", one.tool.name.read()));
        }
    }
    if !has_functions && server_tools().next().is_none() {
        return;
    }
    let mut tools = object.array("tools");
    if has_functions {
        let mut tool = tools.object();
        let mut functions = tool.array("functionDeclarations");
        for one in &request.tools {
            push_function(&mut functions, one, dropped);
        }
        if is_forced {
            push_forced(&mut functions, &request.output, dropped);
        }
        functions.close();
        tool.close();
    }
    for one in server_tools() {
        if one.tool.dialect == Dialect::Gemini {
            one.tool.json.push(tools.item());
        } else {
            let mut tool = tools.object();
            tool.raw(own_name(one).unwrap_or_default(), "{}");
            tool.close();
        }
    }
    tools.close();
    push_choice(object, request, is_forced, dropped);
}

/// What Google calls a tool that a vendor runs; its own are said as they came.
fn own_name(one: &ServerTool<'_>) -> Option<&'static str> {
    match one.kind {
        ServerKind::WebSearch => Some("googleSearch"),
        ServerKind::WebFetch => Some("urlContext"),
        ServerKind::CodeExecution => Some("codeExecution"),
        ServerKind::Other if one.tool.dialect == Dialect::Gemini => Some(""),
        ServerKind::Other => None,
    }
}

fn push_function(functions: &mut Array<'_>, tool: &Tool<'_>, dropped: &mut Dropped) {
    let mut function = functions.object();
    tool.name.push(function.key("name"));
    if let Some(description) = &tool.description {
        description.push(function.key("description"));
    }
    if let Some(parameters) = &tool.parameters {
        let out = function.key("parametersJsonSchema");
        schema::push_for_google(out, parameters, "tools[].parameters", dropped);
    }
    function.close();
    if tool.is_strict == Some(true) {
        dropped.name("tools[].strict");
    }
    if tool.cache.is_some() {
        dropped.name("tools[].cache_control");
    }
}

fn push_forced(functions: &mut Array<'_>, output: &Output<'_>, dropped: &mut Dropped) {
    let mut function = functions.object();
    function.text("name", FORCED_TOOL);
    if let Output::JsonSchema { description, schema, .. } = output {
        match description {
            Some(description) => description.push(function.key("description")),
            None => function.text("description", "The answer."),
        }
        let out = function.key("parametersJsonSchema");
        schema::push_for_google(out, schema, "response_format", dropped);
    } else {
        function.text("description", "The answer, as a JSON object.");
        function.raw("parametersJsonSchema", r#"{"type":"object"}"#);
    }
    function.close();
}

fn push_choice(
    object: &mut Object<'_>,
    request: &Request<'_>,
    is_forced: bool,
    dropped: &mut Dropped,
) {
    if request.parallel_tools == Some(false) {
        dropped.name("parallel_tool_calls");
    }
    let forced = Text::plain(FORCED_TOOL);
    let (mode, name) = match &request.tool_choice {
        Some(ToolChoice::Tool(name)) => ("ANY", Some(name)),
        // Either an answer, which is in the form, or a call of the client's own tools.
        Some(ToolChoice::None) if is_forced => ("ANY", Some(&forced)),
        _ if is_forced => ("ANY", None),
        Some(ToolChoice::Required) => ("ANY", None),
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::None) => ("NONE", None),
        None => return,
    };
    let mut config = object.object("toolConfig");
    let mut calling = config.object("functionCallingConfig");
    calling.text("mode", mode);
    if let Some(name) = name {
        let mut names = calling.array("allowedFunctionNames");
        name.push(names.item());
        names.close();
    }
    calling.close();
    config.close();
}
