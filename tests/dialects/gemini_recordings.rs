//! What Google answered, told in the other dialects, and what others answered in Google's: the same
//! words, thoughts, calls, finish and tokens as were recorded.

use super::{
    answer::Answer,
    anthropic, gemini, openai,
    recordings::{ok, whole},
    stream::translate,
};
use crate::harness::fixture::{self, Recording};
use serde_json::Value;
use weir::dialect::pivot::part::Dialect;

const TO_OPENAI: (Dialect, Dialect) = (Dialect::Gemini, Dialect::OpenAiChat);
const TO_ANTHROPIC: (Dialect, Dialect) = (Dialect::Gemini, Dialect::Anthropic);

fn streamed(recording: &Recording, pair: (Dialect, Dialect)) -> Vec<u8> {
    let out = translate(std::iter::once(&recording.body[..]), pair);
    out.unwrap_or_else(|| panic!("{} is malformed", recording.name))
}

fn stop_in_openai(reason: &str, calls: bool) -> &str {
    match reason {
        "STOP" if calls => "tool_calls",
        "STOP" => "stop",
        "MAX_TOKENS" => "length",
        other => other,
    }
}

fn stop_in_anthropic(reason: &str, calls: bool) -> &str {
    match reason {
        "STOP" if calls => "tool_use",
        "STOP" => "end_turn",
        "MAX_TOKENS" => "max_tokens",
        other => other,
    }
}

/// In and out, and of the first what was cached.
fn tokens(usage: &Value) -> Option<(u64, u64)> {
    let count = |name: &str| usage[name].as_u64();
    let input = count("promptTokenCount")? + count("toolUsePromptTokenCount").unwrap_or(0);
    let output = count("candidatesTokenCount").unwrap_or(0);
    let output = output + count("thoughtsTokenCount").unwrap_or(0);
    // The vendor's own sum says that this is how they add up.
    assert_eq!(count("totalTokenCount"), Some(input + output), "{usage}");
    Some((input, output))
}

fn check(recording: &Recording, answer: &Answer, stop: fn(&str, bool) -> &str) {
    let Some(expected) = &recording.expected else { return };
    let name = &recording.name;
    assert_eq!(answer.error, None, "{name}");
    assert_eq!(answer.text, expected["text"].as_str().unwrap_or_default(), "{name}");
    assert_eq!(answer.reasoning, expected["reasoning"].as_str().unwrap_or_default(), "{name}");
    let tools: Vec<_> = expected["tools"].as_array().into_iter().flatten().collect();
    assert_eq!(answer.tools.len(), tools.len(), "{name}");
    for (tool, expected_tool) in answer.tools.iter().zip(&tools) {
        assert_eq!(tool.name, expected_tool["name"], "{name}");
        assert!(!tool.id.is_empty(), "{name}");
        assert!(tool.value().is_object(), "{name}");
        // Where words came in pieces the recording does not say what they make.
        if expected.get("tools_partial_args").is_none() {
            assert_eq!(tool.value(), expected_tool["args"], "{name}");
        }
        let is_signed = expected_tool["signature"] == true;
        assert_eq!(tool.id.contains("-thought-"), is_signed, "{name}");
    }
    let mut ids: Vec<&str> = answer.tools.iter().map(|tool| &*tool.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), tools.len(), "{name}: two calls have one id");
    let finish = expected["finish"].as_str().map(|word| stop(word, !tools.is_empty()));
    assert_eq!(answer.finish.as_deref(), finish, "{name}");
    if let Some(tokens) = tokens(&expected["usage"]) {
        assert_eq!(answer.tokens, Some(tokens), "{name}");
    }
}

#[test]
fn a_gemini_answer_reads_the_same_as_an_openai_one_and_an_anthropic_one() {
    for recording in ok(fixture::gemini_answers(), "json") {
        let out = whole(&recording.body, TO_OPENAI);
        check(&recording, &openai::whole(&out), stop_in_openai);
        let out = whole(&recording.body, TO_ANTHROPIC);
        check(&recording, &anthropic::whole(&out), stop_in_anthropic);
    }
}

#[test]
fn t004_a_gemini_stream_reads_the_same_as_an_openai_one_and_an_anthropic_one() {
    let mut compared = 0;
    for recording in ok(fixture::gemini_answers(), "sse") {
        check(&recording, &openai::stream(&streamed(&recording, TO_OPENAI)), stop_in_openai);
        let out = streamed(&recording, TO_ANTHROPIC);
        check(&recording, &anthropic::stream(&out), stop_in_anthropic);
        compared += 1;
    }
    assert!(compared == 0 || compared > 15, "only {compared} streams are recorded");
}

/// The call of this recording comes in 75 pieces.
#[test]
fn fault_20_a_recorded_call_in_pieces_is_the_object_that_its_pieces_make() {
    let all = ok(fixture::gemini_answers(), "sse");
    let nested = all.iter().find(|one| one.name.contains("arguments-nested-1"));
    let Some(recording) = nested else { return };

    let answer = openai::stream(&streamed(recording, TO_OPENAI));

    let recipe = answer.tools[0].value()["recipe"].clone();
    let steps = recipe["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 10);
    assert_eq!(steps[9], "Let stand for 15 minutes before serving.");
    assert!(recipe["name"].is_string(), "{recipe}");
}

#[test]
fn what_others_answered_reads_the_same_to_a_gemini_client() {
    let all = [
        (fixture::openai_chats(), Dialect::OpenAiChat),
        (fixture::anthropic_messages(), Dialect::Anthropic),
    ];
    for (recordings, from) in all {
        let recordings = recordings.into_iter().flatten();
        for recording in recordings.filter(|one| one.status == 200) {
            let Some(expected) = &recording.expected else { continue };
            let is_several = expected["messages"].as_u64().is_some_and(|count| count > 1);
            if is_several || !expected["error"].is_null() {
                continue;
            }
            let pair = (from, Dialect::Gemini);
            let answer = match &*recording.kind {
                "json" => gemini::whole(&whole(&recording.body, pair)),
                _ => gemini::stream(&streamed(&recording, pair)),
            };
            compare(&recording, expected, &answer);
        }
    }
}

fn compare(recording: &Recording, expected: &Value, answer: &Answer) {
    let name = &recording.name;
    let tools: Vec<_> = expected["tools"].as_array().into_iter().flatten().collect();
    if answer.finish.as_deref() == Some("STOP") && expected["text"] == "" && tools.is_empty() {
        // A refusal is words beside the content there, and here the content.
        return;
    }
    assert_eq!(answer.text, expected["text"].as_str().unwrap_or_default(), "{name}");
    assert_eq!(answer.reasoning, expected["reasoning"].as_str().unwrap_or_default(), "{name}");
    assert_eq!(answer.tools.len(), tools.len(), "{name}");
    for (tool, expected) in answer.tools.iter().zip(tools) {
        assert_eq!(tool.name, expected["name"], "{name}");
        if expected["args"].is_object() {
            assert_eq!(tool.value(), expected["args"], "{name}");
        }
    }
    if let Some((input, output)) = recording.expected_tokens() {
        // Told apart as thoughts and words, and in sum the same.
        assert_eq!(answer.tokens, Some((input, output)), "{name}");
    }
}
