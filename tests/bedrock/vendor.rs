//! Bedrock as a vendor, for OpenAI's and Anthropic's clients.

use super::house::house;
use crate::harness::{
    manifest,
    talk::{answered, calls, chat, events, messages, told, tools},
};
use serde_json::{Value, json};

#[test]
fn an_openai_client_talks_to_bedrock_by_a_key() {
    let house = house();

    let reply = house.ask(&chat("aws/nova", json!({"seed": 7, "temperature": 0.25})));

    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert!(body["choices"][0]["message"]["content"].as_str().is_some_and(|t| t.len() > 20));
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 11);
    assert_eq!(reply.header("x-weir-dropped"), Some("seed"));
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert_eq!(seen.path, "/model/us.amazon.nova-2-lite-v1%3A0/converse");
    let key = format!("Bearer {}", manifest::VENDOR_KEY);
    assert_eq!(seen.header("authorization"), Some(&*key));
    assert_eq!(house.sent()["inferenceConfig"]["temperature"], 0.25);
    let receipt = house.receipt();
    assert_eq!(receipt.text("operation"), "chat_completions");
    assert_eq!(receipt.number("input_tokens"), body["usage"]["prompt_tokens"]);
    assert_eq!(receipt.number("output_tokens"), body["usage"]["completion_tokens"]);
    assert_eq!(receipt.number("cached_tokens"), 11);
}

#[test]
fn t047_an_openai_client_streams_bedrock_by_a_signature_and_the_receipt_has_its_tokens() {
    let house = house();
    let more = json!({"stream": true, "stream_options": {"include_usage": true},
        "reasoning_effort": "low"});

    let reply = house.ask(
        &chat("signed/sonnet", &more)
            .header("anthropic-beta", "context-1m-2025-08-07, claude-code-20250219"),
    );

    assert_eq!(reply.status, 200, "{}", reply.text());
    let events = events(&reply);
    assert_eq!(events.last().and_then(Value::as_str), Some("[DONE]"));
    assert_eq!(told(&events, "reasoning_content"), "Let me think about that.");
    assert!(told(&events, "content").len() > 20);
    let usage = &events[events.len() - 2]["usage"];
    let receipt = house.receipt();
    assert_eq!(receipt.number("input_tokens"), usage["prompt_tokens"]);
    assert_eq!(receipt.number("output_tokens"), usage["completion_tokens"]);
    assert_eq!(receipt.text("ending"), "complete");
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert!(seen.path.ends_with("/converse-stream"), "{}", seen.path);
    let proof = seen.header("authorization").expect("it is signed");
    assert!(proof.contains("Credential=AKIATEST/"), "{proof}");
    assert!(proof.contains("/eu-west-1/bedrock/aws4_request"), "{proof}");
    let fields = house.sent()["additionalModelRequestFields"].clone();
    assert_eq!(fields["thinking"]["type"], "enabled");
    assert_eq!(fields["anthropic_beta"], json!(["context-1m-2025-08-07"]));
    let unsaid = Some("anthropic-beta.claude-code-20250219");
    assert_eq!(reply.header("x-weir-dropped"), unsaid);
}

#[test]
fn t124_thinking_and_tools_survive_a_round_trip_for_an_openai_client() {
    let house = house();
    for is_streaming in [false, true] {
        let more = json!({"tools": tools(), "stream": is_streaming});
        let first = house.ask(&chat("aws/parallel-tool", &more));
        assert_eq!(first.status, 200, "{}", first.text());
        let calls = calls(&first, is_streaming);
        assert_eq!(calls.len(), 2);
        let thought = house.ask(&chat("aws/think", json!({}))).json();
        let blocks = thought["choices"][0]["message"]["thinking_blocks"].clone();
        assert_eq!(blocks[0]["thinking"], "Let me think about that.");
        let said = answered(&calls, json!({"thinking_blocks": blocks}));

        // The tools are not said again, which this API would refuse.
        let second = house.ask(&chat("aws/sonnet", json!({"messages": said})));

        assert_eq!(second.status, 200, "{}", second.text());
        let sent = house.sent();
        let proof = &sent["messages"][1]["content"][0]["reasoningContent"]["reasoningText"];
        assert_eq!(proof["signature"], blocks[0]["signature"]);
        let results = sent["messages"][2]["content"].as_array().expect("results");
        assert_eq!(results.len(), 2);
        assert_eq!(results[0]["toolResult"]["toolUseId"], calls[0]["id"]);
    }
}

#[test]
fn an_anthropic_client_talks_to_bedrock_whole_and_streamed() {
    let house = house();
    let tool = json!({"name": "get_time", "input_schema": {"type": "object", "properties": {}}});
    for is_streaming in [false, true] {
        let more = json!({"system": "Be brief.", "tools": [tool], "stream": is_streaming,
            "tool_choice": {"type": "any"}});

        let reply = house.ask(&messages("aws/nova", &more));

        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(house.sent()["toolConfig"]["toolChoice"], json!({"any": {}}));
        assert_eq!(house.sent()["system"], json!([{"text": "Be brief."}]));
        let reason = if is_streaming {
            let events = events(&reply);
            events[events.len() - 2]["delta"]["stop_reason"].clone()
        } else {
            assert_eq!(reply.json()["content"][0]["type"], "tool_use");
            reply.json()["stop_reason"].clone()
        };
        assert_eq!(reason, "tool_use");
    }
}

#[test]
fn structured_output_is_native_or_unfolded() {
    let house = house();
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "c", "schema": schema}});
    for model in ["aws/sonnet", "aws/nova"] {
        for is_streaming in [false, true] {
            let more = json!({"response_format": format, "stream": is_streaming});

            let reply = house.ask(&chat(model, &more));

            assert_eq!(reply.status, 200, "{}", reply.text());
            let content: String = if is_streaming {
                told(&events(&reply), "content")
            } else {
                let body = reply.json();
                body["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
            };
            let content: Value = serde_json::from_str(&content).expect(&content);
            assert!(content["city"].is_string());
            assert_eq!(house.sent()["outputConfig"].is_null(), model == "aws/nova");
        }
    }
}

#[test]
fn a_guardrails_stop_is_a_content_filter() {
    let house = house();

    let whole = house.ask(&chat("aws/guarded", json!({})));
    let streamed = house.ask(&messages("aws/guarded", json!({"stream": true})));

    assert_eq!(whole.json()["choices"][0]["finish_reason"], "content_filter");
    let events = events(&streamed);
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "refusal");
}

#[test]
fn fault_11_an_exception_is_told_in_the_clients_words_wherever_it_comes() {
    let house = house();

    let midway = house.ask(&chat("aws/throttled", json!({"stream": true})));
    let early = house.ask(&messages("aws/early", json!({"stream": true})));
    let limited = house.ask(&chat("aws/e429", json!({})));
    let unknown = house.ask(&messages("aws/e404", json!({})));

    let last = events(&midway).pop().expect("events");
    assert_eq!(last["error"]["type"], "rate_limit_error", "{last}");
    assert!(last["error"]["message"].as_str().is_some_and(|text| text.contains("wait")));
    assert_eq!(early.status, 429, "{}", early.text());
    assert_eq!(early.json()["error"]["type"], "rate_limit_error");
    assert_eq!(limited.status, 429);
    assert_eq!(limited.json()["error"]["message"], "The vendor says 429.");
    assert_eq!(unknown.json()["error"]["type"], "not_found_error");
    let receipts = house.receipts(4);
    assert_eq!(receipts[0].text("ending"), "broken");
    assert_eq!(receipts[0].text("fault"), "error_event");
}

#[test]
fn fault_01_frames_that_are_cut_are_told_as_cut() {
    let house = house();

    let reply = house.ask(&chat("aws/cut", json!({"stream": true})));

    let last = events(&reply).pop().expect("events");
    assert_eq!(last["error"]["code"], "stream_truncated", "{last}");
    assert_eq!(house.receipt().text("ending"), "broken");
}
