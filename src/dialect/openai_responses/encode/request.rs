//! A Responses request, as a vendor gets it.

use crate::{
    dialect::{
        openai_responses::encode::input,
        pivot::{
            dropped::Dropped,
            part::Dialect,
            request::{Output, Reasoning, Request},
            target::{Addressee, Thinking, Written},
            tool::{ServerKind, ServerTool, Tool},
        },
        told,
    },
    wire::json::{
        object::scan_object,
        write::{Array, Object},
    },
};

/// Fields that pass as they are, for they mean here what their name says.
const SHARED: [&str; 5] =
    ["metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier"];

/// Append the request's body.
///
/// The vendor keeps nothing that the client did not ask it to keep; what proves its thinking is
/// asked for instead, and comes back with the conversation.
pub fn encode(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) -> Written {
    let mut object = Object::open(out);
    object.key("model").extend_from_slice(to.model_json);
    input::push_all(&mut object, request, to, dropped);
    if request.is_streaming {
        object.boolean("stream", true);
    }
    push_sampling(&mut object, request, dropped);
    push_reasoning(&mut object, request, to, dropped);
    push_tools(&mut object, request, dropped);
    let mut verbosity = None;
    let mut is_stored = false;
    for other in &request.others {
        match &*other.name {
            name if SHARED.contains(&name) => object.raw(name, &other.value.0),
            "verbosity" => verbosity = Some(&*other.value.0),
            "store" => is_stored = other.value.0 == "true",
            name => dropped.name(name.to_owned()),
        }
    }
    object.boolean("store", is_stored);
    push_text(&mut object, &request.output, verbosity);
    object.close();
    Written::default()
}

fn push_sampling(object: &mut Object<'_>, request: &Request<'_>, dropped: &mut Dropped) {
    if let Some(max_tokens) = request.max_tokens {
        object.number("max_output_tokens", max_tokens);
    }
    let numbers = [("temperature", request.temperature), ("top_p", request.top_p)];
    told::push_numbers(object, &numbers);
    if request.logprobs == Some(true) {
        object.number("top_logprobs", request.top_logprobs.unwrap_or(0));
    }
    if let Some(user) = &request.user {
        user.push(object.key("user"));
    }
    let unsaid = ["frequency_penalty", "presence_penalty", "seed", "n", "stop", "top_k"];
    told::name_unsaid(request, &unsaid, dropped);
}

fn push_reasoning(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let thinks = to.abilities.thinking != Thinking::None;
    let mut include = Vec::new();
    if thinks {
        include.push("reasoning.encrypted_content");
    }
    if request.logprobs == Some(true) {
        include.push("message.output_text.logprobs");
    }
    if !include.is_empty() {
        let mut array = object.array("include");
        for name in include {
            crate::wire::json::value::push_json_string(array.item(), name);
        }
        array.close();
    }
    let effort = told::effort(request, to.abilities, dropped);
    if request.reasoning == Reasoning::Adaptive(None) && !thinks {
        dropped.name("reasoning_effort");
    }
    // Nothing was asked, or cannot be told.
    let is_mute = request.reasoning == Reasoning::Off && effort.is_none();
    if is_mute || request.reasoning == Reasoning::Unsaid || !thinks {
        return;
    }
    let mut reasoning = object.object("reasoning");
    if let Some(effort) = effort {
        reasoning.text("effort", effort);
    }
    // Who grants thinking as such wants to read it; of an effort only the answer is wanted.
    if !matches!(request.reasoning, Reasoning::Effort(_) | Reasoning::Off) {
        reasoning.text("summary", "auto");
    }
    reasoning.close();
}

fn push_tools(object: &mut Object<'_>, request: &Request<'_>, dropped: &mut Dropped) {
    let is_sayable = |tool: &ServerTool<'_>| {
        tool.tool.dialect == Dialect::OpenAiResponses || tool.kind == ServerKind::WebSearch
    };
    for tool in request.server_tools.iter().filter(|tool| !is_sayable(tool)) {
        dropped.name(format!("tools[{}]", tool.tool.name.read()));
    }
    let mut server_tools = request.server_tools.iter().filter(|tool| is_sayable(tool)).peekable();
    if request.tools.is_empty() && server_tools.peek().is_none() {
        if request.tool_choice.is_some() && !request.server_tools.is_empty() {
            dropped.name("tool_choice");
        }
        return;
    }
    let mut tools = object.array("tools");
    for tool in &request.tools {
        push_tool(tools.object(), tool, dropped);
    }
    for tool in server_tools {
        push_server_tool(&mut tools, tool, dropped);
    }
    tools.close();
    told::push_choice(object, request.tool_choice.as_ref(), |choice, name| {
        name.push(choice.key("name"));
    });
    if let Some(parallel) = request.parallel_tools {
        object.boolean("parallel_tool_calls", parallel);
    }
}

fn push_tool(mut object: Object<'_>, tool: &Tool<'_>, dropped: &mut Dropped) {
    object.text("type", "function");
    tool.name.push(object.key("name"));
    if let Some(description) = &tool.description {
        description.push(object.key("description"));
    }
    match &tool.parameters {
        Some(parameters) => parameters.push(object.key("parameters")),
        None => object.raw("parameters", r#"{"type":"object","properties":{}}"#),
    }
    // What is not said is true here, and false elsewhere.
    object.boolean("strict", tool.is_strict == Some(true));
    object.close();
    if tool.cache.is_some() {
        dropped.name("tools[].cache_control");
    }
}

fn push_server_tool(tools: &mut Array<'_>, tool: &ServerTool<'_>, dropped: &mut Dropped) {
    let json = &*tool.tool.json.0;
    match tool.tool.dialect {
        Dialect::OpenAiResponses if json != "{}" => {
            tools.item().extend_from_slice(json.as_bytes());
        }
        Dialect::OpenAiResponses => {
            let mut object = tools.object();
            tool.tool.name.push(object.key("type"));
            object.close();
        }
        dialect => push_web_search(tools.object(), tool, dialect, dropped),
    }
}

/// A search as another dialect asks for it; of what is said of it only the size is the same here.
fn push_web_search(
    mut object: Object<'_>,
    tool: &ServerTool<'_>,
    dialect: Dialect,
    dropped: &mut Dropped,
) {
    let json = tool.tool.json.0.as_bytes();
    object.text("type", "web_search");
    let unsaid = ["user_location", "max_uses", "allowed_domains", "blocked_domains"];
    let found = scan_object(json, &unsaid).is_ok_and(|it| it.values.iter().any(Option::is_some));
    let size = scan_object(json, &["search_context_size"]).ok().and_then(|it| it.values[0]);
    if let Some(size) = size.filter(|_| dialect == Dialect::OpenAiChat) {
        object.key("search_context_size").extend_from_slice(size.of(json));
    }
    object.close();
    if found || (dialect == Dialect::Gemini && tool.has_options()) {
        dropped.name(format!("tools[{}]", tool.tool.name.read()));
    }
}

fn push_text(object: &mut Object<'_>, output: &Output<'_>, verbosity: Option<&str>) {
    if *output == Output::Text && verbosity.is_none() {
        return;
    }
    let mut text = object.object("text");
    match output {
        Output::Text => {}
        Output::JsonObject => text.raw("format", "{\"type\":\"json_object\"}"),
        Output::JsonSchema { .. } => {
            let mut format = text.object("format");
            format.text("type", "json_schema");
            told::push_json_schema(&mut format, output);
            format.close();
        }
    }
    if let Some(verbosity) = verbosity {
        text.raw("verbosity", verbosity);
    }
    text.close();
}
