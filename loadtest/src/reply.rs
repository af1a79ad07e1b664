//! One reply out of bytes. Sans-IO.

use weir::wire::{
    http1::{
        Framing, Limits,
        chunked::{Chunked, Step},
        reply::ReplyHead,
    },
    sse::{self, Scanner},
};

/// As the gateway's own defaults; no vendor's head comes near.
const LIMITS: Limits =
    Limits { head_bytes_max: 64 << 10, headers_max: 128, target_bytes_max: 64 << 10 };

/// How far a reply has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    More,
    Whole,
}

/// What cannot be read on, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Done,
}

/// One reply; one is reused for all of a connection.
#[derive(Debug, Default)]
pub struct Reply {
    head: ReplyHead,
    state: State,
    /// What came of a head that is not whole.
    pending: Vec<u8>,
    is_stream: bool,
    scanner: Scanner,
    /// What came of an event that is not whole.
    text: Vec<u8>,
    /// Events with data so far.
    pub events: u64,
    /// `data: [DONE]` was seen.
    pub is_done: bool,
    /// An event said that something went wrong.
    pub has_error_event: bool,
    pub body_bytes: u64,
}

impl Reply {
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// May the connection be used again?
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        self.head.keep_alive
    }

    /// Makes it ready for the next reply.
    pub fn reset(&mut self) {
        self.head.forget();
        self.state = State::Head;
        self.pending.clear();
        self.text.clear();
        self.scanner = Scanner::default();
        (self.events, self.body_bytes) = (0, 0);
        (self.is_stream, self.is_done, self.has_error_event) = (false, false, false);
    }

    /// Takes what was received.
    ///
    /// # Errors
    /// No HTTP/1.1 reply, an event without end, or bytes behind the reply's own.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, Malformed> {
        if !matches!(self.state, State::Head) {
            return self.feed_body(bytes);
        }
        if self.pending.is_empty() {
            return self.feed_head(bytes);
        }
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        self.feed_head(&pending)
    }

    /// The connection has ended: is that the reply's end too?
    #[must_use]
    pub fn ends_here(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    fn feed_head(&mut self, bytes: &[u8]) -> Result<Progress, Malformed> {
        let mut rest = bytes;
        loop {
            match self.head.parse(rest, &LIMITS, false) {
                Ok(true) => {}
                Ok(false) => {
                    self.head.forget();
                    self.pending = rest.to_vec();
                    return Ok(Progress::More);
                }
                Err(_) => return Err(Malformed("malformed_head")),
            }
            let length = self.head.head_len;
            if self.head.status < 200 {
                rest = &rest[length..];
                continue;
            }
            let kind = self.head.header(rest, "content-type").unwrap_or_default();
            self.is_stream = kind.starts_with(b"text/event-stream");
            self.state = match self.head.framing {
                Framing::None => State::Length(0),
                Framing::Length(length) => State::Length(length),
                Framing::Chunked => State::Chunked(Chunked::default()),
                Framing::UntilClose => State::UntilClose,
            };
            return self.feed_body(&rest[length..]);
        }
    }

    fn feed_body(&mut self, bytes: &[u8]) -> Result<Progress, Malformed> {
        match &mut self.state {
            State::Length(left) => {
                let Some(after) = left.checked_sub(bytes.len() as u64) else {
                    return Err(Malformed("surplus_bytes"));
                };
                *left = after;
                self.see(bytes)?;
                if after > 0 {
                    return Ok(Progress::More);
                }
                self.state = State::Done;
                Ok(Progress::Whole)
            }
            State::Chunked(_) => self.feed_chunks(bytes),
            State::UntilClose => self.see(bytes).map(|()| Progress::More),
            State::Head | State::Done => Err(Malformed("surplus_bytes")),
        }
    }

    fn feed_chunks(&mut self, bytes: &[u8]) -> Result<Progress, Malformed> {
        let mut rest = bytes;
        loop {
            let State::Chunked(chunked) = &mut self.state else {
                return Err(Malformed("surplus_bytes"));
            };
            match chunked.next(rest).map_err(|_| Malformed("malformed_chunk"))? {
                Step::Payload { consumed, payload } => {
                    let after = &rest[consumed..];
                    self.see(&rest[payload])?;
                    rest = after;
                }
                Step::More { .. } => return Ok(Progress::More),
                Step::Done { consumed } if consumed == rest.len() => {
                    self.state = State::Done;
                    return Ok(Progress::Whole);
                }
                Step::Done { .. } => return Err(Malformed("surplus_bytes")),
            }
        }
    }

    fn see(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        self.body_bytes += payload.len() as u64;
        if !self.is_stream {
            return Ok(());
        }
        self.text.extend_from_slice(payload);
        let mut used = 0;
        let too_large = |_| Malformed("event_too_large");
        while let Some(event) = self.scanner.next(&self.text).map_err(too_large)? {
            used = event.whole.end;
            let data = match event.data {
                sse::Data::None => continue,
                sse::Data::One(range) => &self.text[range],
                sse::Data::Many => &[],
            };
            self.events += 1;
            self.is_done |= data == b"[DONE]";
            self.has_error_event |= data.starts_with(br#"{"error""#);
        }
        self.text.drain(..used);
        self.scanner.consumed(used);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, Reply};

    const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
        transfer-encoding: chunked\r\n\r\n\
        9\r\ndata: a\n\n\r\n\
        11\r\ndata: bb\n\ndata: c\r\n\
        10\r\n\n\ndata: [DONE]\n\n\r\n0\r\n\r\n";

    #[test]
    fn a_reply_is_the_same_however_it_is_cut() {
        let plain: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\
            content-length: 5\r\n\r\nhello";
        for (wire, events, bytes) in [(STREAM, 4, 42), (plain, 0, 5)] {
            for size in [1, 2, 3, 7, 50, 1000] {
                let mut reply = Reply::default();
                let parts: Vec<_> = wire.chunks(size).map(|part| reply.feed(part)).collect();

                assert_eq!(parts.last(), Some(&Ok(Progress::Whole)), "{size}");
                assert!(parts[..parts.len() - 1].iter().all(|part| *part == Ok(Progress::More)));
                assert_eq!((reply.events, reply.body_bytes), (events, bytes), "{size}");
                assert_eq!(reply.is_done, events > 0);
            }
        }
    }

    #[test]
    fn bytes_behind_a_reply_are_not_taken_for_its_own() {
        let mut reply = Reply::default();
        let wire = [STREAM, b"x"].concat();
        assert_eq!(reply.feed(&wire).map_err(|bad| bad.0), Err("surplus_bytes"));
    }
}
