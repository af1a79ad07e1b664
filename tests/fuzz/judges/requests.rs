//! Requests: where ours takes one, hyper reads the same request, with the same body, or refuses it;
//! it never waits for more of what we took as whole. However they are cut, the verdict is the same.

use super::hyper_peer;
use weir::wire::http1::{
    Framing, HttpError, Limits,
    chunked::{Chunked, Step},
    request::{Method, RequestHead},
};

const LIMITS: Limits =
    Limits { head_bytes_max: 64 << 10, headers_max: 100, target_bytes_max: 8 << 10 };

#[derive(Debug, PartialEq, Eq)]
struct Taken {
    method: Method,
    target: Vec<u8>,
    body: Vec<u8>,
    keep_alive: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Clean,
    Waiting,
    Refused,
}

/// Reads requests, seeing `piece` bytes more at a time.
fn read(bytes: &[u8], piece: usize) -> (Vec<Taken>, End) {
    let (mut taken, mut head) = (Vec::new(), RequestHead::default());
    let (mut at, mut seen) = (0, 0_usize);
    while at < bytes.len() {
        seen = seen.saturating_add(piece).min(bytes.len());
        match head.parse(&bytes[at..seen], &LIMITS) {
            Ok(true) => {}
            Ok(false) if seen == bytes.len() => return (taken, End::Waiting),
            Ok(false) => continue,
            Err(_) => return (taken, End::Refused),
        }
        let target = head.target.of(&bytes[at..]).to_vec();
        at += head.head_len;
        let (body, used) = match read_body(&bytes[at..], head.framing, piece) {
            Ok(Some(found)) => found,
            Ok(None) => return (taken, End::Waiting),
            Err(_) => return (taken, End::Refused),
        };
        at += used;
        seen = at;
        taken.push(Taken { method: head.method, target, body, keep_alive: head.keep_alive });
        if !head.keep_alive || head.is_http10 {
            return (taken, End::Clean);
        }
    }
    (taken, End::Clean)
}

/// A body from the front of `bytes`, and how many of them it is.
pub fn read_body(
    bytes: &[u8],
    framing: Framing,
    piece: usize,
) -> Result<Option<(Vec<u8>, usize)>, HttpError> {
    match framing {
        Framing::None => Ok(Some((Vec::new(), 0))),
        Framing::UntilClose => Ok(Some((bytes.to_vec(), bytes.len()))),
        Framing::Length(length) => {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            Ok(bytes.get(..length).map(|body| (body.to_vec(), length)))
        }
        Framing::Chunked => {
            let (mut decoder, mut body, mut at) = (Chunked::default(), Vec::new(), 0_usize);
            loop {
                let end = at.saturating_add(piece).min(bytes.len());
                match decoder.next(&bytes[at..end])? {
                    Step::Payload { consumed, payload } => {
                        body.extend_from_slice(&bytes[at..end][payload]);
                        at += consumed;
                    }
                    Step::Done { consumed } => return Ok(Some((body, at + consumed))),
                    Step::More { consumed } => {
                        at += consumed;
                        if end == bytes.len() {
                            return Ok(None);
                        }
                    }
                }
            }
        }
    }
}

pub fn judge(bytes: &[u8]) {
    let (ours, end) = read(bytes, usize::MAX);
    let piece = 1 + bytes.first().map_or(0, |byte| usize::from(*byte) % 16);
    let (cut, cut_end) = read(bytes, piece);
    assert_eq!(cut, ours, "by {piece}");
    // A head that has no end yet may be told as bad at once, or when its end has come.
    assert!(cut_end == end || (cut_end != End::Clean && end != End::Clean), "by {piece}");

    let theirs = hyper_peer::requests(bytes);
    for (nth, ours) in ours.iter().enumerate() {
        let Some(theirs) = theirs.messages.get(nth) else {
            assert!(theirs.has_ended, "hyper waits for request {nth}, which we took: {ours:?}");
            return;
        };
        let is_same_method = ours.method == Method::Other
            || format!("{:?}", ours.method).eq_ignore_ascii_case(&theirs.method);
        assert!(is_same_method, "{ours:?} {theirs:?}");
        assert_eq!(String::from_utf8_lossy(&ours.target), theirs.target);
        if theirs.is_whole {
            assert_eq!(ours.body, theirs.body, "request {nth}");
        } else {
            panic!("hyper has not the whole of request {nth}: {ours:?} {theirs:?}");
        }
    }
}
