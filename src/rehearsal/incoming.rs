//! Requests out of bytes: head by `httparse`, body by length or by chunks. Sans-IO.

use super::canned::Language;
use std::time::Instant;

/// More headers than any client of ours sends.
const HEADERS_MAX: usize = 128;
/// As large as the largest body the gateway passes on, with room for chunk framing.
const BODY_BYTES_MAX: usize = 160 << 20;

/// Headers that make a request no plain one, whatever they say.
const SPECIAL: [&str; 4] = ["transfer-encoding", "x-rehearsal-raw", "connection", "expect"];

/// A whole request.
#[derive(Debug)]
pub(super) struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    pub arrived: Instant,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Does the client want the connection closed after the answer?
    pub fn ends_connection(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.as_str())
}

/// What the bytes so far amount to.
pub(super) enum Progress {
    NeedsMore,
    /// The client waits for a word before it sends the body.
    WantsContinue,
    Whole(Box<Request>),
    /// Not HTTP/1.1 as the vendor knows it.
    Bad,
}

enum Body {
    Length(usize),
    Chunked,
}

/// The request being received on one connection.
#[derive(Default)]
pub(super) struct Incoming {
    /// Not yet used.
    bytes: Vec<u8>,
    begun: Option<(Request, Body)>,
    was_told_to_continue: bool,
}

impl Incoming {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes away the request that stands first if it is whole, a POST with a length, and for no
    /// stream: the language it is in. Of its head only what says so is looked at. **Cost**: no
    /// allocation.
    pub fn skip_plain(&mut self) -> Option<Language> {
        if self.begun.is_some() || !self.bytes.starts_with(b"POST ") {
            return None;
        }
        let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut slots);
        let Ok(httparse::Status::Complete(head)) = parsed.parse(&self.bytes) else { return None };
        let mut length = None;
        for header in parsed.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                length = std::str::from_utf8(header.value).ok().and_then(|it| it.parse().ok());
            } else if SPECIAL.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
                return None;
            }
        }
        let length: usize = length.filter(|it| *it <= BODY_BYTES_MAX)?;
        let body = self.bytes.get(head..head + length)?;
        let language = Language::of(parsed.path?, body)?;
        self.bytes.drain(..head + length);
        Some(language)
    }

    /// Looks at what has been fed.
    pub fn step(&mut self, now: Instant) -> Progress {
        if self.begun.is_none() {
            match self.begin(now) {
                Ok(true) => {}
                Ok(false) => return Progress::NeedsMore,
                Err(()) => return Progress::Bad,
            }
        }
        match self.continue_body() {
            Ok(true) => {}
            Ok(false) => return self.waiting(),
            Err(()) => return Progress::Bad,
        }
        self.was_told_to_continue = false;
        let Some((mut request, _)) = self.begun.take() else { return Progress::Bad };
        request.arrived = now;
        Progress::Whole(Box::new(request))
    }

    fn waiting(&mut self) -> Progress {
        let wants = self.begun.as_ref().is_some_and(|(request, _)| {
            request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
        });
        if wants && !self.was_told_to_continue {
            self.was_told_to_continue = true;
            return Progress::WantsContinue;
        }
        Progress::NeedsMore
    }

    fn begin(&mut self, now: Instant) -> Result<bool, ()> {
        let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut slots);
        let httparse::Status::Complete(length) = parsed.parse(&self.bytes).map_err(drop)? else {
            return Ok(false);
        };
        let headers: Vec<(String, String)> = parsed
            .headers
            .iter()
            .map(|h| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned()))
            .collect();
        let body = match (find(&headers, "transfer-encoding"), find(&headers, "content-length")) {
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Body::Chunked,
            (Some(_), _) => return Err(()),
            (None, length) => Body::Length(length.unwrap_or("0").parse().map_err(drop)?),
        };
        let request = Request {
            method: parsed.method.unwrap_or_default().to_owned(),
            path: parsed.path.unwrap_or_default().to_owned(),
            headers,
            head: self.bytes[..length].to_vec(),
            body: Vec::new(),
            arrived: now,
        };
        self.bytes.drain(..length);
        self.begun = Some((request, body));
        Ok(true)
    }

    /// Moves what belongs to the body; true when that is all of it.
    fn continue_body(&mut self) -> Result<bool, ()> {
        let Some((request, body)) = &mut self.begun else { return Err(()) };
        match body {
            Body::Length(length) if *length > BODY_BYTES_MAX => Err(()),
            Body::Length(length) if self.bytes.len() < *length => Ok(false),
            Body::Length(length) => {
                let rest = self.bytes.split_off(*length);
                request.body = std::mem::replace(&mut self.bytes, rest);
                Ok(true)
            }
            Body::Chunked => take_chunks(&mut self.bytes, &mut request.body),
        }
    }
}

/// Moves whole chunks from `bytes` to `body`; true at the last one. Trailers are not understood.
fn take_chunks(bytes: &mut Vec<u8>, body: &mut Vec<u8>) -> Result<bool, ()> {
    let mut used = 0;
    let is_last = loop {
        let rest = &bytes[used..];
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            break if rest.len() > 1024 { return Err(()) } else { false };
        };
        let size = usize::try_from(size).map_err(drop)?;
        if size > BODY_BYTES_MAX || body.len() > BODY_BYTES_MAX {
            return Err(());
        }
        let Some(chunk) = rest.get(start..start + size + 2) else { break false };
        if !chunk.ends_with(b"\r\n") {
            return Err(());
        }
        body.extend_from_slice(&chunk[..size]);
        used += start + size + 2;
        if size == 0 {
            break true;
        }
    };
    bytes.drain(..used);
    Ok(is_last)
}

#[cfg(test)]
mod tests {
    use super::{Incoming, Progress};
    use std::time::Instant;

    /// The bodies of `wire`, fed `size` bytes at a time.
    fn bodies(wire: &[u8], size: usize) -> Vec<Vec<u8>> {
        let (mut incoming, mut found) = (Incoming::default(), Vec::new());
        for part in wire.chunks(size) {
            incoming.feed(part);
            while let Progress::Whole(request) = incoming.step(Instant::now()) {
                found.push(request.body);
            }
        }
        found
    }

    #[test]
    fn requests_are_the_same_however_they_are_cut() {
        let wire = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\
            POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n\
            GET /c HTTP/1.1\r\n\r\n";

        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(bodies(wire, size), [b"abc".to_vec(), b"def".to_vec(), vec![]], "{size}");
        }
    }

    #[test]
    fn only_plain_whole_requests_are_skipped_and_nothing_behind_them() {
        let plain = "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        for (wire, skips) in [
            (plain.to_owned(), true),
            (plain.replace('3', "30"), false),
            ("POST /a HTTP/1.1\r\nContent-Length: 13\r\n\r\n\"stream\":true".to_owned(), false),
            ("GET /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(), false),
            (plain.replace("\r\n\r\n", "\r\nX-Rehearsal-Raw: a\r\n\r\n"), false),
        ] {
            let mut incoming = Incoming::default();
            incoming.feed(wire.as_bytes());
            incoming.feed(b"GET /next");

            assert_eq!(incoming.skip_plain().is_some(), skips, "{wire}");
            assert_eq!(incoming.bytes == b"GET /next", skips, "{wire}");
        }
    }

    #[test]
    fn two_framings_at_once_are_bad() {
        let mut incoming = Incoming::default();
        incoming
            .feed(b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n");
        assert!(matches!(incoming.step(Instant::now()), Progress::Bad));
    }
}
