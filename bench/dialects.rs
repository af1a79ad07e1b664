//! The dialects: requests read and written, answers told in OpenAI's words, and text deltas of a
//! stream in every language.
//!
//! A text delta allocates nothing, whatever the languages: asserted by streams of two lengths.

use allocations::{count, measure};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use weir::{
    dialect::{
        pivot::{
            dropped::Dropped,
            manner::Manner,
            part::Dialect,
            target::{Abilities, Addressee, Written},
        },
        translation::{self, Stream},
    },
    wire::{eventstream::Message, json::document::Document},
};

const MANNER: Manner<'_> = Manner {
    now_seconds: 1_700_000_000,
    id: "req-1",
    model: "account/model",
    is_strict_openai: true,
    wants_usage: true,
};
const ABILITIES: Abilities = Abilities::UNKNOWN;
const TO: Addressee<'_> = Addressee { model_json: b"\"m\"", abilities: &ABILITIES };

/// Those that clients speak.
const CLIENTS: [(&str, Dialect); 5] = [
    ("openai_chat", Dialect::OpenAiChat),
    ("anthropic", Dialect::Anthropic),
    ("bedrock", Dialect::Bedrock),
    ("gemini", Dialect::Gemini),
    ("openai_responses", Dialect::OpenAiResponses),
];

/// A chat of about 1 KiB, with an instruction, a tool and its call.
fn chat() -> String {
    let words = "The river runs and the weir holds. ".repeat(16);
    format!(
        r#"{{"model":"a/m","stream":true,"max_tokens":500,"temperature":0.5,"messages":[
        {{"role":"system","content":"Be brief."}},{{"role":"user","content":"{words}"}},
        {{"role":"assistant","content":null,"tool_calls":[{{"id":"call_1","type":"function",
        "function":{{"name":"get_level","arguments":"{{\"at\":\"weir\"}}"}}}}]}},
        {{"role":"tool","tool_call_id":"call_1","content":"2 m"}}],"tools":[{{"type":"function",
        "function":{{"name":"get_level","description":"Of a river.","parameters":
        {{"type":"object","properties":{{"at":{{"type":"string"}}}}}}}}}}]}}"#
    )
}

/// The chat in this language.
fn said_in(dialect: Dialect) -> Vec<u8> {
    let (chat, mut document, mut out) = (chat(), Document::default(), Vec::new());
    let pair = (Dialect::OpenAiChat, dialect);
    let dropped = &mut Dropped::default();
    let told = translation::request(&mut out, chat.as_bytes(), pair, &TO, &mut document, dropped);
    told.expect("it is a chat");
    out
}

/// What a request may allocate: its lists of turns, parts and tools, and what is read of escapes.
const REQUEST_ALLOCATIONS_MAX: u64 = 16;

fn requests(criterion: &mut Criterion) {
    let mut document = Document::default();
    for (name, dialect) in CLIENTS {
        let body = said_in(dialect);
        let most = REQUEST_ALLOCATIONS_MAX;
        measure(criterion, &format!("decode a request: {name}"), most, || {
            let dropped = &mut Dropped::default();
            let read = translation::read_request(&mut document, &body, dialect, dropped);
            read.expect("it was written for this").turns.len()
        });
    }
    let chat = chat();
    let mut notes = Document::default();
    let dropped = &mut Dropped::default();
    let request =
        translation::read_request(&mut notes, chat.as_bytes(), Dialect::OpenAiChat, dropped);
    let request = request.expect("it is a chat");
    let mut out = Vec::with_capacity(8 << 10);
    for (name, dialect) in CLIENTS.into_iter().chain([("cohere", Dialect::Cohere)]) {
        let most = REQUEST_ALLOCATIONS_MAX;
        measure(criterion, &format!("encode a request: {name}"), most, || {
            out.clear();
            let dropped = &mut Dropped::default();
            translation::encode_request(&mut out, &request, dialect, &TO, dropped)
        });
    }
}

/// A whole answer of about 1 KiB in each language.
fn answers() -> [(&'static str, Dialect, String); 6] {
    let text = "The weir holds the river back.\\n".repeat(24);
    [
        (
            "openai_chat",
            Dialect::OpenAiChat,
            format!(
                r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}}}"#
            ),
        ),
        (
            "anthropic",
            Dialect::Anthropic,
            format!(
                r#"{{"id":"m","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":20}}}}"#
            ),
        ),
        (
            "bedrock",
            Dialect::Bedrock,
            format!(
                r#"{{"output":{{"message":{{"role":"assistant","content":[{{"text":"{text}"}}]}}}},"stopReason":"end_turn","usage":{{"inputTokens":10,"outputTokens":20,"totalTokens":30}},"metrics":{{"latencyMs":9}}}}"#
            ),
        ),
        (
            "gemini",
            Dialect::Gemini,
            format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}},"finishReason":"STOP","index":0}}],"usageMetadata":{{"promptTokenCount":10,"candidatesTokenCount":20,"totalTokenCount":30}},"modelVersion":"m","responseId":"r"}}"#
            ),
        ),
        (
            "openai_responses",
            Dialect::OpenAiResponses,
            format!(
                r#"{{"id":"r","object":"response","created_at":1,"status":"completed","model":"m","output":[{{"id":"i","type":"message","status":"completed","role":"assistant","content":[{{"type":"output_text","text":"{text}","annotations":[]}}]}}],"usage":{{"input_tokens":10,"output_tokens":20,"total_tokens":30}}}}"#
            ),
        ),
        (
            "cohere",
            Dialect::Cohere,
            format!(
                r#"{{"id":"c","finish_reason":"COMPLETE","message":{{"role":"assistant","content":[{{"type":"text","text":"{text}"}}]}},"usage":{{"billed_units":{{"input_tokens":10,"output_tokens":20}},"tokens":{{"input_tokens":10,"output_tokens":20}}}}}}"#
            ),
        ),
    ]
}

/// What an answer may allocate: its choice, its parts, and what it owns of them.
const ANSWER_ALLOCATIONS_MAX: u64 = 8;
/// What telling it may allocate besides: the notes of its document, and the ids of a response.
const TELLING_ALLOCATIONS_MAX: u64 = 16;

fn replies(criterion: &mut Criterion) {
    let mut document = Document::default();
    let mut out = Vec::with_capacity(8 << 10);
    let written = Written::default();
    for (name, from, body) in answers() {
        let most = ANSWER_ALLOCATIONS_MAX;
        measure(criterion, &format!("decode an answer: {name}"), most, || {
            let root = document.parse(body.as_bytes()).expect("JSON");
            let dropped = &mut Dropped::default();
            translation::decode_reply(root, from, dropped).expect("an answer").choices.len()
        });
        for (to_name, to) in CLIENTS {
            // Each language told in another, OpenAI's in all.
            if to == from || (from != Dialect::OpenAiChat && to != Dialect::OpenAiChat) {
                continue;
            }
            measure(
                criterion,
                &format!("tell an answer: {name} as {to_name}"),
                TELLING_ALLOCATIONS_MAX,
                || {
                    out.clear();
                    let dropped = &mut Dropped::default();
                    let body = body.as_bytes();
                    translation::reply(&mut out, body, (from, to), written, &MANNER, dropped)
                },
            );
        }
    }
}

/// How a stream of each language begins, and a text delta of it.
fn streams() -> [(&'static str, Dialect, &'static [&'static str], &'static str); 6] {
    [
        (
            "openai_chat",
            Dialect::OpenAiChat,
            &[],
            r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" wor\nd"},"logprobs":null,"finish_reason":null}]}"#,
        ),
        (
            "anthropic",
            Dialect::Anthropic,
            &[
                r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}"#,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            ],
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" wor\nd"}}"#,
        ),
        (
            "bedrock",
            Dialect::Bedrock,
            &[r#"messageStart {"role":"assistant"}"#],
            r#"contentBlockDelta {"contentBlockIndex":0,"delta":{"text":" wor\nd"},"p":"abcdefgh"}"#,
        ),
        (
            "gemini",
            Dialect::Gemini,
            &[],
            r#"{"candidates": [{"content": {"parts": [{"text": " wor\nd"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 8,"candidatesTokenCount": 4,"totalTokenCount": 12,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 8}]},"modelVersion": "m","responseId": "r"}"#,
        ),
        (
            "openai_responses",
            Dialect::OpenAiResponses,
            &[
                r#"{"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}}"#,
                r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"i","type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
                r#"{"type":"response.content_part.added","sequence_number":2,"item_id":"i","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"text":""}}"#,
            ],
            r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"i","output_index":0,"content_index":0,"delta":" wor\nd","logprobs":[],"obfuscation":"abcdef"}"#,
        ),
        (
            "cohere",
            Dialect::Cohere,
            &[
                r#"{"id":"c","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
                r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
            ],
            r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" wor\nd"}}}}"#,
        ),
    ]
}

fn hear(stream: &mut Stream, from: Dialect, event: &str, out: &mut Vec<u8>) {
    let heard = if from == Dialect::Bedrock {
        let (name, payload) = event.split_once(' ').expect("a name and a payload");
        stream.frame((&Message::Event(name), payload.as_bytes()), out, &MANNER)
    } else {
        stream.event(event.as_bytes(), out, &MANNER)
    };
    heard.expect("it is as its language says");
}

/// A stream of so many deltas, told into `out`, which is cleared as a relay clears it.
fn tell(
    (from, to): (Dialect, Dialect),
    (begin, delta): (&[&str], &str),
    deltas: usize,
    out: &mut Vec<u8>,
) -> u32 {
    let mut stream = Stream::new((from, to), Written::default(), false);
    for event in begin {
        hear(&mut stream, from, event, out);
    }
    for _ in 0..deltas {
        out.clear();
        hear(&mut stream, from, delta, out);
    }
    out.clear();
    stream.facts.contents
}

/// What a stream may allocate to begin.
const STREAM_ALLOCATIONS_MAX: u64 = 24;
/// A client of the Responses API is told the whole text at the end: it is kept, in memory that
/// doubles.
const DOUBLINGS_MAX: u64 = 5;

fn deltas(criterion: &mut Criterion) {
    let mut out = Vec::with_capacity(8 << 10);
    for (name, from, begin, delta) in streams() {
        for (to_name, to) in CLIENTS {
            if to == from || (from != Dialect::OpenAiChat && to != Dialect::OpenAiChat) {
                continue;
            }
            let said = (begin, delta);
            let [few, many] = [100, 1_000].map(|deltas| {
                tell((from, to), said, deltas, &mut out);
                count(|| {
                    black_box(tell((from, to), said, deltas, &mut out));
                })
            });
            let allowed = if to == Dialect::OpenAiResponses { DOUBLINGS_MAX } else { 0 };
            assert!(
                many <= few + allowed,
                "{name} as {to_name}: {few} allocations of 100 deltas, {many} of 1,000"
            );
            let title = format!("tell 100 text deltas: {name} as {to_name}");
            measure(criterion, &title, STREAM_ALLOCATIONS_MAX, || {
                tell((from, to), said, 100, &mut out)
            });
        }
    }
}

criterion_group!(benches, requests, replies, deltas);
criterion_main!(benches);
