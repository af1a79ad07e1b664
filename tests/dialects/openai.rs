//! Reads answers and streams as OpenAI's clients do, and insists on what the strictest want.

use super::answer::{Answer, Tool, cite, push};
use serde_json::Value;

/// Read a whole answer.
pub fn whole(body: &[u8]) -> Answer {
    let reply: Value = serde_json::from_slice(body).expect("an answer is JSON");
    assert_eq!(reply["object"], "chat.completion");
    assert!(reply["id"].is_string() && reply["model"].is_string() && reply["created"].is_u64());
    let choice = &reply["choices"][0];
    let message = &choice["message"];
    assert_eq!(message["role"], "assistant");
    assert!(message.get("content").is_some() && message.get("refusal").is_some());
    let mut answer = Answer { finish: finish(choice), ..Answer::default() };
    push(&mut answer.text, &message["content"]);
    push(&mut answer.reasoning, &message["reasoning_content"]);
    annotations(&mut answer, &message["annotations"]);
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        assert_eq!(call["type"], "function");
        let function = &call["function"];
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        answer.tools.push(Tool {
            id: text(&call["id"]),
            name: text(&function["name"]),
            arguments: text(&function["arguments"]),
        });
    }
    usage(&mut answer, &reply["usage"]);
    answer
}

/// Read a stream; each rule of the strictest clients is asserted.
pub fn stream(body: &[u8]) -> Answer {
    let text = std::str::from_utf8(body).expect("UTF-8");
    let mut answer = Answer::default();
    let mut is_done = false;
    let mut has_role = false;
    for event in text.split_terminator("\n\n") {
        if event.starts_with(':') {
            continue;
        }
        assert!(!is_done, "something follows [DONE]: {event}");
        let data = event.strip_prefix("data: ").expect(event);
        if data == "[DONE]" {
            is_done = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(data).expect(data);
        if let Some(error) = chunk.get("error") {
            assert!(error["message"].is_string() && error["type"].is_string(), "{data}");
            answer.error = error["type"].as_str().map(str::to_owned);
            continue;
        }
        assert!(answer.error.is_none(), "something follows an error: {event}");
        assert_eq!(chunk["object"], "chat.completion.chunk", "{data}");
        assert!(chunk["id"].is_string() && chunk["model"].is_string(), "{data}");
        assert!(chunk["created"].is_u64(), "{data}");
        let choices = chunk["choices"].as_array().expect(data);
        if let Some(told) = chunk.get("usage") {
            assert!(choices.is_empty(), "usage has a chunk of its own: {data}");
            usage(&mut answer, told);
        }
        for choice in choices {
            if !has_role {
                assert_eq!(choice["delta"]["role"], "assistant", "{data}");
                has_role = true;
            }
            step(&mut answer, choice, data);
        }
    }
    assert!(is_done || answer.error.is_some(), "neither [DONE] nor an error");
    assert!(!(is_done && answer.error.is_some()), "[DONE] behind an error");
    answer
}

fn step(answer: &mut Answer, choice: &Value, data: &str) {
    let delta = choice["delta"].as_object().expect(data);
    assert!(delta.values().all(|value| !value.is_null()), "a key with null: {data}");
    assert!(choice.get("finish_reason").is_some() && choice["index"].is_u64(), "{data}");
    push(&mut answer.text, &choice["delta"]["content"]);
    push(&mut answer.reasoning, &choice["delta"]["reasoning_content"]);
    annotations(answer, &choice["delta"]["annotations"]);
    for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
        let index = usize::try_from(call["index"].as_u64().expect(data)).expect(data);
        let arguments = call["function"]["arguments"].as_str().expect(data);
        if index == answer.tools.len() {
            assert_eq!(call["type"], "function", "{data}");
            let text = |value: &Value| value.as_str().expect(data).to_owned();
            let (id, name) = (text(&call["id"]), text(&call["function"]["name"]));
            answer.tools.push(Tool { id, name, arguments: arguments.to_owned() });
        } else {
            assert_eq!(call.as_object().map(serde_json::Map::len), Some(2), "{data}");
            answer.tools[index].arguments.push_str(arguments);
        }
    }
    if let Some(finish) = finish(choice) {
        assert!(answer.finish.is_none(), "a second finish: {data}");
        answer.finish = Some(finish);
    }
}

/// Each lies within the words so far.
fn annotations(answer: &mut Answer, list: &Value) {
    for annotation in list.as_array().into_iter().flatten() {
        assert_eq!(annotation["type"], "url_citation");
        let told = &annotation["url_citation"];
        let index = |name: &str| told[name].as_u64().expect("an index");
        assert!(index("start_index") <= index("end_index"), "{told}");
        assert!(index("end_index") <= answer.text.chars().count() as u64, "{told}");
        assert!(told["title"].is_string());
        cite(answer, &told["url"]);
    }
}

fn finish(choice: &Value) -> Option<String> {
    choice["finish_reason"].as_str().map(str::to_owned)
}

fn usage(answer: &mut Answer, usage: &Value) {
    let count = |name: &str| usage[name].as_u64();
    answer.tokens = count("prompt_tokens").zip(count("completion_tokens"));
    answer.cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64();
}
