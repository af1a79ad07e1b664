//! A Messages request, as the vendor gets it.

use crate::{
    dialect::{
        anthropic::encode::message,
        pivot::{
            dropped::Dropped,
            part::{Content, Dialect},
            request::{Effort, Output, Reasoning, Request, Role},
            target::{Addressee, FORCED_TOOL, Thinking, Written},
            text::{Json, Text},
            tool::{ServerKind, Tool, ToolChoice},
        },
    },
    wire::json::{object::scan_object, write::Object},
};

/// The least budget for thinking.
/// **Source**: docs.claude.com/en/docs/build-with-claude/extended-thinking, read 2026-11-21.
const BUDGET_MIN: u64 = 1_024;

/// Fields that pass as they are, for clients of any dialect may send them on.
const SHARED: [&str; 5] =
    ["cache_control", "container", "context_management", "inference_geo", "mcp_servers"];

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
    plan.push_thinking(&mut object);
    plan.push_output_config(&mut object, request);
    if let Some(user) = &request.user {
        let mut metadata = object.object("metadata");
        user.push(metadata.key("user_id"));
        metadata.close();
    }
    for other in &request.others {
        if SHARED.contains(&&*other.name) {
            object.raw(&other.name, &other.value.0);
        } else {
            dropped.name(other.name.clone().into_owned());
        }
    }
    object.close();
    Written { has_forced_tool: plan.has_forced_tool }
}

/// What hangs together, decided before a word is written.
struct Plan {
    max_tokens: u64,
    thinking: Said,
    effort: Option<&'static str>,
    /// The schema goes into `output_config`.
    has_native_schema: bool,
    has_forced_tool: bool,
}

/// The value of `thinking`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Disabled,
    Adaptive,
    Enabled(u64),
}

impl Plan {
    fn of(request: &Request<'_>, to: &Addressee<'_>, dropped: &mut Dropped) -> Self {
        let mut plan = Self {
            max_tokens: request.max_tokens.unwrap_or(to.abilities.max_tokens_default),
            thinking: Said::Nothing,
            effort: None,
            has_native_schema: false,
            has_forced_tool: false,
        };
        plan.think(request, to, dropped);
        let thinks = plan.thinks();
        match &request.output {
            Output::Text => {}
            Output::JsonSchema { is_strict, .. }
                if to.abilities.has_json_schema && (thinks || *is_strict == Some(true)) =>
            {
                plan.has_native_schema = true;
            }
            // A model that thinks cannot be forced to call, and a name can be taken.
            _ if thinks || request.tools.iter().any(|tool| tool.name == *FORCED_TOOL) => {
                dropped.name("response_format");
            }
            _ => plan.has_forced_tool = true,
        }
        plan
    }

    const fn thinks(&self) -> bool {
        matches!(self.thinking, Said::Adaptive | Said::Enabled(_))
    }

    fn think(&mut self, request: &Request<'_>, to: &Addressee<'_>, dropped: &mut Dropped) {
        let is_able = to.abilities.thinking != Thinking::None;
        if request.reasoning == Reasoning::Off && is_able {
            self.thinking = Said::Disabled;
        }
        if matches!(request.reasoning, Reasoning::Unsaid | Reasoning::Off) {
            return;
        }
        if !is_able || lacks_thinking(request) {
            return dropped.name("reasoning_effort");
        }
        let Thinking::Budget { min } = to.abilities.thinking else {
            self.thinking = Said::Adaptive;
            self.effort = match request.reasoning {
                Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => Some(effort),
                Reasoning::Budget(budget) => Some(Effort::of_budget(budget, request.max_tokens)),
                _ => None,
            }
            .map(effort_word);
            return;
        };
        let min = min.max(BUDGET_MIN);
        let budget = match request.reasoning {
            // Without a bound of the client's the answer has the model's own, and words need room.
            Reasoning::Budget(budget) if request.max_tokens.is_none() => {
                Some(budget.min(self.max_tokens / 2))
            }
            Reasoning::Budget(budget) => Some(budget),
            Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => {
                effort.budget(self.max_tokens, min)
            }
            _ => Effort::Medium.budget(self.max_tokens, min),
        };
        match budget {
            Some(budget) => self.thinking = Said::Enabled(budget),
            None => dropped.name("reasoning_effort"),
        }
    }

    fn push_thinking(&self, object: &mut Object<'_>) {
        match self.thinking {
            Said::Nothing => {}
            Said::Disabled => object.raw("thinking", "{\"type\":\"disabled\"}"),
            Said::Adaptive => object.raw("thinking", "{\"type\":\"adaptive\"}"),
            Said::Enabled(budget) => {
                let mut thinking = object.object("thinking");
                thinking.text("type", "enabled");
                thinking.number("budget_tokens", budget);
                thinking.close();
            }
        }
    }

    fn push_output_config(&self, object: &mut Object<'_>, request: &Request<'_>) {
        let schema = match &request.output {
            Output::JsonSchema { schema, .. } if self.has_native_schema => Some(schema),
            _ => None,
        };
        if schema.is_none() && self.effort.is_none() {
            return;
        }
        let mut config = object.object("output_config");
        if let Some(effort) = self.effort {
            config.text("effort", effort);
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

const fn effort_word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh | Effort::Max => "max",
    }
}

/// A model that thinks wants its thinking back with the calls whose results it gets; a client that
/// has lost it gets an answer without.
fn lacks_thinking(request: &Request<'_>) -> bool {
    let turns = request.turns.iter().rev();
    let mut turns = turns.skip_while(|turn| turn.role == Role::Tool);
    let Some(turn) = turns.next() else { return false };
    let awaits_results = request.turns.last().is_some_and(|turn| turn.role == Role::Tool);
    let has = |is: fn(&Content<'_>) -> bool| turn.parts.iter().any(|part| is(&part.content));
    awaits_results
        && has(|content| matches!(content, Content::ToolCall(_)))
        && !has(|content| {
            matches!(
                content,
                Content::Thinking { signature: Some(_), .. } | Content::RedactedThinking(_)
            )
        })
}

fn push_sampling(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    plan: &Plan,
    dropped: &mut Dropped,
) {
    let thinks = plan.thinks();
    let value = |number: &str| number.parse::<f64>().unwrap_or_default();
    let mut says = |name: &'static str, is_fit: bool| {
        if !is_fit {
            dropped.name(name);
        }
        is_fit
    };
    let mut has_temperature = false;
    if let Some(temperature) = request.temperature {
        let is_default = (value(temperature) - 1.0).abs() < f64::EPSILON;
        if says("temperature", is_default || !thinks) {
            // The scale ends at 1 here, at 2 elsewhere.
            let is_within = says("temperature", value(temperature) <= 1.0);
            object.raw("temperature", if is_within { temperature } else { "1" });
            has_temperature = true;
        }
    }
    if let Some(top_p) = request.top_p {
        let is_alone = !(has_temperature && to.abilities.samples_by_one);
        if says("top_p", is_alone && (!thinks || value(top_p) >= 0.95)) {
            object.raw("top_p", top_p);
        }
    }
    if let Some(top_k) = request.top_k.filter(|_| says("top_k", !thinks)) {
        object.raw("top_k", top_k);
    }
    let is_blank = |text: &&Text<'_>| text.read().trim().is_empty();
    if request.stop.iter().any(|text| is_blank(&text)) {
        dropped.name("stop");
    }
    let mut stops = request.stop.iter().filter(|text| !is_blank(text)).peekable();
    if stops.peek().is_some() {
        let mut array = object.array("stop_sequences");
        for text in stops {
            text.push(array.item());
        }
        array.close();
    }
    name_unsaid(request, dropped);
}

/// What this API has no word for.
fn name_unsaid(request: &Request<'_>, dropped: &mut Dropped) {
    let unsaid = [
        ("frequency_penalty", request.frequency_penalty.is_some_and(|number| number != "0")),
        ("presence_penalty", request.presence_penalty.is_some_and(|number| number != "0")),
        ("seed", request.seed.is_some()),
        ("n", request.count.is_some_and(|count| count != 1)),
        ("logprobs", request.logprobs == Some(true)),
        ("top_logprobs", request.top_logprobs.is_some_and(|top| top > 0)),
    ];
    for (name, is_unsaid) in unsaid {
        if is_unsaid {
            dropped.name(name);
        }
    }
}

fn push_tools(object: &mut Object<'_>, request: &Request<'_>, plan: &Plan, dropped: &mut Dropped) {
    let is_sayable = |kind: ServerKind, dialect: Dialect| {
        dialect == Dialect::Anthropic || kind == ServerKind::WebSearch
    };
    let server_tools =
        || request.server_tools.iter().filter(|one| is_sayable(one.kind, one.tool.dialect));
    for one in &request.server_tools {
        let is_own = one.tool.dialect == Dialect::Anthropic;
        if !is_sayable(one.kind, one.tool.dialect) || (!is_own && one.tool.json.0.len() > 2) {
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
    let forced = Text::plain(FORCED_TOOL);
    let choice = match &request.tool_choice {
        // Either an answer, which is in the form, or a call of the client's own tools.
        None | Some(ToolChoice::Auto | ToolChoice::Required)
            if plan.has_forced_tool && !request.tools.is_empty() =>
        {
            Some(&ToolChoice::Required)
        }
        Some(choice @ ToolChoice::Tool(_)) if plan.has_forced_tool => Some(choice),
        _ if plan.has_forced_tool => Some(&ToolChoice::Tool(forced)),
        Some(ToolChoice::Required | ToolChoice::Tool(_)) if plan.thinks() => {
            dropped.name("tool_choice");
            Some(&ToolChoice::Auto)
        }
        None if request.parallel_tools == Some(false) => Some(&ToolChoice::Auto),
        choice => choice.as_ref(),
    };
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
    if request.parallel_tools == Some(false) && *choice != ToolChoice::None {
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
