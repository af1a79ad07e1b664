//! Cohere as a vendor, for OpenAI's and Anthropic's clients, over sockets.

mod harness;

use harness::{
    House,
    client::Ask,
    gateway::Gateway,
    manifest,
    talk::{self, answered, calls, events, told, tools},
    vendor,
};
use serde_json::{Value, json};

fn house() -> House {
    let vendor = vendor();
    let folder = manifest::folder();
    let models = [
        "command-a-03-2025",
        "command-a-reasoning-think",
        "command-a-03-tool",
        "command-a-03-parallel-tool",
        "command-a-03-cite",
        "command-a-03-failing",
        "command-a-03-e429",
        "command-a-03-e404",
        "command-a-03-cut",
    ];
    let integration = |name: &str| {
        json!({"type": "integration/model/cohere", "name": name, "model_id": name,
            "model_types": ["chat"], "cost": {"metric": "per_1000_tokens", "value":
                {"input": 0.001, "output": 0.002}}})
    };
    let base_url = format!("http://{}/v2", vendor.address());
    let account = talk::account("cohere", "co", &base_url, json!(models.map(integration)));
    manifest::write_usual(&folder, vendor.address(), &["plain"]);
    manifest::write(folder.path(), "co", &account);
    House { gateway: Gateway::start(folder, &[]), vendor }
}

fn chat(model: &str, more: &Value) -> Ask {
    talk::chat(&format!("co/{model}"), more)
}

fn messages(model: &str, more: &Value) -> Ask {
    talk::messages(&format!("co/{model}"), more)
}

#[test]
fn an_openai_client_talks_to_cohere() {
    let house = house();
    let more = json!({"top_p": 1, "user": "u1", "stop": ["END"]});

    let reply = house.ask(&chat("command-a-03-2025", &more));

    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert!(body["choices"][0]["message"]["content"].as_str().is_some_and(|t| t.len() > 20));
    assert_eq!(reply.header("x-weir-dropped"), Some("top_p, user"));
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert_eq!(seen.path, "/v2/chat");
    let key = format!("Bearer {}", manifest::VENDOR_KEY);
    assert_eq!(seen.header("authorization"), Some(&*key));
    assert_eq!(house.sent()["p"], 0.99);
    assert_eq!(house.sent()["stop_sequences"], json!(["END"]));
    let receipt = house.receipt();
    assert_eq!(receipt.number("input_tokens"), body["usage"]["prompt_tokens"]);
    assert_eq!(receipt.number("output_tokens"), body["usage"]["completion_tokens"]);
    assert!(receipt.number("input_tokens") < 1_000);
}

#[test]
fn an_openai_client_streams_coheres_thoughts_words_and_tokens() {
    let house = house();
    let more = json!({"stream": true, "stream_options": {"include_usage": true}});

    let reply = house.ask(&chat("command-a-reasoning-think", &more));

    assert_eq!(reply.status, 200, "{}", reply.text());
    let events = events(&reply);
    assert_eq!(events.last().and_then(Value::as_str), Some("[DONE]"));
    assert_eq!(told(&events, "reasoning_content"), "Let me think about that.");
    assert!(told(&events, "content").len() > 20);
    let usage = &events[events.len() - 2]["usage"];
    let receipt = house.receipt();
    assert_eq!(receipt.number("output_tokens"), usage["completion_tokens"]);
    assert_eq!(receipt.text("ending"), "complete");
}

#[test]
fn a_conversation_with_tools_goes_round_for_an_openai_client() {
    let house = house();
    for is_streaming in [false, true] {
        let more = json!({"tools": tools(), "stream": is_streaming});
        let first = house.ask(&chat("command-a-03-parallel-tool", &more));
        assert_eq!(first.status, 200, "{}", first.text());
        let calls = calls(&first, is_streaming);
        assert_eq!(calls.len(), 2);
        let plan = json!({"reasoning_content": "I will use a tool."});
        if !is_streaming {
            let message = &first.json()["choices"][0]["message"];
            assert_eq!(message["reasoning_content"], plan["reasoning_content"]);
        }
        let said = answered(&calls, plan);

        let more = json!({"tools": tools(), "messages": said, "tool_choice": "auto"});
        let second = house.ask(&chat("command-a-03-parallel-tool", &more));

        assert_eq!(second.status, 200, "{}", second.text());
        assert_eq!(second.json()["choices"][0]["finish_reason"], "stop");
        let sent = house.sent();
        assert_eq!(sent["messages"][1]["tool_plan"], "I will use a tool.");
        assert_eq!(sent["messages"][2]["tool_call_id"], calls[0]["id"]);
    }
}

#[test]
fn an_anthropic_client_talks_to_cohere_whole_and_streamed() {
    let house = house();
    let tool = json!({"name": "get_time", "input_schema": {"type": "object", "properties": {}}});
    for is_streaming in [false, true] {
        let more = json!({"system": "Be brief.", "tools": [tool], "stream": is_streaming,
            "tool_choice": {"type": "any"}});

        let reply = house.ask(&messages("command-a-03-tool", &more));

        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(house.sent()["tool_choice"], "REQUIRED");
        assert_eq!(house.sent()["messages"][0]["role"], "system");
        if is_streaming {
            let events = events(&reply);
            let end = &events[events.len() - 2];
            assert_eq!(end["delta"]["stop_reason"], "tool_use");
        } else {
            let body = reply.json();
            let call = &body["content"][1];
            assert_eq!((&call["type"], &call["input"]), (&json!("tool_use"), &json!({})));
            assert_eq!(body["stop_reason"], "tool_use");
        }
    }
}

#[test]
fn structured_output_is_native_alone_and_unfolded_beside_tools() {
    let house = house();
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "c", "schema": schema}});
    for more in
        [json!({"response_format": format}), json!({"response_format": format, "tools": tools()})]
    {
        let reply = house.ask(&chat("command-a-03-2025", &more));

        let body = reply.json();
        let content = body["choices"][0]["message"]["content"].as_str().expect("text");
        let content: Value = serde_json::from_str(content).expect(content);
        assert!(content["city"].is_string());
        assert_eq!(body["choices"][0]["finish_reason"], "stop");
        assert_eq!(house.sent()["response_format"].is_null(), more.get("tools").is_some());
    }
}

#[test]
fn errors_of_cohere_are_told_in_the_clients_words() {
    let house = house();

    let limited = house.ask(&chat("command-a-03-e429", &json!({})));
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    assert_eq!(limited.json()["error"]["type"], "rate_limit_error");
    assert_eq!(limited.json()["error"]["message"], "The vendor says 429.");
    let unknown = house.ask(&messages("command-a-03-e404", &json!({})));
    assert_eq!(unknown.json()["error"]["type"], "not_found_error");
    assert_eq!(unknown.json()["error"]["message"], "The vendor says 404.");
}

#[test]
fn fault_11_an_error_at_a_streams_end_is_an_error_of_the_client() {
    let house = house();

    let reply = house.ask(&chat("command-a-03-failing", &json!({"stream": true})));

    let events = events(&reply);
    let last = events.last().expect("events");
    assert_eq!(last["error"]["message"], "The model failed.");
    assert_eq!(house.receipt().text("ending"), "broken");
}

#[test]
fn fault_01_a_cut_stream_of_cohere_is_told_as_cut() {
    let house = house();

    let reply = house.ask(&messages("command-a-03-cut", &json!({"stream": true})));

    let last = events(&reply).pop().expect("events");
    assert_eq!(last["type"], "error", "{last}");
    assert_eq!(house.receipt().text("ending"), "broken");
}

#[test]
fn what_the_client_is_not_told_of_citations_leaves_its_words_whole() {
    let house = house();

    let whole = house.ask(&chat("command-a-03-cite", &json!({})));
    let streamed = house.ask(&chat("command-a-03-cite", &json!({"stream": true})));

    assert_eq!(whole.status, 200, "{}", whole.text());
    let streamed = told(&events(&streamed), "content");
    assert_eq!(whole.json()["choices"][0]["message"]["content"], streamed);
}
