//! A client's request head, read strictly.
//!
//! ```text
//! head   = [CRLF] method SP target SP "HTTP/1." ("0" / "1") CRLF *(name ":" value CRLF) CRLF
//! target = "/" *VCHAR without "#"  |  "http" ["s"] "://" authority-equal-to-Host "/" …
//! ```
//!
//! `httparse` also takes bare LF, any number of blank lines, and non-ASCII targets: `head.rs` and
//! the checks below do not. `tests/wire_badhttp.rs` holds 92 requests to it.

use std::mem::MaybeUninit;

use crate::wire::http1::head::{self, Facts, Search};
use crate::wire::http1::{Framing, HEADERS_MAX, HttpError, Limits};
use crate::wire::span::Span;

/// Longer than any method in use (`UPDATEREDIRECTREF` has 17); what is longer is not HTTP.
const METHOD_BYTES_MAX: usize = 32;

/// The request's method. `Other` is a valid token that we have no use for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Patch,
    Other,
}

/// A request head. Reuse one per connection: parsing allocates nothing once `headers` has grown.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    pub method: Method,
    /// Path and query; of an absolute target that names our `Host`, the part behind the authority.
    pub target: Span,
    pub is_http10: bool,
    /// Names and trimmed values, in the order they came.
    pub headers: Vec<(Span, Span)>,
    pub framing: Framing,
    pub keep_alive: bool,
    pub expects_continue: bool,
    /// Bytes to the end of the blank line: the body starts here.
    pub head_len: usize,
    /// A bit for each length that a name has.
    name_lengths: u64,
    search: Search,
}

impl RequestHead {
    /// Reads a head from the front of `bytes`, which may only grow until the answer is `Ok(true)`.
    ///
    /// `Ok(false)` means that more bytes are needed. Afterwards, and after an error, the next call
    /// starts afresh; to abandon a head half way, call [`RequestHead::forget`].
    ///
    /// **Errors**: as [`HttpError`] says, as soon as the bytes prove it. **Cost**: over all calls
    /// each byte is read a fixed number of times, however small the pieces.
    pub fn parse(&mut self, bytes: &[u8], limits: &Limits) -> Result<bool, HttpError> {
        let parsed = self.parse_head(bytes, limits);
        if parsed != Ok(false) {
            self.forget();
        }
        parsed
    }

    /// Starts afresh with the next call: its bytes are of another message.
    pub fn forget(&mut self) {
        self.search = Search::default();
    }

    /// The first value of a header; `name` in any ASCII case.
    ///
    /// **Cost**: a test of one bit where no name is as long, which is so for most that are asked.
    #[must_use]
    #[inline]
    pub fn header<'b>(&self, bytes: &'b [u8], name: &str) -> Option<&'b [u8]> {
        if self.name_lengths & length_bit(name.len()) == 0 {
            return None;
        }
        head::first(&self.headers, bytes, name)
    }

    /// All names and values, in the order they came.
    pub fn iter<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = (&'b [u8], &'b [u8])> {
        head::iter(&self.headers, bytes)
    }

    fn parse_head(&mut self, bytes: &[u8], limits: &Limits) -> Result<bool, HttpError> {
        // As nearly all begin, and come: at once.
        let is_usual = bytes.starts_with(b"POST /") || bytes.starts_with(b"GET /");
        if is_usual && self.search.is_fresh() {
            let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
            let mut request = httparse::Request::new(&mut []);
            let read = request.parse_with_uninit_headers(bytes, &mut lines);
            if let Ok(httparse::Status::Complete(length)) = read
                && head::is_plain(&bytes[..length], request.headers, limits)
            {
                return self.take(bytes, length, &request, limits);
            }
        }
        self.parse_in_pieces(bytes, limits)
    }

    /// The same of a head that may come in pieces, and may begin with a blank line.
    fn parse_in_pieces(&mut self, bytes: &[u8], limits: &Limits) -> Result<bool, HttpError> {
        let end = self.search.end(bytes, limits)?;
        let head = &bytes[self.search.first_line..end.unwrap_or(bytes.len())];
        if end.is_none() && self.search.is_line_judged {
            return Ok(false);
        }
        judge_start(head)?;
        if end.is_none() && self.search.lines == 0 {
            return Ok(false);
        }
        // Once the first line is there, and once more when all is.
        self.search.is_line_judged = true;
        let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(head, &mut lines) {
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(httparse::Status::Partial) if end.is_none() => return Ok(false),
            Ok(_) => return Err(HttpError::Bad("head")),
            Err(error) => return Err(refuse(error, head)),
        }
        self.take(bytes, self.search.first_line + head.len(), &request, limits)
    }

    fn take(
        &mut self,
        bytes: &[u8],
        head_len: usize,
        request: &httparse::Request<'_, '_>,
        limits: &Limits,
    ) -> Result<bool, HttpError> {
        self.head_len = head_len;
        self.is_http10 = request.version == Some(0);
        self.method = method(request.method.unwrap_or_default());
        self.take_headers(bytes, request.headers)?;
        self.take_target(bytes, request.path.unwrap_or_default().as_bytes(), limits)?;
        Ok(true)
    }

    fn take_headers(
        &mut self,
        bytes: &[u8],
        lines: &[httparse::Header<'_>],
    ) -> Result<(), HttpError> {
        let mut facts = Facts::default();
        let mut hosts = 0;
        self.expects_continue = false;
        self.name_lengths = 0;
        self.headers.clear();
        self.headers.reserve(lines.len());
        for line in lines {
            let (name, value) = (line.name.as_bytes(), line.value);
            self.name_lengths |= length_bit(name.len());
            facts.note(name, value, false)?;
            if name.eq_ignore_ascii_case(b"host") {
                hosts += 1;
                if hosts > 1 || !is_authority(value) {
                    return Err(HttpError::Bad("host"));
                }
            } else if name.eq_ignore_ascii_case(b"expect") {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(HttpError::ExpectationFailed);
                }
                // A client of HTTP/1.0 would take the interim reply for the real one.
                self.expects_continue = !self.is_http10;
            }
            self.headers.push((Span::locate(name, bytes), Span::locate(value, bytes)));
        }
        if hosts == 0 && !self.is_http10 {
            return Err(HttpError::Bad("host"));
        }
        self.framing = facts.framing(self.is_http10)?.unwrap_or_default();
        self.keep_alive = facts.keeps_alive(self.is_http10);
        Ok(())
    }

    fn take_target(
        &mut self,
        bytes: &[u8],
        target: &[u8],
        limits: &Limits,
    ) -> Result<(), HttpError> {
        if target.len() > limits.target_bytes_max {
            return Err(HttpError::UriTooLong);
        }
        // All bytes are counted, so that they can be looked at together.
        let is_bad = |byte: &&u8| !byte.is_ascii_graphic() || **byte == b'#';
        if target.iter().filter(is_bad).count() > 0 {
            return Err(HttpError::Bad("target"));
        }
        let path = if target.first() == Some(&b'/') {
            target
        } else {
            let host = self.header(bytes, "host").ok_or(HttpError::Bad("target"))?;
            path_of_absolute(target, host).ok_or(HttpError::Bad("target"))?
        };
        self.target = Span::locate(path, bytes);
        Ok(())
    }
}

/// The longest names share a bit.
const fn length_bit(length: usize) -> u64 {
    1 << if length < 63 { length } else { 63 }
}

/// Judges the first bytes, as many as there are: TLS, HTTP/2 and noise are told before they stall.
fn judge_start(head: &[u8]) -> Result<(), HttpError> {
    // As nearly all begin.
    if head.starts_with(b"POST /") || head.starts_with(b"GET /") {
        return Ok(());
    }
    let space = head.iter().take(METHOD_BYTES_MAX + 1).position(|&byte| byte == b' ');
    let name = &head[..space.unwrap_or(head.len())];
    let is_cut_cr = space.is_none() && head.last() == Some(&b'\r');
    if name.len() > METHOD_BYTES_MAX
        || (name.is_empty() && !head.is_empty())
        || !(name.iter().all(|&byte| head::is_token(byte)) || (is_cut_cr && head.len() == 1))
    {
        return Err(HttpError::Bad("method"));
    }
    if space.is_some() && matches!(name, b"CONNECT" | b"TRACE") {
        return Err(HttpError::MethodUnsupported);
    }
    // Origin form, or absolute form of `http` and `https`.
    match space.and_then(|at| head.get(at + 1)) {
        None | Some(b'/' | b'h' | b'H') => Ok(()),
        Some(_) => Err(HttpError::Bad("target")),
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        _ => Method::Other,
    }
}

#[cold]
fn refuse(error: httparse::Error, head: &[u8]) -> HttpError {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let version = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    match error {
        httparse::Error::Version
            if matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit()) =>
        {
            HttpError::VersionUnsupported
        }
        httparse::Error::TooManyHeaders => HttpError::HeadTooLarge,
        httparse::Error::HeaderName => HttpError::Bad("header_name"),
        httparse::Error::HeaderValue => HttpError::Bad("header_value"),
        _ => HttpError::Bad("request_line"),
    }
}

/// The bytes of a host's name, as a table, for each request has one.
const IS_OF_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let others = b"-._~%!$&'()*+,;=";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] |= byte.is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

/// `host [":" port]`, host being a name, an IPv4 address or `[IPv6]` (RFC 9110 section 7.2).
fn is_authority(value: &[u8]) -> bool {
    let (host, port) = match value.iter().rposition(|&byte| byte == b':') {
        Some(at) if !value.ends_with(b"]") => (&value[..at], &value[at + 1..]),
        _ => (value, &[][..]),
    };
    let is_host = match host {
        [b'[', inside @ .., b']'] => {
            !inside.is_empty()
                && inside.iter().all(|&byte| byte.is_ascii_hexdigit() || b":.".contains(&byte))
        }
        _ => !host.is_empty() && host.iter().all(|&byte| IS_OF_NAME[usize::from(byte)]),
    };
    is_host && port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}

/// The path of `http://host/path` if the authority is `host`; another one is another site.
fn path_of_absolute<'b>(target: &'b [u8], host: &[u8]) -> Option<&'b [u8]> {
    let scheme = memchr::memmem::find(target, b"://")?;
    let (name, rest) = (&target[..scheme], &target[scheme + 3..]);
    let is_web = name.eq_ignore_ascii_case(b"http") || name.eq_ignore_ascii_case(b"https");
    let slash = rest.iter().position(|&byte| byte == b'/')?;
    (is_web && rest[..slash].eq_ignore_ascii_case(host)).then(|| &rest[slash..])
}
