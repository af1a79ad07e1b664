//! What real vendors streamed, cut at every place: the reading of it never changes.
//!
//! Sans-IO; `streaming.rs` replays the same recordings over sockets.

mod harness;

use harness::fixture::{self, Recording};
use weir::{
    dialect::openai_chat::stream::Observer,
    lexicon::usage::Usage,
    wire::sse::{Data, Scanner, join_data},
};

/// Streams up to so many KiB are cut at every single place, larger ones at `CUTS` places;
/// `WEIR_TEST_SPLITS_KIB` says otherwise, and `tests/long` does.
const EVERY_CUT_KIB: usize = 8;
const CUTS: usize = 100;

/// What a stream says, and where its events end.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    ends: Vec<usize>,
    usage: Option<Usage>,
    events: u32,
    has_finished: bool,
    is_done: bool,
    has_error: bool,
}

/// Read `pieces` as they would come, handing on what is whole after each.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Reading {
    let mut scanner = Scanner::default();
    let mut observer = Observer::new(true, 1, Vec::new());
    let (mut pending, mut done, mut ends) = (Vec::new(), 0, Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        let mut end = 0;
        while let Some(event) = scanner.next(&pending).expect("recorded events are small") {
            end = event.whole.end;
            ends.push(done + end);
            match event.data {
                Data::None => {}
                Data::One(range) => drop(observer.see(&pending[range])),
                Data::Many => drop(observer.see(&join_data(&pending, event.whole))),
            }
        }
        pending.drain(..end);
        scanner.consumed(end);
        done += end;
    }
    let Observer { usage, events, has_finished, is_done, has_error, .. } = observer;
    Reading { ends, usage, events, has_finished, is_done, has_error }
}

fn streams() -> Option<Vec<Recording>> {
    let recordings = fixture::openai_chats()?;
    Some(recordings.into_iter().filter(|one| one.kind == "sse" && one.status == 200).collect())
}

#[test]
fn a_stream_reads_the_same_however_it_is_cut() {
    let Some(streams) = streams() else { return };
    let kibibytes = std::env::var("WEIR_TEST_SPLITS_KIB").ok().and_then(|kib| kib.parse().ok());
    let every_cut_max = kibibytes.unwrap_or(EVERY_CUT_KIB) << 10;
    for Recording { name, body, .. } in &streams {
        let whole = read(std::iter::once(&body[..]));
        assert!(!whole.ends.is_empty(), "{name}");
        assert_eq!(read(body.chunks(1)), whole, "{name}, a byte at a time");
        let stride = if body.len() <= every_cut_max { 1 } else { body.len() / CUTS };
        for cut in (0..body.len()).step_by(stride) {
            let (first, second) = body.split_at(cut);
            assert_eq!(read([first, second].into_iter()), whole, "{name}, cut at {cut}");
        }
    }
}

/// The tokens are those that the vendor's own events say, computed without us.
#[test]
fn the_usage_seen_in_passing_is_the_usage_recorded() {
    let Some(streams) = streams() else { return };
    let mut compared = 0;
    for recording in &streams {
        let reading = read(std::iter::once(&recording.body[..]));
        let Some(expected) = recording.expected_tokens() else { continue };
        let seen = reading.usage.map(|usage| (usage.input_tokens, usage.output_tokens));
        assert_eq!(seen, Some(expected), "{}", recording.name);
        assert!(reading.is_done || reading.has_finished, "{}", recording.name);
        compared += 1;
    }
    assert!(compared > 10, "only {compared} recordings say their usage");
}
