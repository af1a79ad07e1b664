//! A Converse request, as the vendor gets it. Model and streaming stand in its path.

use crate::{
    dialect::{
        anthropic::encode::{
            request::push_schema,
            thinking::{Said, effort_word},
        },
        bedrock::encode::{
            block::{push_json_text, push_mark},
            message,
            plan::{Family, Plan},
        },
        pivot::{
            dropped::Dropped,
            part::{Content, Dialect},
            request::{Effort, Output, Request},
            target::{Addressee, FORCED_TOOL, Sampling, Written},
            text::Text,
            tool::{Tool, ToolChoice},
        },
        told,
    },
    wire::json::{
        document::{Document, Kind},
        value::push_json_string,
        write::{Array, Object},
    },
};

/// Fields that pass as they are: of this API, under names that no other has.
const SHARED: [&str; 6] = [
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
];
/// Fields that models of one family know, as the client wrote them.
const FIELDS: &str = "additionalModelRequestFields";
/// Betas of Anthropic's that the client wants.
pub const BETAS: &str = "anthropic_beta";

/// What this API has no word for.
const UNSAID: [&str; 8] = [
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "n",
    "logprobs",
    "top_logprobs",
    "user",
    "parallel_tool_calls",
];

/// Append the request's body.
pub fn encode(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) -> Written {
    let plan = Plan::of(request, to, dropped);
    let mut object = Object::open(out);
    message::push_all(&mut object, request, to, dropped);
    push_inference(&mut object, request, to, &plan, dropped);
    push_tools(&mut object, request, to, &plan, dropped);
    push_output(&mut object, request, &plan);
    push_fields(&mut object, request, to, &plan, dropped);
    let others = request.others.iter().filter(|other| match &*other.name {
        FIELDS => false,
        BETAS => plan.family != Family::Claude,
        _ => true,
    });
    told::push_others(&mut object, others, &SHARED, dropped);
    object.close();
    Written { has_forced_tool: plan.has_forced_tool }
}

fn push_inference(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    plan: &Plan,
    dropped: &mut Dropped,
) {
    let thinks = plan.thinks();
    let value = |number: &str| number.parse::<f64>().unwrap_or_default();
    let mut config = object.object("inferenceConfig");
    if let Some(max_tokens) = plan.max_tokens {
        config.number("maxTokens", max_tokens);
    }
    let (mut has_temperature, is_fixed) = (false, to.abilities.sampling == Sampling::Fixed);
    if let Some(temperature) = request.temperature {
        let is_default = (value(temperature) - 1.0).abs() < f64::EPSILON;
        // The scale ends at 1 here, at 2 elsewhere.
        let is_within = value(temperature) <= 1.0;
        if !is_within || ((thinks || is_fixed) && !is_default) {
            dropped.name("temperature");
        }
        if !is_fixed && (is_default || !thinks) {
            config.raw("temperature", if is_within { temperature } else { "1" });
            has_temperature = true;
        }
    }
    if let Some(top_p) = request.top_p {
        let is_alone = !(has_temperature && to.abilities.sampling == Sampling::ByOne);
        if !is_fixed && is_alone && (!thinks || value(top_p) >= 0.95) {
            config.raw("topP", top_p);
        } else {
            dropped.name("top_p");
        }
    }
    // Source: a public model catalogue of 2026-02-06 (MIT): OpenAI's open models take none.
    let is_taken = |text: &&Text<'_>| match plan.family {
        Family::Claude => !text.read().trim().is_empty(),
        Family::GptOss => false,
        Family::Nova | Family::Other => true,
    };
    if !request.stop.iter().all(|text| is_taken(&text)) {
        dropped.name("stop");
    }
    told::push_texts(&mut config, "stopSequences", request.stop.iter().filter(is_taken));
    config.close();
    told::name_unsaid(request, &UNSAID, dropped);
}

/// Names of tools that were called before and are no longer there: the API wants them.
fn called_before<'r, 'b>(request: &'r Request<'b>) -> Vec<&'r Text<'b>> {
    let mut names: Vec<&Text<'b>> = Vec::new();
    for part in request.turns.iter().flat_map(|turn| &turn.parts) {
        if let Content::ToolCall(call) = &part.content
            && !names.contains(&&call.name)
        {
            names.push(&call.name);
        }
    }
    names
}

fn push_tools(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    plan: &Plan,
    dropped: &mut Dropped,
) {
    let is_own = |dialect: Dialect| dialect == Dialect::Bedrock;
    for one in request.server_tools.iter().filter(|one| !is_own(one.tool.dialect)) {
        dropped.name(format!("tools[{}]", one.tool.name.read()));
    }
    let has_own = request.server_tools.iter().any(|one| is_own(one.tool.dialect));
    let has_tools = !request.tools.is_empty() || has_own;
    let before = if has_tools { Vec::new() } else { called_before(request) };
    // There is no word for "call none" here, but to show none.
    let is_none = request.tool_choice == Some(ToolChoice::None);
    let is_hidden = is_none && called_before(request).is_empty();
    if is_none && !is_hidden && has_tools {
        dropped.name("tool_choice");
    }
    let is_shown = (has_tools && !is_hidden) || !before.is_empty();
    if !is_shown && !plan.has_forced_tool {
        return;
    }
    let mut config = object.object("toolConfig");
    let mut tools = config.array("tools");
    for tool in request.tools.iter().filter(|_| !is_hidden) {
        push_tool(&mut tools, tool);
        if let Some(cache) = &tool.cache {
            if to.abilities.keeps_cache_marks {
                push_mark(&mut tools, cache);
            } else {
                dropped.name("tools[].cache_control");
            }
        }
    }
    for one in request.server_tools.iter().filter(|one| is_own(one.tool.dialect)) {
        one.tool.json.push(tools.item());
    }
    for name in before {
        push_spec(&mut tools, |spec| name.push(spec.key("name")));
    }
    if plan.has_forced_tool {
        push_forced_tool(&mut tools, &request.output);
    }
    tools.close();
    push_choice(&mut config, request, plan, dropped);
    config.close();
}

fn push_choice(config: &mut Object<'_>, request: &Request<'_>, plan: &Plan, dropped: &mut Dropped) {
    if request.tools.is_empty() && !plan.has_forced_tool {
        return;
    }
    let forced = ToolChoice::Tool(Text::plain(FORCED_TOOL));
    let forced = plan.has_forced_tool.then_some(&forced);
    let choice = told::choice_beside(request, forced, plan.thinks(), dropped);
    let mut write = |name: &str, tool: Option<&Text<'_>>| {
        let mut choice = config.object("toolChoice");
        let mut inner = choice.object(name);
        if let Some(tool) = tool {
            tool.push(inner.key("name"));
        }
        inner.close();
        choice.close();
    };
    match choice {
        None | Some(ToolChoice::None) => {}
        Some(ToolChoice::Auto) => write("auto", None),
        Some(ToolChoice::Required) => write("any", None),
        Some(ToolChoice::Tool(name)) => write("tool", Some(name)),
    }
}

/// Append a tool of which `write` says the name and more; without a schema it has no arguments.
fn push_spec(tools: &mut Array<'_>, write: impl FnOnce(&mut Object<'_>)) {
    let mut object = tools.object();
    let mut spec = object.object("toolSpec");
    write(&mut spec);
    spec.raw("inputSchema", r#"{"json":{"type":"object","properties":{}}}"#);
    spec.close();
    object.close();
}

fn push_tool(tools: &mut Array<'_>, tool: &Tool<'_>) {
    let head = |spec: &mut Object<'_>| {
        tool.name.push(spec.key("name"));
        // The API refuses one without a word.
        if let Some(description) = tool.description.as_ref().filter(|text| !text.is_empty()) {
            description.push(spec.key("description"));
        }
        if tool.is_strict == Some(true) {
            spec.boolean("strict", true);
        }
    };
    let Some(parameters) = &tool.parameters else { return push_spec(tools, head) };
    let mut object = tools.object();
    let mut spec = object.object("toolSpec");
    head(&mut spec);
    let mut schema = spec.object("inputSchema");
    push_schema(schema.key("json"), parameters);
    schema.close();
    spec.close();
    object.close();
}

fn push_forced_tool(tools: &mut Array<'_>, output: &Output<'_>) {
    let (description, schema) = match output {
        Output::JsonSchema { description, schema, .. } => (description.clone(), Some(schema)),
        _ => (None, None),
    };
    let tool = Tool {
        name: Text::plain(FORCED_TOOL),
        description: description.or(Some(Text::plain("The answer, as a JSON object."))),
        parameters: schema.cloned(),
        is_strict: None,
        cache: None,
    };
    push_tool(tools, &tool);
}

/// The schema is told as a text that holds it.
fn push_output(object: &mut Object<'_>, request: &Request<'_>, plan: &Plan) {
    let Output::JsonSchema { name, description, schema, .. } = &request.output else { return };
    if !plan.has_native_schema {
        return;
    }
    let mut config = object.object("outputConfig");
    let mut format = config.object("textFormat");
    format.text("type", "json_schema");
    let mut structure = format.object("structure");
    let mut inner = structure.object("jsonSchema");
    if let Some(name) = name {
        name.push(inner.key("name"));
    }
    if let Some(description) = description {
        description.push(inner.key("description"));
    }
    push_json_text(inner.key("schema"), schema);
    inner.close();
    structure.close();
    format.close();
    config.close();
}

/// What only models of one family know.
///
/// **Source**: docs.aws.amazon.com/bedrock/latest/userguide, "Extended thinking" and "Adaptive
/// thinking"; docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html; …/userguide/
/// model-parameters-openai.html; all read 2026-11-21.
fn push_fields(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    plan: &Plan,
    dropped: &mut Dropped,
) {
    let clients = request.others.iter().find(|other| other.name == FIELDS);
    let betas = request.others.iter().find(|other| other.name == BETAS);
    let betas = betas.filter(|_| plan.family == Family::Claude);
    let is_free = !plan.thinks() && to.abilities.sampling != Sampling::Fixed;
    let has_top_k = matches!(plan.family, Family::Claude | Family::Nova) && is_free;
    let top_k = request.top_k.filter(|_| has_top_k);
    if request.top_k.is_some() && top_k.is_none() {
        dropped.name("top_k");
    }
    let says_nothing = plan.thinking == Said::Nothing && plan.effort.is_none();
    if says_nothing && clients.is_none() && betas.is_none() && top_k.is_none() {
        return;
    }
    let mut ours = Vec::new();
    let mut fields = Object::open(&mut ours);
    plan.thinking.push(&mut fields);
    if let Some(effort) = plan.effort {
        push_effort(&mut fields, effort, plan.family);
    }
    if let Some(top_k) = top_k {
        match plan.family {
            Family::Nova => fields.raw("inferenceConfig", &format!("{{\"topK\":{top_k}}}")),
            _ => fields.raw("top_k", top_k),
        }
    }
    if let Some(betas) = betas {
        fields.raw(BETAS, &betas.value.0);
    }
    fields.close();
    let Some(clients) = clients else {
        return object.key(FIELDS).extend_from_slice(&ours);
    };
    if ours == b"{}" {
        ours.clear();
        clients.value.push(&mut ours);
    } else {
        join(&mut ours, clients.value.0.trim(), dropped);
    }
    object.key(FIELDS).extend_from_slice(&ours);
}

/// Put the client's fields behind ours, which hold where both say the same.
fn join(ours: &mut Vec<u8>, theirs: &str, dropped: &mut Dropped) {
    let mut document = Document::default();
    let Ok(root) = document.parse(theirs.as_bytes()) else { return dropped.name(FIELDS) };
    if root.kind() != Kind::Object {
        return dropped.name(FIELDS);
    }
    // In place of our last bracket.
    ours.pop();
    let mut said = Document::default();
    let own = [ours.as_slice(), b"}"].concat();
    let Ok(own) = said.parse(&own) else { return ours.push(b'}') };
    for (name, value) in root.members() {
        if own.get(&name).is_some() {
            dropped.name(format!("{FIELDS}.{name}"));
            continue;
        }
        ours.push(b',');
        push_json_string(ours, &name);
        ours.push(b':');
        ours.extend_from_slice(value.raw().as_bytes());
    }
    ours.push(b'}');
}

fn push_effort(fields: &mut Object<'_>, effort: Effort, family: Family) {
    let word = match effort_word(effort) {
        "max" if family != Family::Claude => "high",
        word => word,
    };
    match family {
        Family::Claude => fields.raw("output_config", &format!("{{\"effort\":\"{word}\"}}")),
        Family::Nova => {
            let config = format!("{{\"type\":\"enabled\",\"maxReasoningEffort\":\"{word}\"}}");
            fields.raw("reasoningConfig", &config);
        }
        Family::GptOss | Family::Other => fields.text("reasoning_effort", word),
    }
}
