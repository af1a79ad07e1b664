//! AWS event streams: what Bedrock really sent, cut at every place, and everything that can be
//! wrong with a frame.
//!
//! The judge of the encoder is a reader written here from the format's own description, and the
//! checksums of recorded bytes; the judge of the decoder is recorded bytes.

mod harness;

use proptest::{collection::vec, prelude::any, prop_assert, prop_assert_eq, proptest};
use serde_json::Value;
use std::path::PathBuf;
use weir::wire::eventstream::{
    FRAME_BYTES_MAX, FrameError, HEADERS_BYTES_MAX, HeaderValue, Message, Scanner, push,
};

/// Streams up to this size are cut at every single place, larger ones at `CUTS` places.
const EVERY_CUT_MAX: usize = 8 << 10;
const CUTS: usize = 200;

/// What was read: each frame's bytes, what it is, and its payload.
type Reading = Vec<(Vec<u8>, String, Vec<u8>)>;

/// Reads `pieces` as they would come, dropping what is whole after each.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Reading, FrameError> {
    let mut scanner = Scanner::default();
    let (mut pending, mut frames) = (Vec::new(), Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        let mut end = 0;
        while let Some(frame) = scanner.next(&pending)? {
            end = frame.whole.end;
            let message = format!("{:?}", frame.message(&pending));
            let payload = pending[frame.payload].to_vec();
            frames.push((pending[frame.whole].to_vec(), message, payload));
        }
        pending.drain(..end);
        scanner.consumed(end);
    }
    scanner.finish(&pending)?;
    Ok(frames)
}

fn whole(bytes: &[u8]) -> Result<Reading, FrameError> {
    read(std::iter::once(bytes))
}

/// Every recorded event stream with its name; `None`, said in one line, where there are none.
fn recorded() -> Option<Vec<(String, Vec<u8>)>> {
    let root = harness::fixture::root()?;
    let mut found = Vec::new();
    for vendor in ["bedrock-converse", "bedrock-invoke"] {
        let folders = std::fs::read_dir(root.join(vendor)).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
        folders.sort();
        for folder in folders {
            if let Ok(bytes) = std::fs::read(folder.join("response.eventstream")) {
                found.push((folder.display().to_string(), bytes));
            }
        }
    }
    Some(found)
}

/// One frame as the format describes it, written without the gateway's encoder: the checksum is
/// computed bit by bit.
fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(u32::try_from(16 + headers.len() + payload.len()).expect("small").to_be_bytes());
    out.extend(u32::try_from(headers.len()).expect("small").to_be_bytes());
    out.extend(crc(&out).to_be_bytes());
    out.extend(headers);
    out.extend(payload);
    out.extend(crc(&out).to_be_bytes());
    out
}

/// CRC-32 as in RFC 1952, section 8, without its table.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

fn text_header(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![u8::try_from(name.len()).expect("short")];
    out.extend(name.as_bytes());
    out.push(7);
    out.extend(u16::try_from(value.len()).expect("short").to_be_bytes());
    out.extend(value.as_bytes());
    out
}

#[test]
fn t002_t003_what_bedrock_sent_reads_the_same_however_it_is_cut() {
    let Some(streams) = recorded() else { return };
    assert!(streams.len() >= 20, "only {} recordings", streams.len());
    for (name, body) in &streams {
        let expected = whole(body).expect(name);
        assert!(!expected.is_empty(), "{name}");
        let joined: Vec<u8> = expected.iter().flat_map(|(bytes, ..)| bytes.clone()).collect();
        assert_eq!(&joined, body, "every byte belongs to one frame: {name}");
        assert_eq!(read(body.chunks(1)).as_ref(), Ok(&expected), "{name}, a byte at a time");
        let stride = if body.len() <= EVERY_CUT_MAX { 1 } else { body.len() / CUTS };
        for cut in (0..=body.len()).step_by(stride) {
            let (first, second) = body.split_at(cut);
            let cut_reading = read([first, second].into_iter());
            assert_eq!(cut_reading.as_ref(), Ok(&expected), "{name}, cut at {cut}");
        }
    }
}

#[test]
fn every_recorded_frame_is_an_event_or_exception_with_json_in_it() {
    let Some(streams) = recorded() else { return };
    for (name, body) in &streams {
        for (_, message, payload) in whole(body).expect(name) {
            let is_known = message.starts_with("Event(\"") || message.starts_with("Exception(\"");
            assert!(is_known && message.len() > "Event(\"\")".len(), "{name}: {message}");
            assert!(serde_json::from_slice::<Value>(&payload).is_ok(), "{name}: {message}");
        }
    }
}

#[test]
fn a_recorded_frame_that_is_written_again_is_the_same_bytes() {
    let Some(streams) = recorded() else { return };
    for (name, body) in &streams {
        let mut scanner = Scanner::default();
        let mut out = Vec::new();
        while let Some(frame) = scanner.next(body).expect(name) {
            let headers: Vec<(&str, &str)> = frame
                .headers(body)
                .map(|(header, value)| match value {
                    HeaderValue::Text(text) => (std::str::from_utf8(header).expect(name), text),
                    other => panic!("{name}: {other:?}"),
                })
                .collect();
            push(&mut out, &headers, &body[frame.payload]).expect(name);
        }
        assert!(out == *body, "{name}");
    }
}

#[test]
fn fault_16_a_flipped_bit_anywhere_is_never_an_event() {
    let headers = [text_header(":message-type", "event"), text_header(":event-type", "x")].concat();
    let good = frame(&headers, b"{\"a\":1}");
    assert_eq!(whole(&good).expect("it is sound").len(), 1);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let error = whole(&bad).expect_err("a bit was flipped");
            let expected =
                if at < 12 { FrameError::PreludeChecksum } else { FrameError::FrameChecksum };
            assert_eq!(error, expected, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn fault_16_a_frame_that_lies_about_its_length_is_refused_before_it_is_buffered() {
    let prelude = |length: usize, headers: usize| {
        let mut out = u32::try_from(length).expect("it fits").to_be_bytes().to_vec();
        out.extend(u32::try_from(headers).expect("it fits").to_be_bytes());
        out.extend(crc(&out).to_be_bytes());
        out
    };
    let judged = |length, headers| Scanner::default().next(&prelude(length, headers));

    assert_eq!(judged(FRAME_BYTES_MAX, 0), Ok(None), "it may yet come");
    assert_eq!(judged(FRAME_BYTES_MAX + 1, 0), Err(FrameError::TooLarge));
    assert_eq!(judged(1 << 20, HEADERS_BYTES_MAX), Ok(None));
    assert_eq!(judged(1 << 20, HEADERS_BYTES_MAX + 1), Err(FrameError::TooLarge));
    assert_eq!(judged(15, 0), Err(FrameError::Length));
    assert_eq!(judged(0, 0), Err(FrameError::Length));
    assert_eq!(judged(20, 5), Err(FrameError::Length));
}

#[test]
fn fault_16_a_stream_that_ends_inside_a_frame_is_told_from_one_that_ended() {
    let good = frame(&text_header(":message-type", "event"), b"{}");
    for cut in 1..good.len() {
        assert_eq!(whole(&good[..cut]), Err(FrameError::Truncated), "cut at {cut}");
    }
    assert_eq!(whole(b"").expect("nothing is no half"), vec![]);
}

#[test]
fn t017_fault_16_an_exception_or_error_frame_is_named() {
    let exception = [
        text_header(":message-type", "exception"),
        text_header(":exception-type", "throttlingException"),
        text_header(":content-type", "application/json"),
    ];
    let error = [
        text_header(":error-code", "InternalError"),
        text_header(":message-type", "error"),
        text_header(":error-message", "it broke"),
    ];
    let bytes =
        [frame(&exception.concat(), b"{\"message\":\"slow down\"}"), frame(&error.concat(), b"")]
            .concat();
    let mut scanner = Scanner::default();

    let first = scanner.next(&bytes).expect("sound").expect("whole");
    let second = scanner.next(&bytes).expect("sound").expect("whole");

    assert_eq!(first.message(&bytes), Message::Exception("throttlingException"));
    assert_eq!(&bytes[first.payload], b"{\"message\":\"slow down\"}");
    let expected = Message::Error { code: "InternalError", message: "it broke" };
    assert_eq!(second.message(&bytes), expected);
}

#[test]
fn every_type_of_header_is_read_and_none_runs_past_its_block() {
    let named = |kind: u8, value: &[u8]| [&[1, b'n', kind], value].concat();
    let uuid: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).expect("small"));
    for (block, expected) in [
        (named(0, b""), HeaderValue::Bool(true)),
        (named(1, b""), HeaderValue::Bool(false)),
        (named(2, &[0xff]), HeaderValue::Byte(-1)),
        (named(3, &[0xff, 0xfe]), HeaderValue::Short(-2)),
        (named(4, &7_i32.to_be_bytes()), HeaderValue::Int(7)),
        (named(5, &(-9_i64).to_be_bytes()), HeaderValue::Long(-9)),
        (named(6, &[0, 2, 1, 2]), HeaderValue::Bytes(&[1, 2])),
        (named(7, &[0, 1, b'x']), HeaderValue::Text("x")),
        (named(7, &[0, 1, 0xff]), HeaderValue::Bytes(&[0xff])),
        (named(8, &1_i64.to_be_bytes()), HeaderValue::Timestamp(1)),
        (named(9, &uuid), HeaderValue::Uuid(uuid)),
    ] {
        let bytes = frame(&block, b"");
        let read = Scanner::default().next(&bytes).expect("sound").expect("whole");
        let headers: Vec<_> = read.headers(&bytes).collect();
        assert_eq!(headers, [(&b"n"[..], expected)]);
        for cut in 1..block.len() {
            let error = Scanner::default().next(&frame(&block[..cut], b""));
            assert_eq!(error, Err(FrameError::Header), "{block:?} cut at {cut}");
        }
    }
    for bad in [named(10, b""), named(255, b"x"), vec![0, 7, 0, 0]] {
        let error = Scanner::default().next(&frame(&bad, b""));
        assert_eq!(error, Err(FrameError::Header), "{bad:?}");
    }
}

#[test]
fn what_cannot_be_framed_is_refused_and_leaves_nothing_behind() {
    let mut out = b"before".to_vec();
    let (long, longest) = ("n".repeat(256), "v".repeat(65_536));

    assert_eq!(push(&mut out, &[("", "x")], b""), Err(FrameError::Header));
    assert_eq!(push(&mut out, &[(&long, "x")], b""), Err(FrameError::Header));
    assert_eq!(push(&mut out, &[("n", &longest)], b""), Err(FrameError::TooLarge));
    assert_eq!(push(&mut out, &[], &vec![0; FRAME_BYTES_MAX - 15]), Err(FrameError::TooLarge));

    assert_eq!(out, b"before");
    assert_eq!(push(&mut out, &[], &vec![0; FRAME_BYTES_MAX - 16]), Ok(()));
}

proptest! {
    #[test]
    fn a_written_frame_is_the_one_that_the_format_describes(
        headers in vec(("[a-z:-]{1,40}", "\\PC{0,60}"), 0..8),
        payload in vec(any::<u8>(), 0..2_000),
    ) {
        let pairs: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let block: Vec<u8> = pairs.iter().flat_map(|(n, v)| text_header(n, v)).collect();
        let mut out = Vec::new();

        push(&mut out, &pairs, &payload).expect("within bounds");

        prop_assert_eq!(&out, &frame(&block, &payload));
        prop_assert_eq!(&whole(&out).expect("sound")[0].2, &payload);
    }

    #[test]
    fn no_bytes_make_it_panic_or_disagree_with_itself(
        bytes in vec(any::<u8>(), 0..400),
        size in 1_usize..50,
    ) {
        let once = whole(&bytes);
        let cut = read(bytes.chunks(size));
        prop_assert_eq!(&once, &cut);
        prop_assert!(once.is_err() || bytes.is_empty());
    }
}
