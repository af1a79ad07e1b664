//! A chat's request, as the vendor gets it.

use crate::{
    dialect::{
        cohere::encode::message,
        pivot::{
            dropped::Dropped,
            request::{Output, Reasoning, Request},
            target::{Addressee, FORCED_TOOL, Thinking, Written},
            text::Text,
            tool::{Tool, ToolChoice},
        },
        told,
    },
    wire::json::write::Object,
};

/// Fields that pass as they are: of this API, under names that no other has.
const SHARED: [&str; 4] = ["documents", "citation_options", "priority", "safety_mode"];

/// The most tokens of an answer that thinks, where the client sets no bound.
/// **Source**: docs.cohere.com/v2/docs/reasoning, read 2026-11-21.
const THINKING_TOKENS_MAX: u64 = 32_000;

/// The bounds of `p`, and of both penalties.
/// **Source**: docs.cohere.com/reference/chat, read 2026-11-21.
const P: (f64, f64) = (0.01, 0.99);
const PENALTY: (f64, f64) = (0.0, 1.0);

/// Append the request's body.
pub fn encode(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) -> Written {
    let plan = Plan::of(request, dropped);
    let mut object = Object::open(out);
    object.key("model").extend_from_slice(to.model_json);
    message::push_all(&mut object, request, to, dropped);
    let has_documents = message::push_documents(&mut object, request);
    if request.is_streaming {
        object.boolean("stream", true);
    }
    push_sampling(&mut object, request, dropped);
    push_thinking(&mut object, request, to, dropped);
    push_tools(&mut object, request, plan, dropped);
    push_output(&mut object, &request.output, plan);
    let shared = if has_documents { &SHARED[1..] } else { &SHARED[..] };
    told::push_others(&mut object, request.others.iter(), shared, dropped);
    object.close();
    Written { has_forced_tool: plan.has_forced_tool }
}

/// How the answer is bound to its form, decided before a word is written.
#[derive(Clone, Copy)]
struct Plan {
    has_native_format: bool,
    has_forced_tool: bool,
}

impl Plan {
    /// The API takes no `response_format` beside tools or documents.
    fn of(request: &Request<'_>, dropped: &mut Dropped) -> Self {
        let mut plan = Self { has_native_format: false, has_forced_tool: false };
        let has_others = request.others.iter().any(|other| other.name == "documents");
        let is_alone = request.tools.is_empty() && !has_others && !message::has_documents(request);
        match request.output {
            Output::Text => {}
            _ if is_alone => plan.has_native_format = true,
            _ if request.tools.iter().any(|tool| tool.name == *FORCED_TOOL) => {
                dropped.name("response_format");
            }
            _ => plan.has_forced_tool = true,
        }
        plan
    }
}

fn push_sampling(object: &mut Object<'_>, request: &Request<'_>, dropped: &mut Dropped) {
    if let Some(max_tokens) = request.max_tokens {
        object.number("max_tokens", max_tokens);
    }
    let numbers =
        [("temperature", request.temperature), ("k", request.top_k), ("seed", request.seed)];
    told::push_numbers(object, &numbers);
    let bounded = [
        ("p", "top_p", request.top_p, P),
        ("frequency_penalty", "frequency_penalty", request.frequency_penalty, PENALTY),
        ("presence_penalty", "presence_penalty", request.presence_penalty, PENALTY),
    ];
    for (name, asked, number, (min, max)) in bounded {
        let Some(number) = number else { continue };
        let value = number.parse::<f64>().unwrap_or_default();
        let within = value.clamp(min, max);
        if (within - value).abs() < f64::EPSILON {
            object.raw(name, number);
        } else {
            dropped.name(asked);
            object.raw(name, &within.to_string());
        }
    }
    told::push_texts(object, "stop_sequences", request.stop.iter());
    let unsaid = ["n", "logprobs", "top_logprobs", "user", "parallel_tool_calls"];
    told::name_unsaid(request, &unsaid, dropped);
}

fn push_thinking(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let is_able = to.abilities.thinking != Thinking::None;
    let budget = match request.reasoning {
        Reasoning::Off if is_able => {
            return object.raw("thinking", "{\"type\":\"disabled\"}");
        }
        Reasoning::Unsaid | Reasoning::Off => return,
        _ if !is_able => return dropped.name("reasoning_effort"),
        Reasoning::Adaptive(None) => None,
        Reasoning::Budget(budget) => Some(budget),
        Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => {
            match effort.budget(request.max_tokens.unwrap_or(THINKING_TOKENS_MAX), 1) {
                Some(budget) => Some(budget),
                None => return dropped.name("reasoning_effort"),
            }
        }
    };
    let mut thinking = object.object("thinking");
    thinking.text("type", "enabled");
    if let Some(budget) = budget {
        thinking.number("token_budget", budget);
    }
    thinking.close();
}

fn push_tools(object: &mut Object<'_>, request: &Request<'_>, plan: Plan, dropped: &mut Dropped) {
    for one in &request.server_tools {
        dropped.name(format!("tools[{}]", one.tool.name.read()));
    }
    if request.tools.is_empty() && !plan.has_forced_tool {
        return;
    }
    // The API can force a call, but not of which tool: so it sees no other.
    let only = match &request.tool_choice {
        Some(ToolChoice::Tool(name)) if !plan.has_forced_tool => Some(name),
        _ => None,
    };
    let is_known = |name: &Text<'_>| request.tools.iter().any(|tool| tool.name == *name);
    let only = only.filter(|name| is_known(name));
    let said = || request.tools.iter().filter(|tool| only.is_none_or(|name| tool.name == *name));
    let mut tools = object.array("tools");
    for tool in said() {
        push_tool(tools.object(), tool, dropped);
    }
    if plan.has_forced_tool {
        push_forced_tool(tools.object(), &request.output);
    }
    tools.close();
    push_strict(object, said(), plan, dropped);
    let word = match &request.tool_choice {
        _ if plan.has_forced_tool => "REQUIRED",
        None | Some(ToolChoice::Auto) => return,
        Some(ToolChoice::None) => "NONE",
        Some(ToolChoice::Required | ToolChoice::Tool(_)) => "REQUIRED",
    };
    object.text("tool_choice", word);
}

/// It holds for all tools or for none.
fn push_strict<'t>(
    object: &mut Object<'_>,
    mut tools: impl Iterator<Item = &'t Tool<'t>> + Clone,
    plan: Plan,
    dropped: &mut Dropped,
) {
    let is_strict = |tool: &Tool<'_>| tool.is_strict == Some(true);
    if !tools.clone().any(is_strict) {
        return;
    }
    if tools.all(is_strict) && !plan.has_forced_tool {
        object.boolean("strict_tools", true);
    } else {
        dropped.name("tools[].strict");
    }
}

fn push_tool(mut object: Object<'_>, tool: &Tool<'_>, dropped: &mut Dropped) {
    object.text("type", "function");
    let mut function = object.object("function");
    tool.name.push(function.key("name"));
    if let Some(description) = &tool.description {
        description.push(function.key("description"));
    }
    match &tool.parameters {
        Some(parameters) => parameters.push(function.key("parameters")),
        None => function.raw("parameters", r#"{"type":"object","properties":{}}"#),
    }
    function.close();
    object.close();
    if tool.cache.is_some() {
        dropped.name("tools[].cache_control");
    }
}

fn push_forced_tool(mut object: Object<'_>, output: &Output<'_>) {
    object.text("type", "function");
    let mut function = object.object("function");
    function.text("name", FORCED_TOOL);
    match output {
        Output::JsonSchema { description: Some(description), .. } => {
            description.push(function.key("description"));
        }
        _ => function.text("description", "The answer, as a JSON object."),
    }
    match output {
        Output::JsonSchema { schema, .. } => schema.push(function.key("parameters")),
        _ => function.raw("parameters", r#"{"type":"object","properties":{}}"#),
    }
    function.close();
    object.close();
}

fn push_output(object: &mut Object<'_>, output: &Output<'_>, plan: Plan) {
    if !plan.has_native_format {
        return;
    }
    let mut format = object.object("response_format");
    format.text("type", "json_object");
    if let Output::JsonSchema { schema, .. } = output {
        schema.push(format.key("json_schema"));
    }
    format.close();
}
