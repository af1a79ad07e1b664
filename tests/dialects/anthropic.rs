//! Reads answers and streams as Anthropic's clients do, and insists on the order of events.

use super::answer::{Answer, Tool, cite, push};
use serde_json::Value;

/// Read a whole answer.
pub fn whole(body: &[u8]) -> Answer {
    let reply: Value = serde_json::from_slice(body).expect("an answer is JSON");
    assert_eq!((&reply["type"], &reply["role"]), (&"message".into(), &"assistant".into()));
    assert!(reply["id"].is_string() && reply["model"].is_string());
    assert!(reply.get("stop_sequence").is_some());
    let finish = reply["stop_reason"].as_str().map(str::to_owned);
    let mut answer = Answer { finish, ..Answer::default() };
    for block in reply["content"].as_array().expect("content") {
        match block["type"].as_str().expect("a type") {
            "text" => {
                push(&mut answer.text, &block["text"]);
                let citations = block["citations"].as_array().into_iter().flatten();
                citations.for_each(|citation| cite(&mut answer, &citation["url"]));
            }
            "thinking" => {
                assert!(block["signature"].is_string());
                push(&mut answer.reasoning, &block["thinking"]);
            }
            "tool_use" => {
                assert!(block["input"].is_object());
                let text = |value: &Value| value.as_str().expect("a string").to_owned();
                answer.tools.push(Tool {
                    id: text(&block["id"]),
                    name: text(&block["name"]),
                    arguments: block["input"].to_string(),
                });
            }
            _ => {}
        }
    }
    usage(&mut answer, &reply["usage"]);
    answer
}

/// Read a stream.
pub fn stream(body: &[u8]) -> Answer {
    let text = std::str::from_utf8(body).expect("UTF-8");
    let mut answer = Answer::default();
    let mut state = State::Before;
    let mut blocks = 0;
    for event in text.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').expect(event);
        let name = name.strip_prefix("event: ").expect(event);
        let data: Value =
            serde_json::from_str(data.strip_prefix("data: ").expect(event)).expect(event);
        assert_eq!(data["type"], name, "{event}");
        assert_ne!(state, State::Over, "something follows the end: {event}");
        state = match (name, state) {
            ("ping", state) => state,
            ("error", _) => {
                answer.error = data["error"]["type"].as_str().map(str::to_owned);
                assert!(answer.error.is_some() && data["error"]["message"].is_string());
                State::Over
            }
            ("message_start", State::Before) => {
                let message = &data["message"];
                assert!(message["id"].is_string() && message["content"] == serde_json::json!([]));
                assert!(message["usage"]["input_tokens"].is_u64());
                State::Between
            }
            ("content_block_start", State::Between) => {
                assert_eq!(data["index"], blocks, "{event}");
                open(&mut answer, &data["content_block"]);
                State::Inside
            }
            ("content_block_delta", State::Inside) => {
                assert_eq!(data["index"], blocks, "{event}");
                step(&mut answer, &data["delta"]);
                State::Inside
            }
            ("content_block_stop", State::Inside) => {
                assert_eq!(data["index"], blocks, "{event}");
                blocks += 1;
                State::Between
            }
            ("message_delta", State::Between) => {
                answer.finish = data["delta"]["stop_reason"].as_str().map(str::to_owned);
                usage(&mut answer, &data["usage"]);
                State::Told
            }
            ("message_stop", State::Told) => State::Over,
            _ => panic!("out of order, {state:?}: {event}"),
        };
    }
    assert_eq!(state, State::Over, "it does not end");
    answer
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Before,
    Between,
    Inside,
    Told,
    Over,
}

fn open(answer: &mut Answer, block: &Value) {
    if block["type"] == "tool_use" {
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let (id, name) = (text(&block["id"]), text(&block["name"]));
        assert_eq!(block["input"], serde_json::json!({}));
        answer.tools.push(Tool { id, name, arguments: String::new() });
    }
}

fn step(answer: &mut Answer, delta: &Value) {
    match delta["type"].as_str().expect("a type") {
        "text_delta" => push(&mut answer.text, &delta["text"]),
        "thinking_delta" => push(&mut answer.reasoning, &delta["thinking"]),
        "citations_delta" => {
            let citation = &delta["citation"];
            assert_eq!(citation["type"], "web_search_result_location");
            assert!(citation["cited_text"].is_string() && citation["encrypted_index"].is_string());
            cite(answer, &citation["url"]);
        }
        "signature_delta" => assert!(delta["signature"].is_string()),
        "input_json_delta" => {
            let tool = answer.tools.last_mut().expect("a tool is open");
            push(&mut tool.arguments, &delta["partial_json"]);
        }
        other => panic!("no client knows {other}"),
    }
}

fn usage(answer: &mut Answer, usage: &Value) {
    let count = |name: &str| usage[name].as_u64();
    let (cached, written) =
        (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
    let beside = cached.unwrap_or(0) + written.unwrap_or(0);
    answer.tokens = count("input_tokens").map(|it| it + beside).zip(count("output_tokens"));
    answer.cached = cached;
}
