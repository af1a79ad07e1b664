//! Where other gateways hurt their users, each defect by its number: the input, and what we owe.

use super::{
    answer::Answer,
    anthropic, openai,
    stream::{MANNER, translate},
};
use serde_json::{Value, json};
use weir::{
    dialect::{
        pivot::{
            dropped::Dropped,
            part::Dialect,
            target::{Abilities, Addressee, Thinking, Written},
        },
        translation::{self, Stream},
    },
    wire::json::document::Document,
};

const TO_OPENAI: (Dialect, Dialect) = (Dialect::Anthropic, Dialect::OpenAiChat);
const TO_ANTHROPIC: (Dialect, Dialect) = (Dialect::OpenAiChat, Dialect::Anthropic);
/// A request of an OpenAI client for an Anthropic vendor.
const OPENAI_ASKS: (Dialect, Dialect) = (Dialect::OpenAiChat, Dialect::Anthropic);

fn told(events: &[Value]) -> Vec<u8> {
    let event = |event: &Value| match event["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    };
    events.iter().map(event).collect::<String>().into_bytes()
}

fn as_openai(events: &[Value]) -> Answer {
    let out = translate(std::iter::once(&told(events)[..]), TO_OPENAI).expect("well formed");
    openai::stream(&out)
}

fn as_anthropic(events: &[Value]) -> Answer {
    let out = translate(std::iter::once(&told(events)[..]), TO_ANTHROPIC).expect("well formed");
    anthropic::stream(&out)
}

pub(super) fn asked(body: &Value, pair: (Dialect, Dialect)) -> (Value, Vec<String>) {
    let abilities = Abilities { thinking: Thinking::Budget { min: 1_024 }, ..Abilities::UNKNOWN };
    let to = Addressee { model_json: b"\"m\"", abilities: &abilities };
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let body = body.to_string();
    let mut notes = Document::default();
    translation::request(&mut out, body.as_bytes(), pair, &to, &mut notes, &mut dropped)
        .expect("a request");
    let dropped = dropped.iter().map(str::to_owned).collect();
    (serde_json::from_slice(&out).expect("JSON"), dropped)
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "m", "model": "c", "role": "assistant",
        "content": [], "usage": {"input_tokens": 9, "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 20, "output_tokens": 1}}})
}

fn open(index: u32, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn words(index: u32, text: &str) -> Value {
    json!({"type": "content_block_delta", "index": index,
        "delta": {"type": "text_delta", "text": text}})
}

fn close(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn finish(reason: &str) -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
        "usage": {"output_tokens": 5}})
}

fn stop() -> Value {
    json!({"type": "message_stop"})
}

fn chunk(delta: Value, reason: Option<&str>) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "g",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
}

#[test]
fn t005_data_without_a_space_and_t006_other_fields_are_read() {
    let stream = "id: 7\nretry: 3\nevent:message_start\ndata:{\"type\":\"message_start\",\n\
        data:\"message\":{\"id\":\"m\",\"usage\":{}}}\n\n: c\n\nevent: message_stop\n\
        data:{\"type\":\"message_stop\"}\n\n";
    let out = translate(std::iter::once(stream.as_bytes()), TO_OPENAI).expect("well formed");
    assert!(String::from_utf8_lossy(&out).ends_with("data: [DONE]\n\n"));
}

#[test]
fn t016_a_second_message_start_before_any_word_is_passed_over() {
    let text = open(0, json!({"type": "text", "text": ""}));
    let answer =
        as_openai(&[start(), start(), text, words(0, "Hi"), close(0), finish("end_turn"), stop()]);
    assert_eq!((&*answer.text, answer.tokens), ("Hi", Some((129, 5))));
}

/// `openai::stream` insists on the role in the first chunk, whatever that chunk says.
#[test]
fn t022_the_first_delta_that_an_openai_client_sees_has_its_role() {
    let text = open(0, json!({"type": "text", "text": ""}));
    let call = open(0, json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}));
    let thought = open(0, json!({"type": "thinking", "thinking": "", "signature": ""}));
    for first in [text, call, thought] {
        let events = [start(), first, close(0), finish("end_turn"), stop()];
        let out = translate(std::iter::once(&told(&events)[..]), TO_OPENAI).expect("well formed");
        let out = String::from_utf8(out).expect("UTF-8");
        let data = out.lines().find_map(|line| line.strip_prefix("data: ")).expect("a chunk");
        let chunk: Value = serde_json::from_str(data).expect(data);
        assert_eq!(chunk["choices"][0]["delta"]["role"], "assistant", "{data}");
        assert_eq!(out.matches("\"role\":").count(), 1, "{out}");
    }
}

#[test]
fn t023_empty_deltas_break_nothing() {
    let answer = as_anthropic(&[
        chunk(json!({}), None),
        chunk(json!({"tool_calls": [{}]}), None),
        chunk(json!({"tool_calls": []}), None),
        chunk(json!({"content": ""}), None),
        chunk(json!({"content": "Hi"}), None),
        chunk(json!({}), Some("stop")),
    ]);
    assert_eq!(answer.text, "Hi");
}

fn chat_usage() -> Value {
    json!({"prompt_tokens": 9, "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4}})
}

/// A stream that says a word and ends so counts its tokens.
fn is_counted(tail: Vec<Value>) {
    let mut events = vec![chunk(json!({"content": "Hi"}), None)];
    events.extend(tail);
    let answer = as_anthropic(&events);
    assert_eq!((answer.tokens, answer.cached), (Some((9, 5)), Some(4)), "{events:?}");
}

#[test]
fn t038_usage_in_the_chunk_of_the_finish_counts() {
    let mut last = chunk(json!({}), Some("stop"));
    last["usage"] = chat_usage();
    is_counted(vec![last]);
}

/// Also t021: in a chunk with choices or without.
#[test]
fn t039_usage_behind_the_finish_counts() {
    let mut empty = chunk(json!({"content": ""}), None);
    empty["usage"] = chat_usage();
    is_counted(vec![chunk(json!({}), Some("stop")), empty]);
    let bare = json!({"id": "c", "choices": [], "usage": chat_usage()});
    is_counted(vec![chunk(json!({}), Some("stop")), bare]);
}

#[test]
fn t042_what_a_cache_took_and_gave_is_counted_once() {
    let answer = as_openai(&[start(), finish("end_turn"), stop()]);
    assert_eq!((answer.tokens, answer.cached), (Some((129, 5)), Some(20)));
}

/// What is billed and what is exported come of one count: what a cache took is a part of what went
/// in, and stands beside it once.
#[test]
fn t046_what_a_cache_took_is_a_part_of_what_went_in() {
    let mut stream = Stream::new(TO_OPENAI, Written::default(), false);
    let mut out = Vec::new();
    for event in [start(), finish("end_turn"), stop()] {
        stream.event(event.to_string().as_bytes(), &mut out, &MANNER).expect("well formed");
    }

    let seen = stream.facts.usage.seen().expect("it was told");

    assert_eq!((seen.input_tokens, seen.cached_tokens, seen.cache_written_tokens), (129, 20, 100));
    let told = String::from_utf8(out).expect("text");
    assert!(told.contains("\"prompt_tokens\":129,\"completion_tokens\":5,\"total_tokens\":134"));
    assert_eq!(told.matches("\"cache_creation_input_tokens\":100").count(), 1, "{told}");
}

#[test]
fn t048_a_caches_tokens_told_at_both_ends_of_a_stream_are_counted_once() {
    let mut last = finish("end_turn");
    last["usage"] = json!({"input_tokens": 9, "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 20, "output_tokens": 5});
    let answer = as_openai(&[start(), last, stop()]);
    assert_eq!((answer.tokens, answer.cached), (Some((129, 5)), Some(20)));
}

#[test]
fn t054_a_caches_tokens_told_only_at_the_end_are_counted() {
    let mut first = start();
    first["message"]["usage"] = json!({"input_tokens": 9, "output_tokens": 1});
    let mut last = finish("end_turn");
    last["usage"] = json!({"cache_creation_input_tokens": 100, "cache_read_input_tokens": 20,
        "output_tokens": 5});
    let answer = as_openai(&[first, last, stop()]);
    assert_eq!((answer.tokens, answer.cached), (Some((129, 5)), Some(20)));
}

#[test]
fn t049_usage_told_again_at_the_end_replaces_what_was_told() {
    let mut last = finish("end_turn");
    last["usage"]["input_tokens"] = 61.into();
    let answer = as_openai(&[start(), last, stop()]);
    assert_eq!(answer.tokens, Some((181, 5)));
}

/// fault 21: twice is not the sum.
#[test]
fn fault_21_usage_in_every_chunk_is_not_summed() {
    let mut chunks = Vec::new();
    for tokens in 1..4 {
        let mut one = chunk(json!({"content": "x"}), (tokens == 3).then_some("stop"));
        one["usage"] = json!({"prompt_tokens": 9, "completion_tokens": tokens});
        chunks.push(one);
    }
    assert_eq!(as_anthropic(&chunks).tokens, Some((9, 3)));
}

#[test]
fn t018_heartbeats_behind_the_finish_say_nothing_more() {
    let pair = TO_ANTHROPIC;
    let mut stream = Stream::new(pair, Written::default(), false);
    let mut out = Vec::new();
    for event in [chunk(json!({"content": "x"}), Some("stop")), chunk(json!({}), None)] {
        stream.event(event.to_string().as_bytes(), &mut out, &MANNER).expect("well formed");
    }
    assert!(stream.facts.has_finished && !stream.facts.goes_on);
}

/// bifrost#3511, Portkey#1275: ids and indices of calls side by side, told by turns, stay theirs.
#[test]
fn t125_calls_side_by_side_keep_their_ids_and_their_words() {
    let call = |index: u32, id: &str| {
        chunk(
            json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": "f", "arguments": ""}}]}),
            None,
        )
    };
    let piece = |index: u32, text: &str| {
        chunk(json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]}), None)
    };
    let answer = as_anthropic(&[
        call(0, "call_a"),
        call(1, "call_b"),
        piece(0, "{\"x\":"),
        piece(1, "{\"y\":"),
        piece(0, "1}"),
        piece(1, "2}"),
        chunk(json!({}), Some("tool_calls")),
    ]);
    let found: Vec<_> = answer.tools.iter().map(|tool| (&*tool.id, &*tool.arguments)).collect();
    assert_eq!(found, [("call_a", "{\"x\":1}"), ("call_b", "{\"y\":2}")]);

    // Sent back, each result meets its call.
    let calls: Vec<Value> = found
        .iter()
        .map(|(id, arguments)| {
            json!({"id": id, "type": "function",
            "function": {"name": "f", "arguments": arguments}})
        })
        .collect();
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": id});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Go"},
        {"role": "assistant", "content": null, "tool_calls": calls},
        result("call_b"), result("call_a")]});
    let (sent, _) = asked(&body, OPENAI_ASKS);
    let blocks = |at: usize| sent["messages"][at]["content"].as_array().expect("blocks").clone();
    let ids: Vec<_> = blocks(1).iter().map(|block| block["id"].clone()).collect();
    assert_eq!(ids, ["call_a", "call_b"]);
    for result in blocks(2) {
        assert_eq!(result["tool_use_id"], result["content"], "{result}");
    }
}

#[test]
fn fault_20_calls_are_told_apart_and_told_in_full() {
    let tool = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let piece = |index: u32, json: &str| {
        json!({"type": "content_block_delta", "index": index,
            "delta": {"type": "input_json_delta", "partial_json": json}})
    };
    let answer = as_openai(&[
        start(),
        open(3, tool("a")),
        piece(3, "{\"x\":"),
        piece(3, " Par"),
        close(3),
        open(4, tool("b")),
        close(4),
        finish("tool_use"),
        stop(),
    ]);
    assert_eq!((&*answer.tools[0].id, &*answer.tools[0].arguments), ("a", "{\"x\": Par"));
    assert_eq!((&*answer.tools[1].id, &*answer.tools[1].arguments), ("b", "{}"));
}

/// fault 10: told as malformed, never passed over.
#[test]
fn fault_10_a_malformed_chunk_is_no_chunk() {
    let both = [(TO_OPENAI, "data: {\"type\":\"ping\"\n\n"), (TO_ANTHROPIC, "data: {\"id\":\n\n")];
    for (pair, stream) in both {
        assert_eq!(translate(std::iter::once(stream.as_bytes()), pair), None);
    }
    let groq = "event: error\ndata: {\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\",\
        \"code\":\"tool_use_failed\",\"failed_generation\":\"x\"}}\n\n";
    let out = translate(std::iter::once(groq.as_bytes()), TO_ANTHROPIC).expect("an error");
    assert_eq!(anthropic::stream(&out).error.as_deref(), Some("invalid_request_error"));
}

/// litellm#38809: a block with nothing but its proof is kept.
#[test]
fn t124_a_signature_without_words_is_kept() {
    let body = json!({"model": "m", "reasoning_effort": "low", "max_tokens": 9_000, "messages": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": "Yes", "thinking_blocks":
            [{"type": "thinking", "thinking": "", "signature": "c2ln"}]},
        {"role": "user", "content": "On"}]});
    let (sent, dropped) = asked(&body, OPENAI_ASKS);
    assert_eq!(
        sent["messages"][1]["content"][0],
        json!({"type": "thinking", "thinking": "", "signature": "c2ln"})
    );
    assert!(dropped.is_empty(), "{dropped:?}");
}

/// agentgateway#2008, aisix#815, envoy#2467: every block of text, and unknown tools named.
#[test]
fn t127_nothing_is_left_out_in_silence() {
    let body = json!({"model": "m", "max_tokens": 5, "tools": [{"type": "hologram_1", "name": "h"}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"},
            {"type": "text", "text": "b"}, {"type": "hologram", "x": 1}]}]});
    let (sent, dropped) = asked(&body, (Dialect::Anthropic, Dialect::OpenAiChat));
    assert_eq!(sent["messages"][0]["content"].as_array().map(Vec::len), Some(2));
    assert_eq!(dropped, ["messages[].hologram", "tools[hologram_1]"]);
}

/// agentgateway#1358, bifrost#6732, envoy#2237.
#[test]
fn t128_turns_alternate_and_null_is_no_content() {
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "a"}, {"role": "user", "content": "b"},
        {"role": "assistant", "content": null}, {"role": "user", "content": "c"}]});
    let (sent, _) = asked(&body, OPENAI_ASKS);
    let messages = sent["messages"].as_array().expect("messages");
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["content"].as_array().map(Vec::len), Some(3));
}

/// The order of tools is part of what a prompt cache remembers (bifrost#2347).
#[test]
fn t126_the_same_request_is_written_the_same_every_time() {
    let tool = |name: String| json!({"type": "function", "function": {"name": name}});
    let tools: Vec<Value> = (0..20).map(|index| tool(format!("t{index}"))).collect();
    let body = json!({"model": "m", "tools": tools,
        "messages": [{"role": "user", "content": "a"}]});
    let (first, _) = asked(&body, OPENAI_ASKS);
    let names = first["tools"].as_array().expect("tools").iter().map(|tool| tool["name"].clone());
    assert_eq!(
        names.collect::<Vec<_>>(),
        (0..20).map(|i| json!(format!("t{i}"))).collect::<Vec<_>>()
    );
    assert_eq!(asked(&body, OPENAI_ASKS).0, first);
}
