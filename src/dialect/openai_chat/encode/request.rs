//! A chat completion's request, as a vendor gets it.

use crate::{
    dialect::{
        openai_chat::encode::message,
        pivot::{
            dropped::Dropped,
            request::{Output, Reasoning, Request},
            target::{Addressee, Off, Written},
            tool::Tool,
        },
        told,
    },
    wire::json::write::Object,
};

/// Fields that pass as they are, for they mean here what their name says.
const SHARED: [&str; 10] = [
    "audio",
    "logit_bias",
    "metadata",
    "modalities",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "verbosity",
];

/// Append the request's body.
pub fn encode(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) -> Written {
    let mut object = Object::open(out);
    object.key("model").extend_from_slice(to.model_json);
    message::push_all(&mut object, request, to, dropped);
    if request.is_streaming {
        object.boolean("stream", true);
        if !to.abilities.rejects_stream_options {
            object.raw("stream_options", "{\"include_usage\":true}");
        }
    }
    push_sampling(&mut object, request, to, dropped);
    if let Some(effort) = told::effort(request, to.abilities, dropped) {
        object.text("reasoning_effort", effort);
    }
    if request.reasoning == Reasoning::Off && to.abilities.off == Off::Switch {
        object.raw("thinking", "{\"type\":\"disabled\"}");
    }
    push_tools(&mut object, request, dropped);
    push_output(&mut object, &request.output);
    told::push_others(&mut object, request.others.iter(), &SHARED, dropped);
    object.close();
    Written::default()
}

fn push_sampling(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    if let Some(max_tokens) = request.max_tokens {
        let name =
            if to.abilities.says_max_tokens { "max_tokens" } else { "max_completion_tokens" };
        object.number(name, max_tokens);
    }
    let numbers = [
        ("temperature", request.temperature),
        ("top_p", request.top_p),
        ("frequency_penalty", request.frequency_penalty),
        ("presence_penalty", request.presence_penalty),
        ("seed", request.seed),
    ];
    told::push_numbers(object, &numbers);
    if let Some(count) = request.count {
        object.number("n", count);
    }
    if let Some(logprobs) = request.logprobs {
        object.boolean("logprobs", logprobs);
    }
    if let Some(top) = request.top_logprobs {
        object.number("top_logprobs", top);
    }
    told::push_texts(object, "stop", request.stop.iter());
    if let Some(user) = &request.user {
        user.push(object.key("user"));
    }
    told::name_unsaid(request, &["top_k"], dropped);
}

fn push_tools(object: &mut Object<'_>, request: &Request<'_>, dropped: &mut Dropped) {
    for tool in &request.server_tools {
        dropped.name(format!("tools[{}]", tool.tool.name.read()));
    }
    if request.tools.is_empty() {
        if request.tool_choice.is_some() && !request.server_tools.is_empty() {
            dropped.name("tool_choice");
        }
        return;
    }
    let mut tools = object.array("tools");
    for tool in &request.tools {
        push_tool(tools.object(), tool, dropped);
    }
    tools.close();
    told::push_choice(object, request.tool_choice.as_ref(), |choice, name| {
        let mut function = choice.object("function");
        name.push(function.key("name"));
        function.close();
    });
    if let Some(parallel) = request.parallel_tools {
        object.boolean("parallel_tool_calls", parallel);
    }
}

fn push_tool(mut object: Object<'_>, tool: &Tool<'_>, dropped: &mut Dropped) {
    object.text("type", "function");
    let mut function = object.object("function");
    tool.name.push(function.key("name"));
    if let Some(description) = &tool.description {
        description.push(function.key("description"));
    }
    if let Some(parameters) = &tool.parameters {
        parameters.push(function.key("parameters"));
    }
    if let Some(is_strict) = tool.is_strict {
        function.boolean("strict", is_strict);
    }
    function.close();
    object.close();
    if tool.cache.is_some() {
        dropped.name("tools[].cache_control");
    }
}

fn push_output(object: &mut Object<'_>, output: &Output<'_>) {
    match output {
        Output::Text => {}
        Output::JsonObject => object.raw("response_format", "{\"type\":\"json_object\"}"),
        Output::JsonSchema { .. } => {
            let mut format = object.object("response_format");
            format.text("type", "json_schema");
            let mut inner = format.object("json_schema");
            told::push_json_schema(&mut inner, output);
            inner.close();
            format.close();
        }
    }
}
