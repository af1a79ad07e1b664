//! What real vendors answered, told in the other dialects: the same words, thoughts, calls, finish
//! and tokens as were recorded.

use super::{
    answer::{Answer, Tool},
    anthropic, bedrock, frames, gemini, openai, responses,
    stream::{MANNER, translate},
};
use crate::harness::fixture::{self, Recording};
use serde_json::Value;
use weir::dialect::{
    pivot::{dropped::Dropped, part::Dialect, target::Written},
    translation::{self, Stream},
};

const TO_OPENAI: (Dialect, Dialect) = (Dialect::Anthropic, Dialect::OpenAiChat);
const TO_ANTHROPIC: (Dialect, Dialect) = (Dialect::OpenAiChat, Dialect::Anthropic);
const BEDROCK_TO_OPENAI: (Dialect, Dialect) = (Dialect::Bedrock, Dialect::OpenAiChat);
const BEDROCK_TO_ANTHROPIC: (Dialect, Dialect) = (Dialect::Bedrock, Dialect::Anthropic);
const COHERE_TO_OPENAI: (Dialect, Dialect) = (Dialect::Cohere, Dialect::OpenAiChat);
const COHERE_TO_ANTHROPIC: (Dialect, Dialect) = (Dialect::Cohere, Dialect::Anthropic);

pub(super) fn ok(recordings: Option<Vec<Recording>>, kind: &str) -> Vec<Recording> {
    let all = recordings.into_iter().flatten();
    all.filter(|one| one.kind == kind && one.status == 200).collect()
}

/// As many as make a judgement of a vendor; none where there is no recorded traffic here.
fn enough(read: usize) {
    assert!(fixture::root().is_none() || read > 5, "only {read}");
}

pub(super) fn whole(body: &[u8], pair: (Dialect, Dialect)) -> Vec<u8> {
    let mut out = Vec::new();
    let written = Written::default();
    let told = translation::reply(&mut out, body, pair, written, &MANNER, &mut Dropped::default());
    told.expect("a recorded answer is well formed");
    out
}

/// The same in the client's words.
fn stop_in_openai(reason: &str) -> &str {
    match reason {
        "end_turn" | "stop_sequence" | "pause_turn" | "COMPLETE" | "STOP_SEQUENCE" => "stop",
        "max_tokens" | "model_context_window_exceeded" | "MAX_TOKENS" => "length",
        "tool_use" | "TOOL_CALL" => "tool_calls",
        "refusal" | "content_filtered" | "guardrail_intervened" => "content_filter",
        other => other,
    }
}

fn stop_in_anthropic(reason: &str) -> &str {
    match reason {
        "stop" | "eos" | "COMPLETE" | "STOP_SEQUENCE" => "end_turn",
        "length" | "model_length" | "MAX_TOKENS" => "max_tokens",
        "tool_calls" | "TOOL_CALL" => "tool_use",
        "content_filter" | "content_filtered" | "guardrail_intervened" => "refusal",
        other => other,
    }
}

/// Everything that went in: Anthropic counts its caches apart, OpenAI does not.
/// Cohere's are those that are paid for.
fn tokens(usage: &Value) -> Option<(u64, u64)> {
    let usage = usage.get("billed_units").unwrap_or(usage);
    let count = |name: &str| usage[name].as_u64();
    if let (Some(input), Some(output)) = (count("prompt_tokens"), count("completion_tokens")) {
        return Some((input, output));
    }
    if let (Some(input), Some(output)) = (count("inputTokens"), count("outputTokens")) {
        let beside = ["cacheReadInputTokens", "cacheWriteInputTokens"];
        let beside: u64 = beside.into_iter().filter_map(count).sum();
        return Some((input + beside, output));
    }
    let beside = count("cache_read_input_tokens").unwrap_or(0)
        + count("cache_creation_input_tokens").unwrap_or(0);
    Some((count("input_tokens")? + beside, count("output_tokens")?))
}

fn check(recording: &Recording, answer: &Answer, stop: fn(&str) -> &str) {
    let Some(expected) = &recording.expected else { return };
    let name = &recording.name;
    if answer.error.is_some() {
        return assert!(!expected["error"].is_null(), "{name}");
    }
    if answer.finish.as_deref() == Some("refusal") && expected["finish"] == "stop" {
        // A refusal is words beside the content there, and here the content.
        return assert!(expected["text"] == "" && !answer.text.is_empty(), "{name}");
    }
    assert_eq!(answer.text, expected["text"].as_str().unwrap_or_default(), "{name}");
    assert_eq!(answer.reasoning, expected["reasoning"].as_str().unwrap_or_default(), "{name}");
    let tools: Vec<_> = expected["tools"].as_array().into_iter().flatten().collect();
    assert_eq!(answer.tools.len(), tools.len(), "{name}");
    for (tool, expected) in answer.tools.iter().zip(tools) {
        assert_eq!(tool.name, expected["name"], "{name}");
        if expected["id"].as_str().is_some_and(|id| !id.is_empty()) {
            assert_eq!(tool.id, expected["id"], "{name}");
        }
        assert_eq!(tool.value(), expected["args"], "{name}");
    }
    assert_eq!(answer.finish.as_deref(), expected["finish"].as_str().map(stop), "{name}");
    if let Some(tokens) = tokens(&expected["usage"]) {
        assert_eq!(answer.tokens, Some(tokens), "{name}");
    }
}

/// Several answers in one file. One was spliced into the midst of another, which is told as an
/// error, see `fault_13_an_answer_spliced_into_another_is_an_error`.
fn is_several(recording: &Recording) -> bool {
    let messages = recording.expected.as_ref().and_then(|expected| expected["messages"].as_u64());
    messages.is_some_and(|messages| messages > 1)
}

#[test]
fn an_anthropic_answer_reads_the_same_as_an_openai_one() {
    let mut read = 0;
    for recording in ok(fixture::anthropic_messages(), "json") {
        let out = whole(&recording.body, TO_OPENAI);
        check(&recording, &openai::whole(&out), stop_in_openai);
        read += 1;
    }
    enough(read);
}

#[test]
fn an_openai_answer_reads_the_same_as_an_anthropic_one() {
    let mut read = 0;
    for recording in ok(fixture::openai_chats(), "json") {
        let out = whole(&recording.body, TO_ANTHROPIC);
        check(&recording, &anthropic::whole(&out), stop_in_anthropic);
        read += 1;
    }
    enough(read);
}

#[test]
fn an_anthropic_stream_reads_the_same_as_an_openai_one() {
    let mut read = 0;
    for recording in ok(fixture::anthropic_messages(), "sse") {
        if is_several(&recording) {
            continue;
        }
        let out = translate(std::iter::once(&recording.body[..]), TO_OPENAI);
        let out = out.unwrap_or_else(|| panic!("{} is malformed", recording.name));
        check(&recording, &openai::stream(&out), stop_in_openai);
        read += 1;
    }
    enough(read);
}

#[test]
fn an_openai_stream_reads_the_same_as_an_anthropic_one() {
    let mut read = 0;
    for recording in ok(fixture::openai_chats(), "sse") {
        let out = translate(std::iter::once(&recording.body[..]), TO_ANTHROPIC);
        let Some(out) = out else { panic!("{} is malformed", recording.name) };
        check(&recording, &anthropic::stream(&out), stop_in_anthropic);
        read += 1;
    }
    enough(read);
}

#[test]
fn fault_13_an_answer_spliced_into_another_is_an_error() {
    for recording in ok(fixture::anthropic_messages(), "sse") {
        if recording.name.contains("spliced-message-start") {
            assert_eq!(translate(std::iter::once(&recording.body[..]), TO_OPENAI), None);
        }
    }
}

/// The plan that goes before Cohere's calls is what the model thinks; no words for a tool without
/// arguments are `{}`.
fn as_cohere_means(recording: &mut Recording) {
    let Some(expected) = &mut recording.expected else { return };
    let plan: String = if recording.kind == "json" {
        let reply: Value = serde_json::from_slice(&recording.body).expect("JSON");
        reply["message"]["tool_plan"].as_str().unwrap_or_default().to_owned()
    } else {
        let text = String::from_utf8_lossy(&recording.body);
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let events = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
        let plans = events.map(|event| event["delta"]["message"]["tool_plan"].clone());
        plans.filter_map(|plan| plan.as_str().map(str::to_owned)).collect()
    };
    let thought = expected["reasoning"].as_str().unwrap_or_default();
    expected["reasoning"] = format!("{plan}{thought}").into();
    for tool in expected["tools"].as_array_mut().into_iter().flatten() {
        if tool["args"].is_null() {
            tool["args"] = serde_json::json!({});
        }
    }
}

#[test]
fn a_cohere_answer_reads_the_same_as_an_openai_and_an_anthropic_one() {
    let mut read = 0;
    for mut recording in ok(fixture::cohere_chats(), "json") {
        as_cohere_means(&mut recording);
        let out = whole(&recording.body, COHERE_TO_OPENAI);
        check(&recording, &openai::whole(&out), stop_in_openai);
        let out = whole(&recording.body, COHERE_TO_ANTHROPIC);
        check(&recording, &anthropic::whole(&out), stop_in_anthropic);
        read += 1;
    }
    enough(read);
}

#[test]
fn a_cohere_stream_reads_the_same_as_an_openai_and_an_anthropic_one() {
    let mut read = 0;
    for mut recording in ok(fixture::cohere_chats(), "sse") {
        as_cohere_means(&mut recording);
        let out = translate(std::iter::once(&recording.body[..]), COHERE_TO_OPENAI);
        let out = out.unwrap_or_else(|| panic!("{} is malformed", recording.name));
        check(&recording, &openai::stream(&out), stop_in_openai);
        let out = translate(std::iter::once(&recording.body[..]), COHERE_TO_ANTHROPIC);
        let out = out.unwrap_or_else(|| panic!("{} is malformed", recording.name));
        check(&recording, &anthropic::stream(&out), stop_in_anthropic);
        read += 1;
    }
    enough(read);
}

#[test]
fn a_bedrock_answer_reads_the_same_as_an_openai_and_an_anthropic_one() {
    let mut read = 0;
    for recording in ok(fixture::converses(), "json") {
        let out = whole(&recording.body, BEDROCK_TO_OPENAI);
        check(&recording, &openai::whole(&out), stop_in_openai);
        let out = whole(&recording.body, BEDROCK_TO_ANTHROPIC);
        check(&recording, &anthropic::whole(&out), stop_in_anthropic);
        read += 1;
    }
    enough(read);
}

pub(super) fn framed<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    pair: (Dialect, Dialect),
) -> Option<Vec<u8>> {
    frames::translate_with(pieces, &mut Stream::new(pair, Written::default(), false))
}

#[test]
fn a_bedrock_stream_reads_the_same_as_an_openai_and_an_anthropic_one() {
    let mut read = 0;
    for mut recording in ok(fixture::converses(), "eventstream") {
        // The vendor's own tools are no client's: they are named.
        let tools = recording.expected.as_mut().and_then(|it| it["tools"].as_array_mut());
        if let Some(tools) = tools {
            tools.retain(|tool| tool["name"] != "nova_code_interpreter");
        }
        let once = || std::iter::once(&recording.body[..]);
        let out = framed(once(), BEDROCK_TO_OPENAI);
        let out = out.unwrap_or_else(|| panic!("{} is malformed", recording.name));
        check(&recording, &openai::stream(&out), stop_in_openai);
        let out = framed(once(), BEDROCK_TO_ANTHROPIC);
        let out = out.unwrap_or_else(|| panic!("{} is malformed", recording.name));
        check(&recording, &anthropic::stream(&out), stop_in_anthropic);
        read += 1;
    }
    enough(read);
}

/// fault 7, t008, t009: CRLF and lone CR mean what LF means.
#[test]
fn fault_07_line_ends_of_every_kind_mean_the_same() {
    for recording in ok(fixture::anthropic_messages(), "sse") {
        let lf = String::from_utf8(recording.body).expect("UTF-8").replace("\r\n", "\n");
        let whole = translate(std::iter::once(lf.as_bytes()), TO_OPENAI);
        for end in ["\r\n", "\r"] {
            let other = lf.replace('\n', end);
            let told = translate(std::iter::once(other.as_bytes()), TO_OPENAI);
            assert_eq!(told, whole, "{}", recording.name);
        }
    }
}

/// What a vendor of the Responses API said, read from its own last words without us.
fn said(response: &Value) -> Answer {
    let mut answer = Answer::default();
    let texts = |list: &Value| -> Vec<String> {
        let texts = list.as_array().into_iter().flatten();
        texts.filter_map(|part| part["text"].as_str().map(str::to_owned)).collect()
    };
    for item in response["output"].as_array().expect("output") {
        match item["type"].as_str() {
            Some("message") => answer.text += &texts(&item["content"]).concat(),
            Some("reasoning") => {
                let summary = texts(&item["summary"]);
                let all = if summary.is_empty() { texts(&item["content"]) } else { summary };
                answer.reasoning += &all.join("\n\n");
            }
            Some("function_call") => {
                let text = |name: &str| item[name].as_str().expect(name).to_owned();
                let (id, name, arguments) = (text("call_id"), text("name"), text("arguments"));
                answer.tools.push(Tool { id, name, arguments });
            }
            _ => {}
        }
    }
    let count = |name: &str| response["usage"][name].as_u64();
    answer.tokens = count("input_tokens").zip(count("output_tokens"));
    answer
}

/// The response that a recording is, or that its last event holds.
fn last_response(recording: &Recording) -> Option<Value> {
    let text = String::from_utf8_lossy(&recording.body);
    if text.matches("event: response.created").count() > 1 {
        // Several answers in one file.
        return None;
    }
    let last = text.lines().rev().find_map(|line| line.strip_prefix("data:"));
    let value: Value = serde_json::from_str(last.unwrap_or(&text)).ok()?;
    let response = if last.is_some() { value["response"].clone() } else { value };
    Some(response).filter(|it| it["object"] == "response" && it["status"] == "completed")
}

/// The words of a stream, piece by piece.
fn pieces(recording: &Recording) -> String {
    let text = String::from_utf8_lossy(&recording.body);
    let events = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let events = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let words = events.filter(|event| event["type"] == "response.output_text.delta");
    words.filter_map(|event| event["delta"].as_str().map(str::to_owned)).collect()
}

fn agrees(recording: &Recording, told: &Answer, expected: &Answer) {
    let name = &recording.name;
    assert_eq!(told.text, expected.text, "{name}");
    assert_eq!(told.reasoning, expected.reasoning, "{name}");
    assert_eq!(told.tools.len(), expected.tools.len(), "{name}");
    for (told, expected) in told.tools.iter().zip(&expected.tools) {
        assert_eq!((&told.id, &told.name), (&expected.id, &expected.name), "{name}");
        assert_eq!(told.value(), expected.value(), "{name}");
    }
    assert_eq!(told.tokens, expected.tokens, "{name}");
}

#[test]
fn an_answer_of_the_responses_api_reads_the_same_in_the_other_dialects() {
    let Some(recordings) = fixture::openai_responses() else { return };
    let mut compared = 0;
    for recording in recordings.iter().filter(|one| one.status == 200) {
        let Some(response) = last_response(recording) else { continue };
        let expected = said(&response);
        if recording.kind == "sse" && pieces(recording) != expected.text {
            // Its authors have shortened it by hand, the pieces but not the whole.
            continue;
        }
        for to in [Dialect::OpenAiChat, Dialect::Anthropic] {
            let pair = (Dialect::OpenAiResponses, to);
            let is_stream = recording.kind == "sse";
            let out = if is_stream {
                translate(std::iter::once(&recording.body[..]), pair).expect(&recording.name)
            } else {
                whole(&recording.body, pair)
            };
            let told = match (to, is_stream) {
                (Dialect::Anthropic, true) => anthropic::stream(&out),
                (Dialect::Anthropic, false) => anthropic::whole(&out),
                (_, true) => openai::stream(&out),
                (_, false) => openai::whole(&out),
            };
            agrees(recording, &told, &expected);
            let wanted = match (to, expected.tools.is_empty()) {
                (Dialect::Anthropic, true) => "end_turn",
                (Dialect::Anthropic, false) => "tool_use",
                (_, true) => "stop",
                (_, false) => "tool_calls",
            };
            assert_eq!(told.finish.as_deref(), Some(wanted), "{}", recording.name);
            if is_stream {
                let slow = translate(recording.body.chunks(1), pair);
                assert_eq!(slow, Some(out), "{}, a byte at a time", recording.name);
            }
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} were compared");
}

#[test]
fn answers_of_the_other_dialects_read_the_same_in_the_responses_api() {
    let both = [
        (Dialect::OpenAiChat, fixture::openai_chats()),
        (Dialect::Anthropic, fixture::anthropic_messages()),
    ];
    for (from, recordings) in both {
        let all = recordings.into_iter().flatten().filter(|one| one.status == 200);
        for recording in all.filter(|one| !is_several(one)) {
            let pair = (from, Dialect::OpenAiResponses);
            let Some(expected) = &recording.expected else { continue };
            if expected["finish"].is_null() || !expected["error"].is_null() {
                continue;
            }
            let told = if recording.kind == "sse" {
                let out = translate(std::iter::once(&recording.body[..]), pair);
                let out = out.expect(&recording.name);
                let slow = translate(recording.body.chunks(1), pair);
                assert_eq!(slow.as_ref(), Some(&out), "{}, a byte at a time", recording.name);
                responses::stream(&out)
            } else {
                responses::whole(&whole(&recording.body, pair))
            };
            let finish = match expected["finish"].as_str() {
                Some("length" | "model_length" | "max_tokens") => "max_output_tokens",
                Some("content_filter" | "refusal") => "content_filter",
                _ => "completed",
            };
            assert_eq!(told.finish.as_deref(), Some(finish), "{}", recording.name);
            let told = Answer { finish: expected["finish"].as_str().map(str::to_owned), ..told };
            if expected["text"] == "" && !told.text.is_empty() {
                // A refusal is words beside the content there.
                continue;
            }
            check(&recording, &told, |stop| stop);
        }
    }
}

/// The pages that a recorded stream of Anthropic's cites, read without us.
fn cited(recording: &Recording) -> Vec<String> {
    let text = String::from_utf8_lossy(&recording.body);
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let urls = events.map(|event| event["delta"]["citation"]["url"].clone());
    urls.filter_map(|url| url.as_str().map(str::to_owned)).collect()
}

/// t127: sources are told wherever there is a word for them, while the answer streams.
#[test]
fn t127_the_pages_that_a_stream_cites_are_told_to_every_client() {
    let mut told = 0;
    for recording in ok(fixture::anthropic_messages(), "sse") {
        let expected = cited(&recording);
        if expected.is_empty() || is_several(&recording) {
            continue;
        }
        let tell = |to: Dialect| {
            let out = translate(std::iter::once(&recording.body[..]), (Dialect::Anthropic, to));
            out.unwrap_or_else(|| panic!("{} is malformed", recording.name))
        };
        let all = [
            openai::stream(&tell(Dialect::OpenAiChat)),
            responses::stream(&tell(Dialect::OpenAiResponses)),
            gemini::stream(&tell(Dialect::Gemini)),
            bedrock::stream(&tell(Dialect::Bedrock)),
        ];
        for answer in all {
            assert_eq!(answer.sources, expected, "{}", recording.name);
        }
        told += expected.len();
    }
    assert!(told > 10, "only {told} pages are cited");
}
