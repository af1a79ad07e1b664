//! `/chat`: the vendor speaks Cohere's language too, and is as particular as Cohere is.
//!
//! What it insists on is what the API documents: a key, known fields, turns with content or calls,
//! no form of an answer beside tools or documents. The word `think` in a model's name makes it
//! think, `cite` makes it cite, `failing` makes a stream end in an error.
//! **Source**: docs.cohere.com/reference/chat, read 2026-11-21.

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

pub(super) fn answer(request: &Request, ask: &Ask) -> Vec<Step> {
    if let Some(status) = ask.tricks.error_status() {
        return vec![refuse(status, &format!("The vendor says {status}."))];
    }
    if request.header("authorization").is_none_or(|key| !key.starts_with("Bearer ")) {
        return vec![refuse(401, "no api key supplied")];
    }
    if let Err(why) = insist(ask.body) {
        return vec![refuse(400, &why)];
    }
    let speech = speak(ask);
    if ask.is_streaming {
        return odd::stream(ask, stream(ask, &speech));
    }
    let mut message = json!({"role": "assistant"});
    let content: Vec<Value> = speech.parts.iter().map(Part::whole).collect();
    if !content.is_empty() {
        message["content"] = content.into();
    }
    if !speech.calls.is_empty() {
        message["tool_plan"] = PLAN.into();
        message["tool_calls"] = speech.calls.clone().into();
    }
    if let Some(citation) = &speech.citation {
        message["citations"] = json!([citation]);
    }
    let reply = json!({"id": id(ask), "message": message, "finish_reason": speech.reason(),
        "usage": usage(ask, &speech)});
    vec![frame::json(200, &[], &reply)]
}

fn refuse(status: u16, message: &str) -> Step {
    let retry: &[(&str, &str)] = if status == 429 { &[("retry-after", "7")] } else { &[] };
    frame::json(status, retry, &json!({"id": "refused", "message": message}))
}

const PLAN: &str = "I will use a tool.";

/// What Cohere refuses.
fn insist(body: &Value) -> Result<(), String> {
    let known = [
        "model",
        "messages",
        "stream",
        "tools",
        "strict_tools",
        "documents",
        "citation_options",
        "response_format",
        "safety_mode",
        "max_tokens",
        "stop_sequences",
        "temperature",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "k",
        "p",
        "logprobs",
        "tool_choice",
        "thinking",
        "priority",
    ];
    let mut keys = body.as_object().into_iter().flat_map(|all| all.keys());
    if let Some(name) = keys.find(|name| !known.contains(&&***name)) {
        return Err(format!("invalid request: unknown field {name}"));
    }
    let has = |name: &str| body[name].as_array().is_some_and(|list| !list.is_empty());
    if !body["response_format"].is_null() && (has("tools") || has("documents")) {
        return Err("invalid request: cannot specify both response_format and tools".into());
    }
    if body["p"].as_f64().is_some_and(|p| !(0.01..=0.99).contains(&p)) {
        return Err("invalid request: p must be between 0.01 and 0.99".into());
    }
    let choice = &body["tool_choice"];
    if !choice.is_null() && choice != "REQUIRED" && choice != "NONE" {
        return Err("invalid request: tool_choice must be REQUIRED or NONE".into());
    }
    let messages = body["messages"].as_array().filter(|messages| !messages.is_empty());
    for message in messages.ok_or("invalid request: no messages")? {
        let has = |name: &str| match &message[name] {
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            _ => false,
        };
        match message["role"].as_str() {
            Some("assistant") if has("content") || has("tool_calls") => {}
            Some("tool") if has("tool_call_id") => {}
            Some("user" | "system") if has("content") => {}
            role => return Err(format!("invalid request: empty message of {role:?}")),
        }
    }
    Ok(())
}

enum Part {
    Thinking(String),
    Text(String),
}

impl Part {
    fn told(&self) -> (&'static str, &'static str, &str) {
        match self {
            Self::Thinking(text) => ("thinking", "thinking", text),
            Self::Text(text) => ("text", "text", text),
        }
    }

    fn whole(&self) -> Value {
        let (kind, key, text) = self.told();
        json!({"type": kind, key: text})
    }
}

struct Speech {
    parts: Vec<Part>,
    calls: Vec<Value>,
    citation: Option<Value>,
}

impl Speech {
    fn reason(&self) -> &'static str {
        if self.calls.is_empty() { "COMPLETE" } else { "TOOL_CALL" }
    }
}

fn speak(ask: &Ask) -> Speech {
    let messages = ask.body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let topic = messages.iter().rev().map(|message| chat::text_of(&message["content"]));
    let topic = topic.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let mut parts = Vec::new();
    if ask.tricks.has("think") || ask.body["thinking"]["type"] == "enabled" {
        parts.push(Part::Thinking("Let me think about that.".to_owned()));
    }
    let calls = calls(ask, messages, &topic);
    let mut citation = None;
    if calls.is_empty() {
        let schema = &ask.body["response_format"]["json_schema"];
        let text = if schema.is_object() {
            tool::fill(schema, &topic).to_string()
        } else {
            words::answer(&topic, &mut Dice::new(ask.seed))
        };
        if ask.tricks.has("cite") {
            let source = json!({"type": "document", "id": "doc:0", "document": {"id": "doc:0"}});
            citation = Some(json!({"start": 0, "end": 4, "text": text.get(..4),
                "sources": [source], "type": "TEXT_CONTENT"}));
        }
        parts.push(Part::Text(text));
    }
    Speech { parts, calls, citation }
}

fn calls(ask: &Ask, messages: &[Value], topic: &str) -> Vec<Value> {
    let tools = ask.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let is_answered = messages.last().is_some_and(|message| message["role"] == "tool");
    let choice = ask.body["tool_choice"].as_str().unwrap_or_default();
    let wants = choice == "REQUIRED" || ask.tricks.has("tool");
    if tools.is_empty() || is_answered || choice == "NONE" || !wants {
        return Vec::new();
    }
    let count = if ask.tricks.has("parallel") { 2 } else { 1 };
    // As Cohere does, the structured one is called last: it was written last.
    let from = tools.len().saturating_sub(count);
    let call = |tool: &Value| {
        let function = &tool["function"];
        let name = function["name"].as_str().unwrap_or("unnamed");
        let arguments = tool::fill(&function["parameters"], topic);
        let nothing = arguments.as_object().is_some_and(serde_json::Map::is_empty);
        let arguments = if nothing { "null".to_owned() } else { arguments.to_string() };
        json!({"id": format!("{name}_{:06x}", ask.seed & 0xff_ffff), "type": "function",
            "function": {"name": name, "arguments": arguments}})
    };
    tools[from..].iter().map(call).collect()
}

fn id(ask: &Ask) -> String {
    format!("cohere-{:016x}", ask.seed)
}

/// More is seen by the model than is paid for, as Cohere's own template is not.
fn usage(ask: &Ask, speech: &Speech) -> Value {
    let prompt = words::pieces(&ask.body["messages"].to_string()).len();
    let spoken = speech.parts.iter().map(Part::whole).chain(speech.calls.iter().cloned());
    let spoken: usize = spoken.map(|value| words::pieces(&value.to_string()).len()).sum();
    json!({"billed_units": {"input_tokens": prompt, "output_tokens": spoken},
        "tokens": {"input_tokens": prompt + 1_000, "output_tokens": spoken + 20},
        "cached_tokens": 992})
}

fn stream(ask: &Ask, speech: &Speech) -> Vec<Event> {
    let mut events = Vec::new();
    let mut event = |name: &'static str, mut data: Value| {
        data["type"] = name.into();
        events.push(Event::Named(name, data));
    };
    let delta = |message: Value| json!({"message": message});
    let empty = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [],
        "citations": []});
    event("message-start", json!({"id": id(ask), "delta": delta(empty)}));
    if !speech.calls.is_empty() {
        for piece in words::pieces(PLAN) {
            event("tool-plan-delta", json!({"delta": delta(json!({"tool_plan": piece}))}));
        }
    }
    for (index, part) in speech.parts.iter().enumerate() {
        let (kind, key, text) = part.told();
        let content = json!({"content": {"type": kind, key: ""}});
        event("content-start", json!({"index": index, "delta": delta(content)}));
        for (at, piece) in odd::pieces(ask, text).into_iter().enumerate() {
            if at == 2 && ask.tricks.has("failing") {
                let end = json!({"finish_reason": "ERROR", "error": "The model failed."});
                event("message-end", json!({"delta": end}));
                return events;
            }
            let content = json!({"content": {key: piece}});
            event("content-delta", json!({"index": index, "delta": delta(content)}));
        }
        if let (Part::Text(_), Some(citation)) = (part, &speech.citation) {
            let told = delta(json!({"citations": citation}));
            event("citation-start", json!({"index": 0, "delta": told}));
            event("citation-end", json!({"index": 0}));
        }
        event("content-end", json!({"index": index}));
    }
    for (index, call) in speech.calls.iter().enumerate() {
        let mut opened = call.clone();
        let arguments = opened["function"]["arguments"].take();
        opened["function"]["arguments"] = "".into();
        event(
            "tool-call-start",
            json!({"index": index, "delta": delta(json!({"tool_calls": opened}))}),
        );
        for piece in words::pieces(arguments.as_str().unwrap_or_default()) {
            let told = json!({"tool_calls": {"function": {"arguments": piece}}});
            event("tool-call-delta", json!({"index": index, "delta": delta(told)}));
        }
        event("tool-call-end", json!({"index": index}));
    }
    let end = json!({"finish_reason": speech.reason(), "usage": usage(ask, speech)});
    event("message-end", json!({"delta": end}));
    events.push(Event::Verbatim("data: [DONE]\n\n"));
    events
}
