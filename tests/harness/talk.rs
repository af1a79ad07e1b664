//! What clients of each API ask, and what they read.

use super::{
    House,
    client::{Ask, Reply},
};
use serde_json::{Value, json};
use std::borrow::Borrow;

/// A body with more members.
pub fn with(mut body: Value, more: impl Borrow<Value>) -> String {
    let more = more.borrow().as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(more);
    body.to_string()
}

/// As OpenAI's clients ask.
pub fn chat(model: &str, more: impl Borrow<Value>) -> Ask {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]});
    Ask::post("/v1/chat/completions", with(body, more))
}

/// As Anthropic's do.
pub fn messages(model: &str, more: impl Borrow<Value>) -> Ask {
    let body = json!({"model": model, "max_tokens": 500,
        "messages": [{"role": "user", "content": "Hello"}]});
    Ask::post("/v1/messages", with(body, more)).header("anthropic-version", "2023-06-01")
}

/// As boto3 does.
pub fn converse(model: &str, operation: &str, more: impl Borrow<Value>) -> Ask {
    let body = json!({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]});
    let model = model.replace('/', "%2F").replace(':', "%3A");
    Ask::post(&format!("/bedrock/proxy/model/{model}/{operation}"), with(body, more))
}

/// The data of a stream's events.
pub fn events(reply: &Reply) -> Vec<Value> {
    let parse = |data: String| serde_json::from_str(&data).unwrap_or(Value::String(data));
    reply.events().into_iter().map(parse).collect()
}

/// All that a chat's stream tells under this name.
pub fn told(events: &[Value], name: &str) -> String {
    let piece = |event: &Value| event["choices"][0]["delta"][name].as_str().map(str::to_owned);
    events.iter().filter_map(piece).collect()
}

/// Two tools, as OpenAI's clients offer them.
pub fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tool = |name: &str| json!({"name": name, "description": "d", "parameters": schema});
    json!([{"type": "function", "function": tool("get_weather")},
        {"type": "function", "function": tool("get_time")}])
}

/// The calls of a chat's answer, with no words: `{}`.
pub fn calls(reply: &Reply, is_streaming: bool) -> Vec<Value> {
    let calls: Vec<Value> = if is_streaming {
        let open = |event: &Value| {
            let call = event["choices"][0]["delta"]["tool_calls"][0].clone();
            call["id"].is_string().then_some(call)
        };
        events(reply).iter().filter_map(open).collect()
    } else {
        let message = reply.json()["choices"][0]["message"].clone();
        message["tool_calls"].as_array().expect("calls").clone()
    };
    let without_words = |mut call: Value| {
        call["function"]["arguments"] = "{}".into();
        call
    };
    calls.into_iter().map(without_words).collect()
}

/// A conversation in which these were called and have answered.
pub fn answered(calls: &[Value], assistant: Value) -> Vec<Value> {
    let mut said = vec![json!({"role": "user", "content": "Go"})];
    let message =
        with(json!({"role": "assistant", "content": null, "tool_calls": calls}), assistant);
    said.push(serde_json::from_str(&message).expect("JSON"));
    let result =
        |call: &Value| json!({"role": "tool", "tool_call_id": call["id"], "content": "21 C"});
    said.extend(calls.iter().map(result));
    said
}

/// An account of this type at the scripted vendor, by a key, for the owner.
pub fn account(kind: &str, name: &str, base_url: &str, integrations: Value) -> Value {
    json!({
        "type": format!("provider-account/{kind}"), "name": name, "base_url": base_url,
        "auth_data": {"type": "api-key", "api_key": super::manifest::VENDOR_KEY},
        "integrations": integrations,
        "collaborators":
            [{"subject": super::manifest::OWNER, "role_id": "provider-account-access"}],
    })
}

impl House {
    /// The last body that the vendor saw.
    pub fn sent(&self) -> Value {
        let bodies = self.vendor_bodies();
        serde_json::from_str(bodies.last().expect("the vendor was asked")).expect("JSON")
    }

    /// The last path.
    pub fn path(&self) -> String {
        self.vendor.log().pop().expect("the vendor was asked").path
    }
}
