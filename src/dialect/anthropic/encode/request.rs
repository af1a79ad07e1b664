//! A Messages request, as the vendor gets it.

use crate::{
    dialect::{
        anthropic::encode::{
            message,
            thinking::{Said, effort_word},
        },
        pivot::{
            dropped::Dropped,
            part::Dialect,
            request::{Output, Request},
            target::{Addressee, FORCED_TOOL, Sampling, Written},
            text::{Json, Text},
            tool::{ServerKind, Tool, ToolChoice},
        },
        told,
    },
    wire::json::{object::scan_object, write::Object},
};

/// Fields that pass as they are, for clients of any dialect may send them on.
const SHARED: [&str; 5] =
    ["cache_control", "container", "context_management", "inference_geo", "mcp_servers"];

/// What this API has no word for.
const UNSAID: [&str; 6] =
    ["frequency_penalty", "presence_penalty", "seed", "n", "logprobs", "top_logprobs"];

/// Append the request's body.
pub fn encode(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) -> Written {
    let plan = Plan::of(request, to, dropped);
    let mut object = Object::open(out);
    object.key("model").extend_from_slice(to.model_json);
    object.number("max_tokens", plan.max_tokens);
    message::push_all(&mut object, request, to, dropped);
    if request.is_streaming {
        object.boolean("stream", true);
    }
    push_sampling(&mut object, request, to, &plan, dropped);
    push_tools(&mut object, request, &plan, dropped);
    plan.thinking.push(&mut object);
    plan.push_output_config(&mut object, request);
    if let Some(user) = &request.user {
        let mut metadata = object.object("metadata");
        user.push(metadata.key("user_id"));
        metadata.close();
    }
    told::push_others(&mut object, request.others.iter(), &SHARED, dropped);
    object.close();
    Written { has_forced_tool: plan.has_forced_tool }
}

/// What hangs together, decided before a word is written.
struct Plan {
    max_tokens: u64,
    thinking: Said,
    /// The schema goes into `output_config`.
    has_native_schema: bool,
    has_forced_tool: bool,
}

impl Plan {
    fn of(request: &Request<'_>, to: &Addressee<'_>, dropped: &mut Dropped) -> Self {
        let max_tokens = request.max_tokens.unwrap_or(to.abilities.max_tokens_default);
        let thinking = Said::of(request, to.abilities, max_tokens, dropped);
        let thinks = thinking.thinks();
        let (mut has_native_schema, mut has_forced_tool) = (false, false);
        match &request.output {
            Output::Text => {}
            Output::JsonSchema { is_strict, .. }
                if to.abilities.has_json_schema && (thinks || *is_strict == Some(true)) =>
            {
                has_native_schema = true;
            }
            // A model that thinks cannot be forced to call, and a name can be taken.
            _ if thinks || request.tools.iter().any(|tool| tool.name == *FORCED_TOOL) => {
                dropped.name("response_format");
            }
            _ => has_forced_tool = true,
        }
        Self { max_tokens, thinking, has_native_schema, has_forced_tool }
    }

    fn push_output_config(&self, object: &mut Object<'_>, request: &Request<'_>) {
        let schema = match &request.output {
            Output::JsonSchema { schema, .. } if self.has_native_schema => Some(schema),
            _ => None,
        };
        let effort = match self.thinking {
            Said::Adaptive(effort) => effort,
            _ => None,
        };
        if schema.is_none() && effort.is_none() {
            return;
        }
        let mut config = object.object("output_config");
        if let Some(effort) = effort {
            config.text("effort", effort_word(effort));
        }
        if let Some(schema) = schema {
            let mut format = config.object("format");
            format.text("type", "json_schema");
            schema.push(format.key("schema"));
            format.close();
        }
        config.close();
    }
}

fn push_sampling(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    plan: &Plan,
    dropped: &mut Dropped,
) {
    let thinks = plan.thinking.thinks();
    let value = |number: &str| number.parse::<f64>().unwrap_or_default();
    let mut says = |name: &'static str, is_fit: bool| {
        if !is_fit {
            dropped.name(name);
        }
        is_fit
    };
    let (mut has_temperature, is_fixed) = (false, to.abilities.sampling == Sampling::Fixed);
    if let Some(temperature) = request.temperature {
        let is_default = (value(temperature) - 1.0).abs() < f64::EPSILON;
        if says("temperature", is_default || !(thinks || is_fixed)) && !is_fixed {
            // The scale ends at 1 here, at 2 elsewhere.
            let is_within = says("temperature", value(temperature) <= 1.0);
            object.raw("temperature", if is_within { temperature } else { "1" });
            has_temperature = true;
        }
    }
    if let Some(top_p) = request.top_p {
        let is_alone = !(has_temperature && to.abilities.sampling == Sampling::ByOne);
        if says("top_p", !is_fixed && is_alone && (!thinks || value(top_p) >= 0.95)) {
            object.raw("top_p", top_p);
        }
    }
    if let Some(top_k) = request.top_k.filter(|_| says("top_k", !(thinks || is_fixed))) {
        object.raw("top_k", top_k);
    }
    let is_blank = |text: &&Text<'_>| text.read().trim().is_empty();
    if request.stop.iter().any(|text| is_blank(&text)) {
        dropped.name("stop");
    }
    let stops = request.stop.iter().filter(|text| !is_blank(text));
    told::push_texts(object, "stop_sequences", stops);
    told::name_unsaid(request, &UNSAID, dropped);
}

fn push_tools(object: &mut Object<'_>, request: &Request<'_>, plan: &Plan, dropped: &mut Dropped) {
    let is_sayable = |kind: ServerKind, dialect: Dialect| {
        dialect == Dialect::Anthropic || kind == ServerKind::WebSearch
    };
    let server_tools =
        || request.server_tools.iter().filter(|one| is_sayable(one.kind, one.tool.dialect));
    for one in &request.server_tools {
        let is_own = one.tool.dialect == Dialect::Anthropic;
        if !is_sayable(one.kind, one.tool.dialect) || (!is_own && one.has_options()) {
            dropped.name(format!("tools[{}]", one.tool.name.read()));
        }
    }
    if request.tools.is_empty() && server_tools().next().is_none() && !plan.has_forced_tool {
        return;
    }
    let mut tools = object.array("tools");
    for tool in &request.tools {
        push_tool(tools.object(), tool);
    }
    for one in server_tools() {
        match one.tool.dialect {
            Dialect::Anthropic => one.tool.json.push(tools.item()),
            _ => tools
                .item()
                .extend_from_slice(br#"{"type":"web_search_20250305","name":"web_search"}"#),
        }
    }
    if plan.has_forced_tool {
        push_forced_tool(tools.object(), &request.output);
    }
    tools.close();
    push_choice(object, request, plan, dropped);
}

fn push_forced_tool(mut object: Object<'_>, output: &Output<'_>) {
    object.text("name", FORCED_TOOL);
    if let Output::JsonSchema { description, schema, .. } = output {
        if let Some(description) = description {
            description.push(object.key("description"));
        }
        push_schema(object.key("input_schema"), schema);
    } else {
        object.text("description", "The answer, as a JSON object.");
        object.raw("input_schema", r#"{"type":"object","additionalProperties":true}"#);
    }
    object.close();
}

fn push_choice(object: &mut Object<'_>, request: &Request<'_>, plan: &Plan, dropped: &mut Dropped) {
    let forced = ToolChoice::Tool(Text::plain(FORCED_TOOL));
    let forced = plan.has_forced_tool.then_some(&forced);
    let choice = told::choice_beside(request, forced, plan.thinking.thinks(), dropped);
    let is_single = request.parallel_tools == Some(false);
    let choice = choice.or(is_single.then_some(&ToolChoice::Auto));
    let Some(choice) = choice else { return };
    let mut written = object.object("tool_choice");
    match choice {
        ToolChoice::Auto => written.text("type", "auto"),
        ToolChoice::None => written.text("type", "none"),
        ToolChoice::Required => written.text("type", "any"),
        ToolChoice::Tool(name) => {
            written.text("type", "tool");
            name.push(written.key("name"));
        }
    }
    if is_single && *choice != ToolChoice::None {
        written.boolean("disable_parallel_tool_use", true);
    }
    written.close();
}

fn push_tool(mut object: Object<'_>, tool: &Tool<'_>) {
    tool.name.push(object.key("name"));
    if let Some(description) = &tool.description {
        description.push(object.key("description"));
    }
    match &tool.parameters {
        Some(schema) => push_schema(object.key("input_schema"), schema),
        None => object.raw("input_schema", r#"{"type":"object","properties":{}}"#),
    }
    if tool.is_strict == Some(true) {
        object.boolean("strict", true);
    }
    if let Some(cache) = &tool.cache {
        cache.push(object.key("cache_control"));
    }
    object.close();
}

/// This API wants the schema to say that arguments are an object; elsewhere it goes without saying.
pub fn push_schema(out: &mut Vec<u8>, schema: &Json<'_>) {
    let json = schema.0.as_bytes();
    match scan_object(json, &["type"]) {
        Ok(object) if object.values[0].is_none() => {
            let rest = json.strip_prefix(b"{").unwrap_or_default();
            out.extend_from_slice(br#"{"type":"object""#);
            if !object.is_empty {
                out.push(b',');
            }
            out.extend_from_slice(rest);
        }
        _ => out.extend_from_slice(json),
    }
}
