//! Bedrock's own clients, before every vendor.

use super::house::{frames, house, tool_config};
use crate::harness::{
    self, answer, aws_frames,
    client::{Ask, KEY},
    talk::converse,
};
use serde_json::{Value, json};
use weir::rehearsal::script::Step;

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

    let reply = house.ask(&converse("aws/raw", "converse-stream", json!({})));

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
        assert!(house.sent()["stream"].as_bool().unwrap_or_default());
    }
    let receipts = house.receipts(4);
    assert!(receipts.iter().all(|receipt| receipt.text("ending") == "complete"));
}

#[test]
fn t020_t024_t061_a_bedrock_client_streams_interleaved_calls_each_by_its_index() {
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
    let sent = house.sent();
    assert_eq!(sent["messages"][2]["tool_call_id"], call["toolUseId"]);
    assert_eq!(sent["messages"][2]["content"], "{\"celsius\":21}");
}

#[test]
fn refusals_are_told_to_a_bedrock_client_in_its_words() {
    let house = house();

    let unknown = house.ask(&converse("aws/nobody", "converse", json!({})));
    let keyless = house.ask(&converse("aws/nova", "converse-stream", json!({})).key("nobodys"));
    let limited = house.ask(&converse("claude/claude-e429", "converse", json!({})));
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

    let with_key = signed(converse("signed/nova", "converse", json!({})));
    let with_key = house.ask(&with_key.header("x-tfy-api-key", KEY));
    let without = house.ask(&signed(converse("signed/nova", "converse", json!({}))));

    assert_eq!(with_key.status, 200, "{}", with_key.text());
    assert_eq!(without.status, 401);
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    let proof = seen.header("authorization").expect("it is signed");
    assert!(proof.contains("Credential=AKIATEST/"), "{proof}");
    assert_ne!(seen.header("x-amz-date"), Some("20261121T000000Z"));
}
