//! What request and reply heads share: finding the end, and the headers that frame the body.

use crate::wire::headers::is_name;
use crate::wire::http1::{Framing, HEADERS_MAX, HttpError, Limits};
use crate::wire::span::Span;

/// Method, two spaces and `HTTP/1.1` around a request's target, with room for a long method.
const LINE_BYTES_BESIDE_TARGET_MAX: usize = 64;

/// Where the search for the blank line stopped, so that a head in a thousand pieces is still read
/// once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Search {
    /// Bytes seen.
    next: usize,
    /// Where the line in work starts.
    line_start: usize,
    /// Full lines seen, the first line included.
    pub lines: usize,
    /// Where the first line starts: after the one blank line that RFC 9112 section 2.2 forgives.
    pub first_line: usize,
    /// The first line was complete and has been judged.
    pub is_line_judged: bool,
}

impl Search {
    /// Was nothing searched yet?
    pub const fn is_fresh(&self) -> bool {
        self.next == 0
    }

    /// The head's length once its blank line is in `bytes`.
    ///
    /// **Errors**: a bare LF, a second leading blank line, or more than the limits allow; the same
    /// ones whether bytes came at once or one by one. **Cost**: each byte once over all calls.
    pub fn end(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, HttpError> {
        if self.next > bytes.len() {
            *self = Self::default();
        }
        let from = self.next;
        let line_bytes_max = limits.target_bytes_max.saturating_add(LINE_BYTES_BESIDE_TARGET_MAX);
        for lf in memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at) {
            if lf == 0 || bytes[lf - 1] != b'\r' {
                return Err(HttpError::Bad("bare_lf"));
            }
            let line_bytes = lf - 1 - self.line_start.min(lf - 1);
            if self.lines == 0 && line_bytes > line_bytes_max {
                return Err(HttpError::UriTooLong);
            }
            if lf >= limits.head_bytes_max {
                return Err(HttpError::HeadTooLarge);
            }
            self.line_start = lf + 1;
            if line_bytes > 0 {
                self.lines += 1;
                if self.lines > limits.headers_max.min(HEADERS_MAX) + 1 {
                    return Err(HttpError::HeadTooLarge);
                }
            } else if self.lines > 0 {
                return Ok(Some(lf + 1));
            } else if self.first_line > 0 {
                return Err(HttpError::Bad("blank_lines"));
            } else {
                self.first_line = lf + 1;
            }
        }
        self.next = bytes.len();
        if self.lines == 0 && bytes.len() - self.line_start > line_bytes_max {
            return Err(HttpError::UriTooLong);
        }
        if bytes.len() >= limits.head_bytes_max {
            return Err(HttpError::HeadTooLarge);
        }
        // What can never become a head is told at once; a complete one is judged by `httparse`.
        is_text(&bytes[from.saturating_sub(1)..]).then_some(None).ok_or(HttpError::Bad("control"))
    }
}

/// Does `head`, which `httparse` has read from the front of a buffer, end its lines as [`Search`]
/// asks, and keep within its limits? So one that came at once is not searched for its end first.
/// False says nothing: the search tells what is wrong, if anything is.
///
/// A line's end is before each name and at the end of all: what `httparse` takes has no line feed
/// elsewhere.
pub(super) fn is_plain(head: &[u8], lines: &[httparse::Header<'_>], limits: &Limits) -> bool {
    let line_bytes_max = limits.target_bytes_max.saturating_add(LINE_BYTES_BESIDE_TARGET_MAX);
    let before = |line: &httparse::Header<'_>| {
        let start = line.name.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
        head.get(..start).filter(|before| before.ends_with(b"\r\n")).map(<[u8]>::len)
    };
    let first_line = lines.first().map_or(head.len().checked_sub(2), before);
    let is_short = first_line.is_some_and(|bytes| bytes <= line_bytes_max);
    is_short
        && head.ends_with(b"\r\n\r\n")
        && head.len() <= limits.head_bytes_max
        && lines.len() <= limits.headers_max.min(HEADERS_MAX)
        && lines.iter().skip(1).all(|line| before(line).is_some())
}

/// Whether an unfinished head has no control bytes, and no CR without its LF.
fn is_text(bytes: &[u8]) -> bool {
    let mut was_cr = false;
    bytes.iter().enumerate().all(|(at, &byte)| {
        let is_fine = if was_cr || (at > 0 && byte == b'\n') {
            was_cr == (byte == b'\n')
        } else {
            matches!(byte, b'\t' | b'\r' | b'\n') || (byte >= b' ' && byte != 0x7f)
        };
        was_cr = byte == b'\r';
        is_fine
    })
}

/// The facts that headers state about a message, gathered line by line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    length: Option<u64>,
    is_chunked: bool,
    says_close: bool,
    says_keep_alive: bool,
}

impl Facts {
    /// Notes `Content-Length`, `Transfer-Encoding` and `Connection`; other names are no facts.
    ///
    /// `may_repeat_length` is the one mercy, for replies: equal lengths said twice.
    pub fn note(
        &mut self,
        name: &[u8],
        value: &[u8],
        may_repeat_length: bool,
    ) -> Result<(), HttpError> {
        // The lengths differ, so most headers cost one comparison of integers.
        match name.len() {
            10 if is_name(name, b"connection") => {
                for token in value.split(|&byte| byte == b',') {
                    let token = token.trim_ascii();
                    self.says_close |= token.eq_ignore_ascii_case(b"close");
                    self.says_keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if is_name(name, b"content-length") => {
                let length = decimal(value).ok_or(HttpError::Bad("content_length"))?;
                if self.length.is_some_and(|before| !may_repeat_length || before != length) {
                    return Err(HttpError::Bad("content_length_twice"));
                }
                self.length = Some(length);
            }
            17 if is_name(name, b"transfer-encoding") => {
                if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(HttpError::Bad("transfer_encoding"));
                }
                self.is_chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// How the body is framed, `None` where no header says so.
    ///
    /// **Errors**: both framings at once, and chunks in HTTP/1.0, which had none: the classics of
    /// request smuggling (RFC 9112 sections 6.1 and 11.2).
    pub fn framing(self, is_http10: bool) -> Result<Option<Framing>, HttpError> {
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(HttpError::Bad("two_framings")),
            (true, None) if is_http10 => Err(HttpError::Bad("chunked_http10")),
            (true, None) => Ok(Some(Framing::Chunked)),
            (false, Some(length)) => Ok(Some(Framing::Length(length))),
            (false, None) => Ok(None),
        }
    }

    /// Whether the connection may carry another message, as far as headers say.
    pub fn keeps_alive(self, is_http10: bool) -> bool {
        !self.says_close && (!is_http10 || self.says_keep_alive)
    }
}

/// A byte of a method or a field name (RFC 9110 section 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Digits only: no sign, space, list or overflow.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The first value of a header, by its name in any ASCII case.
pub(super) fn first<'b>(lines: &[(Span, Span)], bytes: &'b [u8], name: &str) -> Option<&'b [u8]> {
    // Lengths differ nearly always, and are at hand without a look at the bytes.
    lines
        .iter()
        .filter(|(found, _)| found.end.wrapping_sub(found.start) as usize == name.len())
        .find(|(found, _)| is_name(found.of(bytes), name.as_bytes()))
        .map(|(_, value)| value.of(bytes))
}

/// All lines in the order they came.
pub(super) fn iter<'b>(
    lines: &[(Span, Span)],
    bytes: &'b [u8],
) -> impl Iterator<Item = (&'b [u8], &'b [u8])> {
    lines.iter().map(|(name, value)| (name.of(bytes), value.of(bytes)))
}
