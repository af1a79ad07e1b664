//! Anthropic's words at Bedrock: its clients before Claude there, and `invoke_model` of Bedrock's
//! clients before every vendor.

use super::house::{frames, house};
use crate::harness::{
    answer, aws_frames,
    client::{Ask, Reply},
    talk::{converse, events, messages},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

fn invoke(model: &str, operation: &str, more: &Value) -> Ask {
    let mut body = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 300,
        "messages": [{"role": "user", "content": "Hello"}]});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let model = model.replace('/', "%2F");
    Ask::post(&format!("/bedrock/proxy/model/{model}/{operation}"), body.to_string())
}

/// The events in the chunks of a reply, as Anthropic's clients read them.
fn chunks(reply: &Reply) -> Vec<Value> {
    let read = |(_, name, data): (String, String, Value)| {
        assert_eq!(name, "chunk");
        let bytes = STANDARD.decode(data["bytes"].as_str().expect("bytes")).expect("base64");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    frames(reply).into_iter().map(read).collect()
}

fn words(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect()
}

#[test]
fn t094_t129_an_anthropic_client_talks_to_claude_at_bedrock_in_its_own_words() {
    let house = house();
    for is_streaming in [false, true] {
        let more = json!({"stream": is_streaming, "new_field": {"n": 1.0},
            "thinking": {"type": "enabled", "budget_tokens": 100}});

        let ask = messages("signed/sonnet", &more).header("anthropic-version", "2023-06-01");
        let betas = "effort-2025-11-24,mcp-servers-2025-12-04,context-1m-2025-08-07";
        let reply = house.ask(&ask.header("anthropic-beta", betas));

        assert_eq!(reply.status, 200, "{}", reply.text());
        let body = house.sent();
        assert_eq!(body["anthropic_version"], "bedrock-2023-05-31");
        let known = json!(["effort-2025-11-24", "context-1m-2025-08-07"]);
        assert_eq!(body["anthropic_beta"], known);
        let unsaid = Some("anthropic-beta.mcp-servers-2025-12-04");
        assert_eq!(reply.header("x-weir-dropped"), unsaid);
        assert_eq!(body["new_field"], json!({"n": 1.0}));
        assert!(body["model"].is_null() && body["stream"].is_null());
        let seen = house.vendor.log().pop().expect("the vendor was asked");
        assert_eq!(seen.header("anthropic-beta"), None);
        let end = if is_streaming { "/invoke-with-response-stream" } else { "/invoke" };
        assert!(seen.path.ends_with(end), "{}", seen.path);
        if is_streaming {
            let text = reply.text();
            assert!(text.starts_with("event: message_start\ndata: "), "{text}");
            assert!(text.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
            assert!(words(&events(&reply)).len() > 20);
        } else {
            assert_eq!(reply.json()["content"][0]["type"], "thinking");
        }
    }
    let receipts = house.receipts(2);
    for receipt in receipts {
        assert_eq!(receipt.text("operation"), "messages");
        assert_eq!(receipt.number("cached_tokens"), 11);
        assert_eq!(receipt.text("ending"), "complete");
    }
}

#[test]
fn fault_11_an_exception_midway_is_an_anthropic_clients_error() {
    let house = house();

    let midway = house.ask(&messages("aws/overloaded", json!({"stream": true})));
    let limited = house.ask(&messages("aws/claude-e429", json!({"stream": true})));

    let last = events(&midway).pop().expect("events");
    assert_eq!(
        (&last["type"], &last["error"]["type"]),
        (&json!("error"), &json!("rate_limit_error"))
    );
    assert_eq!(limited.status, 429);
    assert_eq!(limited.json()["error"]["type"], "rate_limit_error");
    assert_eq!(house.receipts(2)[0].text("ending"), "broken");
}

#[test]
fn a_bedrock_clients_invoke_passes_to_bedrock_as_it_is() {
    let house = house();

    let whole = house.ask(&invoke("aws/sonnet", "invoke", &json!({"odd": 1.5})));
    let streamed = house.ask(&invoke("aws/sonnet", "invoke-with-response-stream", &json!({})));

    assert_eq!(whole.status, 200, "{}", whole.text());
    assert_eq!(whole.json()["type"], "message");
    let events = chunks(&streamed);
    assert_eq!(events.last().expect("events")["type"], "message_stop");
    assert!(words(&events).len() > 20);
    let receipts = house.receipts(2);
    assert_eq!(receipts[0].text("operation"), "invoke_model");
    assert_eq!(receipts[1].text("operation"), "invoke_model_stream");
    assert!(receipts.iter().all(|receipt| receipt.number("cached_tokens") == 11));
}

#[test]
fn a_bedrock_clients_invoke_is_told_to_other_vendors_too() {
    let house = house();
    for model in ["claude/claude-sonnet-4-5", "test/plain", "aws/nova"] {
        if model == "aws/nova" {
            // A model of another maker has words of its own, which pass.
            let reply = house.ask(&invoke(model, "invoke", &json!({})));
            assert_eq!(reply.status, 200, "{}", reply.text());
            continue;
        }
        let more = json!({"anthropic_beta": ["a-1"]});
        let whole = house.ask(&invoke(model, "invoke", &more));
        let streamed = house.ask(&invoke(model, "invoke-with-response-stream", &more));

        assert_eq!(whole.status, 200, "{}", whole.text());
        let text = whole.json()["content"][0]["text"].as_str().expect("text").to_owned();
        let events = chunks(&streamed);
        assert_eq!(words(&events), text);
        assert_eq!(events[0]["type"], "message_start");
        assert_eq!(events.last().expect("events")["type"], "message_stop");
        let seen = house.vendor.log().pop().expect("the vendor was asked");
        let is_claude = model.starts_with("claude");
        assert_eq!(seen.header("anthropic-beta"), is_claude.then_some("a-1"));
    }
}

#[test]
fn errors_of_an_invoke_are_told_as_bedrock_tells_them() {
    let house = house();

    let unknown = house.ask(&invoke("aws/nobody", "invoke", &json!({})));
    let limited = house.ask(&invoke("claude/claude-e429", "invoke", &json!({})));
    let midway = house.ask(&converse("aws/overloaded", "invoke-with-response-stream", json!({})));
    let cut = invoke("test/raw-x", "invoke-with-response-stream", &json!({}));
    house.teach("x", crate::harness::stream(b"data: {\"choices\":[]}\n\n", 9, 9));
    let cut = house.ask(&cut);

    assert_eq!(unknown.json()["__type"], "ResourceNotFoundException");
    assert_eq!(limited.json()["__type"], "ThrottlingException");
    assert_eq!(midway.status, 400, "{}", midway.text());
    assert_eq!(midway.json()["__type"], "ValidationException");
    assert!(cut.status == 502 || frames(&cut).pop().expect("frames").0 == "exception");
}

/// A stream in frames, each a chunk that holds this data.
fn framed(chunks: &[Value]) -> Vec<u8> {
    let line = |chunk: &Value| {
        let bytes = STANDARD.encode(chunk.to_string());
        format!("event chunk {{\"bytes\":\"{bytes}\"}}\n")
    };
    aws_frames::of_lines(&chunks.iter().map(line).collect::<String>())
}

/// Models of other makers answer in words of their own; AWS says beside them what was used.
#[test]
fn an_invoke_of_any_makers_model_passes_and_is_billed_by_what_aws_says() {
    let house = house();
    let body = br#"{"outputText":"Hi","odd":1.0}"#;
    let head = "application/json\r\nx-amzn-bedrock-input-token-count: 5\r\n\
        x-amzn-bedrock-output-token-count: 10";
    house.teach("b", answer(200, head, body));
    let whole = house.ask(&invoke("aws/raw", "invoke", &json!({"inputText": "Hello"})));
    let metrics = json!({"inputTokenCount": 6, "outputTokenCount": 11});
    let stream = framed(&[
        json!({"outputText": "H"}),
        json!({"outputText": "i", "amazon-bedrock-invocationMetrics": metrics}),
    ]);
    let kind = "application/vnd.amazon.eventstream";
    house.teach("b", answer(200, kind, &stream));
    let streamed = house.ask(&invoke("aws/raw", "invoke-with-response-stream", &json!({})));

    assert_eq!((whole.status, &*whole.body), (200, &body[..]));
    assert_eq!((streamed.status, &streamed.body), (200, &stream));
    let receipts = house.receipts(2);
    let tokens =
        |nth: usize| (receipts[nth].number("input_tokens"), receipts[nth].number("output_tokens"));
    assert_eq!((tokens(0), tokens(1)), ((5, 10), (6, 11)));
    assert!(receipts.iter().all(|one| one.text("ending") == "complete"));
}

/// How many tokens a conversation has: Bedrock answers, other vendors are not asked.
#[test]
fn tokens_are_counted_where_bedrock_counts_them() {
    let house = house();
    let input = json!({"converse": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}});
    let count = |model: &str| house.ask(&converse(model, "count-tokens", json!({"input": input})));

    let (counted, refused) = (count("aws/nova"), count("test/plain"));

    assert_eq!(counted.status, 200, "{}", counted.text());
    assert!(counted.json()["inputTokens"].as_u64().is_some_and(|tokens| tokens > 0));
    assert_eq!(refused.status, 404, "{}", refused.text());
    let seen = house.vendor.log();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].path.ends_with("/count-tokens"), "{}", seen[0].path);
    let receipts = house.receipts(2);
    assert!(receipts.iter().all(|one| one.text("operation") == "count_converse"));
    assert!(receipts.iter().all(|one| one.number("output_tokens") == 0));
}

/// What else AWS's and Google's own APIs have is refused with words, and never passed on unmetered.
#[test]
fn t059_what_is_not_served_of_a_vendors_own_api_is_refused_by_its_name() {
    let house = house();
    for (path, word) in [
        ("/bedrock/proxy/model/aws%2Fnova/rerank", "converse-stream"),
        ("/bedrock/proxy/guardrail/g/version/1/apply", "converse-stream"),
        ("/bedrock/proxy/async-invoke", "converse-stream"),
        ("/gemini/goog/proxy/v1beta/models/m:embedContent", "/v1/embeddings"),
        ("/gemini/goog/proxy/v1beta/models/m:batchEmbedContents", "/v1/embeddings"),
        ("/gemini/goog/proxy/upload/v1beta/files", "inline"),
        ("/gemini/goog/proxy/v1beta/models", "/v1/models"),
        ("/gemini/goog/proxy/v1beta/cachedContents", "inline"),
        ("/gemini/goog/proxy/v1/projects/p/locations/l/publishers/x/models/m:predict", "inline"),
    ] {
        let reply = house.ask(&Ask::post(path, "{}"));

        assert_eq!(reply.status, 404, "{path}: {}", reply.text());
        assert!(reply.text().contains(word), "{path}: {}", reply.text());
    }
    assert_eq!(house.vendor.log().len(), 0);
}
