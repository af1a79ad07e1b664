//! Whatever stands in Cohere's words: it is refused, or what is made of it is JSON, in every
//! language, and the same however often it is read.

use serde_json::Value;
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
    wire::json::document::Document,
};

const MANNER: Manner<'_> =
    Manner { now_seconds: 1, id: "r", model: "m", is_strict_openai: true, wants_usage: true };

pub fn judge(bytes: &[u8]) {
    for other in [Dialect::OpenAiChat, Dialect::Anthropic] {
        request(bytes, (other, Dialect::Cohere));
        let pair = (Dialect::Cohere, other);
        reply(bytes, pair);
        let told = streamed(bytes, pair);
        assert_eq!(streamed(bytes, pair), told, "read again");
        lines(&told);
    }
}

fn request(bytes: &[u8], pair: (Dialect, Dialect)) {
    let addressee = Addressee { model_json: b"\"m\"", abilities: &Abilities::UNKNOWN };
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let mut notes = Document::default();
    let done = translation::request(&mut out, bytes, pair, &addressee, &mut notes, &mut dropped);
    if done.is_ok() {
        let told: Result<Value, _> = serde_json::from_slice(&out);
        assert!(told.is_ok(), "{}", String::from_utf8_lossy(&out));
    }
}

fn reply(bytes: &[u8], pair: (Dialect, Dialect)) {
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let written = Written::default();
    let done = translation::reply(&mut out, bytes, pair, written, &MANNER, &mut dropped);
    if done.is_ok() {
        let told: Result<Value, _> = serde_json::from_slice(&out);
        assert!(told.is_ok(), "{}", String::from_utf8_lossy(&out));
    }
}

/// Each line of the bytes is the data of an event.
fn streamed(bytes: &[u8], pair: (Dialect, Dialect)) -> Vec<u8> {
    let mut stream = Stream::new(pair, Written::default(), true);
    let mut out = Vec::new();
    for data in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if stream.event(data, &mut out, &MANNER).is_err() {
            return out;
        }
    }
    stream.end(&mut out, &MANNER);
    out
}

fn lines(told: &[u8]) {
    let text = std::str::from_utf8(told).expect("UTF-8");
    for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let is_json = serde_json::from_str::<Value>(data).is_ok();
        assert!(is_json || data == "[DONE]", "{data}");
    }
}
