//! `/messages`: the vendor speaks Anthropic's language too, and is as particular as Anthropic is.
//!
//! What it insists on is what the API documents: a version, a key in `x-api-key`, `max_tokens`,
//! turns with content, results of tools right behind their calls and before other words, thinking
//! that is signed and leaves room for an answer. The word `think` in a model's name makes it think,
//! `overloaded` makes a stream fail midway.
//! **Source**: docs.claude.com/en/api/messages, read 2026-11-21.

use super::{
    chat,
    endpoint::Ask,
    frame::{self, Event},
    incoming::Request,
    odd,
    script::Step,
    tool,
    words::{self, Dice},
};
use serde_json::{Value, json};

/// What proves the thinking; it is not to be lost on a round trip.
const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSByZWhlYXJzYWw=";

pub(super) fn answer(request: &Request, ask: &Ask) -> Vec<Step> {
    if let Some(status) = ask.tricks.error_status() {
        return vec![refuse(status, &format!("The vendor says {status}."))];
    }
    if let Err(why) = insist(request, ask.body) {
        return vec![refuse(400, &why)];
    }
    if request.path.split('?').next().is_some_and(|path| path.ends_with("/count_tokens")) {
        let count = words::pieces(&ask.body["messages"].to_string()).len();
        return vec![frame::json(200, &[], &json!({"input_tokens": count}))];
    }
    if ask.is_streaming {
        return odd::stream(ask, events(ask));
    }
    vec![frame::json(200, &[("request-id", &chat::request_id(ask))], &reply(ask))]
}

/// A whole answer.
pub(super) fn reply(ask: &Ask) -> Value {
    let blocks = blocks(ask);
    let mut reply = envelope(ask);
    reply["content"] = blocks.iter().map(whole).collect();
    reply["stop_reason"] = stop_reason(&blocks).into();
    reply["usage"] = usage(ask, &blocks);
    reply
}

/// The same as a stream.
pub(super) fn events(ask: &Ask) -> Vec<Event> {
    stream(ask, &blocks(ask))
}

fn refuse(status: u16, message: &str) -> Step {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let retry: &[(&str, &str)] = if status == 429 { &[("retry-after", "7")] } else { &[] };
    let error = json!({"type": kind, "message": message});
    let body = json!({"type": "error", "error": error, "request_id": "req_refused"});
    frame::json(status, retry, &body)
}

/// What Anthropic answers 400 to.
fn insist(request: &Request, body: &Value) -> Result<(), String> {
    let is_vertex = request.path.contains("/publishers/anthropic/models/");
    if is_vertex {
        insist_on_vertex(request, body)?;
    } else if request.header("anthropic-version").is_none() {
        return Err("anthropic-version: header is required".into());
    } else if request.header("x-api-key").is_none() {
        return Err("x-api-key: header is required".into());
    }
    let is_counting = request.path.contains("count_tokens");
    let Some(max_tokens) = body["max_tokens"].as_u64().or(is_counting.then_some(1)) else {
        return Err("max_tokens: Field required".into());
    };
    if body["thinking"]["budget_tokens"].as_u64().is_some_and(|budget| budget >= max_tokens) {
        return Err("max_tokens must be greater than thinking.budget_tokens".into());
    }
    let known = [
        if is_vertex { "anthropic_version" } else { "model" },
        "max_tokens",
        "messages",
        "system",
        "stream",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "tools",
        "tool_choice",
        "thinking",
        "metadata",
        "output_config",
        "service_tier",
        "context_management",
        "mcp_servers",
        "container",
    ];
    if let Some(name) =
        body.as_object().and_then(|all| all.keys().find(|n| !known.contains(&&***n)))
    {
        return Err(format!("{name}: Extra inputs are not permitted"));
    }
    let messages = body["messages"].as_array().filter(|messages| !messages.is_empty());
    let messages = messages.ok_or("messages: at least one message is required")?;
    let mut asked: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        asked =
            insist_on_turn(message, &asked).map_err(|why| format!("messages.{index}: {why}"))?;
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        let is_own = tool.get("type").is_some_and(|kind| kind != "custom");
        if !is_own && tool["input_schema"]["type"] != "object" {
            return Err("tools: input_schema.type: Field required".into());
        }
    }
    Ok(())
}

/// Vertex takes a token, its own version in the body, and a stream by its path and its body.
/// **Source**: docs.claude.com/en/api/claude-on-vertex-ai, read 2026-11-21.
fn insist_on_vertex(request: &Request, body: &Value) -> Result<(), String> {
    if !request.header("authorization").is_some_and(|it| it.starts_with("Bearer ya29.")) {
        return Err("authorization: token is required".into());
    }
    if body["anthropic_version"] != "vertex-2023-10-16" {
        return Err("anthropic_version: \"vertex-2023-10-16\" is required".into());
    }
    if request.path.contains(":streamRawPredict") != (body["stream"] == true) {
        return Err("stream: not as the path says".into());
    }
    Ok(())
}

/// One turn, where `asked` are the calls that await their results; the calls that it makes.
fn insist_on_turn<'m>(message: &'m Value, asked: &[&str]) -> Result<Vec<&'m str>, String> {
    let role = message["role"].as_str().ok_or("role: Field required")?;
    if role != "user" && role != "assistant" {
        return Err(format!("role: {role} is not user or assistant"));
    }
    if message["content"].as_str().is_some_and(str::is_empty) {
        return Err("content: must not be empty".into());
    }
    let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |kind: &'static str, key: &'static str| {
        let found = blocks.iter().filter(move |block| block["type"] == kind);
        found.filter_map(move |block| block[key].as_str())
    };
    if of("text", "text").any(str::is_empty) {
        return Err("text content blocks must be non-empty".into());
    }
    if of("thinking", "thinking").count() != of("thinking", "signature").count() {
        return Err("thinking.signature: Field required".into());
    }
    let results: Vec<&str> = of("tool_result", "tool_use_id").collect();
    if asked.iter().any(|id| !results.contains(id)) || results.iter().any(|id| !asked.contains(id))
    {
        return Err("`tool_use` and `tool_result` blocks do not match".into());
    }
    let is_first = blocks.iter().take(results.len()).all(|block| block["type"] == "tool_result");
    if !is_first {
        return Err("`tool_result` blocks must come first".into());
    }
    Ok(of("tool_use", "id").collect())
}

/// A block of the answer.
enum Block {
    Thinking(String),
    Text(String),
    Tool { id: String, name: String, input: Value },
}

fn blocks(ask: &Ask) -> Vec<Block> {
    let messages = ask.body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let topic = messages.iter().rev().map(|message| chat::text_of(&message["content"]));
    let topic = topic.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let mut blocks = Vec::new();
    if ask.tricks.has("think") || ask.body["thinking"]["type"] == "enabled" {
        blocks.push(Block::Thinking("Let me think about that.".to_owned()));
    }
    let calls = calls(ask, messages, &topic);
    if calls.is_empty() {
        blocks.push(Block::Text(words::answer(&topic, &mut Dice::new(ask.seed))));
    }
    blocks.extend(calls);
    blocks
}

/// Tools are called where the model's name or the choice wants it, and their results are not there.
fn calls(ask: &Ask, messages: &[Value], topic: &str) -> Vec<Block> {
    let tools = ask.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let last = messages.last().and_then(|message| message["content"].as_array());
    let is_answered = last.is_some_and(|blocks| blocks.iter().any(|b| b["type"] == "tool_result"));
    let choice = ask.body["tool_choice"]["type"].as_str().unwrap_or("auto");
    let wants = matches!(choice, "any" | "tool") || ask.tricks.has("tool");
    if tools.is_empty() || is_answered || choice == "none" || !wants {
        return Vec::new();
    }
    let chosen = &ask.body["tool_choice"]["name"];
    let is_chosen = |tool: &&Value| chosen.is_null() || tool["name"] == *chosen;
    let count = if ask.tricks.has("parallel") { 2 } else { 1 };
    let call = |(index, tool): (usize, &Value)| Block::Tool {
        id: format!("toolu_{index}_{:06x}", ask.seed & 0xff_ffff),
        name: tool["name"].as_str().unwrap_or("unnamed").to_owned(),
        input: tool::fill(&tool["input_schema"], topic),
    };
    tools.iter().filter(is_chosen).take(count).enumerate().map(call).collect()
}

fn whole(block: &Block) -> Value {
    match block {
        Block::Thinking(text) => {
            json!({"type": "thinking", "thinking": text, "signature": SIGNATURE})
        }
        Block::Text(text) => json!({"type": "text", "text": text}),
        Block::Tool { id, name, input } => {
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
    }
}

fn stop_reason(blocks: &[Block]) -> &'static str {
    let calls = blocks.iter().any(|block| matches!(block, Block::Tool { .. }));
    if calls { "tool_use" } else { "end_turn" }
}

/// A part of the prompt is read from a cache, and a part written to it, as in long conversations.
fn usage(ask: &Ask, blocks: &[Block]) -> Value {
    let prompt = words::pieces(&ask.body["messages"].to_string()).len();
    let spoken: usize = blocks.iter().map(|b| words::pieces(&whole(b).to_string()).len()).sum();
    json!({"input_tokens": prompt, "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 11, "output_tokens": spoken})
}

fn envelope(ask: &Ask) -> Value {
    json!({"id": format!("msg_{:016x}", ask.seed), "type": "message", "role": "assistant",
        "model": ask.model, "content": [], "stop_reason": null, "stop_sequence": null})
}

fn stream(ask: &Ask, blocks: &[Block]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut event = |name: &'static str, mut data: Value| {
        data["type"] = name.into();
        events.push(Event::Named(name, data));
    };
    let mut message = envelope(ask);
    message["usage"] = usage(ask, blocks);
    message["usage"]["output_tokens"] = 1.into();
    event("message_start", json!({"message": message}));
    for (index, block) in blocks.iter().enumerate() {
        let (empty, deltas) = told(ask, block);
        event("content_block_start", json!({"index": index, "content_block": empty}));
        event("ping", json!({}));
        for (at, delta) in deltas.into_iter().enumerate() {
            if at == 2 && ask.tricks.has("overloaded") {
                let error = json!({"type": "overloaded_error", "message": "Overloaded"});
                event("error", json!({"error": error}));
                return events;
            }
            event("content_block_delta", json!({"index": index, "delta": delta}));
        }
        event("content_block_stop", json!({"index": index}));
    }
    let delta = json!({"stop_reason": stop_reason(blocks), "stop_sequence": null});
    let output = usage(ask, blocks)["output_tokens"].clone();
    event("message_delta", json!({"delta": delta, "usage": {"output_tokens": output}}));
    event("message_stop", json!({}));
    events
}

/// A block as it begins, and the deltas that fill it.
fn told(ask: &Ask, block: &Block) -> (Value, Vec<Value>) {
    let cut = |text: &str, kind: &str, key: &str| -> Vec<Value> {
        odd::pieces(ask, text).iter().map(|piece| json!({"type": kind, key: piece})).collect()
    };
    match block {
        Block::Text(text) => (json!({"type": "text", "text": ""}), cut(text, "text_delta", "text")),
        Block::Thinking(text) => {
            let mut deltas = cut(text, "thinking_delta", "thinking");
            deltas.push(json!({"type": "signature_delta", "signature": SIGNATURE}));
            (json!({"type": "thinking", "thinking": "", "signature": ""}), deltas)
        }
        Block::Tool { id, name, input } => {
            let deltas = cut(&input.to_string(), "input_json_delta", "partial_json");
            (json!({"type": "tool_use", "id": id, "name": name, "input": {}}), deltas)
        }
    }
}
