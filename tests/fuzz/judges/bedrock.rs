//! Whatever stands in Bedrock's words: it is refused, or what is made of it is JSON, in every
//! language, and the same however often it is read.

use crate::judges::translated::{MANNER, assert_events, assert_json, fed, reply, request};
use weir::{
    dialect::{
        pivot::{part::Dialect, target::Written},
        translation::Stream,
    },
    wire::eventstream::{Message, Scanner},
};

pub fn judge(bytes: &[u8]) {
    for other in [Dialect::OpenAiChat, Dialect::Anthropic] {
        for pair in [(Dialect::Bedrock, other), (other, Dialect::Bedrock)] {
            request(bytes, pair);
            reply(bytes, pair);
        }
        let pair = (Dialect::Bedrock, other);
        let told = streamed(bytes, pair);
        assert_eq!(streamed(bytes, pair), told, "read again");
        assert_events(&told);
        frames(bytes, (other, Dialect::Bedrock));
    }
}

/// Each line of the bytes is a frame: what it is, its name, its payload.
fn streamed(bytes: &[u8], pair: (Dialect, Dialect)) -> Vec<u8> {
    let mut stream = Stream::new(pair, Written::default(), true);
    let mut out = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let mut word = || words.next().unwrap_or_default();
        let (kind, name, payload) = (word(), word(), word());
        let name = std::str::from_utf8(name).unwrap_or_default();
        let message = match kind {
            b"event" => Message::Event(name),
            b"exception" => Message::Exception(name),
            b"error" => Message::Error { code: name, message: name },
            _ => Message::Unknown,
        };
        if stream.frame((&message, payload), &mut out, &MANNER).is_err() {
            return out;
        }
    }
    stream.end(&mut out, &MANNER);
    out
}

/// Events of the other language become whole frames, and nothing else.
fn frames(bytes: &[u8], pair: (Dialect, Dialect)) {
    let (mut stream, mut out, _) = fed(bytes, pair);
    stream.end(&mut out, &MANNER);
    let mut scanner = Scanner::default();
    while let Some(frame) = scanner.next(&out).expect("well-formed frames") {
        assert_json(&out[frame.payload]);
    }
    assert_eq!(scanner.finish(&out), Ok(()));
}
