//! Server-sent events over a growing buffer.
//!
//! ```text
//! stream = *event            event = [BOM] *(line end) end            end = CRLF / LF / CR
//! line   = ":" comment  |  field [":" [SP] value]
//! ```
//!
//! Every byte of the stream belongs to exactly one event, so that forwarding `whole` after `whole`
//! forwards the stream as it came. A CR that ends the buffer may be half of a CRLF, so an event
//! that it would end waits for the next byte; not so after a line that ended in a lone CR, for such
//! a server has no CRLF. Should an LF follow there after all, it is the next event's first byte.
//! The specification knows a BOM only where the stream starts; here it is skipped before any event,
//! for streams are also made by joining streams.
//! Source: html.spec.whatwg.org/multipage/server-sent-events.html, read 2026-11-21.

use std::borrow::Cow;
use std::ops::Range;

/// An event's size with its blank line; vendors stay below 64 KiB but for inline images, which are
/// megabytes of base64.
pub const EVENT_BYTES_MAX: usize = 16 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// An event grew beyond [`EVENT_BYTES_MAX`]; nothing sensible can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// One event, by its place in the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// With its terminating blank line, and a BOM where there is one.
    pub whole: Range<usize>,
    pub data: Data,
}

/// The payload of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Data {
    /// No `data` line: comments, `event:`, `id:`, `retry:` or nothing.
    #[default]
    None,
    /// The one `data` line's value, as nearly all vendors send it.
    One(Range<usize>),
    /// Several `data` lines: see [`join_data`].
    Many,
}

/// Cuts a stream into events.
///
/// **Cost**: each byte is read once, however small the pieces; no allocation.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    /// Where the event in work starts.
    start: usize,
    /// Where the line in work starts.
    line: usize,
    /// No line end is between `line` and here.
    next: usize,
    data: Data,
    /// What may stand before the event in work was looked for.
    is_begun: bool,
    /// The last line ended in a lone CR.
    was_lone_cr: bool,
    /// The last event did: an LF right behind it is the end of no line.
    may_be_lf: bool,
}

impl Scanner {
    /// The next event that is complete in `bytes`, or `None` until there are more.
    ///
    /// Between calls `bytes` may only grow at the end, and lose at the front what
    /// [`Scanner::consumed`] is told of. At the end of a stream the caller may append `"\n\n"` to
    /// see what an unfinished event held.
    ///
    /// **Errors**: [`TooLarge`], before more than [`EVENT_BYTES_MAX`] need to be buffered.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<Event>, TooLarge> {
        if let Some(event) = self.plain(bytes) {
            return Ok(Some(event));
        }
        if !self.is_begun && !self.begin(bytes) {
            return Ok(None);
        }
        while let Some(end) = bytes
            .get(self.next..)
            .and_then(|rest| memchr::memchr2(b'\n', b'\r', rest))
            .map(|at| self.next + at)
        {
            let is_blank = end == self.line;
            let is_cr = bytes[end] == b'\r';
            let after = match bytes.get(end + 1) {
                Some(b'\n') if is_cr && !(is_blank && self.was_lone_cr) => end + 2,
                None if is_cr && !(is_blank && self.was_lone_cr) => {
                    self.next = end;
                    return self.unfinished(bytes);
                }
                _ => end + 1,
            };
            if !is_blank {
                self.note(&bytes[self.line..end]);
            }
            let is_lone_cr = is_cr && after == end + 1;
            self.may_be_lf = is_blank && is_lone_cr && self.was_lone_cr;
            self.was_lone_cr = is_lone_cr && !is_blank;
            self.line = after;
            self.next = after;
            if is_blank {
                return self.event(after).map(Some);
            }
        }
        self.next = self.next.max(bytes.len());
        self.unfinished(bytes)
    }

    /// The next event if it is all there, and one line of data that ends in LF, maybe behind its
    /// name, as nearly all are: found without state to keep.
    fn plain(&mut self, bytes: &[u8]) -> Option<Event> {
        if self.is_begun || self.may_be_lf {
            return None;
        }
        let rest = bytes.get(self.start..)?;
        let line = if rest.starts_with(b"event:") {
            let end = memchr::memchr2(b'\n', b'\r', rest)?;
            self.start + if rest[end] == b'\n' { end + 1 } else { return None }
        } else {
            self.start
        };
        let value = bytes.get(line..)?.strip_prefix(b"data:")?;
        let length = memchr::memchr2(b'\n', b'\r', value)?;
        let from = line + b"data:".len();
        let (begin, end) = (from + usize::from(value[0] == b' '), from + length);
        let whole = self.start..end + 2;
        if !value[length..].starts_with(b"\n\n") || whole.len() > EVENT_BYTES_MAX / 2 {
            return None;
        }
        (self.start, self.line, self.next) = (whole.end, whole.end, whole.end);
        Some(Event { whole, data: Data::One(begin..end) })
    }

    /// Says that `length` bytes were drained from the buffer's front, all of finished events.
    pub fn consumed(&mut self, length: usize) {
        debug_assert!(length <= self.start);
        self.start = self.start.saturating_sub(length);
        self.line = self.line.saturating_sub(length);
        self.next = self.next.saturating_sub(length);
        if let Data::One(range) = &mut self.data {
            *range = range.start.saturating_sub(length)..range.end.saturating_sub(length);
        }
    }

    /// Skips what may stand before an event; `false` while the bytes may yet become that.
    fn begin(&mut self, bytes: &[u8]) -> bool {
        let is_lf = self.may_be_lf && bytes.get(self.start) == Some(&b'\n');
        let start = self.start + usize::from(is_lf);
        let rest = bytes.get(start..).unwrap_or_default();
        let is_bom = rest.starts_with(BOM);
        if !is_bom && BOM.starts_with(rest) {
            return false;
        }
        self.is_begun = true;
        self.line = if is_bom { start + BOM.len() } else { start };
        self.next = self.line;
        true
    }

    /// Notes a line that starts at `self.line`, if it is one of data.
    fn note(&mut self, line: &[u8]) {
        let Some(value) = field(line, b"data") else { return };
        let end = self.line + line.len();
        self.data = match self.data {
            Data::None => Data::One(end - value.len()..end),
            Data::One(_) | Data::Many => Data::Many,
        };
    }

    fn event(&mut self, end: usize) -> Result<Event, TooLarge> {
        let whole = self.start..end;
        self.start = end;
        self.is_begun = false;
        let data = std::mem::take(&mut self.data);
        if whole.len() > EVENT_BYTES_MAX { Err(TooLarge) } else { Ok(Event { whole, data }) }
    }

    fn unfinished(&self, bytes: &[u8]) -> Result<Option<Event>, TooLarge> {
        let is_bounded = bytes.len().saturating_sub(self.start) <= EVENT_BYTES_MAX;
        is_bounded.then_some(None).ok_or(TooLarge)
    }
}

/// The last `event:` of an event; empty and absent ones mean "message" and are `None`.
#[must_use]
pub fn event_name(bytes: &[u8], whole: Range<usize>) -> Option<&[u8]> {
    fields(bytes.get(whole)?, b"event").last().filter(|name| !name.is_empty())
}

/// All `data` lines of an event, joined by LF; borrowed where there is one or none.
#[must_use]
pub fn join_data(bytes: &[u8], whole: Range<usize>) -> Cow<'_, [u8]> {
    let mut lines = fields(bytes.get(whole).unwrap_or_default(), b"data");
    let first = lines.next().unwrap_or_default();
    lines.fold(Cow::Borrowed(first), |mut joined, line| {
        let bytes = joined.to_mut();
        bytes.push(b'\n');
        bytes.extend_from_slice(line);
        joined
    })
}

/// The values of all lines with this field.
fn fields<'b>(event: &'b [u8], name: &[u8]) -> impl Iterator<Item = &'b [u8]> {
    // A CRLF leaves an empty piece, which is no field.
    let event = event.strip_prefix(b"\n").unwrap_or(event);
    let event = event.strip_prefix(BOM).unwrap_or(event);
    event.split(|&byte| byte == b'\n' || byte == b'\r').filter_map(move |line| field(line, name))
}

/// The value, if the line has this field; one space after the colon is no part of it.
fn field<'b>(line: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
    match line.strip_prefix(name)? {
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        [] => Some(&line[line.len()..]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Data, EVENT_BYTES_MAX, Scanner, TooLarge, event_name, join_data};

    /// Each event as `whole|name|data`.
    fn check(stream: &[u8], expected: &[(&str, &str, Option<&str>)]) {
        let mut scanner = Scanner::default();
        let mut found = Vec::new();
        while let Some(event) = scanner.next(stream).expect("small") {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let joined = text(&join_data(stream, event.whole.clone()));
            let data = match event.data {
                Data::None => None,
                Data::One(range) => Some(text(&stream[range])).inspect(|d| assert_eq!(*d, joined)),
                Data::Many => Some(joined),
            };
            let name = event_name(stream, event.whole.clone()).map(text).unwrap_or_default();
            found.push((text(&stream[event.whole]), name, data));
        }
        let found: Vec<_> =
            found.iter().map(|(w, n, d)| (w.as_str(), n.as_str(), d.as_deref())).collect();
        assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(stream));
    }

    #[test]
    fn every_line_end_ends_a_line() {
        check(
            b"data: a\n\ndata: b\n\n",
            &[("data: a\n\n", "", Some("a")), ("data: b\n\n", "", Some("b"))],
        );
        check(
            b"data: a\r\n\r\ndata:b\r\n\r\n",
            &[("data: a\r\n\r\n", "", Some("a")), ("data:b\r\n\r\n", "", Some("b"))],
        );
        check(
            b"data: a\r\rdata: b\r\r",
            &[("data: a\r\r", "", Some("a")), ("data: b\r\r", "", Some("b"))],
        );
        check(
            b"data: a\n\r\ndata: b\r\n\nx",
            &[("data: a\n\r\n", "", Some("a")), ("data: b\r\n\n", "", Some("b"))],
        );
    }

    #[test]
    fn fields_comments_and_several_lines_are_told_apart() {
        check(
            b"\xef\xbb\xbfdata: a\n\n: ping\n\nid: 7\nretry: 3\n\n",
            &[
                ("\u{feff}data: a\n\n", "", Some("a")),
                (": ping\n\n", "", None),
                ("id: 7\nretry: 3\n\n", "", None),
            ],
        );
        check(
            b"event: a\ndata: b\n\nevent:\ndata:c\n\nevent: d\r\ndata: e\n\nevent: f\nid: 1\n\n",
            &[
                ("event: a\ndata: b\n\n", "a", Some("b")),
                ("event:\ndata:c\n\n", "", Some("c")),
                ("event: d\r\ndata: e\n\n", "d", Some("e")),
                ("event: f\nid: 1\n\n", "f", None),
            ],
        );
        check(
            b"event: error\ndata:  a\ndata\ndata:b\n\ndatax: 1\n data: 2\n\n\n",
            &[
                ("event: error\ndata:  a\ndata\ndata:b\n\n", "error", Some(" a\n\nb")),
                ("datax: 1\n data: 2\n\n", "", None),
                ("\n", "", None),
            ],
        );
    }

    #[test]
    fn a_cr_at_the_end_waits_unless_the_line_before_ended_in_one() {
        check(
            b"data: a\r\r\n\xef\xbb\xbfdata: b\ndata: c\n\n",
            &[("data: a\r\r", "", Some("a")), ("\n\u{feff}data: b\ndata: c\n\n", "", Some("b\nc"))],
        );
        check(b"data: a\r\n\r", &[]);
        check(b"data: a\n\r", &[]);
        check(b"data: a\r\r\n\r\n", &[("data: a\r\r", "", Some("a")), ("\n\r\n", "", None)]);
    }

    #[test]
    fn an_event_at_the_bound_passes_and_one_byte_more_does_not() {
        let event = |n: usize| [b"data: ", vec![b'x'; n - 8].as_slice(), b"\n\n"].concat();

        let fits = event(EVENT_BYTES_MAX);
        assert!(Scanner::default().next(&fits).is_ok_and(|found| found.is_some()));
        let exceeds = event(EVENT_BYTES_MAX + 1);
        assert_eq!(Scanner::default().next(&exceeds), Err(TooLarge));
        assert_eq!(Scanner::default().next(&exceeds[..=EVENT_BYTES_MAX]), Err(TooLarge));
    }
}
