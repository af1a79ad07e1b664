//! A chat completion's request, read in full.
//!
//! Besides OpenAI's own fields those that its clients are used to send to gateways: `top_k`,
//! `thinking` and `cache_control` as Anthropic writes them, `reasoning` as `OpenRouter` does.
//! **Source**: the `CreateChatCompletionRequest` of OpenAI's own description of its API, 2.3.0.

use crate::{
    dialect::{
        field::{self, Path, once},
        openai_chat::decode::message,
        pivot::{
            dropped::Dropped,
            part::{Dialect, Foreign},
            request::{Effort, Other, Output, Reasoning, Request, Role, Turn},
            text::{Json, Text},
            tool::{ServerKind, ServerTool, Tool, ToolChoice},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::{Kind, Value},
};

/// Read a request.
///
/// # Errors
/// `InvalidField` and `DuplicateField`, each with the path of the field.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Request<'b>, Refused> {
    let mut request = Request::default();
    let mut fields = Fields::default();
    for (key, value) in root.members() {
        let path = Path::root(&key);
        if value.is_null() {
            continue;
        }
        let is_known = message_field(&mut request, &mut fields, &key, value, &path, dropped)?
            || sampling_field(&mut request, &mut fields, &key, value, &path)?
            || tool_field(&mut request, &mut fields, &key, value, &path, dropped)?;
        if !is_known {
            request.others.push(Other { name: key, value: Json::of(value) });
        }
    }
    request.max_tokens = fields.max_completion_tokens.or(fields.max_tokens);
    request.reasoning = fields.reasoning();
    if let Some(legacy) = fields.function_call {
        request.tool_choice.get_or_insert(legacy);
    }
    Ok(request)
}

/// What several fields say together.
#[derive(Default)]
struct Fields<'b> {
    model: Option<()>,
    messages: Option<()>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    effort: Option<Reasoning>,
    thinking: Option<Reasoning>,
    function_call: Option<ToolChoice<'b>>,
}

impl Fields<'_> {
    /// A budget is the more exact; `adaptive` takes the effort along.
    fn reasoning(&self) -> Reasoning {
        match (self.thinking, self.effort) {
            (Some(Reasoning::Adaptive(None)), Some(Reasoning::Effort(effort))) => {
                Reasoning::Adaptive(Some(effort))
            }
            (thinking, effort) => thinking.or(effort).unwrap_or_default(),
        }
    }
}

fn message_field<'b>(
    request: &mut Request<'b>,
    fields: &mut Fields<'b>,
    key: &str,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    match key {
        "model" => {
            once(&mut fields.model, (), path)?;
            request.model = field::text(value, path)?;
        }
        "messages" => {
            once(&mut fields.messages, (), path)?;
            for (index, item) in field::array(value, path)?.items().enumerate() {
                let turn = message::decode(item, &path.index(index), dropped)?;
                push_turn(&mut request.turns, turn);
            }
        }
        "stream" => request.is_streaming = field::boolean(value, path)?,
        "stream_options" => {
            let wants = field::object(value, path)?.get("include_usage");
            let path = path.name("include_usage");
            request.wants_usage = wants.map_or(Ok(false), |wants| field::boolean(wants, &path))?;
        }
        "user" => request.user = Some(field::text(value, path)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Results of the tools of one turn come one by one, and are one turn.
fn push_turn<'b>(turns: &mut Vec<Turn<'b>>, turn: Turn<'b>) {
    match turns.last_mut() {
        Some(last) if last.role == Role::Tool && turn.role == Role::Tool => {
            last.parts.extend(turn.parts);
        }
        _ => turns.push(turn),
    }
}

fn sampling_field<'b>(
    request: &mut Request<'b>,
    fields: &mut Fields<'b>,
    key: &str,
    value: Value<'_, 'b>,
    path: &Path<'_>,
) -> Result<bool, Refused> {
    let number = || field::number(value, path);
    match key {
        "max_tokens" => once(&mut fields.max_tokens, field::count(value, path)?, path)?,
        "max_completion_tokens" => {
            once(&mut fields.max_completion_tokens, field::count(value, path)?, path)?;
        }
        "temperature" => once(&mut request.temperature, number()?, path)?,
        "top_p" => once(&mut request.top_p, number()?, path)?,
        "top_k" => once(&mut request.top_k, number()?, path)?,
        "frequency_penalty" => once(&mut request.frequency_penalty, number()?, path)?,
        "presence_penalty" => once(&mut request.presence_penalty, number()?, path)?,
        "seed" => once(&mut request.seed, number()?, path)?,
        "n" => once(&mut request.count, field::count(value, path)?, path)?,
        "logprobs" => once(&mut request.logprobs, field::boolean(value, path)?, path)?,
        "top_logprobs" => once(&mut request.top_logprobs, field::count(value, path)?, path)?,
        "stop" if value.kind() == Kind::Array => {
            for (index, item) in value.items().enumerate() {
                request.stop.push(field::text(item, &path.index(index))?);
            }
        }
        "stop" => request.stop.push(field::text(value, path)?),
        "reasoning_effort" => once(&mut fields.effort, read_effort(value, path)?, path)?,
        "reasoning" => {
            let object = field::object(value, path)?;
            if let Some(effort) = object.get("effort") {
                fields.effort = Some(read_effort(effort, &path.name("effort"))?);
            }
            if let Some(budget) = object.get("max_tokens") {
                let budget = field::count(budget, &path.name("max_tokens"))?;
                fields.thinking = Some(Reasoning::Budget(budget));
            }
        }
        "thinking" => fields.thinking = Some(read_thinking(value, path)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn read_effort(value: Value<'_, '_>, path: &Path<'_>) -> Result<Reasoning, Refused> {
    let word = field::text(value, path)?;
    let word = word.read();
    if &*word == "none" {
        return Ok(Reasoning::Off);
    }
    let effort = Effort::of(&word);
    let words = "none, minimal, low, medium, high, xhigh or max";
    effort.map(Reasoning::Effort).ok_or_else(|| path.refuse(words))
}

/// `{"type":"enabled","budget_tokens":1024}`, `{"type":"adaptive"}`, `{"type":"disabled"}`
pub fn read_thinking(value: Value<'_, '_>, path: &Path<'_>) -> Result<Reasoning, Refused> {
    let object = field::object(value, path)?;
    let kind = object.get("type").and_then(Value::plain).unwrap_or_default();
    match &*kind {
        "enabled" => match object.get("budget_tokens") {
            Some(budget) => {
                field::count(budget, &path.name("budget_tokens")).map(Reasoning::Budget)
            }
            None => Ok(Reasoning::Adaptive(None)),
        },
        "adaptive" => Ok(Reasoning::Adaptive(None)),
        "disabled" => Ok(Reasoning::Off),
        _ => Err(path.name("type").refuse("enabled, adaptive or disabled")),
    }
}

fn tool_field<'b>(
    request: &mut Request<'b>,
    fields: &mut Fields<'b>,
    key: &str,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    match key {
        "tools" => {
            for (index, item) in field::array(value, path)?.items().enumerate() {
                read_tool(request, item, &path.index(index), dropped)?;
            }
        }
        "functions" => {
            for (index, item) in field::array(value, path)?.items().enumerate() {
                let tool = read_function(item, &path.index(index), dropped)?;
                request.tools.push(tool);
            }
        }
        "tool_choice" => {
            if let Some(choice) = read_choice(value, path, dropped)? {
                once(&mut request.tool_choice, choice, path)?;
            }
        }
        "function_call" => fields.function_call = read_choice(value, path, dropped)?,
        "parallel_tool_calls" => {
            once(&mut request.parallel_tools, field::boolean(value, path)?, path)?;
        }
        "response_format" => request.output = read_output(value, path)?,
        "web_search_options" => request.server_tools.push(ServerTool {
            kind: ServerKind::WebSearch,
            tool: Foreign {
                dialect: Dialect::OpenAiChat,
                name: Text::plain("web_search_options"),
                json: Json::of(value),
            },
        }),
        _ => return Ok(false),
    }
    Ok(true)
}

fn read_tool<'b>(
    request: &mut Request<'b>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let object = field::object(value, path)?;
    let kind = object.get("type").and_then(Text::of).unwrap_or(Text::plain("function"));
    let Some(function) = object.get("function").filter(|_| kind == *"function") else {
        let tool = Foreign { dialect: Dialect::OpenAiChat, name: kind, json: Json::of(value) };
        request.server_tools.push(ServerTool { kind: ServerKind::Other, tool });
        return Ok(());
    };
    let mut tool = read_function(function, &path.name("function"), dropped)?;
    tool.cache = tool.cache.or(object.get("cache_control").map(Json::of));
    request.tools.push(tool);
    Ok(())
}

fn read_function<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Tool<'b>, Refused> {
    let mut name = None;
    let mut tool = Tool::default();
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*key {
            _ if value.is_null() => {}
            "name" => once(&mut name, field::text(value, &path)?, &path)?,
            "description" => once(&mut tool.description, field::text(value, &path)?, &path)?,
            "parameters" => {
                once(&mut tool.parameters, field::json_object(value, &path)?, &path)?;
            }
            "strict" => tool.is_strict = Some(field::boolean(value, &path)?),
            "cache_control" => tool.cache = Some(field::json_object(value, &path)?),
            _ => dropped.name(path.to_string()),
        }
    }
    tool.name = name.ok_or_else(|| path.name("name").refuse("a string"))?;
    Ok(tool)
}

/// `"auto"`, `{"type":"function","function":{"name":"f"}}`, or of old `{"name":"f"}`.
fn read_choice<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Option<ToolChoice<'b>>, Refused> {
    let wanted = "auto, none, required or a function";
    if let Some(word) = value.plain() {
        return match &*word {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" | "any" => Ok(Some(ToolChoice::Required)),
            _ => Err(path.refuse(wanted)),
        };
    }
    let object = field::object(value, path)?;
    let kind = object.get("type").and_then(Value::plain);
    match kind.as_deref() {
        Some("function") | None => {
            let function = object.get("function").unwrap_or(object);
            let name = function.get("name").and_then(Text::of);
            name.map(|name| Some(ToolChoice::Tool(name))).ok_or_else(|| path.refuse(wanted))
        }
        Some(_) => {
            dropped.name(path.to_string());
            Ok(None)
        }
    }
}

fn read_output<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Output<'b>, Refused> {
    let object = field::object(value, path)?;
    let kind = object.get("type").and_then(Value::plain).unwrap_or_default();
    match &*kind {
        "text" => Ok(Output::Text),
        "json_object" => Ok(Output::JsonObject),
        "json_schema" => {
            let path = path.name("json_schema");
            let inner = object.get("json_schema").ok_or_else(|| path.refuse("an object"))?;
            let schema =
                inner.get("schema").ok_or_else(|| path.name("schema").refuse("a schema"))?;
            Ok(Output::JsonSchema {
                name: inner.get("name").and_then(Text::of),
                description: inner.get("description").and_then(Text::of),
                schema: Json::of(schema),
                is_strict: inner.get("strict").and_then(Value::as_bool),
            })
        }
        _ => Err(path.name("type").refuse("text, json_object or json_schema")),
    }
}
