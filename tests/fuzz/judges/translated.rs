//! What must hold of any bytes that are translated: what is made of them is JSON, or nothing.

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

pub const MANNER: Manner<'_> =
    Manner { now_seconds: 1, id: "r", model: "m", is_strict_openai: true, wants_usage: true };

pub fn assert_json(bytes: &[u8]) {
    let read = serde_json::from_slice::<Value>(bytes);
    assert!(read.is_ok(), "{}", bytes.escape_ascii());
}

pub fn request(bytes: &[u8], pair: (Dialect, Dialect)) {
    let to = Addressee { model_json: b"\"m\"", abilities: &Abilities::UNKNOWN };
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let mut notes = Document::default();
    if translation::request(&mut out, bytes, pair, &to, &mut notes, &mut dropped).is_ok() {
        assert_json(&out);
    }
}

pub fn reply(bytes: &[u8], pair: (Dialect, Dialect)) {
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let written = Written::default();
    if translation::reply(&mut out, bytes, pair, written, &MANNER, &mut dropped).is_ok() {
        assert_json(&out);
    }
}

/// A stream that was told each line of the bytes as the data of an event, as far as it could read
/// them; what it said; and whether it read all.
pub fn fed(bytes: &[u8], pair: (Dialect, Dialect)) -> (Stream, Vec<u8>, bool) {
    let mut stream = Stream::new(pair, Written::default(), true);
    let mut out = Vec::new();
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let is_whole = lines.all(|data| stream.event(data, &mut out, &MANNER).is_ok());
    (stream, out, is_whole)
}

/// The same lines with spaces behind their documents, so that none is like the last.
fn unlike(bytes: &[u8]) -> Vec<u8> {
    let mut told = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        told.extend_from_slice(line);
        if line.ends_with(b"}") {
            told.extend_from_slice(&b"            "[..index % 12]);
        }
        told.push(b'\n');
    }
    told
}

/// What is told of such a stream, which ends where all could be read: the same whether an event is
/// like the last or not.
pub fn streamed(bytes: &[u8], pair: (Dialect, Dialect)) -> Vec<u8> {
    let (mut stream, mut out, is_whole) = fed(bytes, pair);
    let (_, spaced, is_spaced_whole) = fed(&unlike(bytes), pair);
    assert_eq!(
        (spaced.escape_ascii().to_string(), is_spaced_whole),
        (out.escape_ascii().to_string(), is_whole)
    );
    if is_whole {
        stream.end(&mut out, &MANNER);
    }
    out
}

/// Each event of a stream is JSON, or the word that ends it.
pub fn assert_events(told: &[u8]) {
    let text = std::str::from_utf8(told).expect("UTF-8");
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").for_each(|data| assert_json(data.as_bytes()));
}

/// The languages whose streams are events, and that clients speak.
const TOLD: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::Anthropic, Dialect::OpenAiResponses, Dialect::Gemini];

/// Whatever stands in these words: it is refused, or what is made of it is JSON, in every language,
/// and the same however often it is read.
pub fn judge(bytes: &[u8], own: Dialect) {
    for other in TOLD.into_iter().filter(|other| *other != own) {
        let pair = (own, other);
        request(bytes, pair);
        reply(bytes, pair);
        let told = streamed(bytes, pair);
        assert_eq!(streamed(bytes, pair), told, "read again");
        assert_events(&told);
    }
    for vendor in [Dialect::Bedrock, Dialect::Cohere] {
        request(bytes, (own, vendor));
    }
}
