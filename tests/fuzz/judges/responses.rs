//! The Responses API's decoders and encoders: of any bytes they make JSON or nothing, and of a
//! stream the same however it is cut.

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
    wire::{
        json::document::Document,
        sse::{Data, Scanner, join_data},
    },
};

const MANNER: Manner<'_> =
    Manner { now_seconds: 1, id: "req-1", model: "m", is_strict_openai: true, wants_usage: true };
const OTHERS: [Dialect; 2] = [Dialect::OpenAiChat, Dialect::Anthropic];

fn assert_json(bytes: &[u8]) {
    let read = serde_json::from_slice::<Value>(bytes);
    assert!(read.is_ok(), "{}", bytes.escape_ascii());
}

fn request(bytes: &[u8], pair: (Dialect, Dialect)) {
    let to = Addressee { model_json: b"\"m\"", abilities: &Abilities::UNKNOWN };
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let mut notes = Document::default();
    if translation::request(&mut out, bytes, pair, &to, &mut notes, &mut dropped).is_ok() {
        assert_json(&out);
    }
}

fn reply(bytes: &[u8], pair: (Dialect, Dialect)) {
    let (mut out, mut dropped) = (Vec::new(), Dropped::default());
    let written = Written::default();
    if translation::reply(&mut out, bytes, pair, written, &MANNER, &mut dropped).is_ok() {
        assert_json(&out);
    }
}

/// What a stream becomes; `None` where it is malformed.
fn stream<'a>(pieces: impl Iterator<Item = &'a [u8]>, pair: (Dialect, Dialect)) -> Option<Vec<u8>> {
    let mut machine = Stream::new(pair, Written::default(), true);
    let mut scanner = Scanner::default();
    let (mut pending, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        let mut end = 0;
        while let Some(event) = scanner.next(&pending).ok()? {
            end = event.whole.end;
            match event.data {
                Data::None => machine.alive(&mut out, &MANNER),
                Data::One(range) => machine.event(&pending[range], &mut out, &MANNER).ok()?,
                Data::Many => {
                    machine.event(&join_data(&pending, event.whole), &mut out, &MANNER).ok()?;
                }
            }
        }
        pending.drain(..end);
        scanner.consumed(end);
    }
    machine.end(&mut out, &MANNER);
    Some(out)
}

pub fn judge(bytes: &[u8]) {
    for other in OTHERS {
        for pair in [(Dialect::OpenAiResponses, other), (other, Dialect::OpenAiResponses)] {
            request(bytes, pair);
            reply(bytes, pair);
            let whole = stream(std::iter::once(bytes), pair);
            let piece = 1 + bytes.last().map_or(0, |byte| usize::from(*byte) % 16);
            assert_eq!(stream(bytes.chunks(piece), pair), whole, "by {piece}");
            let told = whole.unwrap_or_default();
            let lines = told.split(|byte| *byte == b'\n');
            let data = lines.filter_map(|line| line.strip_prefix(b"data: "));
            data.filter(|data| *data != b"[DONE]").for_each(assert_json);
        }
    }
}
