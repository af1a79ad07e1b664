//! Ninety-two bad or odd requests (faults 37 and 39), as the wire judges them.
//!
//! Each is judged whole and byte by byte, with one verdict: a request must not become acceptable by
//! being cut. `tests/desync.rs` sends the same to a gateway.

mod badhttp;

use badhttp::{Case, Owed, cases};
use weir::wire::http1::chunked::{Chunked, Step};
use weir::wire::http1::request::RequestHead;
use weir::wire::http1::{Framing, HttpError, Limits};

const LIMITS: Limits =
    Limits { head_bytes_max: 64 << 10, headers_max: 100, target_bytes_max: 8 << 10 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// So many requests, and nothing left over.
    Taken(usize),
    Refused(HttpError),
    Waiting,
}

/// Reads requests until the bytes end, seeing so many more of them at a time.
fn judge(raw: &[u8], piece: usize) -> Verdict {
    let mut head = RequestHead::default();
    let (mut at, mut seen, mut taken) = (0, 0, 0);
    while at < raw.len() {
        seen = (seen + piece).min(raw.len());
        match head.parse(&raw[at..seen], &LIMITS) {
            Ok(true) => at += head.head_len,
            Ok(false) if seen == raw.len() => return Verdict::Waiting,
            Ok(false) => continue,
            Err(error) => return Verdict::Refused(error),
        }
        match judge_body(raw, at, head.framing, piece) {
            Ok(end) => at = end,
            Err(verdict) => return verdict,
        }
        seen = at;
        taken += 1;
    }
    Verdict::Taken(taken)
}

/// Where the body ends.
fn judge_body(raw: &[u8], at: usize, framing: Framing, piece: usize) -> Result<usize, Verdict> {
    if let Framing::Length(length) = framing {
        let end = at + usize::try_from(length).expect("a small one");
        return if end <= raw.len() { Ok(end) } else { Err(Verdict::Waiting) };
    }
    let mut chunked = Chunked::default();
    let mut at = at;
    while framing == Framing::Chunked && !chunked.is_done() {
        let input = &raw[at..(at + piece).min(raw.len())];
        if input.is_empty() {
            return Err(Verdict::Waiting);
        }
        at += match chunked.next(input).map_err(Verdict::Refused)? {
            Step::Payload { consumed, .. } | Step::More { consumed } | Step::Done { consumed } => {
                consumed
            }
        };
    }
    Ok(at)
}

#[test]
fn there_are_92_requests() {
    assert_eq!(cases().len(), 92);
}

#[test]
fn each_request_is_taken_or_refused_as_owed() {
    for Case(name, raw, owed) in cases() {
        let verdict = judge(&raw, raw.len());

        let is_fine = match owed {
            Owed::Taken => matches!(verdict, Verdict::Taken(1)),
            Owed::Refused => matches!(verdict, Verdict::Refused(_)),
            Owed::Either => !matches!(verdict, Verdict::Waiting),
        };
        assert!(is_fine, "{name}: {verdict:?}");
    }
}

#[test]
fn a_request_cut_anywhere_gets_the_same_verdict() {
    for Case(name, raw, _) in cases() {
        let kind = |verdict| match verdict {
            Verdict::Refused(HttpError::Bad(_)) => Verdict::Refused(HttpError::Bad("")),
            other => other,
        };

        for piece in [1, 2, 3, 5, 64, 1000] {
            assert_eq!(kind(judge(&raw, piece)), kind(judge(&raw, raw.len())), "{name} by {piece}");
        }
    }
}

#[test]
fn what_we_do_where_the_choice_is_ours() {
    let verdicts: Vec<(String, bool)> = cases()
        .into_iter()
        .filter(|Case(_, _, owed)| *owed == Owed::Either)
        .map(|Case(name, raw, _)| (name, matches!(judge(&raw, raw.len()), Verdict::Taken(_))))
        .collect();
    let taken: Vec<&str> = verdicts.iter().filter(|v| v.1).map(|v| v.0.as_str()).collect();

    assert_eq!(
        taken,
        [
            "chunk-ext",
            "te-obf-11",
            "cl-lead0",
            "line-abs",
            "line-dots",
            "line-enc",
            "hdr-latin1v",
            "hdr-under",
            "upgrade-h2c",
            "conn-hop",
            "pipeline",
            "prefix-crlf",
            "trailer-cl",
        ]
    );
}
