//! However a recorded stream is cut, it is told the same: for the stream machine of each dialect.
//!
//! A machine sees whole events only, so that a cut can change no more than the event it lies in.
//! Two things are shown of every stream. The events themselves are the same wherever it is cut
//! once, and a byte at a time. And what each machine tells is the same where all events are cut at
//! once, each at its first byte, then each at its second, and so on: so every place is cut.
//! `WEIR_TEST_SPLITS_KIB` says up to which size, which `tests/long` raises.

use super::{frames, recordings::ok, stream::translate};
use crate::harness::fixture::{self, Recording};
use std::ops::Range;
use weir::{
    dialect::{
        pivot::{part::Dialect, target::Written},
        translation::Stream,
    },
    wire::{
        eventstream,
        sse::{self, Data},
    },
};

/// Streams up to so many KiB are cut at every place, larger ones at `CUTS` places.
const EVERY_CUT_KIB: usize = 8;
const CUTS: usize = 16;

fn every_cut_max() -> usize {
    let kibibytes = std::env::var("WEIR_TEST_SPLITS_KIB").ok().and_then(|kib| kib.parse().ok());
    kibibytes.unwrap_or(EVERY_CUT_KIB) << 10
}

/// Where each event lies, and its data.
type Events = Vec<(Range<usize>, Vec<u8>)>;

fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Events {
    let mut scanner = sse::Scanner::default();
    let (mut pending, mut done, mut found) = (Vec::new(), 0, Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        let mut end = 0;
        while let Some(event) = scanner.next(&pending).expect("recorded events are small") {
            end = event.whole.end;
            let whole = done + event.whole.start..done + end;
            let data = match event.data {
                Data::None => Vec::new(),
                Data::One(range) => pending[range].to_vec(),
                Data::Many => sse::join_data(&pending, event.whole).into_owned(),
            };
            found.push((whole, data));
        }
        pending.drain(..end);
        scanner.consumed(end);
        done += end;
    }
    found
}

fn framed_events<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Events {
    let mut scanner = eventstream::Scanner::default();
    let (mut pending, mut done, mut found) = (Vec::new(), 0, Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        let mut end = 0;
        while let Some(frame) = scanner.next(&pending).expect("a well-formed frame") {
            end = frame.whole.end;
            found.push((done + frame.whole.start..done + end, pending[frame.payload].to_vec()));
        }
        pending.drain(..end);
        scanner.consumed(end);
        done += end;
    }
    found
}

/// The pieces of a stream of which all these events are cut, each at this place within it.
fn cut_each<'b>(body: &'b [u8], events: &Events, at: usize) -> Vec<&'b [u8]> {
    let (mut pieces, mut begin) = (Vec::new(), 0);
    for (whole, _) in events.iter().filter(|(whole, _)| at < whole.len()) {
        pieces.push(&body[begin..whole.start + at]);
        begin = whole.start + at;
    }
    pieces.push(&body[begin..]);
    pieces
}

/// Cut one recording in all ways; `read` finds its events, `tell` translates it.
fn check(
    Recording { name, body, .. }: &Recording,
    read: impl Fn(&mut dyn Iterator<Item = &[u8]>) -> Events,
    tell: impl Fn(&mut dyn Iterator<Item = &[u8]>) -> Option<Vec<u8>>,
) {
    let found = read(&mut std::iter::once(&body[..]));
    assert!(!found.is_empty(), "{name}");
    assert_eq!(read(&mut body.chunks(1)), found, "{name}, a byte at a time");
    let is_small = body.len() <= every_cut_max();
    let stride = if is_small { 1 } else { body.len() / CUTS };
    for cut in (0..body.len()).step_by(stride) {
        let (first, second) = body.split_at(cut);
        assert_eq!(read(&mut [first, second].into_iter()), found, "{name}, cut at {cut}");
    }
    let told = tell(&mut std::iter::once(&body[..]));
    assert_eq!(tell(&mut body.chunks(1)), told, "{name}, a byte at a time");
    let longest = found.iter().map(|(whole, _)| whole.len()).max().unwrap_or_default();
    let stride = if is_small { 1 } else { longest.div_ceil(CUTS) };
    for at in (1..longest).step_by(stride) {
        let pieces = cut_each(body, &found, at);
        assert_eq!(tell(&mut pieces.into_iter()), told, "{name}, each cut at {at}");
    }
}

fn check_all(recordings: Option<Vec<Recording>>, pair: (Dialect, Dialect)) {
    for recording in &ok(recordings, "sse") {
        check(recording, |pieces| events(pieces), |pieces| translate(pieces, pair));
    }
}

/// fault 5, t001, t007, t011: also where a character is cut in two.
#[test]
fn fault_05_a_stream_of_openais_is_told_the_same_however_it_is_cut() {
    check_all(fixture::openai_chats(), (Dialect::OpenAiChat, Dialect::Anthropic));
}

#[test]
fn fault_05_a_stream_of_anthropics_is_told_the_same_however_it_is_cut() {
    check_all(fixture::anthropic_messages(), (Dialect::Anthropic, Dialect::OpenAiChat));
}

#[test]
fn t007_a_stream_of_responses_is_told_the_same_however_it_is_cut() {
    check_all(fixture::openai_responses(), (Dialect::OpenAiResponses, Dialect::OpenAiChat));
}

#[test]
fn t004_a_stream_of_googles_is_told_the_same_however_it_is_cut() {
    check_all(fixture::gemini_answers(), (Dialect::Gemini, Dialect::OpenAiResponses));
}

#[test]
fn fault_05_a_stream_of_coheres_is_told_the_same_however_it_is_cut() {
    check_all(fixture::cohere_chats(), (Dialect::Cohere, Dialect::Gemini));
}

#[test]
fn t002_t003_frames_of_bedrocks_are_told_the_same_however_they_are_cut() {
    let pair = (Dialect::Bedrock, Dialect::OpenAiChat);
    for recording in &ok(fixture::converses(), "eventstream") {
        let tell = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut stream = Stream::new(pair, Written::default(), false);
            frames::translate_with(pieces, &mut stream)
        };
        check(recording, |pieces| framed_events(pieces), tell);
    }
}

#[test]
fn a_stream_told_in_frames_is_the_same_however_it_came() {
    check_all(fixture::anthropic_messages().map(few), (Dialect::Anthropic, Dialect::Bedrock));
}

/// The shortest: the machine that reads is another's, and its cuts are shown above.
fn few(mut recordings: Vec<Recording>) -> Vec<Recording> {
    recordings.retain(|one| one.kind == "sse" && one.status == 200);
    recordings.sort_by_key(|one| one.body.len());
    recordings.truncate(3);
    recordings
}
