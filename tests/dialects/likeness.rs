//! What is like the last is read without being parsed: it is told as if it were not.

use super::{recordings::ok, stream::translate};
use crate::harness::fixture::{self, Recording};
use weir::{
    dialect::{
        mold::answer::Answers,
        pivot::{dropped::Dropped, part::Dialect},
        translation::{decode_reply, read_reply},
    },
    wire::json::document::Document,
};

/// The same stream with spaces behind its events, so that none is like the last.
fn unlike(body: &[u8]) -> Vec<u8> {
    let mut told = Vec::new();
    for (index, line) in body.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let words = line.trim_ascii_end();
        told.extend_from_slice(words);
        if words.ends_with(b"}") {
            // Of two events that follow each other one line apart, or two or three.
            told.extend_from_slice(&b"            "[..index % 12]);
        }
        told.extend_from_slice(&line[words.len()..]);
    }
    told
}

fn check_streams(recordings: Option<Vec<Recording>>, pair: (Dialect, Dialect)) {
    for Recording { name, body, .. } in &ok(recordings, "sse") {
        let told = translate(std::iter::once(&body[..]), pair);
        let spaced = translate(std::iter::once(&unlike(body)[..]), pair);
        assert_eq!(spaced, told, "{name}");
    }
}

#[test]
fn a_stream_of_events_that_are_alike_is_told_as_one_of_events_that_are_not() {
    check_streams(fixture::openai_chats(), (Dialect::OpenAiChat, Dialect::Anthropic));
    check_streams(fixture::anthropic_messages(), (Dialect::Anthropic, Dialect::OpenAiChat));
    check_streams(fixture::openai_responses(), (Dialect::OpenAiResponses, Dialect::OpenAiChat));
    check_streams(fixture::gemini_answers(), (Dialect::Gemini, Dialect::OpenAiChat));
    check_streams(fixture::cohere_chats(), (Dialect::Cohere, Dialect::OpenAiChat));
}

/// Each recorded answer after each other, and after one that differs in its words alone.
#[test]
fn an_answer_that_is_like_the_last_reads_as_one_that_is_not() {
    let all = [
        (fixture::anthropic_messages(), Dialect::Anthropic),
        (fixture::gemini_answers(), Dialect::Gemini),
    ];
    for (recordings, from) in all {
        let recordings = ok(recordings, "json");
        let (mut answers, mut document, mut parsed) =
            (Answers::default(), Document::default(), Document::default());
        let mut alike = 0;
        for Recording { name, body, .. } in &recordings {
            let root = parsed.parse(body).expect("JSON");
            let mut expected_dropped = Dropped::default();
            let Ok(expected) = decode_reply(root, from, &mut expected_dropped) else { continue };
            for _ in 0..2 {
                let mut dropped = Dropped::default();
                alike += usize::from(answers.read(body, from).is_some());
                let read = read_reply(&mut answers, &mut document, (body, from), &mut dropped);
                assert_eq!(read.as_ref(), Ok(&expected), "{name}");
                assert_eq!(dropped, expected_dropped, "{name}");
            }
        }
        assert!(recordings.is_empty() || alike > 0, "{from:?}: {alike}");
    }
}
