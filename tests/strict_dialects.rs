//! Strict limits hold clients of every language to the unit: what a vendor is asked for at most is
//! said in its words, and a stream that would cross the cap ends in the client's.

mod harness;

use harness::{
    House, aws_frames,
    client::{Ask, Reply},
    gateway::Gateway,
    manifest, stream,
};
use serde_json::{Value, json};
use weir::rehearsal::script::Step;

/// What a prompt may take beside its bytes.
const OWN_TOKENS: u64 = 1_024;

/// Vendors of four languages behind a strict limit of so many tokens a day.
fn house(limit: u64) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["raw-chat"]);
    let at = |path: &str| format!("http://{}{path}", vendor.address());
    let account = |kind: &str, name: &str, model: &str, more: Value| {
        let integration = model_of(model);
        let mut account = json!({"type": format!("provider-account/{kind}"), "name": name,
            "auth_data": {"type": "api-key", "api_key": "k"}, "integrations": [integration],
            "collaborators": [{"subject": manifest::OWNER, "role_id": "provider-account-access"}]});
        let account_more = more.as_object().expect("an object").clone();
        account.as_object_mut().expect("an object").extend(account_more);
        manifest::write(folder.path(), name, &account);
    };
    account("openai", "agents", "openai", json!({"base_url": at("/v1")}));
    account(
        "google-gemini",
        "goog",
        "gemini",
        json!({"base_url": at("/v1beta"), "auth_data": {"type": "api-key", "apiKey": "k"}}),
    );
    account("aws-bedrock", "aws", "bedrock", json!({"base_url": at(""), "region": "eu-west-1"}));
    let limits = json!({"type": "gateway-rate-limiting-config", "name": "limits", "rules": [
        {"id": "tokens", "limit_to": limit, "unit": "tokens_per_day", "strict": true}]});
    manifest::write(folder.path(), "limits", &limits);
    House { gateway: Gateway::start(folder, &[]), vendor }
}

fn model_of(kind: &str) -> Value {
    let types = if kind == "openai" { json!(["responses"]) } else { json!(["chat"]) };
    json!({"type": format!("integration/model/{kind}"), "name": "raw-x", "model_id": "raw:x",
        "model_types": types})
}

fn prompt_max(ask: &Ask) -> u64 {
    ask.body.len() as u64 + OWN_TOKENS
}

fn responses(model: &str, more: &str) -> Ask {
    let body = format!(r#"{{"model":"{model}","input":"Hello","stream":true{more}}}"#);
    Ask::post("/v1/responses", body)
}

fn gemini(call: &str) -> Ask {
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}"#;
    Ask::post(&format!("/gemini/goog/proxy/v1beta/models/raw-x:{call}"), body)
}

fn converse() -> Ask {
    let body = r#"{"messages":[{"role":"user","content":[{"text":"Hello"}]}],"inferenceConfig":{"temperature":1}}"#;
    Ask::post("/bedrock/proxy/model/aws%2Fraw-x/converse-stream", body)
}

fn asked_for(house: &House) -> Value {
    let bodies = house.vendor_bodies();
    serde_json::from_str(bodies.last().expect("it was asked")).expect("it is JSON")
}

fn events(reply: &Reply) -> Vec<Value> {
    reply.events().iter().map(|it| serde_json::from_str(it).expect("it is JSON")).collect()
}

const MARKER: &str = ": weir-cut {\"reason\":\"strict_cut\",\"tokens\":20}\n\n";

/// A stream of so many tokens in OpenAI's language of responses, one an event.
fn heedless_responses(count: usize) -> Vec<u8> {
    let mut body = String::new();
    let mut sequence = 0;
    let mut event = |kind: &str, mut data: Value| {
        data["type"] = kind.into();
        data["sequence_number"] = sequence.into();
        sequence += 1;
        body.extend(["event: ", kind, "\ndata: ", &data.to_string(), "\n\n"]);
    };
    let response = json!({"id": "resp_7", "object": "response", "status": "in_progress",
        "model": "m", "output": [], "metadata": {"k": "v"}});
    event("response.created", json!({"response": response}));
    let item = json!({"id": "msg_7", "type": "message", "status": "in_progress",
        "role": "assistant", "content": []});
    event("response.output_item.added", json!({"output_index": 0, "item": item}));
    let part = json!({"type": "output_text", "text": "", "annotations": []});
    let about = json!({"output_index": 0, "content_index": 0, "item_id": "msg_7", "part": part});
    event("response.content_part.added", about);
    for index in 0..count {
        event(
            "response.output_text.delta",
            json!({"output_index": 0, "content_index": 0,
            "item_id": "msg_7", "delta": format!("t{index} ")}),
        );
    }
    event(
        "response.completed",
        json!({"response": {"id": "resp_7", "status": "completed",
        "usage": {"input_tokens": 1, "output_tokens": count, "total_tokens": count + 1}}}),
    );
    body.into_bytes()
}

#[test]
fn a_stream_of_responses_ends_at_the_cap_incomplete_under_its_vendors_ids() {
    let ask = responses("agents/raw-x", "");
    for size in [1 << 20, 3] {
        let house = house(prompt_max(&ask) + 20);
        house.teach("x", stream(&heedless_responses(60), 1 << 20, size));

        let reply = house.ask(&ask);

        assert_eq!(reply.status, 200, "{}", reply.text());
        let events = events(&reply);
        let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
        let deltas = kinds.iter().filter(|kind| **kind == "response.output_text.delta").count();
        assert_eq!(deltas, 20);
        let end = [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.incomplete",
        ];
        assert_eq!(kinds[kinds.len() - 4..], end);
        let numbers: Vec<u64> =
            events.iter().filter_map(|event| event["sequence_number"].as_u64()).collect();
        assert!(numbers.iter().copied().eq(0..events.len() as u64), "{numbers:?}");
        let last = &events[events.len() - 1]["response"];
        assert_eq!(last["incomplete_details"]["reason"], "max_output_tokens");
        assert_eq!((&last["id"], &last["metadata"]), (&json!("resp_7"), &json!({"k": "v"})));
        let words: Vec<String> = (0..20).map(|index| format!("t{index} ")).collect();
        assert_eq!(last["output"][0]["id"], "msg_7");
        assert_eq!(last["output"][0]["content"][0]["text"], words.concat());
        assert!(reply.text().contains(MARKER), "{}", reply.text());
        assert_eq!(asked_for(&house)["max_output_tokens"], 20);
        assert_eq!(house.receipt().number("output_tokens"), 20);
    }
}

/// A stream of chats of so many tokens, one an event.
fn heedless_chat(count: usize) -> Vec<u8> {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "created": 5,
            "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let words = (0..count).map(|at| chunk(json!({"content": format!("t{at} ")}), Value::Null));
    let mut body: String = words.collect();
    body.push_str(&chunk(json!({}), json!("stop")));
    body.push_str("data: [DONE]\n\n");
    body.into_bytes()
}

#[test]
fn a_client_of_responses_is_held_to_the_cap_on_a_vendor_of_chats_too() {
    let ask = responses("test/raw-chat", "");
    let house = house(prompt_max(&ask) + 20);
    house.teach("chat", stream(&heedless_chat(60), 1 << 20, 11));

    let reply = house.ask(&ask);

    let events = events(&reply);
    let is_delta = |event: &&Value| event["type"] == "response.output_text.delta";
    assert_eq!(events.iter().filter(is_delta).count(), 20);
    let last = &events[events.len() - 1];
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"]["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(asked_for(&house)["max_tokens"], 20);
    assert_eq!(house.receipt().number("output_tokens"), 20);
}

/// OpenAI takes no bound below 16: where fewer are left, nobody is asked.
#[test]
fn where_fewer_tokens_are_left_than_a_vendor_can_be_asked_for_the_request_is_refused() {
    let ask = responses("agents/raw-x", "");
    let house = house(prompt_max(&ask) + 15);

    let refused = house.ask(&ask);

    assert_eq!((refused.status, refused.refusal().as_str()), (429, "rate_limit_exceeded"));
    assert!(house.vendor.log().is_empty());
}

#[test]
fn a_response_that_hangs_on_what_its_vendor_keeps_is_refused_by_the_name_of_that() {
    let house = house(1_000_000);
    for (more, name) in [
        (r#","previous_response_id":"resp_1""#, "previous_response_id"),
        (r#","conversation":"conv_1""#, "conversation"),
        (r#","background":true"#, "background"),
        (r#","prompt":{"id":"pmpt_1"}"#, "prompt"),
        (r#","tools":[{"type":"web_search"}]"#, "tools"),
        (r#","input_more":[{"type":"item_reference","id":"x"}]"#, "item_reference"),
    ] {
        let refused = house.ask(&responses("agents/raw-x", more));
        assert_eq!((refused.status, refused.refusal().as_str()), (400, "unbounded_request"));
        let error = &refused.json()["error"];
        assert_eq!(error["param"], name, "{error}");
    }
    assert!(house.vendor.log().is_empty());
}

/// A stream of Google's of so many tokens, one an event.
fn heedless_gemini(count: usize) -> Vec<u8> {
    let chunk = |text: String, more: Value| {
        let content = json!({"parts": [{"text": text}], "role": "model"});
        let mut candidate = json!({"content": content, "index": 0});
        let more = more.as_object().expect("an object").clone();
        candidate.as_object_mut().expect("an object").extend(more);
        let chunk = json!({"candidates": [candidate], "modelVersion": "g", "responseId": "r1"});
        format!("data: {chunk}\r\n\r\n")
    };
    let mut body: String = (0..count).map(|at| chunk(format!("t{at} "), json!({}))).collect();
    body.push_str(&chunk(String::new(), json!({"finishReason": "STOP"})));
    body.into_bytes()
}

#[test]
fn a_stream_of_googles_ends_at_the_cap_in_its_own_language_as_events_and_as_an_array() {
    for call in ["streamGenerateContent?alt=sse", "streamGenerateContent"] {
        let ask = gemini(call);
        let house = house(prompt_max(&ask) + 20);
        house.teach("x", stream(&heedless_gemini(60), 1 << 20, 11));

        let reply = house.ask(&ask);

        assert_eq!(reply.status, 200, "{}", reply.text());
        let is_array = !call.contains("sse");
        let chunks: Vec<Value> = if is_array {
            reply.json().as_array().expect("an array").clone()
        } else {
            assert!(reply.text().contains(MARKER), "{}", reply.text());
            events(&reply)
        };
        let text = |chunk: &Value| {
            let text = &chunk["candidates"][0]["content"]["parts"][0]["text"];
            text.as_str().unwrap_or_default().to_owned()
        };
        let told = chunks.iter().map(text).filter(|text| !text.is_empty()).count();
        assert_eq!(told, 20, "{call}");
        assert_eq!(chunks[chunks.len() - 1]["candidates"][0]["finishReason"], "MAX_TOKENS");
        assert_eq!(asked_for(&house)["generationConfig"]["maxOutputTokens"], 20);
        let receipt = house.receipt();
        assert_eq!(receipt.text("code"), "strict_cut");
        assert_eq!(receipt.number("output_tokens"), 20);
    }
}

/// A stream of Bedrock's of so many tokens, one a frame.
fn heedless_bedrock(count: usize) -> Vec<u8> {
    let mut lines = String::from("event messageStart {\"role\":\"assistant\"}\n");
    for at in 0..count {
        let delta = json!({"contentBlockIndex": 0, "delta": {"text": format!("t{at} ")}});
        lines.extend(["event contentBlockDelta ", &delta.to_string(), "\n"]);
    }
    lines.push_str("event contentBlockStop {\"contentBlockIndex\":0}\n");
    lines.push_str("event messageStop {\"stopReason\":\"end_turn\"}\n");
    aws_frames::of_lines(&lines)
}

#[test]
fn a_stream_of_bedrocks_ends_at_the_cap_in_frames() {
    let ask = converse();
    let house = house(prompt_max(&ask) + 20);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let body = harness::chunk(&heedless_bedrock(60));
    let bytes = [head.as_bytes(), &body, b"0\r\n\r\n"].concat();
    house.teach("x", vec![Step::Split(bytes, 64)]);

    let reply = house.ask(&ask);

    assert_eq!(reply.status, 200, "{}", reply.text());
    let lines = aws_frames::to_lines(&reply.body);
    let names: Vec<&str> = lines.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    let deltas = names.iter().filter(|name| **name == "contentBlockDelta").count();
    assert_eq!(deltas, 20);
    assert_eq!(names[names.len() - 3..], ["contentBlockStop", "messageStop", "metadata"]);
    assert!(lines.contains(r#""stopReason":"max_tokens""#), "{lines}");
    let asked = asked_for(&house);
    assert_eq!(asked["inferenceConfig"], json!({"temperature": 1, "maxTokens": 20}));
    assert_eq!(house.receipt().number("output_tokens"), 20);
}

/// What nobody can bound is refused in words, and not sent.
#[test]
fn what_google_and_bedrock_would_look_up_is_refused_by_its_name() {
    let house = house(1_000_000);
    let google = |more: &str| {
        let body = format!(r#"{{"contents":[{{"parts":[{{"text":"Hi"}}]}}]{more}}}"#);
        Ask::post("/gemini/goog/proxy/v1beta/models/raw-x:generateContent", body)
    };
    let bedrock = |content: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{content}]}}]}}"#);
        Ask::post("/bedrock/proxy/model/aws%2Fraw-x/converse", body)
    };
    for (ask, name) in [
        (google(r#","tools":[{"googleSearch":{}}]"#), "tools"),
        (google(r#","cachedContent":"cachedContents/x""#), "cachedContent"),
        (google(r#","generation_config":{"max_output_tokens":5}"#), "generation_config"),
        (google(r#","systemInstruction":{"parts":[{"fileData":{"fileUri":"x"}}]}"#), "fileData"),
        (bedrock(r#"{"document":{"name":"d","format":"pdf"}}"#), "document"),
        (bedrock(r#"{"video":{"format":"mp4"}}"#), "video"),
    ] {
        let refused = house.ask(&ask);
        assert_eq!(refused.status, 400, "{name}: {}", refused.text());
        assert!(refused.text().contains(&format!("\\\"{name}\\\" has no bound")), "{name}");
    }
    assert!(house.vendor.log().is_empty());
}
