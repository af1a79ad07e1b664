//! `/chat/completions`: what is said, whole or as a stream.

use super::{
    endpoint::Ask,
    frame::{self, Event},
    odd,
    script::Step,
    tool::{self, Call},
    words::{self, Dice},
};
use serde_json::{Map, Value, json};

/// A fixed moment, so that answers are repeatable.
pub(super) const CREATED: u64 = 1_760_000_000;

/// What the vendor has to say.
struct Speech {
    text: String,
    calls: Vec<Call>,
    /// Cut short by the request's own bound.
    is_cut: bool,
    prompt_tokens: usize,
    completion_tokens: usize,
}

pub(super) fn answer(ask: &Ask) -> Vec<Step> {
    let speech = speak(ask);
    if ask.is_streaming {
        return odd::stream(ask, stream(ask, &speech));
    }
    vec![frame::json(200, &[("x-request-id", &request_id(ask))], &whole(ask, &speech))]
}

pub(super) fn request_id(ask: &Ask) -> String {
    format!("req_rehearsal_{:08x}", ask.seed & 0xffff_ffff)
}

fn speak(ask: &Ask) -> Speech {
    let messages = ask.body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let topic = messages.iter().rev().find(|message| message["role"] == "user");
    let topic = topic.map(|message| text_of(&message["content"])).unwrap_or_default();
    let prompt_tokens = 2 + messages
        .iter()
        .map(|message| 4 + words::pieces(&text_of(&message["content"])).len())
        .sum::<usize>();
    let calls = tool::calls(ask, messages, &topic);
    let text = match () {
        () if !calls.is_empty() => String::new(),
        () if ask.tricks.has("pong") => "PONG".to_owned(),
        () => tool::document(ask, &topic)
            .unwrap_or_else(|| words::answer(&topic, &mut Dice::new(ask.seed))),
    };
    let bound = ["max_completion_tokens", "max_tokens"]
        .iter()
        .find_map(|key| ask.body[*key].as_u64())
        .and_then(|bound| usize::try_from(bound).ok())
        .unwrap_or(usize::MAX);
    let pieces = words::pieces(&text);
    let kept = pieces.len().min(bound);
    let argument_tokens: usize =
        calls.iter().map(|call| 8 + words::pieces(&call.arguments).len()).sum();
    Speech {
        is_cut: kept < pieces.len(),
        text: pieces[..kept].concat(),
        completion_tokens: kept + argument_tokens,
        calls,
        prompt_tokens,
    }
}

/// The text of a message's content, which is a string or a list of parts.
pub(super) fn text_of(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let parts = content.as_array().map_or(&[][..], Vec::as_slice);
    let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    texts.join(" ")
}

fn finish(speech: &Speech) -> &'static str {
    match speech {
        Speech { calls, .. } if !calls.is_empty() => "tool_calls",
        Speech { is_cut: true, .. } => "length",
        _ => "stop",
    }
}

fn usage(speech: &Speech) -> Value {
    json!({
        "prompt_tokens": speech.prompt_tokens,
        "completion_tokens": speech.completion_tokens,
        "total_tokens": speech.prompt_tokens + speech.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}

/// How many choices were asked for.
fn choices(ask: &Ask) -> u64 {
    ask.body["n"].as_u64().unwrap_or(1).clamp(1, 8)
}

fn whole(ask: &Ask, speech: &Speech) -> Value {
    let mut message = json!({"role": "assistant", "content": speech.text, "refusal": null});
    if !speech.calls.is_empty() {
        message["content"] = Value::Null;
        message["tool_calls"] = speech.calls.iter().map(Call::whole).collect();
    }
    let choice = |index| {
        json!({"index": index, "message": message, "logprobs": null,
            "finish_reason": finish(speech)})
    };
    json!({
        "id": format!("chatcmpl-{:016x}", ask.seed), "object": "chat.completion",
        "created": CREATED, "model": ask.model,
        "choices": (0..choices(ask)).map(choice).collect::<Vec<_>>(),
        "usage": usage(speech), "system_fingerprint": "fp_rehearsal",
    })
}

/// Does the client want a usage chunk at the end?
pub(super) fn wants_usage(ask: &Ask) -> bool {
    ask.body["stream_options"]["include_usage"].as_bool().unwrap_or_default()
}

fn stream(ask: &Ask, speech: &Speech) -> Vec<Event> {
    let wants_usage = wants_usage(ask);
    let envelope = |choices: Value, usage: Option<Value>| {
        let mut chunk = Map::new();
        chunk.insert("id".to_owned(), format!("chatcmpl-{:016x}", ask.seed).into());
        chunk.insert("object".to_owned(), "chat.completion.chunk".into());
        chunk.insert("created".to_owned(), CREATED.into());
        chunk.insert("model".to_owned(), ask.model.into());
        chunk.insert("choices".to_owned(), choices);
        if wants_usage {
            chunk.insert("usage".to_owned(), usage.unwrap_or_default());
        }
        Event::Data(Value::Object(chunk))
    };
    let delta = |index: u64, delta: Value, finish: Option<&str>| {
        let choice = json!([{"index": index, "delta": delta, "logprobs": null,
            "finish_reason": finish}]);
        envelope(choice, None)
    };
    let mut events = Vec::new();
    for index in 0..choices(ask) {
        let content = if speech.calls.is_empty() { json!("") } else { Value::Null };
        events.push(delta(index, json!({"role": "assistant", "content": content}), None));
        for piece in odd::pieces(ask, &speech.text) {
            events.push(delta(index, json!({"content": piece}), None));
        }
        for call in tool::deltas(ask, &speech.calls) {
            events.push(delta(index, json!({"tool_calls": [call]}), None));
        }
        events.push(delta(index, json!({}), Some(finish(speech))));
    }
    if wants_usage {
        events.push(envelope(json!([]), Some(usage(speech))));
    }
    events.push(Event::Verbatim("data: [DONE]\n\n"));
    events
}
