//! Reads answers and streams as Google's clients do, and insists on what they want.

use super::answer::{Answer, Tool, cite, push};
use serde_json::Value;

/// Read a whole answer.
pub fn whole(body: &[u8]) -> Answer {
    let reply: Value = serde_json::from_slice(body).expect("an answer is JSON");
    let mut answer = Answer::default();
    see(&mut answer, &reply);
    answer
}

/// Read a stream: each event is an answer with what is new in it.
pub fn stream(body: &[u8]) -> Answer {
    let text = std::str::from_utf8(body).expect("UTF-8");
    let mut answer = Answer::default();
    for event in text.split_terminator("\n\n") {
        if event.starts_with(':') {
            continue;
        }
        assert!(answer.error.is_none(), "something follows an error: {event}");
        let data = event.strip_prefix("data: ").expect(event);
        let event: Value = serde_json::from_str(data).expect(data);
        if let Some(error) = event.get("error") {
            assert!(error["code"].is_u64() && error["message"].is_string(), "{data}");
            answer.error = error["status"].as_str().map(str::to_owned);
            assert!(answer.error.is_some(), "{data}");
            continue;
        }
        assert!(answer.finish.is_none(), "something follows the finish: {data}");
        see(&mut answer, &event);
    }
    answer
}

fn see(answer: &mut Answer, reply: &Value) {
    assert!(reply["responseId"].is_string() && reply["modelVersion"].is_string(), "{reply}");
    for candidate in reply["candidates"].as_array().expect("candidates") {
        assert!(candidate["index"].is_u64(), "{candidate}");
        if candidate["index"] != 0 {
            continue;
        }
        if let Some(content) = candidate.get("content") {
            assert_eq!(content["role"], "model");
            content["parts"].as_array().expect("parts").iter().for_each(|it| part(answer, it));
        }
        if let Some(grounding) = candidate.get("groundingMetadata") {
            ground(answer, grounding);
        }
        if let Some(finish) = candidate["finishReason"].as_str() {
            answer.finish = Some(finish.to_owned());
        }
    }
    let count = |name: &str| reply["usageMetadata"][name].as_u64();
    if let Some(input) = count("promptTokenCount") {
        let thoughts = count("thoughtsTokenCount").unwrap_or(0);
        let output = count("candidatesTokenCount").expect("both are told") + thoughts;
        assert_eq!(count("totalTokenCount"), Some(input + output));
        answer.tokens = Some((input, output));
        answer.cached = count("cachedContentTokenCount");
    }
}

/// Each support lies within the words, and names pages that are there.
fn ground(answer: &mut Answer, grounding: &Value) {
    let chunks = grounding["groundingChunks"].as_array().expect("chunks");
    for support in grounding["groundingSupports"].as_array().expect("supports") {
        let index = |name: &str| support["segment"][name].as_u64().expect("an index");
        assert!(index("startIndex") <= index("endIndex"), "{support}");
        assert!(index("endIndex") <= answer.text.len() as u64, "{support}");
        for chunk in support["groundingChunkIndices"].as_array().expect("indices") {
            let chunk = usize::try_from(chunk.as_u64().expect("an index")).expect("small");
            assert!(chunks[chunk]["web"]["title"].is_string());
            cite(answer, &chunks[chunk]["web"]["uri"]);
        }
    }
}

fn part(answer: &mut Answer, part: &Value) {
    let is_thought = part["thought"] == true;
    if let Some(proof) = part.get("thoughtSignature") {
        assert!(proof.is_string(), "{part}");
    }
    if let Some(call) = part.get("functionCall") {
        assert!(call["args"].is_object(), "{part}");
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        answer.tools.push(Tool {
            id: text(&call["id"]),
            name: text(&call["name"]),
            arguments: call["args"].to_string(),
        });
    } else if is_thought {
        push(&mut answer.reasoning, &part["text"]);
    } else {
        push(&mut answer.text, &part["text"]);
    }
}
