//! A vendor's reply head.
//!
//! As strict as a request's: a vendor that frames in two ways, or a cache between that garbles a
//! head, must not make the next reply on the connection somebody else's.

use std::mem::MaybeUninit;

use crate::wire::http1::head::{self, Facts, Search};
use crate::wire::http1::{Framing, HEADERS_MAX, HttpError, Limits};
use crate::wire::span::Span;

/// A reply head. Reuse one per connection: parsing allocates nothing once `headers` has grown.
#[derive(Clone, Debug, Default)]
pub struct ReplyHead {
    pub status: u16,
    pub is_http10: bool,
    /// Names and trimmed values, in the order they came.
    pub headers: Vec<(Span, Span)>,
    pub framing: Framing,
    /// Whether the connection may be used again once the body has been read.
    pub keep_alive: bool,
    /// Bytes to the end of the blank line: the body starts here.
    pub head_len: usize,
    search: Search,
}

impl ReplyHead {
    /// Reads a head from the front of `bytes`, which may only grow until the answer is `Ok(true)`.
    ///
    /// `Ok(false)` means that more bytes are needed. Interim replies (1xx) are replies without a
    /// body: the caller skips `head_len` bytes and reads on. `limits.target_bytes_max` is not used.
    ///
    /// **Errors**: both framings, two lengths, a coding other than `chunked`, or a malformed head.
    pub fn parse(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        request_was_head: bool,
    ) -> Result<bool, HttpError> {
        let parsed = self.parse_head(bytes, limits, request_was_head);
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
    #[must_use]
    pub fn header<'b>(&self, bytes: &'b [u8], name: &str) -> Option<&'b [u8]> {
        head::first(&self.headers, bytes, name)
    }

    /// All names and values, in the order they came.
    pub fn iter<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = (&'b [u8], &'b [u8])> {
        head::iter(&self.headers, bytes)
    }

    fn parse_head(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        request_was_head: bool,
    ) -> Result<bool, HttpError> {
        // A status line has no target; it is bounded with the rest of the head.
        let limits = Limits { target_bytes_max: limits.head_bytes_max, ..*limits };
        if bytes.starts_with(b"HTTP/1.") && self.search.is_fresh() {
            let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
            let mut reply = httparse::Response::new(&mut []);
            let config = httparse::ParserConfig::default();
            let read = config.parse_response_with_uninit_headers(&mut reply, bytes, &mut lines);
            if let Ok(httparse::Status::Complete(length)) = read
                && head::is_plain(&bytes[..length], reply.headers, &limits)
            {
                return self.take(bytes, length, &reply, request_was_head);
            }
        }
        self.parse_in_pieces(bytes, &limits, request_was_head)
    }

    /// The same of a head that may come in pieces.
    fn parse_in_pieces(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        request_was_head: bool,
    ) -> Result<bool, HttpError> {
        let end = self.search.end(bytes, limits)?;
        if self.search.first_line > 0 {
            return Err(HttpError::Bad("blank_lines"));
        }
        let head = &bytes[..end.unwrap_or(bytes.len())];
        if !b"HTTP/1.".starts_with(&head[..head.len().min(7)]) {
            return Err(HttpError::Bad("status_line"));
        }
        if end.is_none() {
            return Ok(false);
        }
        let mut lines = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut reply = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        match config.parse_response_with_uninit_headers(&mut reply, head, &mut lines) {
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(HttpError::Bad("head")),
            Err(error) => return Err(refuse(error)),
        }
        self.take(bytes, head.len(), &reply, request_was_head)
    }

    fn take(
        &mut self,
        bytes: &[u8],
        head_len: usize,
        reply: &httparse::Response<'_, '_>,
        request_was_head: bool,
    ) -> Result<bool, HttpError> {
        self.head_len = head_len;
        self.is_http10 = reply.version == Some(0);
        self.status = reply.code.unwrap_or_default();
        // We never ask to switch protocols: bytes after a 101 would be of nobody's choosing.
        if !(100..=599).contains(&self.status) || self.status == 101 {
            return Err(HttpError::Bad("status"));
        }
        self.take_headers(bytes, reply.headers, request_was_head)?;
        Ok(true)
    }

    fn take_headers(
        &mut self,
        bytes: &[u8],
        lines: &[httparse::Header<'_>],
        request_was_head: bool,
    ) -> Result<(), HttpError> {
        let mut facts = Facts::default();
        self.headers.clear();
        self.headers.reserve(lines.len());
        for line in lines {
            let (name, value) = (line.name.as_bytes(), line.value);
            facts.note(name, value, true)?;
            self.headers.push((Span::locate(name, bytes), Span::locate(value, bytes)));
        }
        let stated = facts.framing(self.is_http10)?;
        let is_bodiless = request_was_head || matches!(self.status, 100..=199 | 204 | 304);
        self.framing =
            if is_bodiless { Framing::None } else { stated.unwrap_or(Framing::UntilClose) };
        self.keep_alive = facts.keeps_alive(self.is_http10) && self.framing != Framing::UntilClose;
        Ok(())
    }
}

#[cold]
fn refuse(error: httparse::Error) -> HttpError {
    match error {
        httparse::Error::Version => HttpError::VersionUnsupported,
        httparse::Error::TooManyHeaders => HttpError::HeadTooLarge,
        httparse::Error::HeaderName => HttpError::Bad("header_name"),
        httparse::Error::HeaderValue => HttpError::Bad("header_value"),
        _ => HttpError::Bad("status_line"),
    }
}
