//! Bedrock on both sides of the gateway, over sockets: as a vendor for OpenAI's and Anthropic's
//! clients, and Bedrock's own clients before every vendor.

mod harness;

use harness::{
    House, answer, aws_frames,
    client::{Ask, KEY, Reply},
    gateway::Gateway,
    manifest, vendor,
};
use serde_json::{Value, json};
use weir::rehearsal::script::Step;

const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const CLAUDE: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Accounts `aws`, by a key, and `signed`, by an access key, beside `test` and `claude`.
fn house() -> House {
    let vendor = vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["plain", "parallel", "tool", "raw-x"]);
    let models = [
        (NOVA, "nova"),
        (CLAUDE, "sonnet"),
        ("eu.anthropic.claude-sonnet-4-5-think", "think"),
        ("amazon.nova-tool", "tool"),
        ("amazon.nova-parallel-tool", "parallel-tool"),
        ("amazon.nova-throttled", "throttled"),
        ("amazon.nova-early", "early"),
        ("amazon.nova-guarded", "guarded"),
        ("amazon.nova-e429", "e429"),
        ("amazon.nova-e404", "e404"),
        ("amazon.nova-cut", "cut"),
        ("raw:b", "raw"),
    ];
    let account = |name: &str, auth: Value| {
        let integration = |(id, name): (&str, &str)| {
            json!({"type": "integration/model/bedrock", "name": name, "model_id": id,
                "model_types": ["chat"]})
        };
        json!({
            "type": "provider-account/aws-bedrock", "name": name, "region": "eu-west-1",
            "base_url": format!("http://{}", vendor.address()), "auth_data": auth,
            "integrations": models.map(integration),
            "collaborators": [{"subject": manifest::OWNER, "role_id": "provider-account-access"}],
        })
    };
    let key = json!({"type": "api-key", "api_key": manifest::VENDOR_KEY});
    manifest::write(folder.path(), "aws", &account("aws", key));
    let keys = json!({"type": "access-key-based", "access_key_id": "AKIATEST",
        "secret_access_key": "secret"});
    manifest::write(folder.path(), "signed", &account("signed", keys));
    let claudes = ["claude-sonnet-4-5", "claude-e429"].map(|name| {
        json!({"type": "integration/model/anthropic", "name": name, "model_id": name,
            "model_types": ["chat"]})
    });
    let claude = json!({
        "type": "provider-account/anthropic", "name": "claude",
        "base_url": format!("http://{}/v1", vendor.address()),
        "auth_data": {"type": "api-key", "api_key": manifest::VENDOR_KEY},
        "integrations": claudes,
        "collaborators": [{"subject": manifest::OWNER, "role_id": "provider-account-access"}],
    });
    manifest::write(folder.path(), "claude", &claude);
    House { gateway: Gateway::start(folder, &[]), vendor }
}

fn asked(path: &str, mut body: Value, more: &Value) -> Ask {
    body["messages"] = json!([{"role": "user", "content": "Hello"}]);
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    Ask::post(path, body.to_string())
}

fn chat(model: &str, more: &Value) -> Ask {
    asked("/v1/chat/completions", json!({"model": model}), more)
}

fn messages(model: &str, more: &Value) -> Ask {
    asked("/v1/messages", json!({"model": model, "max_tokens": 500}), more)
}

/// As boto3 asks it.
fn converse(model: &str, operation: &str, more: &Value) -> Ask {
    let mut body = json!({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let model = model.replace('/', "%2F").replace(':', "%3A");
    Ask::post(&format!("/bedrock/proxy/model/{model}/{operation}"), body.to_string())
}

fn events(reply: &Reply) -> Vec<Value> {
    let parse = |data: String| serde_json::from_str(&data).unwrap_or(Value::String(data));
    reply.events().into_iter().map(parse).collect()
}

/// The frames of a reply: what each is, its name and its payload.
fn frames(reply: &Reply) -> Vec<(String, String, Value)> {
    assert_eq!(reply.header("content-type"), Some("application/vnd.amazon.eventstream"));
    let lines = aws_frames::to_lines(&reply.body);
    let read = |line: &str| {
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().expect("three words");
        (word(), word(), serde_json::from_str(&word()).expect("JSON"))
    };
    lines.lines().map(read).collect()
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

fn tool_config() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let spec = |name: &str| json!({"toolSpec": {"name": name, "inputSchema": {"json": schema}}});
    json!({"tools": [spec("get_weather"), spec("get_time")]})
}

#[test]
fn an_openai_client_talks_to_bedrock_by_a_key() {
    let house = house();

    let reply = house.ask(&chat("aws/nova", &json!({"seed": 7, "temperature": 0.25})));

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
    assert_eq!(sent(&house)["inferenceConfig"]["temperature"], 0.25);
    let receipt = house.receipt();
    assert_eq!(receipt.text("operation"), "chat_completions");
    assert_eq!(receipt.number("input_tokens"), body["usage"]["prompt_tokens"]);
    assert_eq!(receipt.number("output_tokens"), body["usage"]["completion_tokens"]);
    assert_eq!(receipt.number("cached_tokens"), 11);
}

#[test]
fn an_openai_client_streams_bedrock_by_a_signature_and_the_receipt_has_its_tokens() {
    let house = house();
    let more = json!({"stream": true, "stream_options": {"include_usage": true},
        "reasoning_effort": "low"});

    let reply = house.ask(&chat("signed/sonnet", &more).header("anthropic-beta", "a-1, b-2"));

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
    assert_eq!(receipt.number("input_tokens"), usage["prompt_tokens"]);
    assert_eq!(receipt.number("output_tokens"), usage["completion_tokens"]);
    assert_eq!(receipt.text("ending"), "complete");
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert!(seen.path.ends_with("/converse-stream"), "{}", seen.path);
    let proof = seen.header("authorization").expect("it is signed");
    assert!(proof.contains("Credential=AKIATEST/"), "{proof}");
    assert!(proof.contains("/eu-west-1/bedrock/aws4_request"), "{proof}");
    let fields = sent(&house)["additionalModelRequestFields"].clone();
    assert_eq!(fields["thinking"]["type"], "enabled");
    assert_eq!(fields["anthropic_beta"], json!(["a-1", "b-2"]));
}

#[test]
fn t124_thinking_and_tools_survive_a_round_trip_for_an_openai_client() {
    let house = house();
    for is_streaming in [false, true] {
        let more = json!({"tools": tools(), "stream": is_streaming});
        let first = house.ask(&chat("aws/parallel-tool", &more));
        assert_eq!(first.status, 200, "{}", first.text());
        let calls: Vec<Value> = if is_streaming {
            let open = |event: &Value| {
                let call = event["choices"][0]["delta"]["tool_calls"][0].clone();
                call["id"].is_string().then_some(call)
            };
            events(&first).iter().filter_map(open).collect()
        } else {
            let message = first.json()["choices"][0]["message"].clone();
            message["tool_calls"].as_array().expect("calls").clone()
        };
        assert_eq!(calls.len(), 2);
        let thought = house.ask(&chat("aws/think", &json!({}))).json();
        let blocks = thought["choices"][0]["message"]["thinking_blocks"].clone();
        assert_eq!(blocks[0]["thinking"], "Let me think about that.");
        let calls: Vec<Value> = calls
            .into_iter()
            .map(|mut call| {
                call["function"]["arguments"] = "{}".into();
                call
            })
            .collect();
        let mut said = vec![
            json!({"role": "user", "content": "Go"}),
            json!({"role": "assistant", "content": null, "tool_calls": calls,
                "thinking_blocks": blocks}),
        ];
        for call in &calls {
            said.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "21 C"}));
        }

        // The tools are not said again, which this API would refuse.
        let second = house.ask(&chat("aws/sonnet", &json!({"messages": said})));

        assert_eq!(second.status, 200, "{}", second.text());
        let sent = sent(&house);
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
        assert_eq!(sent(&house)["toolConfig"]["toolChoice"], json!({"any": {}}));
        assert_eq!(sent(&house)["system"], json!([{"text": "Be brief."}]));
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
                let piece = |event: &Value| {
                    event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)
                };
                events(&reply).iter().filter_map(piece).collect()
            } else {
                let body = reply.json();
                body["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
            };
            let content: Value = serde_json::from_str(&content).expect(&content);
            assert!(content["city"].is_string());
            assert_eq!(sent(&house)["outputConfig"].is_null(), model == "aws/nova");
        }
    }
}

#[test]
fn a_guardrails_stop_is_a_content_filter() {
    let house = house();

    let whole = house.ask(&chat("aws/guarded", &json!({})));
    let streamed = house.ask(&messages("aws/guarded", &json!({"stream": true})));

    assert_eq!(whole.json()["choices"][0]["finish_reason"], "content_filter");
    let events = events(&streamed);
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "refusal");
}

#[test]
fn fault_11_an_exception_is_told_in_the_clients_words_wherever_it_comes() {
    let house = house();

    let midway = house.ask(&chat("aws/throttled", &json!({"stream": true})));
    let early = house.ask(&messages("aws/early", &json!({"stream": true})));
    let limited = house.ask(&chat("aws/e429", &json!({})));
    let unknown = house.ask(&messages("aws/e404", &json!({})));

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

    let reply = house.ask(&chat("aws/cut", &json!({"stream": true})));

    let last = events(&reply).pop().expect("events");
    assert_eq!(last["error"]["code"], "stream_truncated", "{last}");
    assert_eq!(house.receipt().text("ending"), "broken");
}

#[test]
fn a_bedrock_client_talks_to_bedrock_byte_for_byte() {
    let house = house();
    let told = br#"{ "output" : {"message":{"role":"assistant","content":[{"text":"Hi"}]}},
        "stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7},"x":1.0e+2 }"#;
    house.teach("b", answer(200, "application/json", told));
    let body = "{ \"messages\" : [], \"new_field\":{\"n\":1.0e+2} }";

    let ask = Ask::post("/bedrock/proxy/model/aws%2Fraw/converse", body);
    let reply = house.ask(&ask);

    assert_eq!(reply.body, told);
    assert_eq!(house.vendor_bodies(), [body]);
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert_eq!(seen.path, "/model/raw%3Ab/converse");
    let receipt = house.receipt();
    assert_eq!(receipt.text("operation"), "converse");
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (3, 4));
}

#[test]
fn a_bedrock_stream_passes_byte_for_byte_and_its_tokens_are_seen() {
    let house = house();
    let told = aws_frames::of_lines(
        "event messageStart {\"role\":\"assistant\"}\nevent brandNew {\"x\": 1.0}\n\
        event contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}}\n\
        event contentBlockStop {\"contentBlockIndex\":0}\n\
        event messageStop {\"stopReason\":\"end_turn\"}\n\
        event metadata {\"usage\":{\"inputTokens\":9,\"outputTokens\":2,\"totalTokens\":15,\
        \"cacheReadInputTokens\":4}}\n",
    );
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    told.chunks(11).for_each(|part| bytes.extend_from_slice(&harness::chunk(part)));
    bytes.extend_from_slice(b"0\r\n\r\n");
    house.teach("b", vec![Step::Split(bytes, 7)]);

    let reply = house.ask(&converse("aws/raw", "converse-stream", &json!({})));

    assert_eq!(reply.body, told);
    assert_eq!(reply.header("content-type"), Some("application/vnd.amazon.eventstream"));
    let receipt = house.receipt();
    assert_eq!(receipt.text("operation"), "converse_stream");
    assert_eq!((receipt.number("input_tokens"), receipt.number("output_tokens")), (13, 2));
    assert_eq!(receipt.number("cached_tokens"), 4);
    assert_eq!(receipt.text("ending"), "complete");
}

#[test]
fn a_bedrock_client_talks_to_vendors_of_other_languages() {
    let house = house();
    let more = json!({"system": [{"text": "Be brief."}],
        "inferenceConfig": {"maxTokens": 300, "temperature": 0.5},
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}});
    for model in ["test/plain", "claude/claude-sonnet-4-5"] {
        let whole = house.ask(&converse(model, "converse", &more));
        let streamed = house.ask(&converse(model, "converse-stream", &more));

        let body = whole.json();
        assert_eq!(whole.status, 200, "{body}");
        let content = &body["output"]["message"]["content"];
        assert!(content[0]["text"].as_str().is_some_and(|text| text.len() > 20), "{body}");
        assert_eq!(body["stopReason"], "end_turn");
        assert!(body["usage"]["totalTokens"].as_u64().is_some_and(|tokens| tokens > 0));
        assert_eq!(whole.header("x-weir-dropped"), Some("guardrailConfig"));
        let frames = frames(&streamed);
        let told: String = frames
            .iter()
            .filter_map(|(_, _, data)| data["delta"]["text"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(content[0]["text"], *told);
        let names: Vec<&str> = frames.iter().map(|(_, name, _)| name.as_str()).collect();
        assert_eq!(names[0], "messageStart");
        assert_eq!(names[names.len() - 2..], ["messageStop", "metadata"]);
        assert_eq!(frames[frames.len() - 1].2["usage"], body["usage"]);
        assert!(sent(&house)["stream"].as_bool().unwrap_or_default());
    }
    let receipts = house.receipts(4);
    assert!(receipts.iter().all(|receipt| receipt.text("ending") == "complete"));
}

#[test]
fn t020_a_bedrock_client_streams_interleaved_calls_each_by_its_index() {
    let house = house();
    let more = json!({"toolConfig": tool_config()});

    let reply = house.ask(&converse("test/parallel", "converse-stream", &more));

    let frames = frames(&reply);
    let mut inputs = std::collections::BTreeMap::<u64, String>::new();
    for (_, name, data) in &frames {
        let index = data["contentBlockIndex"].as_u64().unwrap_or_default();
        match name.as_str() {
            "contentBlockStart" => drop(inputs.insert(index, String::new())),
            "contentBlockDelta" => {
                let piece = data["delta"]["toolUse"]["input"].as_str().expect("a piece");
                inputs.get_mut(&index).expect("it was opened").push_str(piece);
            }
            _ => {}
        }
    }
    assert_eq!(inputs.len(), 2, "{frames:?}");
    for input in inputs.values() {
        let input: Value = serde_json::from_str(input).expect("whole JSON");
        assert!(input["city"].is_string());
    }
    assert_eq!(frames[frames.len() - 2].2["stopReason"], "tool_use");
}

#[test]
fn a_bedrock_clients_conversation_with_tools_goes_round_at_an_openai_vendor() {
    let house = house();
    let more = json!({"toolConfig": tool_config()});
    let first = house.ask(&converse("test/tool", "converse", &more)).json();
    let message = first["output"]["message"].clone();
    let call = message["content"][0]["toolUse"].clone();
    assert!(call["input"].is_object(), "{first}");
    let result = json!({"toolResult": {"toolUseId": call["toolUseId"],
        "content": [{"json": {"celsius": 21}}]}});

    let more = json!({"toolConfig": tool_config(), "messages": [
        {"role": "user", "content": [{"text": "Go"}]}, message,
        {"role": "user", "content": [result]}]});
    let second = house.ask(&converse("test/tool", "converse", &more));

    assert_eq!(second.json()["stopReason"], "end_turn", "{}", second.text());
    let sent = sent(&house);
    assert_eq!(sent["messages"][2]["tool_call_id"], call["toolUseId"]);
    assert_eq!(sent["messages"][2]["content"], "{\"celsius\":21}");
}

#[test]
fn refusals_are_told_to_a_bedrock_client_in_its_words() {
    let house = house();

    let unknown = house.ask(&converse("aws/nobody", "converse", &json!({})));
    let keyless = house.ask(&converse("aws/nova", "converse-stream", &json!({})).key("nobodys"));
    let limited = house.ask(&converse("claude/claude-e429", "converse", &json!({})));
    let broken = house.ask(&Ask::post("/bedrock/proxy/model/test%2Fplain/converse", "[1,"));

    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["__type"], "ResourceNotFoundException");
    assert_eq!(keyless.status, 401);
    assert_eq!(keyless.json()["__type"], "UnrecognizedClientException");
    assert_eq!(limited.status, 429);
    assert_eq!(limited.json()["__type"], "ThrottlingException");
    assert_eq!(limited.json()["message"], "The vendor says 429.");
    assert_eq!(broken.status, 400);
    assert_eq!(broken.json()["__type"], "ValidationException");
}

/// A signature that the client's SDK makes is nobody's proof here; the key beside it is.
#[test]
fn a_signature_of_the_client_is_not_read_where_a_key_stands_beside_it() {
    let house = house();
    let signature = "AWS4-HMAC-SHA256 Credential=AKIA/20261121/us-east-1/bedrock/aws4_request, \
        SignedHeaders=host, Signature=0";
    let signed = |ask: Ask| {
        ask.without("authorization")
            .header("authorization", signature)
            .header("x-amz-date", "20261121T000000Z")
    };

    let with_key = signed(converse("signed/nova", "converse", &json!({})));
    let with_key = house.ask(&with_key.header("x-tfy-api-key", KEY));
    let without = house.ask(&signed(converse("signed/nova", "converse", &json!({}))));

    assert_eq!(with_key.status, 200, "{}", with_key.text());
    assert_eq!(without.status, 401);
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    let proof = seen.header("authorization").expect("it is signed");
    assert!(proof.contains("Credential=AKIATEST/"), "{proof}");
    assert_ne!(seen.header("x-amz-date"), Some("20261121T000000Z"));
}
