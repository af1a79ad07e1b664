//! `/responses`: the vendor speaks OpenAI's newer API too, and is as particular as OpenAI is.
//!
//! What it insists on: members that it knows, results behind their calls, thoughts that it sealed
//! itself. It keeps what it answers: by its id an answer can be asked for again, cancelled and
//! deleted, and the items that led to it listed. The word `think` in a model's name makes it think,
//! `short` cuts its answer, `broken` makes a stream fail midway.
//! **Source**: the `CreateResponse` and `ResponseStreamEvent` of OpenAI's own description of its
//! API, 2.3.0, and recorded traffic.

use super::{
    chat::{self, CREATED},
    endpoint::Ask,
    frame::{self, Event, error},
    incoming::Request,
    odd,
    script::Step,
    tool,
    words::{self, Dice},
};
use serde_json::{Value, json};

/// Thoughts in words for this vendor alone; they are not to be lost on a round trip.
const SEALED: &str = "gAAAAABwZXJzb25hbCB0aG91Z2h0cw==";

/// Answer what is asked of an answer that was kept.
pub(super) fn stored(method: &str, path: &str) -> Vec<Step> {
    let rest = path.rsplit_once("/responses/").map_or("", |(_, rest)| rest);
    let (id, what) = rest.split_once('/').unwrap_or((rest, ""));
    if !id.starts_with("resp_") {
        let wrong = error("invalid_request_error", None, &format!("No response {id}."));
        return vec![frame::json(404, &[], &wrong)];
    }
    let mut kept = envelope(id, "rehearsal");
    kept["usage"] = usage(7, 0, 5);
    let body = match (method, what) {
        ("GET", "") => kept,
        ("DELETE", "") => json!({"id": id, "object": "response.deleted", "deleted": true}),
        ("POST", "cancel") => {
            kept["status"] = "cancelled".into();
            kept
        }
        ("GET", "input_items") => json!({"object": "list", "has_more": false, "data": [
            {"id": "msg_1", "type": "message", "role": "user",
                "content": [{"type": "input_text", "text": "Hello"}]}]}),
        _ => return vec![frame::json(405, &[], &error("invalid_request_error", None, "No."))],
    };
    vec![frame::json(200, &[("x-request-id", "req_kept")], &body)]
}

pub(super) fn answer(request: &Request, ask: &Ask) -> Vec<Step> {
    if let Some(steps) = odd::instead(ask) {
        return steps;
    }
    if let Err(why) = insist(ask.body) {
        let refused = error("invalid_request_error", Some("invalid_value"), &why);
        return vec![frame::json(400, &[], &refused)];
    }
    let path = request.path.split('?').next().unwrap_or_default();
    if path.ends_with("/compact") {
        let item = json!({"id": "cmp_1", "type": "compaction", "encrypted_content": SEALED});
        let body = json!({"id": "resp_compact", "object": "response.compaction",
            "created_at": CREATED, "output": [item], "usage": usage(20, 0, 3)});
        return vec![frame::json(200, &[], &body)];
    }
    let items = items(ask);
    let steps = if ask.is_streaming {
        odd::stream(ask, stream(ask, &items))
    } else {
        let mut reply = envelope(&id(ask), ask.model);
        reply["output"] = items.clone().into();
        finish(ask, &mut reply, &items);
        vec![frame::json(200, &[("x-request-id", &chat::request_id(ask))], &reply)]
    };
    odd::around(ask, steps)
}

/// What OpenAI answers 400 to.
fn insist(body: &Value) -> Result<(), String> {
    let known = [
        "background",
        "client_metadata",
        "context_management",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ];
    let members = body.as_object().ok_or("The body must be an object.")?;
    if let Some(name) = members.keys().find(|name| !known.contains(&&***name)) {
        return Err(format!("Unknown parameter: '{name}'."));
    }
    let mut asked: Vec<&str> = Vec::new();
    for (index, item) in body["input"].as_array().into_iter().flatten().enumerate() {
        insist_on_item(item, &mut asked).map_err(|why| format!("input[{index}]: {why}"))?;
    }
    if let Some(id) = asked.first() {
        return Err(format!("No tool output found for function call {id}."));
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        if tool["type"] == "function" && !tool["name"].is_string() {
            return Err("Missing required parameter: 'tools[0].name'.".into());
        }
    }
    Ok(())
}

fn insist_on_item<'i>(item: &'i Value, asked: &mut Vec<&'i str>) -> Result<(), String> {
    let call = item["call_id"].as_str().unwrap_or_default();
    match item["type"].as_str().unwrap_or("message") {
        "message" => {
            let is_assistants = item["role"] == "assistant";
            let wrong = if is_assistants { "input_text" } else { "output_text" };
            let parts = item["content"].as_array().map_or(&[][..], Vec::as_slice);
            if parts.iter().any(|part| part["type"] == wrong) {
                return Err(format!("Invalid value: '{wrong}'."));
            }
        }
        "function_call" => asked.push(call),
        "function_call_output" => match asked.iter().position(|id| *id == call) {
            Some(at) => drop(asked.remove(at)),
            None => return Err(format!("No tool call found for {call}.")),
        },
        "reasoning" => {
            if item["encrypted_content"].as_str().is_some_and(|sealed| sealed != SEALED) {
                return Err("The encrypted content could not be verified.".into());
            }
            if !item["summary"].is_array() {
                return Err("Missing required parameter: 'summary'.".into());
            }
        }
        other => return Err(format!("Invalid value: '{other}'.")),
    }
    Ok(())
}

/// The items of the answer.
fn items(ask: &Ask) -> Vec<Value> {
    let input = ask.body["input"].as_array().map_or(&[][..], Vec::as_slice);
    let topic = input.iter().rev().map(|item| said(&item["content"]));
    let topic = topic.into_iter().find(|text| !text.is_empty());
    let topic = topic.or_else(|| ask.body["input"].as_str().map(str::to_owned));
    let topic = topic.unwrap_or_default();
    let mut items = Vec::new();
    if ask.tricks.has("think") || ask.body["reasoning"]["summary"].is_string() {
        items.push(json!({"id": "rs_1", "type": "reasoning", "encrypted_content": SEALED,
            "summary": [{"type": "summary_text", "text": "Let me think about that."}]}));
    }
    let calls = calls(ask, input, &topic);
    if calls.is_empty() {
        let text = match () {
            () if ask.tricks.has("pong") => "PONG".to_owned(),
            () => words::answer(&topic, &mut Dice::new(ask.seed)),
        };
        items.push(json!({"id": "msg_1", "type": "message", "status": "completed",
            "role": "assistant", "content": [part(&text)]}));
    }
    items.extend(calls);
    items
}

fn said(content: &Value) -> String {
    let parts = content.as_array().map_or(&[][..], Vec::as_slice);
    let texts = parts.iter().filter_map(|part| part["text"].as_str());
    content.as_str().map_or_else(|| texts.collect(), str::to_owned)
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

/// Tools are called where the model's name or the choice wants it, and their results are not there.
fn calls(ask: &Ask, input: &[Value], topic: &str) -> Vec<Value> {
    let tools = ask.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let is_answered = input.last().is_some_and(|item| item["type"] == "function_call_output");
    let choice = &ask.body["tool_choice"];
    let chosen = choice["name"].as_str();
    let wants = choice == "required" || chosen.is_some() || ask.tricks.has("tool");
    if is_answered || choice == "none" || !wants {
        return Vec::new();
    }
    let is_chosen = |tool: &&Value| {
        tool["type"] == "function" && chosen.is_none_or(|chosen| tool["name"] == chosen)
    };
    let count = if ask.tricks.has("parallel") { 2 } else { 1 };
    let call = |(index, tool): (usize, &Value)| {
        json!({"id": format!("fc_{index}"), "type": "function_call", "status": "completed",
            "call_id": format!("call_{index}_{:06x}", ask.seed & 0xff_ffff), "name": tool["name"],
            "arguments": tool::fill(&tool["parameters"], topic).to_string()})
    };
    tools.iter().filter(is_chosen).take(count).enumerate().map(call).collect()
}

fn id(ask: &Ask) -> String {
    format!("resp_{:016x}", ask.seed)
}

fn envelope(id: &str, model: &str) -> Value {
    json!({"id": id, "object": "response", "created_at": CREATED, "status": "completed",
        "background": false, "error": null, "incomplete_details": null, "instructions": null,
        "max_output_tokens": null, "model": model, "output": [], "parallel_tool_calls": true,
        "previous_response_id": null, "reasoning": {"effort": null, "summary": null},
        "store": true, "temperature": 1.0, "text": {"format": {"type": "text"}},
        "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled",
        "usage": null, "user": null, "metadata": {}})
}

fn usage(input: usize, reasoning: usize, output: usize) -> Value {
    json!({"input_tokens": input + 11, "input_tokens_details": {"cached_tokens": 11},
        "output_tokens": output + reasoning,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": input + 11 + output + reasoning})
}

/// A part of the prompt is read from a cache, as in long conversations.
fn finish(ask: &Ask, reply: &mut Value, items: &[Value]) {
    let prompt = words::pieces(&ask.body["input"].to_string()).len();
    let count = |item: &Value| words::pieces(&item.to_string()).len();
    let (thoughts, spoken): (Vec<_>, Vec<_>) =
        items.iter().partition(|item| item["type"] == "reasoning");
    let reasoning = thoughts.into_iter().map(count).sum();
    reply["usage"] = usage(prompt, reasoning, spoken.into_iter().map(count).sum());
    if ask.tricks.has("short") {
        reply["status"] = "incomplete".into();
        reply["incomplete_details"] = json!({"reason": "max_output_tokens"});
    }
}

fn stream(ask: &Ask, items: &[Value]) -> Vec<Event> {
    let mut told = Told { events: Vec::new() };
    let mut reply = envelope(&id(ask), ask.model);
    reply["status"] = "in_progress".into();
    told.event("response.created", json!({"response": reply}));
    told.event("response.in_progress", json!({"response": reply}));
    for (index, item) in items.iter().enumerate() {
        told.item(ask, index, item);
        if ask.tricks.has("broken") {
            let failure = json!({"code": "server_error", "message": "The vendor broke."});
            told.event(
                "error",
                json!({"error": {"type": "server_error", "param": null,
                "code": "server_error", "message": "The vendor broke."}}),
            );
            reply["status"] = "failed".into();
            reply["error"] = failure;
            told.event("response.failed", json!({"response": reply}));
            return told.events;
        }
    }
    reply["status"] = "completed".into();
    reply["output"] = items.to_vec().into();
    finish(ask, &mut reply, items);
    let name = if ask.tricks.has("short") { "response.incomplete" } else { "response.completed" };
    told.event(name, json!({"response": reply}));
    told.events
}

/// Events so far; their number is the next one's.
struct Told {
    events: Vec<Event>,
}

impl Told {
    fn event(&mut self, name: &'static str, mut data: Value) {
        data["type"] = name.into();
        data["sequence_number"] = self.events.len().into();
        self.events.push(Event::Named(name, data));
    }

    fn item(&mut self, ask: &Ask, index: usize, item: &Value) {
        let mut begun = item.clone();
        let of = |more: Value| {
            let mut all = more;
            all["item_id"] = item["id"].clone();
            all["output_index"] = index.into();
            all
        };
        let added = |begun: Value| json!({"output_index": index, "item": begun});
        match item["type"].as_str() {
            Some("reasoning") => {
                begun["summary"] = json!([]);
                self.event("response.output_item.added", added(begun));
                let (name, at) = ("response.reasoning_summary_text.delta", "summary_index");
                let text = item["summary"][0]["text"].as_str().unwrap_or_default();
                self.event(
                    "response.reasoning_summary_part.added",
                    of(json!({at: 0, "part": {"type": "summary_text", "text": ""}})),
                );
                for piece in odd::pieces(ask, text) {
                    self.event(name, of(json!({at: 0, "delta": piece, "obfuscation": "x"})));
                }
                self.event(
                    "response.reasoning_summary_text.done",
                    of(json!({at: 0, "text": text})),
                );
            }
            Some("function_call") => {
                begun["arguments"] = "".into();
                self.event("response.output_item.added", added(begun));
                let text = item["arguments"].as_str().unwrap_or_default();
                for piece in words::pieces(text) {
                    let name = "response.function_call_arguments.delta";
                    self.event(name, of(json!({"delta": piece})));
                }
                let name = "response.function_call_arguments.done";
                self.event(name, of(json!({"arguments": text})));
            }
            _ => {
                begun["content"] = json!([]);
                self.event("response.output_item.added", added(begun));
                let text = item["content"][0]["text"].as_str().unwrap_or_default();
                let at = "content_index";
                self.event("response.content_part.added", of(json!({at: 0, "part": part("")})));
                for piece in odd::pieces(ask, text) {
                    let delta = json!({at: 0, "delta": piece, "logprobs": []});
                    self.event("response.output_text.delta", of(delta));
                }
                let whole = json!({at: 0, "text": text, "logprobs": []});
                self.event("response.output_text.done", of(whole));
                self.event("response.content_part.done", of(json!({at: 0, "part": part(text)})));
            }
        }
        self.event("response.output_item.done", json!({"output_index": index, "item": item}));
    }
}
