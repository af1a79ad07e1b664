//! `/completions`: the older API, text in and text out.

use super::{
    chat::{CREATED, request_id, wants_usage},
    endpoint::Ask,
    frame::{self, Event},
    odd,
    script::Step,
    words::{self, Dice},
};
use serde_json::{Value, json};

pub(super) fn answer(ask: &Ask) -> Vec<Step> {
    let prompt = match &ask.body["prompt"] {
        Value::String(text) => text.clone(),
        other => other[0].as_str().unwrap_or_default().to_owned(),
    };
    let text = words::answer(&prompt, &mut Dice::new(words::seed_of(&prompt)));
    let (prompt_tokens, tokens) = (words::pieces(&prompt).len(), words::pieces(&text).len());
    let usage = json!({"prompt_tokens": prompt_tokens, "completion_tokens": tokens,
        "total_tokens": prompt_tokens + tokens});
    let body = |choices: Value, usage: Option<&Value>| {
        let mut body = json!({"id": "cmpl-rehearsal", "object": "text_completion",
            "created": CREATED, "model": ask.model, "choices": choices});
        if let Some(usage) = usage {
            body["usage"] = usage.clone();
        }
        body
    };
    let choice = |text: &str, finish: Option<&str>| {
        let choice = json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish});
        Value::Array(vec![choice])
    };
    if !ask.is_streaming {
        let whole = body(choice(&text, Some("stop")), Some(&usage));
        return vec![frame::json(200, &[("x-request-id", &request_id(ask))], &whole)];
    }
    let mut events: Vec<Event> = odd::pieces(ask, &text)
        .into_iter()
        .map(|piece| Event::Data(body(choice(&piece, None), None)))
        .collect();
    events.push(Event::Data(body(choice("", Some("stop")), None)));
    if wants_usage(ask) {
        events.push(Event::Data(body(json!([]), Some(&usage))));
    }
    events.push(Event::Verbatim("data: [DONE]\n\n"));
    odd::stream(ask, events)
}
