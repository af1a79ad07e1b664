//! JSON: what routing a prompt reads of a body, and the body that goes upstream.
//!
//! The bar for 256 KiB is 40 µs for scan and splice together (`perf/SPEC.md`).

use allocations::measure;
use criterion::{Criterion, criterion_group, criterion_main};
use weir::{
    dialect::openai_chat::request,
    lexicon::operation::Operation,
    wire::json::{finder::Finder, object::scan_object},
};

/// A chat of this length; the prompt has an escaped quote every 25 characters, the hard case.
fn chat(bytes: usize, tail: &str) -> Vec<u8> {
    let mut body = br#"{"messages":[{"role":"user","content":""#.to_vec();
    let words = br#"She said \"the weir\" is "#.iter().copied().cycle();
    let room = bytes.saturating_sub(body.len() + tail.len() + 4);
    body.extend(words.take(room - room % 25));
    body.extend_from_slice(b"\"}]");
    body.extend_from_slice(tail.as_bytes());
    body
}

fn requests(criterion: &mut Criterion) {
    for kibibytes in [1, 16, 256] {
        // The model stands last: the whole prompt is passed over before it is known.
        let body = chat(kibibytes << 10, r#","model":"test/plain"}"#);
        let keys = ["model", "stream"];
        measure(criterion, &format!("scan {kibibytes} KiB"), 0, || scan_object(&body, &keys));
        let read = || request::read(Operation::ChatCompletions, &body).expect("it is a chat");
        measure(criterion, &format!("ask {kibibytes} KiB"), 0, || read().model.len());
        let mut out = Vec::new();
        measure(criterion, &format!("route {kibibytes} KiB, scanned and spliced"), 0, || {
            out.clear();
            request::splice(&mut out, &body, &read(), br#""plain""#, false);
            out.len()
        });
    }
}

fn replies(criterion: &mut Criterion) {
    let tail = r#","usage":{"prompt_tokens":9,"completion_tokens":2},"id":"x"}"#;
    for kibibytes in [1, 16, 256] {
        let body = chat(kibibytes << 10, tail);
        // What it finds is kept in memory of its own: two values.
        measure(criterion, &format!("find usage, {kibibytes} KiB in 8 KiB pieces"), 2, || {
            let mut finder = Finder::new(["usage", "error"]);
            body.chunks(8 << 10).for_each(|piece| finder.feed(piece));
            finder.value(0).map(<[u8]>::len)
        });
    }
}

criterion_group!(benches, requests, replies);
criterion_main!(benches);
