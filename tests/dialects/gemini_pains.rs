//! What must not be lost between Gemini and the others, by number and by rule.

use super::stream::{MANNER, translate};
use serde_json::{Value, json};
use weir::{
    dialect::{
        pivot::{
            dropped::Dropped,
            part::Dialect,
            target::{Addressee, Written},
        },
        translation,
    },
    provider::{ability, vendor},
    wire::json::document::Document,
};

const PROOF: &str = "c2ln/+8+cHJvb2Y=";

/// What a model of AI Studio is asked, and what was left out.
fn asked(model: &str, body: &Value, from: Dialect) -> (Value, Vec<String>) {
    let abilities = ability::of(vendor::of("google-gemini").expect("a row"), model);
    let addressee = Addressee { model_json: b"\"m\"", abilities: &abilities };
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let (mut notes, body) = (Document::default(), body.to_string());
    let pair = (from, Dialect::Gemini);
    translation::request(&mut out, body.as_bytes(), pair, &addressee, &mut notes, &mut dropped)
        .expect("a request");
    let names = dropped.iter().map(str::to_owned).collect();
    (serde_json::from_slice(&out).expect("JSON"), names)
}

fn told(reply: &Value, to: Dialect) -> Value {
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let body = reply.to_string();
    let pair = (Dialect::Gemini, to);
    let written = Written::default();
    translation::reply(&mut out, body.as_bytes(), pair, written, &MANNER, &mut dropped)
        .expect("an answer");
    serde_json::from_slice(&out).expect("JSON")
}

fn reply(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}],
        "responseId": "r"})
}

#[test]
fn t124_proofs_of_thought_come_back_from_an_openai_client_as_they_were_told() {
    let parts = json!([
        {"text": "Hm.", "thought": true},
        {"text": "Let me see.", "thoughtSignature": "dGV4dA=="},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": PROOF},
        {"functionCall": {"name": "f", "args": {"a": 2}}}]);
    let answer = told(&reply(&parts), Dialect::OpenAiChat);
    let message = answer["choices"][0]["message"].clone();
    let id = |at: usize| message["tool_calls"][at]["id"].clone();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Go"}, message,
        {"role": "tool", "tool_call_id": id(0), "content": "one"},
        {"role": "tool", "tool_call_id": id(1), "content": "{\"two\": 2}"}]});

    let (sent, dropped) = asked("gemini-3-pro-preview", &body, Dialect::OpenAiChat);

    assert_eq!(dropped, Vec::<String>::new());
    let said = &sent["contents"][1]["parts"];
    // Where there are proofs, an unproven thought is not sent back; Gemini does not want it.
    assert_eq!(said[0], json!({"text": "", "thoughtSignature": "dGV4dA=="}));
    assert_eq!(said[1], json!({"text": "Let me see."}));
    let first = json!({"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": PROOF});
    assert_eq!(said[2], first);
    assert_eq!(said[3], json!({"functionCall": {"name": "f", "args": {"a": 2}}}));
    let results = &sent["contents"][2]["parts"];
    let response = |value: Value| json!({"functionResponse": {"name": "f", "response": value}});
    assert_eq!(results[0], response(json!({"output": "one"})));
    assert_eq!(results[1], response(json!({"two": 2})));
}

#[test]
fn t124_proofs_of_thought_come_back_from_an_anthropic_client_as_they_were_streamed() {
    let event = |parts: Value| format!("data: {}\n\n", reply(&parts));
    let call = json!({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": PROOF});
    let stream = [
        event(json!([{"text": "Hi."}])).replace("STOP", ""),
        event(json!([{"text": "", "thoughtSignature": "dGV4dA=="}])).replace("STOP", ""),
        event(json!([call])),
    ]
    .concat();
    let pair = (Dialect::Gemini, Dialect::Anthropic);
    let out = translate(std::iter::once(stream.as_bytes()), pair).expect("well formed");
    let text = String::from_utf8(out).expect("UTF-8");
    let blocks: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .filter(|event: &Value| event["type"] == "content_block_start")
        .map(|event| event["content_block"].clone())
        .collect();
    assert_eq!(blocks[1], json!({"type": "redacted_thinking", "data": "gemini:dGV4dA=="}));
    let id = blocks[2]["id"].clone();
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "Go"}, {"role": "assistant", "content": blocks},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "is_error": true,
            "content": "no"}]}]});

    let (sent, dropped) = asked("gemini-3-flash-preview", &body, Dialect::Anthropic);

    assert_eq!(dropped, Vec::<String>::new());
    let said = &sent["contents"][1]["parts"];
    assert_eq!(said[0], json!({"text": "", "thoughtSignature": "dGV4dA=="}));
    assert_eq!(said[1]["thoughtSignature"], PROOF);
    let result = json!({"functionResponse": {"name": "f", "response": {"error": "no"}}});
    assert_eq!(sent["contents"][2]["parts"][0], result);
}

#[test]
fn t124_a_call_of_another_vendors_passes_where_a_proof_is_wanted() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f"}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Go"},
        {"role": "assistant", "tool_calls": [call("call_1"), call("call_2")]},
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        {"role": "tool", "tool_call_id": "call_2", "content": "2"}]});

    let (newest, _) = asked("gemini-3-pro-preview", &body, Dialect::OpenAiChat);
    let (older, _) = asked("gemini-2.5-pro", &body, Dialect::OpenAiChat);

    let parts = &newest["contents"][1]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts[1].get("thoughtSignature"), None);
    assert_eq!(parts[0]["functionCall"]["id"], "call_1");
    assert_eq!(older["contents"][1]["parts"][0].get("thoughtSignature"), None);
}

#[test]
fn another_vendors_proof_is_never_shown_to_anthropic() {
    let message = json!({"role": "assistant", "content": "Hi", "thinking_blocks": [
        {"type": "redacted_thinking", "data": "gemini:abc"}]});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Go"}, message,
        {"role": "user", "content": "On"}]});
    let abilities = ability::of(vendor::of("anthropic").expect("a row"), "claude-sonnet-4-5");
    let addressee = Addressee { model_json: b"\"m\"", abilities: &abilities };
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let pair = (Dialect::OpenAiChat, Dialect::Anthropic);
    let mut notes = Document::default();

    translation::request(
        &mut out,
        body.to_string().as_bytes(),
        pair,
        &addressee,
        &mut notes,
        &mut dropped,
    )
    .expect("a request");

    assert!(!String::from_utf8_lossy(&out).contains("gemini:"));
    assert_eq!(dropped.iter().collect::<Vec<_>>(), ["messages[].redacted_thinking"]);
}

#[test]
fn an_effort_is_a_budget_or_a_level_and_never_both() {
    let config = |model: &str, effort: &str| {
        let body = json!({"model": "m", "reasoning_effort": effort,
            "messages": [{"role": "user", "content": "Go"}]});
        let (sent, dropped) = asked(model, &body, Dialect::OpenAiChat);
        (sent["generationConfig"]["thinkingConfig"].clone(), dropped)
    };
    let named = vec!["reasoning_effort".to_owned()];
    let budget = |budget: u64| json!({"includeThoughts": true, "thinkingBudget": budget});
    let level = |level: &str| json!({"includeThoughts": true, "thinkingLevel": level});
    for (model, effort, expected, dropped) in [
        ("gemini-2.5-flash", "low", budget(1_024), vec![]),
        ("gemini-2.5-flash", "none", json!({"thinkingBudget": 0}), vec![]),
        ("gemini-2.5-pro", "high", budget(24_576), vec![]),
        ("gemini-2.5-pro", "none", json!({"thinkingBudget": 128}), named.clone()),
        ("gemini-3-pro-preview", "high", level("HIGH"), vec![]),
        ("gemini-3-pro-preview", "none", json!({"thinkingLevel": "LOW"}), named.clone()),
        ("gemini-3-pro-preview", "xhigh", level("HIGH"), named.clone()),
        ("gemini-2.0-flash", "high", Value::Null, named),
        ("gemini-2.0-flash", "none", Value::Null, vec![]),
    ] {
        assert_eq!(config(model, effort), (expected, dropped), "{model} {effort}");
    }
}

#[test]
fn t127_images_of_every_address_are_told() {
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [
        image("gs://bucket/a.png"), image("https://example.com/b"),
        image("data:image/webp;base64,UklGRg==")]}]});

    let (sent, dropped) = asked("gemini-2.5-flash", &body, Dialect::OpenAiChat);

    assert_eq!(dropped, Vec::<String>::new());
    let parts = &sent["contents"][0]["parts"];
    let file = |kind: &str, uri: &str| json!({"fileData": {"mimeType": kind, "fileUri": uri}});
    assert_eq!(parts[0], file("image/png", "gs://bucket/a.png"));
    assert_eq!(parts[1], file("image/jpeg", "https://example.com/b"));
    assert_eq!(parts[2], json!({"inlineData": {"mimeType": "image/webp", "data": "UklGRg=="}}));
}

#[test]
fn a_form_beside_tools_is_a_tool_where_the_model_cannot_be_bound_otherwise() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Go"}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}});

    let (older, _) = asked("gemini-2.5-flash", &body, Dialect::OpenAiChat);
    let (newest, _) = asked("gemini-3-flash-preview", &body, Dialect::OpenAiChat);

    let functions = &older["tools"][0]["functionDeclarations"];
    assert_eq!(functions[1]["name"], "structured_output");
    assert_eq!(functions[1]["parametersJsonSchema"], schema);
    assert_eq!(older["toolConfig"]["functionCallingConfig"]["mode"], "ANY");
    assert_eq!(older.get("generationConfig"), None);
    assert_eq!(newest["generationConfig"]["responseJsonSchema"], schema);
    assert_eq!(newest["tools"][0]["functionDeclarations"].as_array().map(Vec::len), Some(1));
}
