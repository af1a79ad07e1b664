//! A whole (not streamed) answer, watched as it passes.
//!
//! Nothing is changed. Seen in passing: `usage`, and whether it is an `error`.

use crate::{
    dialect::openai_chat::usage,
    lexicon::{fault::Fault, usage::Usage},
    wire::json::{self, finder::Finder},
};
use memchr::memmem;
use std::sync::LazyLock;

/// Watches the bytes of a JSON answer in whatever pieces they come.
pub struct Observer {
    finder: Finder<2>,
}

impl Default for Observer {
    fn default() -> Self {
        Self { finder: Finder::new(["usage", "error"]) }
    }
}

impl Observer {
    pub fn see(&mut self, bytes: &[u8]) {
        self.finder.feed(bytes);
    }

    /// Was it one complete JSON object?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.finder.is_complete() && self.finder.starts_with_object()
    }

    /// What was seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen {
            usage: self.finder.value(0).and_then(usage::read),
            is_error: self.finder.value(1).is_some_and(|error| !json::value::is_null(error)),
        }
    }
}

/// What an answer says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The tokens it reports, if it does.
    pub usage: Option<Usage>,
    /// It holds an `error` that is not null.
    pub is_error: bool,
}

/// Behind the text of an answer, its tokens and a few names fit in these.
const TAIL_BYTES: usize = 512;

/// `usage`, its two details, and what a vendor adds.
const BRACES_MAX: usize = 6;
const USAGE_NAME: &[u8] = b"\"usage\":";

/// A searcher costs more to make than a document to search.
static USAGE: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new("\"usage\""));
static ERROR: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new("error\""));
static ESCAPED_LETTER: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new("\\u00"));

/// The same of a document that is all here: cheaper than in pieces.
#[must_use]
pub fn seen(document: &[u8]) -> Seen {
    seen_at_the_end(document).unwrap_or_else(|| seen_in_full(document))
}

/// Vendors put the tokens last, or nearly: what stands before them is searched, not read.
///
/// A key is followed by a bare quote, which cannot stand inside a string; and from a key of the
/// document itself, not of something in it, the members end with the document.
fn seen_at_the_end(document: &[u8]) -> Option<Seen> {
    // A key of ours may be written with escapes.
    let escapes = memchr::memchr(b'\\', document).map(|at| &document[at..]);
    if escapes.is_some_and(|rest| ESCAPED_LETTER.find(rest).is_some())
        || ERROR.find(document).is_some()
    {
        return None;
    }
    let tail = document.len().saturating_sub(TAIL_BYTES);
    // An object that the last words are: its brace is sooner found than its name.
    let braces = memchr::memrchr_iter(b'{', &document[tail..]).take(BRACES_MAX);
    let mut named = braces.filter_map(|brace| (tail + brace).checked_sub(USAGE_NAME.len()));
    let last = named.find_map(|at| last_member(document, at));
    if let Some(usage) = last {
        return Some(Seen { usage: Some(usage), is_error: false });
    }
    let in_tail = USAGE.find_iter(&document[tail..]).last().map(|at| tail + at);
    let at = in_tail.or_else(|| USAGE.find_iter(document).last())?;
    let [usage] = json::object::scan_members_from(document, at, &["usage"]).ok()?.values;
    Some(Seen { usage: usage.and_then(|span| usage::read(span.of(document))), is_error: false })
}

/// The plain counts of a `usage` at `at`, where nothing but the end of the document follows them.
fn last_member(document: &[u8], at: usize) -> Option<Usage> {
    let (before, member) = document.split_at_checked(at)?;
    let value = member.strip_prefix(USAGE_NAME)?;
    let (usage, rest) = usage::read_front(value)?;
    let is_end = rest.trim_ascii() == b"}";
    let is_begin = matches!(before.trim_ascii_end().last(), Some(b'{' | b','));
    (is_begin && is_end).then_some(usage)
}

fn seen_in_full(document: &[u8]) -> Seen {
    let Ok(object) = json::object::scan_object(document, &["usage", "error"]) else {
        // The stricter look refuses what passes in pieces; how it came must make no difference.
        let mut observer = Observer::default();
        observer.see(document);
        return observer.seen();
    };
    let [usage, error] = object.values.map(|value| value.map(|span| span.of(document)));
    Seen {
        usage: usage.and_then(usage::read),
        is_error: error.is_some_and(|error| !json::value::is_null(error)),
    }
}

/// The status that an error says of itself, which came with 200: its own `code` or `status` where
/// that is an error status.
#[must_use]
pub fn error_status(body: &[u8]) -> Option<u16> {
    let outer = json::object::scan_object(body, &["error"]).ok()?;
    let error = outer.values[0]?.of(body);
    let inner = json::object::scan_object(error, &["code", "status"]).ok()?;
    inner.values.into_iter().flatten().find_map(|span| {
        let raw = span.of(error);
        let text = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
        let code = json::value::read_u64(text.unwrap_or(raw))?;
        u16::try_from(code).ok().filter(|code| (400..600).contains(code))
    })
}

/// What a vendor's error body becomes in the client's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorBody {
    /// It has that shape: the bytes pass.
    AsIs,
    /// It is JSON of another shape, with this text in it for a person to read.
    Message { start: usize, end: usize },
    /// Nothing in it is fit to pass on.
    Unfit,
}

/// Judge the body of an answer whose status is an error.
#[must_use]
pub fn judge_error(body: &[u8]) -> ErrorBody {
    let Ok(object) = json::object::scan_object(body, &["error", "message", "detail"]) else {
        return ErrorBody::Unfit;
    };
    let [error, message, detail] = object.values;
    if error.is_some_and(|error| error.of(body).starts_with(b"{")) {
        return ErrorBody::AsIs;
    }
    let text = [message, error, detail].into_iter().flatten().find(|span| {
        let raw = span.of(body);
        raw.len() > 2 && raw.starts_with(b"\"")
    });
    match text {
        Some(span) => ErrorBody::Message { start: span.start as usize, end: span.end as usize },
        None => ErrorBody::Unfit,
    }
}

/// The fault that an error status is; `None` for a status that is no error.
#[must_use]
pub const fn fault_of(status: u16) -> Option<Fault> {
    match status {
        200..=299 => None,
        401 | 403 => Some(Fault::Auth),
        400..=599 => Some(Fault::Status(status)),
        _ => Some(Fault::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorBody, Observer, error_status, judge_error, seen};

    #[test]
    fn usage_is_seen_whatever_the_pieces() {
        let body = br#"{"id":"x","choices":[{"m":"}\"usage\":{"}],"usage":{"prompt_tokens":3}}"#;
        for cut in 0..body.len() {
            let mut observer = Observer::default();
            observer.see(&body[..cut]);
            observer.see(&body[cut..]);
            assert!(observer.is_whole(), "cut at {cut}");
            assert_eq!(observer.seen(), seen(body), "cut at {cut}");
        }
        let input_tokens = |body: &[u8]| seen(body).usage.map(|usage| usage.input_tokens);
        assert_eq!(input_tokens(body), Some(3));
        assert!(!seen(body).is_error);
        let twice = br#"{"usage":null,"usage":{"prompt_tokens":4}}"#;
        assert_eq!(input_tokens(twice), Some(4));
        for nested in [
            r#"{"usage":{"prompt_tokens":5},"x":{"usage":{"prompt_tokens":6}}}"#,
            r#"{"usage":{"prompt_tokens":5},"x":[{"usage":{"prompt_tokens":6}}],"y":"\u00e9"}"#,
            r#"{"us\u0061ge":{"prompt_tokens":5},"x":"\"usage\":{\"prompt_tokens\":6}"}"#,
            r#" { "x\"usage":1, "usage" : {"prompt_tokens":5} , "system_fingerprint":null } "#,
            r#"{"usage":{"prompt_tokens":5},"x\"usage":{"prompt_tokens":6}}"#,
        ] {
            assert_eq!(input_tokens(nested.as_bytes()), Some(5), "{nested}");
        }
        assert!(seen(br#"{"usage":{"prompt_tokens":4},"error":{}}"#).is_error);
    }

    #[test]
    fn an_error_of_another_shape_keeps_its_message() {
        let of = |body: &str| judge_error(body.as_bytes());
        assert_eq!(of(r#"{"error":{"message":"no"}}"#), ErrorBody::AsIs);
        assert_eq!(of(r#"{"detail":"Not Found"}"#), ErrorBody::Message { start: 10, end: 21 });
        assert_eq!(of("<html>"), ErrorBody::Unfit);
        assert_eq!(of("{}"), ErrorBody::Unfit);
    }

    #[test]
    fn an_error_that_came_with_200_says_its_own_status() {
        assert_eq!(error_status(br#"{"error":{"code":429}}"#), Some(429));
        assert_eq!(error_status(br#"{"error":{"code":"503"}}"#), Some(503));
        assert_eq!(error_status(br#"{"error":{"code":"model_gone"}}"#), None);
        assert_eq!(error_status(br#"{"error":"no"}"#), None);
    }
}
