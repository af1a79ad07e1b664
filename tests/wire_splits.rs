//! However the bytes were cut, the answer is the same (faults 5, 6 and 7), and nothing panics.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest,
};

use weir::wire::http1::chunked::{Chunked, LAST_CHUNK, Step, push_chunk_head};
use weir::wire::http1::reply::ReplyHead;
use weir::wire::http1::request::RequestHead;
use weir::wire::http1::{HttpError, Limits};
use weir::wire::json::finder::Finder;
use weir::wire::json::flat::flat_strings;
use weir::wire::json::object::scan_object;
use weir::wire::json::value::read_str;
use weir::wire::sse::{Data, Scanner, event_name, join_data};

/// Lengths of pieces, used in turn.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![Just(1), 1_usize..20], 1..20)
}

fn pieces<'a>(bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    cuts.iter().cycle().map_while(move |cut| {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Tokens strung together, so that grammar is met more often than noise would.
fn strung(tokens: &'static [&'static [u8]], count: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(tokens), 0..count).prop_map(|found| found.concat())
}

/// Payload, bytes behind the body, and whether it ended; or the error.
fn decode<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, Vec<u8>, bool), HttpError> {
    let mut chunked = Chunked::default();
    let (mut body, mut behind) = (Vec::new(), Vec::new());
    for mut piece in pieces {
        while !piece.is_empty() && !chunked.is_done() {
            let consumed = match chunked.next(piece)? {
                Step::Payload { consumed, payload } => {
                    body.extend_from_slice(&piece[payload]);
                    consumed
                }
                Step::More { consumed } | Step::Done { consumed } => consumed,
            };
            piece = &piece[consumed..];
        }
        behind.extend_from_slice(piece);
    }
    Ok((body, behind, chunked.is_done()))
}

const CHUNKS: &[&[u8]] = &[
    b"0\r\n",
    b"\r\n",
    b"5\r\nhello\r\n",
    b"1",
    b"a",
    b";x=y",
    b"\r",
    b"\n",
    b"X: y\r\n",
    b":",
    b"hello",
];

const EVENTS: &[&[u8]] = &[
    b"data: {\"a\":1}",
    b"data:",
    b"data",
    b"event: x",
    b":ping",
    b"id: 1",
    b"\n",
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\r\n",
    b"\r",
    b"\r",
    b"\xef\xbb\xbf",
    b" ",
    "é".as_bytes(),
];

const JSON: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"usage\":",
    b"\"error\":",
    b"\"x\":",
    b",",
    b",",
    b":",
    b"1",
    b"null",
    b"\"",
    b"\\",
    b"\"a\"",
    b"\"\\u0075sage\":",
    b"{\"usage\":",
    b"{}",
    b" ",
    "é".as_bytes(),
    b"\n",
];

/// An event's bytes, payload and name.
type Seen = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// All events, with the buffer drained now and then.
fn events(stream: &[u8], cuts: &[usize]) -> Vec<Seen> {
    let (mut scanner, mut buffer, mut found) = (Scanner::default(), Vec::new(), Vec::new());
    for (index, piece) in pieces(stream, cuts).enumerate() {
        buffer.extend_from_slice(piece);
        let mut done = 0;
        while let Some(event) = scanner.next(&buffer).expect("small") {
            let payload = match event.data {
                Data::None => None,
                Data::One(range) => Some(buffer[range].to_vec()),
                Data::Many => Some(join_data(&buffer, event.whole.clone()).into_owned()),
            };
            let name = event_name(&buffer, event.whole.clone()).map(<[u8]>::to_vec);
            done = event.whole.end;
            found.push((buffer[event.whole].to_vec(), payload, name));
        }
        // Sometimes events are forwarded only with the next piece.
        if index % 3 != 0 && done > 0 {
            buffer.drain(..done);
            scanner.consumed(done);
        }
    }
    found
}

/// Payloads by the letter of the specification: lines first, then events. But for the BOM, which
/// may stand before any event.
fn payloads(stream: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8(stream.to_vec()).expect("tokens are text");
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (mut found, mut lines, mut is_first) = (Vec::new(), Vec::new(), true);
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let line = line.strip_prefix('\u{feff}').filter(|_| is_first).unwrap_or(line);
        is_first = line.is_empty();
        if is_first {
            if !lines.is_empty() {
                found.push(lines.join("\n").into_bytes());
            }
            lines.clear();
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name == "data" {
            lines.push(value.strip_prefix(' ').unwrap_or(value).to_owned());
        }
    }
    found
}

fn searched(document: &[u8], cuts: &[usize]) -> (Option<Vec<u8>>, Option<Vec<u8>>, bool, bool) {
    let mut finder = Finder::new(["usage", "error"]);
    pieces(document, cuts).for_each(|piece| finder.feed(piece));
    let value = |index| finder.value(index).map(<[u8]>::to_vec);
    (value(0), value(1), finder.is_complete(), finder.starts_with_object())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn chunks_cut_anywhere_are_the_same_chunks(input in strung(CHUNKS, 20), cuts in cuts()) {
        let whole = decode(std::iter::once(input.as_slice()));
        prop_assert_eq!(decode(pieces(&input, &cuts)), whole);
    }

    #[test]
    fn a_body_written_in_chunks_reads_as_it_was(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..10),
        cuts in cuts(),
    ) {
        let mut wire = Vec::new();
        for part in &parts {
            push_chunk_head(&mut wire, part.len());
            wire.extend_from_slice(part);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(LAST_CHUNK);

        prop_assert_eq!(decode(pieces(&wire, &cuts)), Ok((parts.concat(), Vec::new(), true)));
    }

    #[test]
    fn a_stream_cut_anywhere_has_the_same_events(stream in strung(EVENTS, 30), cuts in cuts()) {
        let whole = events(&stream, &[stream.len().max(1)]);
        prop_assert_eq!(events(&stream, &cuts), whole);
    }

    #[test]
    fn events_are_those_of_the_specification(stream in strung(EVENTS, 30), cuts in cuts()) {
        let ended = [stream.as_slice(), b"\n\n"].concat();
        let found = events(&ended, &cuts);

        let forwarded: Vec<u8> = found.iter().flat_map(|event| event.0.clone()).collect();
        prop_assert_eq!(ended.strip_prefix(forwarded.as_slice()).map(<[u8]>::trim_ascii),
            Some(b"".as_slice()));
        let read: Vec<Vec<u8>> = found.into_iter().filter_map(|event| event.1).collect();
        prop_assert_eq!(read, payloads(&ended));
    }

    #[test]
    fn a_document_cut_anywhere_is_searched_the_same(document in strung(JSON, 30), cuts in cuts()) {
        let whole = searched(&document, &[document.len().max(1)]);
        prop_assert_eq!(searched(&document, &cuts), whole);
    }

    #[test]
    fn no_bytes_make_anything_panic(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        touch(&noise);
        touch(&[b"GET / HTTP/1.1\r\nHost: a\r\n", noise.as_slice(), b"\r\n\r\n"].concat());
        touch(&[b"HTTP/1.1 200 OK\r\n", noise.as_slice(), b"\r\n\r\n"].concat());
        touch(&[b"{\"a\":", noise.as_slice(), b"}"].concat());
        touch(&[b"\"", noise.as_slice(), b"\""].concat());
    }

    #[test]
    fn no_tokens_make_anything_panic(
        json in strung(JSON, 40),
        chunks in strung(CHUNKS, 40),
        events in strung(EVENTS, 40),
    ) {
        touch(&json);
        touch(&chunks);
        touch(&events);
    }
}

/// Were any byte looked at again with each piece, this would take minutes.
#[test]
fn large_messages_byte_by_byte_are_read_once() {
    let limits = Limits { head_bytes_max: 1 << 20, headers_max: 100, target_bytes_max: 100 };
    let line = format!("X: {}\r\n", "y".repeat(5000));
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", line.repeat(99));
    let mut request = RequestHead::default();
    let mut scanner = Scanner::default();
    let event = format!("data: {}\n\n", "x".repeat((1 << 20) - 8));

    for end in 0..head.len() {
        assert_eq!(request.parse(&head.as_bytes()[..end], &limits), Ok(false));
    }
    assert_eq!(request.parse(head.as_bytes(), &limits), Ok(true));
    for end in 0..event.len() {
        assert_eq!(scanner.next(&event.as_bytes()[..end]), Ok(None));
    }
    assert!(matches!(scanner.next(event.as_bytes()), Ok(Some(_))));
}

fn touch(bytes: &[u8]) {
    let limits = Limits { head_bytes_max: 200, headers_max: 5, target_bytes_max: 50 };
    let _ = RequestHead::default().parse(bytes, &limits);
    let _ = ReplyHead::default().parse(bytes, &limits, false);
    let _ = decode(std::iter::once(bytes));
    let _ = scan_object(bytes, &["a", "usage"]);
    let _ = flat_strings(bytes);
    let _ = read_str(bytes);
    let _ = Scanner::default().next(bytes);
    let _ = searched(bytes, &[7]);
    // A head that is told of other bytes than it saw before must cope as well.
    let mut head = RequestHead::default();
    for end in [bytes.len(), bytes.len() / 2, 0, bytes.len()] {
        let _ = head.parse(&bytes[..end], &limits);
    }
}
