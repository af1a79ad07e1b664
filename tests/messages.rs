//! Two languages over one gateway: OpenAI's and Anthropic's clients, OpenAI's and Anthropic's
//! vendors, over sockets.

mod harness;

use harness::{
    House, answer,
    client::Ask,
    gateway::Gateway,
    manifest, stream,
    talk::{self, chat, events, messages},
    vendor,
};
use serde_json::{Value, json};
use std::net::TcpListener;

/// A house with the usual account and one of Anthropic's type, `claude`, at the same vendor.
fn house() -> House {
    let vendor = vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["plain", "tool", "parallel", "raw-x"]);
    let models = [
        "claude-sonnet-4-5",
        "claude-tool",
        "claude-parallel-tool",
        "claude-think",
        "claude-overloaded",
        "claude-e429",
        "claude-e401",
        "claude-e529",
        "claude-cut",
        "raw-x",
    ];
    let integration = |name: &str| {
        let id = name.strip_prefix("raw-").map(|raw| format!("raw:{raw}"));
        json!({"type": "integration/model/anthropic", "name": name, "model_types": ["chat"],
            "model_id": id.unwrap_or_else(|| name.to_owned())})
    };
    let base_url = format!("http://{}/v1", vendor.address());
    let account = talk::account("anthropic", "claude", &base_url, json!(models.map(integration)));
    manifest::write(folder.path(), "claude", &account);
    House { gateway: Gateway::start(folder, &[]), vendor }
}

#[test]
fn an_openai_client_talks_to_claude() {
    let house = house();

    let reply = house.ask(&chat("claude/claude-sonnet-4-5", json!({"seed": 7, "user": "u1"})));

    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert!(body["choices"][0]["message"]["content"].as_str().is_some_and(|t| t.len() > 20));
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 11);
    assert_eq!(reply.header("x-weir-dropped"), Some("seed"));
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(seen.header("x-api-key"), Some(manifest::VENDOR_KEY));
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(house.sent()["metadata"]["user_id"], "u1");
    let receipt = house.receipt();
    assert_eq!(receipt.text("operation"), "chat_completions");
    assert_eq!(receipt.number("input_tokens"), body["usage"]["prompt_tokens"]);
    assert_eq!(receipt.number("output_tokens"), body["usage"]["completion_tokens"]);
    assert_eq!(receipt.number("cached_tokens"), 11);
}

#[test]
fn t041_t053_an_openai_client_streams_claude_and_the_receipt_has_its_tokens() {
    let house = house();
    let more = json!({"stream": true, "stream_options": {"include_usage": true}});

    let reply = house.ask(&chat("claude/claude-think", more));

    assert_eq!(reply.status, 200, "{}", reply.text());
    let events = events(&reply);
    assert_eq!(events.last().and_then(Value::as_str), Some("[DONE]"));
    let thought: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["reasoning_content"].as_str())
        .collect();
    assert_eq!(thought, "Let me think about that.");
    let usage = &events[events.len() - 2]["usage"];
    let receipt = house.receipt();
    assert_eq!(receipt.number("input_tokens"), usage["prompt_tokens"]);
    assert_eq!(receipt.number("output_tokens"), usage["completion_tokens"]);
    assert_eq!(receipt.number("cached_tokens"), 11);
    assert_eq!(receipt.text("ending"), "complete");
}

#[test]
fn t124_thinking_survives_a_round_trip_with_its_signature() {
    let house = house();
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    let first = house.ask(&chat("claude/claude-think", json!({"reasoning_effort": "high"})));
    let thought = first.json()["choices"][0]["message"].clone();
    assert_eq!(thought["thinking_blocks"][0]["thinking"], "Let me think about that.");
    let called = house.ask(&chat("claude/claude-tool", json!({"tools": tools})));
    let mut called = called.json()["choices"][0]["message"].clone();
    called["thinking_blocks"] = thought["thinking_blocks"].clone();
    let id = called["tool_calls"][0]["id"].clone();

    let reply = house.ask(&chat(
        "claude/claude-tool",
        json!({"tools": tools, "reasoning_effort": "high", "messages": [
            {"role": "user", "content": "Go"}, called,
            {"role": "tool", "tool_call_id": id, "content": "done"}]}),
    ));

    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = house.sent();
    let block = &sent["messages"][1]["content"][0];
    assert_eq!(block["signature"], thought["thinking_blocks"][0]["signature"]);
    assert_eq!(sent["thinking"]["type"], "adaptive");
    assert_eq!(sent["messages"][2]["content"][0]["type"], "tool_result");
    assert_eq!(reply.header("x-weir-dropped"), None);
}

#[test]
fn an_anthropic_client_talks_to_an_openai_vendor() {
    let house = house();

    let reply = house.ask(&messages("test/plain", json!({"system": "Be brief.", "top_k": 3})));

    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    assert_eq!(body["type"], "message");
    assert_eq!(body["stop_reason"], "end_turn");
    assert_eq!(body["content"][0]["type"], "text");
    assert_eq!(reply.header("x-weir-dropped"), Some("top_k"));
    let sent = house.sent();
    assert_eq!(sent["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(sent["max_tokens"], 500);
    let receipt = house.receipt();
    assert_eq!(receipt.text("operation"), "messages");
    assert_eq!(receipt.number("input_tokens"), body["usage"]["input_tokens"]);
}

#[test]
fn t010_t020_an_anthropic_client_streams_interleaved_calls_as_blocks_in_a_row() {
    let house = house();
    let tool = |name: &str| {
        json!({"name": name, "input_schema": {"type": "object",
            "properties": {"city": {"type": "string"}}}})
    };
    let more = json!({"stream": true, "tools": [tool("get_weather"), tool("get_time")]});

    let reply = house.ask(&messages("test/parallel", more));

    let events = events(&reply);
    let mut open = None;
    let mut inputs = Vec::new();
    for event in &events {
        match event["type"].as_str() {
            Some("content_block_start") => {
                assert_eq!(open, None, "{event}");
                open = event["index"].as_u64();
                inputs.push(String::new());
            }
            Some("content_block_delta") => {
                assert_eq!(open, event["index"].as_u64());
                let piece = event["delta"]["partial_json"].as_str().unwrap_or_default();
                inputs.last_mut().expect("a block is open").push_str(piece);
            }
            Some("content_block_stop") => open = None,
            _ => {}
        }
    }
    assert_eq!(inputs.len(), 2, "{}", reply.text());
    for input in inputs {
        let input: Value = serde_json::from_str(&input).expect("whole JSON");
        assert!(input["city"].is_string());
    }
    for event in reply.text().split_terminator("\n\n") {
        let (name, data) = event.split_once("\ndata: ").expect("a name and data");
        let data: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str(), "{event}");
    }
    let end = &events[events.len() - 2];
    assert_eq!(end["delta"]["stop_reason"], "tool_use");
    assert!(end["usage"]["output_tokens"].as_u64().is_some_and(|tokens| tokens > 0));
}

#[test]
fn anthropic_to_anthropic_passes_byte_for_byte_but_for_the_model() {
    let house = house();
    let body = "{ \"model\" : \"claude/raw-x\",\"max_tokens\":5, \"messages\":[],\"new_field\":{\"n\":1.0e+2} }";
    let told = b"{ \"type\":\"message\", \"odd\" : 1.0e+2,\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}";
    house.teach("x", answer(200, "application/json", told));

    let ask = Ask::post("/v1/messages?beta=true", body)
        .header("anthropic-beta", "a-name-nobody-knows-2099-01-01")
        .header("anthropic-version", "2023-06-01");
    let reply = house.ask(&ask);

    assert_eq!(reply.body, told);
    assert_eq!(house.vendor_bodies(), [body.replace("claude/raw-x", "raw:x")]);
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert_eq!(seen.header("anthropic-beta"), Some("a-name-nobody-knows-2099-01-01"));
    let receipt = house.receipt();
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (3, 4));
}

#[test]
fn an_anthropic_stream_passes_byte_for_byte_and_its_tokens_are_seen() {
    let house = house();
    let told: &[u8] = b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":\
        {\"input_tokens\":9,\"cache_read_input_tokens\":4}}}\n\n: odd\n\nevent: brand_new\ndata: {\"x\":1}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\
        \"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    house.teach("x", stream(told, 11, 7));

    let reply = house.ask(&messages("claude/raw-x", json!({"stream": true})));

    assert_eq!(reply.text(), String::from_utf8_lossy(told));
    let receipt = house.receipt();
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (13, 2));
    assert_eq!(receipt.number("cached_tokens"), 4);
}

#[test]
fn an_anthropic_client_talks_to_claude_with_the_version_and_key_that_are_needed() {
    let house = house();
    let ask = messages("claude/claude-think", json!({"stream": true})).without("anthropic-version");

    let reply = house.ask(&ask);

    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.text().ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(seen.header("x-api-key"), Some(manifest::VENDOR_KEY));
    assert_eq!(seen.header("authorization"), None);
}

#[test]
fn tokens_are_counted_where_the_vendor_counts_and_refused_elsewhere() {
    let house = house();
    let count = |model: &str| {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
        Ask::post("/v1/messages/count_tokens", body.to_string())
    };

    let counted = house.ask(&count("claude/claude-sonnet-4-5"));
    let refused = house.ask(&count("test/plain"));

    assert!(counted.json()["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0));
    assert_eq!(refused.status, 404);
    assert_eq!(refused.json()["error"]["type"], "not_found_error");
}

#[test]
fn refusals_and_vendors_errors_are_told_in_the_clients_words() {
    let house = house();

    let unknown = house.ask(&messages("claude/nobody", json!({})));
    assert_eq!(unknown.status, 404);
    let body = unknown.json();
    assert_eq!(body["type"], "error");
    assert_eq!(body["error"]["type"], "not_found_error");
    assert_eq!(body["request_id"].as_str(), unknown.header("request-id"));

    let limited = house.ask(&chat("claude/claude-e429", json!({})));
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    assert_eq!(limited.json()["error"]["type"], "rate_limit_error");
    assert_eq!(limited.json()["error"]["message"], "The vendor says 429.");

    let overloaded = house.ask(&chat("claude/claude-e529", json!({})));
    assert_eq!(overloaded.status, 529);
    assert_eq!(overloaded.json()["error"]["type"], "overloaded_error");

    let refused = house.ask(&chat("claude/claude-e401", json!({})));
    assert_eq!(refused.status, 502);
    assert_eq!(refused.json()["error"]["code"], "upstream_auth");

    let keyless = house.ask(&messages("test/plain", json!({})).key("nobodys"));
    assert_eq!(keyless.status, 401);
    assert_eq!(keyless.json()["error"]["type"], "authentication_error");
    let by_header = messages("test/plain", json!({})).without("authorization");
    let by_header = house.ask(&by_header.header("x-api-key", harness::client::KEY));
    assert_eq!(by_header.status, 200);
}

#[test]
fn fault_11_an_error_in_midstream_is_told_in_the_clients_words() {
    let house = house();

    let reply = house.ask(&chat("claude/claude-overloaded", json!({"stream": true})));

    let events = events(&reply);
    let last = events.last().expect("events");
    assert_eq!(last["error"]["type"], "overloaded_error");
    assert!(events.iter().all(|event| event.as_str() != Some("[DONE]")));
    let receipt = house.receipt();
    assert_eq!(receipt.text("fault"), "error_event");
    assert_eq!(receipt.text("ending"), "broken");
}

#[test]
fn fault_01_a_cut_stream_is_told_in_the_clients_words() {
    let house = house();

    let reply = house.ask(&chat("claude/claude-cut", json!({"stream": true})));

    let events = events(&reply);
    assert_eq!(events.last().expect("events")["error"]["code"], "stream_truncated");
    assert_eq!(house.receipt().text("ending"), "broken");
}

#[test]
fn what_cannot_be_said_is_refused_where_the_client_is_strict() {
    let house = house();
    let ask = chat("claude/claude-sonnet-4-5", json!({"logit_bias": {"1": 2}}));

    let reply = house.ask(&ask.header("x-weir-strict-translation", "true"));

    assert_eq!(reply.status, 400);
    assert_eq!(reply.refusal(), "invalid_field");
    assert_eq!(reply.json()["error"]["param"], "logit_bias");
    assert!(house.vendor_bodies().is_empty());
}

/// Issue rows 42: where a body is parsed in full, what no reader could take is refused.
#[test]
fn fault_42_a_translated_body_is_parsed_in_full() {
    let house = house();
    for broken in ["\"\\ud800\"", "1e999", "[1,]", "NaN"] {
        let body =
            format!("{{\"model\":\"claude/claude-sonnet-4-5\",\"messages\":[],\"x\":[{broken}]}}");
        let reply = house.ask(&Ask::post("/v1/chat/completions", body));
        assert_eq!((reply.status, &*reply.refusal()), (400, "invalid_json"), "{broken}");
    }
    assert!(house.vendor_bodies().is_empty());
}

#[test]
fn structured_output_comes_back_as_content() {
    let house = house();
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "c", "schema": schema}});
    for is_streaming in [false, true] {
        let more = json!({"response_format": format, "stream": is_streaming});

        let reply = house.ask(&chat("claude/claude-tool", more));

        let content: String = if is_streaming {
            let pieces = events(&reply);
            let piece =
                |event: &Value| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
            pieces.iter().filter_map(piece).collect()
        } else {
            reply.json()["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
        };
        let content: Value = serde_json::from_str(&content).expect(&content);
        assert!(content["city"].is_string());
        assert!(reply.text().contains("\"finish_reason\":\"stop\""));
        assert!(!reply.text().contains("tool_calls"));
    }
}

#[test]
fn t012_pings_become_comments_where_they_are_asked_for() {
    let house = house();
    let ask = || chat("claude/claude-sonnet-4-5", json!({"stream": true}));

    let asked = house.ask(&ask().header("x-tfy-forward-pings", "true"));
    let unasked = house.ask(&ask());

    assert!(asked.text().contains(": keepalive\n\n"));
    assert!(!unasked.text().contains("keepalive"));
}

#[test]
fn the_loose_manner_puts_thinking_in_front_of_the_text() {
    let house = house();

    let reply =
        house.ask(&chat("claude/claude-think", json!({})).header("x-tfy-strict-openai", "false"));

    let content = reply.json()["choices"][0]["message"]["content"].clone();
    assert_eq!(content[0]["type"], "thinking");
    assert!(content[0]["signature"].is_string());
    assert_eq!(content[1]["type"], "text");
}

/// Row 47: an address that a client writes is words to us, wherever it points; whoever is told of
/// it fetches it or not.
#[test]
fn fault_47_the_address_of_an_image_is_handed_on_and_never_visited() {
    let house = house();
    let private = TcpListener::bind("127.0.0.1:0").expect("a port");
    private.set_nonblocking(true).expect("a listener");
    let address = private.local_addr().expect("an address");
    for url in [format!("http://{address}/x.png"), "http://169.254.169.254/latest".to_owned()] {
        let image = json!({"type": "image_url", "image_url": {"url": url}});
        let content = json!([{"type": "text", "text": "What is this?"}, image]);
        let said = json!({"messages": [{"role": "user", "content": content}]});

        for model in ["claude/claude-sonnet-4-5", "test/plain"] {
            assert_eq!(house.ask(&chat(model, said.clone())).status, 200, "{model}");
            let seen = house.vendor.log().pop().expect("it was asked");
            assert!(String::from_utf8_lossy(&seen.body).contains(&url), "{model}");
        }
    }
    let visited = private.accept().map(|_| ());
    assert_eq!(visited.map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock));
}
