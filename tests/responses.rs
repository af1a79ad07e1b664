//! OpenAI's Responses API over a gateway: its clients on vendors of each language, and clients of
//! other languages on a vendor that speaks nothing else, over sockets.

mod harness;

use harness::{
    House, answer,
    client::{Ask, Reply},
    gateway::Gateway,
    manifest,
    receipt::Receipt,
    stream,
    talk::{events, with},
    vendor,
};
use serde_json::{Value, json};

/// A house with an account of each kind at one vendor: `openai` speaks chats and responses,
/// `agents` responses alone, `chats` chats alone, `claude` Anthropic's language.
fn house() -> House {
    let vendor = vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["plain"]);
    let accounts = [
        ("openai", "openai", json!(["chat", "responses"])),
        ("agents", "openai", json!(["responses"])),
        ("chats", "openai", json!(["chat"])),
        ("claude", "anthropic", json!(["chat"])),
    ];
    let names = ["plain", "tool", "think", "short", "broken", "cut", "e429", "raw-x"];
    for (account, kind, types) in accounts {
        let integrations = names.map(|name| {
            let id = name.strip_prefix("raw-").map(|raw| format!("raw:{raw}"));
            // A Claude that thinks; the scripted vendor minds the words behind.
            let plain =
                if kind == "anthropic" { format!("claude-opus-4-6-{name}") } else { name.into() };
            json!({"type": format!("integration/model/{kind}"), "name": name,
                "model_types": types, "model_id": id.unwrap_or(plain)})
        });
        let document = json!({
            "type": format!("provider-account/{kind}"), "name": account,
            "base_url": format!("http://{}/v1", vendor.address()),
            "auth_data": {"type": "api-key", "api_key": manifest::VENDOR_KEY},
            "integrations": integrations,
            "collaborators": [{"subject": manifest::OWNER, "role_id": "provider-account-access"}],
        });
        manifest::write(folder.path(), account, &document);
    }
    House { gateway: Gateway::start(folder, &[]), vendor }
}

fn responses(model: &str, more: Value) -> Ask {
    Ask::post("/v1/responses", with(json!({"model": model, "input": "Hello"}), more))
}

fn tools() -> Value {
    json!([{"type": "function", "name": "get_weather", "strict": false, "parameters":
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}])
}

fn bodiless(method: &str, path: &str) -> Ask {
    Ask { method: method.into(), ..Ask::get(path) }
}

/// The receipt of the last of so many exchanges.
fn receipt(house: &House, count: usize) -> Receipt {
    house.receipts(count).remove(count - 1)
}

/// The types of an answer's items.
fn kinds(response: &Value) -> Vec<&str> {
    let items = response["output"].as_array().expect("output");
    items.iter().map(|item| item["type"].as_str().expect("a type")).collect()
}

#[test]
fn a_native_vendor_is_asked_byte_for_byte_but_for_the_model() {
    let house = house();
    let body = "{ \"model\" : \"openai/raw-x\",\"input\":[], \"store\":true,\
        \"previous_response_id\":\"resp_0\",\"background\":true,\"new_field\":{\"n\":1.0e+2} }";
    let told = b"{ \"object\":\"response\", \"odd\" : 1.0e+2,\"usage\":{\"input_tokens\":3,\
        \"output_tokens\":4,\"input_tokens_details\":{\"cached_tokens\":2}}}";
    house.teach("x", answer(200, "application/json", told));

    let reply = house.ask(&Ask::post("/v1/responses", body));

    assert_eq!(reply.body, told);
    assert_eq!(house.vendor_bodies(), [body.replace("openai/raw-x", "raw:x")]);
    assert_eq!(house.path(), "/v1/responses");
    let receipt = house.receipt();
    assert_eq!(receipt.text("operation"), "responses");
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (3, 4));
    assert_eq!(receipt.number("cached_tokens"), 2);
}

/// t055: the usage stands in the envelope of the last event.
#[test]
fn t055_a_native_stream_passes_byte_for_byte_and_its_tokens_are_seen() {
    let house = house();
    let told: &[u8] = b"event: response.created\ndata: {\"type\":\"response.created\",\"response\":\
        {\"id\":\"resp_1\",\"usage\":null}}\n\n: odd\n\nevent: brand_new\ndata: {\"type\":\"x\"}\n\n\
        event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\
        \"completed\",\"usage\":{\"input_tokens\":9,\"output_tokens\":5,\"output_tokens_details\":\
        {\"reasoning_tokens\":2}}}}\n\n";
    house.teach("x", stream(told, 11, 7));

    let reply = house.ask(&responses("openai/raw-x", json!({"stream": true})));

    assert_eq!(reply.body, told);
    let receipt = house.receipt();
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (9, 5));
    assert_eq!(receipt.number("reasoning_tokens"), 2);
    assert_eq!(receipt.text("ending"), "complete");
}

/// The same conversation, a call and its result, on every vendor.
#[test]
fn a_conversation_with_tools_is_held_on_each_vendor() {
    let house = house();
    let mut count = 0;
    for account in ["openai", "chats", "claude"] {
        for is_streaming in [false, true] {
            count += 2;
            let more = json!({"tools": tools(), "stream": is_streaming, "tool_choice": "required"});
            let first = house.ask(&responses(&format!("{account}/tool"), more));
            assert_eq!(first.status, 200, "{account}: {}", first.text());
            let called = whole(&first, is_streaming);
            let call = called["output"].as_array().expect("output").last().expect("a call").clone();
            assert_eq!(call["type"], "function_call", "{account}: {called}");
            let input = json!([{"role": "user", "content": "Weather?"}, call,
                {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}]);

            let more = json!({"tools": tools(), "input": input, "stream": is_streaming});
            let second = house.ask(&responses(&format!("{account}/tool"), more));

            assert_eq!(second.status, 200, "{account}: {}", second.text());
            let told = whole(&second, is_streaming);
            assert_eq!(kinds(&told), ["message"], "{account}: {told}");
            assert_eq!(told["status"], "completed");
            let receipt = receipt(&house, count);
            assert_eq!(
                Some(receipt.number("input_tokens")),
                told["usage"]["input_tokens"].as_u64()
            );
            assert_eq!(
                Some(receipt.number("output_tokens")),
                told["usage"]["output_tokens"].as_u64()
            );
        }
    }
}

/// The response that a reply is, or that its last event holds.
fn whole(reply: &Reply, is_streaming: bool) -> Value {
    if !is_streaming {
        return reply.json();
    }
    let events = events(reply);
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], index, "{event}");
    }
    let last = events.last().expect("an event");
    assert_eq!(last["type"], "response.completed", "{last}");
    last["response"].clone()
}

#[test]
fn t124_thinking_of_claude_survives_a_round_trip_through_a_responses_client() {
    let house = house();
    let more =
        json!({"tools": tools(), "reasoning": {"effort": "high"}, "max_output_tokens": 9000});
    let first = house.ask(&responses("claude/think", more.clone()));
    let thought = first.json()["output"][0].clone();
    assert_eq!(thought["type"], "reasoning", "{}", first.text());
    assert_eq!(thought["summary"][0]["text"], "Let me think about that.");
    let call = json!({"type": "function_call", "call_id": "c1", "name": "get_weather",
        "arguments": "{\"city\":\"Oslo\"}"});
    let result = json!({"type": "function_call_output", "call_id": "c1", "output": "rain"});

    let mut more = more;
    more["input"] = json!([{"role": "user", "content": "Go"}, thought, call, result]);
    let reply = house.ask(&responses("claude/think", more));

    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("x-weir-dropped"), None);
    let block = &house.sent()["messages"][1]["content"][0];
    assert_eq!(block["thinking"], "Let me think about that.");
    assert_eq!(block["signature"], "c2lnbmVkIGJ5IHRoZSByZWhlYXJzYWw=");
}

#[test]
fn what_a_vendor_would_keep_is_refused_where_it_keeps_nothing() {
    let house = house();
    let kept = [
        json!({"previous_response_id": "resp_1"}),
        json!({"conversation": "conv_1"}),
        json!({"background": true}),
        json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
    ];
    for more in kept {
        let reply = house.ask(&responses("chats/plain", more.clone()));
        assert_eq!(reply.status, 400, "{more}");
        assert_eq!(reply.json()["error"]["code"], "invalid_field");
        let native = house.ask(&responses("openai/raw-x", more));
        assert_eq!(native.json()["error"]["code"], "unknown_raw", "it was asked natively");
    }
    let reply = house.ask(&responses("chats/plain", json!({"store": true, "truncation": "auto"})));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("x-weir-dropped"), Some("store, truncation"));
}

#[test]
fn clients_of_other_languages_talk_to_a_vendor_of_responses_alone() {
    let house = house();
    let chat = Ask::post(
        "/v1/chat/completions",
        r#"{"model":"agents/plain","seed":1,"messages":[{"role":"system","content":"Brief."},{"role":"user","content":"Hi"}]}"#,
    );
    let reply = house.ask(&chat);
    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 11);
    assert_eq!(reply.header("x-weir-dropped"), Some("seed"));
    assert_eq!(house.path(), "/v1/responses");
    assert_eq!(house.sent()["store"], false);

    let body = r#"{"model":"agents/think","max_tokens":9000,"stream":true,
        "thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"user","content":"Hi"}]}"#;
    let reply =
        house.ask(&Ask::post("/v1/messages", body).header("anthropic-version", "2023-06-01"));

    let events = events(&reply);
    assert_eq!(events[0]["type"], "message_start", "{}", reply.text());
    let signature = events.iter().find_map(|event| event["delta"]["signature"].as_str());
    let signature = signature.expect("what proves the thinking");
    assert!(signature.starts_with("responses.gAAAA"), "{signature}");
    let receipt = receipt(&house, 2);
    assert_eq!(receipt.text("operation"), "messages");
    assert!(receipt.number("reasoning_tokens") > 0);

    let again = json!({"model": "agents/plain", "max_tokens": 9000, "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Let me think about that.", "signature": signature},
            {"type": "text", "text": "Hello."}]},
        {"role": "user", "content": "Go on"}]});
    let reply = house.ask(
        &Ask::post("/v1/messages", again.to_string()).header("anthropic-version", "2023-06-01"),
    );
    assert_eq!(reply.status, 200, "the vendor knows its own seal: {}", reply.text());
    assert_eq!(reply.header("x-weir-dropped"), None);
}

/// t129: what only one vendor can verify is not sent to another.
#[test]
fn t129_thoughts_sealed_by_another_vendor_are_named_and_not_sent() {
    let house = house();
    let thinking = json!({"type": "thinking", "thinking": "Hm.", "signature": "responses.gAAAAA"});
    let chat = json!({"model": "claude/plain", "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello.", "thinking_blocks": [thinking]},
        {"role": "user", "content": "Go on"}]});

    let reply = house.ask(&Ask::post("/v1/chat/completions", chat.to_string()));

    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("x-weir-dropped"), Some("messages[].thinking"));
    assert!(!house.vendor_bodies().last().expect("asked").contains("gAAAA"));
}

/// fault 1, 2: a stream that was cut is told as failed, in words that the client's library reads.
#[test]
fn fault_01_a_stream_that_is_cut_ends_as_failed() {
    let house = house();
    for (index, account) in ["openai", "chats", "claude"].into_iter().enumerate() {
        let reply = house.ask(&responses(&format!("{account}/cut"), json!({"stream": true})));

        let events = events(&reply);
        let error = events.iter().find(|event| event["type"] == "error");
        let error = error.unwrap_or_else(|| panic!("{account}: {}", reply.text()));
        assert_eq!(error["code"], "stream_truncated", "{account}");
        assert_eq!(error["error"]["code"], "stream_truncated", "{account}");
        if account != "openai" {
            let last = events.last().expect("an event");
            assert_eq!(last["type"], "response.failed", "{account}");
            assert_eq!(last["response"]["error"]["code"], "stream_truncated");
        }
        assert_eq!(receipt(&house, index + 1).text("ending"), "broken");
    }
}

/// A client of chats asks.
fn chat(house: &House, model: &str, is_streaming: bool) -> Reply {
    let body = json!({"model": model, "stream": is_streaming,
        "messages": [{"role": "user", "content": "Hi"}]});
    house.ask(&Ask::post("/v1/chat/completions", body.to_string()))
}

#[test]
fn t019_an_incomplete_or_failed_answer_does_not_end_in_silence() {
    let house = house();
    let whole = chat(&house, "agents/short", false);
    assert_eq!(whole.json()["choices"][0]["finish_reason"], "length");
    let events_of = events(&chat(&house, "agents/short", true));
    assert!(events_of.iter().any(|event| event["choices"][0]["finish_reason"] == "length"));

    let broken = chat(&house, "agents/broken", true);

    let events = events(&broken);
    assert_eq!(events.last().expect("an event")["error"]["message"], "The vendor broke.");
    assert_eq!(receipt(&house, 3).text("ending"), "broken");
}

#[test]
fn t050_the_tokens_of_an_incomplete_or_failed_answer_are_counted() {
    let house = house();
    let stream = |name: &str, status: &str, more: Value| {
        let response = with(
            json!({"id": "r", "object": "response", "created_at": 1, "status": status,
                "model": "m", "output": [], "usage":
                {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}}),
            more,
        );
        format!("data: {{\"type\":\"{name}\",\"sequence_number\":1,\"response\":{response}}}\n\n")
    };
    let cut = json!({"incomplete_details": {"reason": "max_output_tokens"}});
    let broken = json!({"error": {"code": "server_error", "message": "No."}});
    let streams = [
        stream("response.incomplete", "incomplete", cut),
        stream("response.failed", "failed", broken),
    ];
    for (index, body) in streams.iter().enumerate() {
        house.teach("x", harness::stream(body.as_bytes(), body.len(), usize::MAX));

        chat(&house, "agents/raw-x", true);

        let receipt = receipt(&house, index + 1);
        let found = ["input_tokens", "output_tokens"].map(|name| receipt.number(name));
        assert_eq!(found, [11, 7], "{receipt:?}");
    }
}

#[test]
fn an_error_of_a_vendor_is_told_in_the_clients_words() {
    let house = house();
    for account in ["openai", "chats", "claude"] {
        let reply = house.ask(&responses(&format!("{account}/e429"), json!({})));
        assert_eq!(reply.status, 429, "{account}");
        assert!(reply.json()["error"]["message"].is_string(), "{account}: {}", reply.text());
    }
    let unknown = house.ask(&responses("openai/nothing", json!({})));
    assert_eq!(
        (unknown.status, unknown.json()["error"]["code"].as_str()),
        (404, Some("model_not_found"))
    );
}

#[test]
fn an_account_may_be_named_by_a_header() {
    let house = house();
    let ask = responses("plain", json!({})).header("x-tfy-provider-name", "openai");
    assert_eq!(house.ask(&ask).status, 200);
    assert_eq!(receipt(&house, 1).text("requested_model"), "openai/plain");

    let whole = responses("chats/plain", json!({})).header("x-tfy-provider-name", "openai");
    assert_eq!(house.ask(&whole).status, 200);
    assert_eq!(house.path(), "/v1/chat/completions", "a whole name stands");

    let compact = Ask::post("/v1/responses/compact", r#"{"model":"plain","input":"Hi"}"#);
    let reply = house.ask(&compact.header("x-tfy-provider-name", "openai"));
    assert_eq!(reply.json()["object"], "response.compaction", "{}", reply.text());
    assert_eq!(house.path(), "/v1/responses/compact");
    assert_eq!(receipt(&house, 3).number("output_tokens"), 3);
    let elsewhere = Ask::post("/v1/responses/compact", r#"{"model":"claude/plain","input":"Hi"}"#);
    assert_eq!(house.ask(&elsewhere).json()["error"]["code"], "operation_not_supported");
}

#[test]
fn what_a_vendor_keeps_is_asked_of_the_account_that_the_header_names() {
    let house = house();
    let named = |ask: Ask| house.ask(&ask.header("x-tfy-provider-name", "openai"));

    let kept = named(Ask::get("/v1/responses/resp_1?include[]=x"));
    assert_eq!((kept.status, kept.json()["id"].as_str()), (200, Some("resp_1")), "{}", kept.text());
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert_eq!((&*seen.method, &*seen.path), ("GET", "/v1/responses/resp_1?include[]=x"));
    assert!(seen.header("authorization").is_some_and(|it| it.contains(manifest::VENDOR_KEY)));
    let receipt = house.receipt();
    assert_eq!(receipt.text("operation"), "stored_response");
    assert_eq!(receipt.number("output_tokens"), 0, "it was counted when it was made");

    let items = named(Ask::get("/responses/resp_1/input_items"));
    assert_eq!(items.json()["object"], "list", "{}", items.text());
    let deleted = named(bodiless("DELETE", "/v1/responses/resp_1"));
    assert_eq!(deleted.json()["deleted"], true, "{}", deleted.text());
    let cancelled = named(bodiless("POST", "/v1/responses/resp_1/cancel"));
    assert_eq!(cancelled.json()["status"], "cancelled", "{}", cancelled.text());
    assert_eq!(named(Ask::get("/v1/responses/nobody")).status, 404);

    let unnamed = house.ask(&Ask::get("/v1/responses/resp_1"));
    assert_eq!(
        (unnamed.status, unnamed.json()["error"]["code"].as_str()),
        (400, Some("invalid_header"))
    );
    let wrong =
        house.ask(&Ask::get("/v1/responses/resp_1").header("x-tfy-provider-name", "claude"));
    assert_eq!(wrong.json()["error"]["code"], "operation_not_supported");
    let nobody = house.ask(&Ask::get("/v1/responses/resp_1").header("x-tfy-provider-name", "x"));
    assert_eq!(nobody.status, 404);
    for path in ["/v1/responses/../models", "/v1/responses/a%2Fb", "/v1/responses/a/b"] {
        assert_eq!(named(Ask::get(path)).status, 404, "{path}");
    }
    assert_eq!(named(bodiless("PUT", "/v1/responses/resp_1")).status, 405);
}
