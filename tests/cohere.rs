//! Cohere as a vendor, for OpenAI's and Anthropic's clients, over sockets.

mod harness;

use harness::{
    House,
    client::{Ask, Reply},
    gateway::Gateway,
    manifest, vendor,
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
    let account = json!({
        "type": "provider-account/cohere", "name": "co",
        "base_url": format!("http://{}/v2", vendor.address()),
        "auth_data": {"type": "api-key", "api_key": manifest::VENDOR_KEY},
        "integrations": models.map(integration),
        "collaborators": [{"subject": manifest::OWNER, "role_id": "provider-account-access"}],
    });
    manifest::write_usual(&folder, vendor.address(), &["plain"]);
    manifest::write(folder.path(), "co", &account);
    House { gateway: Gateway::start(folder, &[]), vendor }
}

fn asked(path: &str, mut body: Value, more: &Value) -> Ask {
    body["messages"] = json!([{"role": "user", "content": "Hello"}]);
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    Ask::post(path, body.to_string())
}

fn chat(model: &str, more: &Value) -> Ask {
    asked("/v1/chat/completions", json!({"model": format!("co/{model}")}), more)
}

fn messages(model: &str, more: &Value) -> Ask {
    let body = json!({"model": format!("co/{model}"), "max_tokens": 500});
    asked("/v1/messages", body, more).header("anthropic-version", "2023-06-01")
}

fn events(reply: &Reply) -> Vec<Value> {
    let parse = |data: String| serde_json::from_str(&data).unwrap_or(Value::String(data));
    reply.events().into_iter().map(parse).collect()
}

fn sent(house: &House) -> Value {
    let bodies = house.vendor_bodies();
    serde_json::from_str(bodies.last().expect("the vendor was asked")).expect("JSON")
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tool = |name: &str| json!({"name": name, "description": "d", "parameters": schema});
    json!([{"type": "function", "function": tool("get_weather")},
        {"type": "function", "function": tool("get_time")}])
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
    assert_eq!(sent(&house)["p"], 0.99);
    assert_eq!(sent(&house)["stop_sequences"], json!(["END"]));
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
    let told = |name: &str| -> String {
        let piece = |event: &Value| event["choices"][0]["delta"][name].as_str().map(str::to_owned);
        events.iter().filter_map(piece).collect()
    };
    assert_eq!(told("reasoning_content"), "Let me think about that.");
    assert!(told("content").len() > 20);
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
        let calls: Vec<Value> = if is_streaming {
            let open = |event: &Value| {
                let call = event["choices"][0]["delta"]["tool_calls"][0].clone();
                call["id"].is_string().then_some(call)
            };
            events(&first).iter().filter_map(open).collect()
        } else {
            let message = first.json()["choices"][0]["message"].clone();
            assert_eq!(message["reasoning_content"], "I will use a tool.");
            message["tool_calls"].as_array().expect("calls").clone()
        };
        assert_eq!(calls.len(), 2);
        let mut said = vec![json!({"role": "user", "content": "Go"})];
        let calls: Vec<Value> = calls
            .into_iter()
            .map(|mut call| {
                call["function"]["arguments"] = "{}".into();
                call
            })
            .collect();
        said.push(json!({"role": "assistant", "content": null, "tool_calls": calls,
            "reasoning_content": "I will use a tool."}));
        for call in &calls {
            said.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "21 C"}));
        }

        let more = json!({"tools": tools(), "messages": said, "tool_choice": "auto"});
        let second = house.ask(&chat("command-a-03-parallel-tool", &more));

        assert_eq!(second.status, 200, "{}", second.text());
        assert_eq!(second.json()["choices"][0]["finish_reason"], "stop");
        let sent = sent(&house);
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
        assert_eq!(sent(&house)["tool_choice"], "REQUIRED");
        assert_eq!(sent(&house)["messages"][0]["role"], "system");
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
        assert_eq!(sent(&house)["response_format"].is_null(), more.get("tools").is_some());
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
    let pieces = events(&streamed);
    let piece = |event: &Value| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
    let streamed: String = pieces.iter().filter_map(piece).collect();
    assert_eq!(whole.json()["choices"][0]["message"]["content"], streamed);
}
