//! A chat completion's request, read in full.
//!
//! Besides OpenAI's own fields those that its clients are used to send to gateways: `top_k`,
//! `thinking` and `cache_control` as Anthropic writes them, `reasoning` as `OpenRouter` does.
//! **Source**: the `CreateChatCompletionRequest` of OpenAI's own description of its API, 2.3.0.

use crate::{
    dialect::{
        asked,
        field::Field,
        openai_chat::decode::message,
        pivot::{
            dropped::Dropped,
            part::{Dialect, Foreign},
            request::{Reasoning, Request, Role, Turn},
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
    Field::root(root).members(|name, field| {
        let is_known = message_field(&mut request, &mut fields, name, field, dropped)?
            || asked::sampling(&mut request, name, field)?
            || asking_field(&mut request, &mut fields, name, field)?
            || tool_field(&mut request, &mut fields, name, field, dropped)?;
        if !is_known {
            request.others.push(asked::other(name, field));
        }
        Ok(())
    })?;
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
    name: &str,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    match name {
        "model" => {
            field.once(&mut fields.model, ())?;
            request.model = field.text()?;
        }
        "messages" => {
            field.once(&mut fields.messages, ())?;
            field.items(|item| {
                push_turn(&mut request.turns, message::decode(item, dropped)?);
                Ok(())
            })?;
        }
        "stream" => request.is_streaming = field.boolean()?,
        "stream_options" => {
            field.object()?;
            let wants = field.get("include_usage");
            request.wants_usage = wants.map_or(Ok(false), |wants| wants.boolean())?;
        }
        "user" => request.user = Some(field.text()?),
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

fn asking_field<'b>(
    request: &mut Request<'b>,
    fields: &mut Fields<'b>,
    name: &str,
    field: &Field<'_, 'b, '_>,
) -> Result<bool, Refused> {
    match name {
        "max_tokens" => field.count_into(&mut fields.max_tokens)?,
        "max_completion_tokens" => field.count_into(&mut fields.max_completion_tokens)?,
        "n" => field.count_into(&mut request.count)?,
        "logprobs" => field.boolean_into(&mut request.logprobs)?,
        "top_logprobs" => field.count_into(&mut request.top_logprobs)?,
        "stop" if field.value.kind() == Kind::Array => field.texts_into(&mut request.stop)?,
        "stop" => request.stop.push(field.text()?),
        "reasoning_effort" => field.once(&mut fields.effort, asked::effort(field)?)?,
        "reasoning" => {
            field.object()?;
            if let Some(effort) = field.get("effort") {
                fields.effort = Some(asked::effort(&effort)?);
            }
            if let Some(budget) = field.get("max_tokens") {
                fields.thinking = Some(Reasoning::Budget(budget.count()?));
            }
        }
        "thinking" => fields.thinking = Some(asked::thinking(field)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn tool_field<'b>(
    request: &mut Request<'b>,
    fields: &mut Fields<'b>,
    name: &str,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<bool, Refused> {
    match name {
        "tools" => field.items(|item| read_tool(request, item, dropped))?,
        "functions" => field.items(|item| {
            request.tools.push(read_function(item, dropped)?);
            Ok(())
        })?,
        "tool_choice" => {
            if let Some(choice) = read_choice(field, dropped)? {
                field.once(&mut request.tool_choice, choice)?;
            }
        }
        "function_call" => fields.function_call = read_choice(field, dropped)?,
        "parallel_tool_calls" => field.boolean_into(&mut request.parallel_tools)?,
        "response_format" => request.output = asked::output(field, Some("json_schema"))?,
        "web_search_options" => request.server_tools.push(ServerTool {
            kind: ServerKind::WebSearch,
            tool: Foreign {
                dialect: Dialect::OpenAiChat,
                name: Text::plain("web_search_options"),
                json: Json::of(field.value),
            },
        }),
        _ => return Ok(false),
    }
    Ok(true)
}

fn read_tool<'b>(
    request: &mut Request<'b>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.object()?;
    let kind = field.get_text("type").unwrap_or(Text::plain("function"));
    let Some(function) = field.get("function").filter(|_| kind == *"function") else {
        let json = Json::of(field.value);
        let tool = Foreign { dialect: Dialect::OpenAiChat, name: kind, json };
        request.server_tools.push(ServerTool { kind: ServerKind::Other, tool });
        return Ok(());
    };
    let mut tool = read_function(&function, dropped)?;
    tool.cache = tool.cache.or(field.get("cache_control").map(|cache| Json::of(cache.value)));
    request.tools.push(tool);
    Ok(())
}

fn read_function<'b>(
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<Tool<'b>, Refused> {
    asked::tool(field, dropped, |tool, name, field| {
        if name == "parameters" {
            field.once(&mut tool.parameters, field.json_object()?)?;
        }
        Ok(name == "parameters")
    })
}

/// `"auto"`, `{"type":"function","function":{"name":"f"}}`, or of old `{"name":"f"}`.
fn read_choice<'b>(
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<Option<ToolChoice<'b>>, Refused> {
    let wanted = "auto, none, required or a function";
    if let Some(word) = field.value.plain() {
        return asked::choice_word(&word).map(Some).ok_or_else(|| field.refuse(wanted));
    }
    field.object()?;
    match &*field.word("type") {
        "function" | "" => {
            let function = field.value.get("function").unwrap_or(field.value);
            let name = function.get("name").and_then(Text::of);
            name.map(|name| Some(ToolChoice::Tool(name))).ok_or_else(|| field.refuse(wanted))
        }
        _ => {
            field.drop_into(dropped);
            Ok(None)
        }
    }
}
