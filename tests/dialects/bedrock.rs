//! Reads answers and streams as boto3's users do, and insists on the order of frames.

use super::{
    answer::{Answer, Tool, cite, push},
    frames,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Read a whole answer.
pub fn whole(body: &[u8]) -> Answer {
    let reply: Value = serde_json::from_slice(body).expect("an answer is JSON");
    let message = &reply["output"]["message"];
    assert_eq!(message["role"], "assistant");
    let finish = reply["stopReason"].as_str().map(str::to_owned);
    let mut answer = Answer { finish, ..Answer::default() };
    for block in message["content"].as_array().expect("content") {
        let (kind, inner) = block.as_object().and_then(|all| all.iter().next()).expect("a block");
        match kind.as_str() {
            "text" => push(&mut answer.text, inner),
            "citationsContent" => {
                push(&mut answer.text, &inner["content"][0]["text"]);
                let citations = inner["citations"].as_array().expect("citations").iter();
                citations.for_each(|one| cite(&mut answer, &one["location"]["web"]["url"]));
            }
            "reasoningContent" => push(&mut answer.reasoning, &inner["reasoningText"]["text"]),
            "toolUse" => {
                assert!(inner["input"].is_object());
                let text = |value: &Value| value.as_str().expect("a string").to_owned();
                answer.tools.push(Tool {
                    id: text(&inner["toolUseId"]),
                    name: text(&inner["name"]),
                    arguments: inner["input"].to_string(),
                });
            }
            "image" | "audio" | "video" => {
                assert!(inner["format"].is_string() && inner["source"]["bytes"].is_string());
            }
            other => panic!("no client knows {other}"),
        }
    }
    usage(&mut answer, &reply["usage"]);
    answer
}

/// Read a stream of frames.
pub fn stream(body: &[u8]) -> Answer {
    let lines = frames::to_lines(body);
    let mut answer = Answer::default();
    // Open blocks: of a call, its place among the calls.
    let mut open: BTreeMap<u64, Option<usize>> = BTreeMap::new();
    let (mut has_started, mut has_stopped, mut is_over, mut next) = (false, false, false, 0);
    for line in lines.lines() {
        let mut words = line.splitn(3, ' ');
        let (kind, name) = (words.next().expect(line), words.next().expect(line));
        let data: Value = serde_json::from_str(words.next().expect(line)).expect(line);
        assert!(!is_over, "something follows the end: {line}");
        if kind == "exception" {
            assert!(data["message"].is_string() && name.ends_with("Exception"), "{line}");
            answer.error = Some(name.to_owned());
            is_over = true;
            continue;
        }
        assert_eq!(has_started, name != "messageStart", "{line}");
        let index = data["contentBlockIndex"].as_u64();
        match name {
            "messageStart" => has_started = data["role"] == "assistant",
            "contentBlockStart" => {
                assert_eq!(index, Some(next), "{line}");
                let call = &data["start"]["toolUse"];
                let text = |value: &Value| value.as_str().expect(line).to_owned();
                let (id, name) = (text(&call["toolUseId"]), text(&call["name"]));
                open.insert(next, Some(answer.tools.len()));
                next += 1;
                answer.tools.push(Tool { id, name, arguments: String::new() });
            }
            "contentBlockDelta" => {
                let index = index.expect(line);
                open.entry(index).or_insert_with(|| {
                    assert_eq!(index, next, "{line}");
                    next += 1;
                    None
                });
                let delta = &data["delta"];
                push(&mut answer.text, &delta["text"]);
                if let Some(citation) = delta.get("citation") {
                    assert!(citation["sourceContent"][0]["text"].is_string(), "{line}");
                    cite(&mut answer, &citation["location"]["web"]["url"]);
                }
                push(&mut answer.reasoning, &delta["reasoningContent"]["text"]);
                if let Some(call) = open[&index] {
                    push(&mut answer.tools[call].arguments, &delta["toolUse"]["input"]);
                } else {
                    assert!(delta["toolUse"].is_null(), "{line}");
                }
            }
            "contentBlockStop" => drop(open.remove(&index.expect(line)).expect(line)),
            "messageStop" => {
                assert!(open.is_empty(), "{line}");
                has_stopped = true;
                answer.finish = data["stopReason"].as_str().map(str::to_owned);
            }
            "metadata" => {
                assert!(has_stopped, "{line}");
                usage(&mut answer, &data["usage"]);
                is_over = true;
            }
            other => panic!("no client knows {other}"),
        }
    }
    assert!(is_over, "it does not end");
    answer
}

fn usage(answer: &mut Answer, usage: &Value) {
    let count = |name: &str| usage[name].as_u64();
    let (cached, written) = (count("cacheReadInputTokens"), count("cacheWriteInputTokens"));
    let beside = cached.unwrap_or(0) + written.unwrap_or(0);
    answer.tokens = count("inputTokens").map(|it| it + beside).zip(count("outputTokens"));
    let (input, output) = answer.tokens.expect("both are told");
    assert_eq!(count("totalTokens"), Some(input + output));
    answer.cached = cached;
}
