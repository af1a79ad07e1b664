//! A request as it comes in: its head, then its body, in bounded memory.

use crate::{
    data_plane::{
        alarm::{Alarm, Ring},
        body_memory::{BodyMemory, Lease},
        clock::Clock,
        decode::{Decoding, Encoding},
        downlink::CONTINUE,
        link::Link,
    },
    lexicon::{
        refusal::{Refusal, Refused},
        settings::{HEADERS_MAX, Settings},
    },
    wire::http1::{
        Framing, HttpError, Limits,
        chunked::{Chunked, Step},
        request::RequestHead,
    },
};
use std::task::Poll;

/// What a connection starts to read into. Small: thousands of connections are idle.
const INBOX_BYTES: usize = 2 << 10;
/// An inbox that grew beyond this is given back after the request.
const INBOX_KEPT_BYTES: usize = 64 << 10;
/// The least that a read of a body of known length asks for, if there is as much: so much is not
/// counted either (`body_memory.rs`).
const BODY_BYTES_MIN: usize = 16 << 10;
/// The most that one read of a chunked body asks for.
const READ_BYTES_MAX: usize = 256 << 10;
/// A body of known length up to this gets its room at once, where there is plenty: copied into room
/// that grows, it would be moved twice. Pages that nothing was written to are no memory.
const EARLY_BYTES_MAX: usize = 1 << 20;
/// A body that comes more slowly than this, and has had its timeout once, holds its place only to
/// hold it.
const BODY_BYTES_PER_SECOND_MIN: u64 = 500;

/// How a client of HTTP/2 begins. **Source**: RFC 9113 §3.4.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// From so many of its bytes on it is no request of HTTP/1: a method, and a target that is none.
const HTTP2_PREFACE_BYTES_MIN: usize = b"PRI *".len();

/// Why no request came.
#[derive(Debug, PartialEq, Eq)]
pub enum Missed {
    /// The client closed, or was idle for too long, or the core drains.
    Closed,
    Refused(Refused),
}

impl<R: Into<Refused>> From<R> for Missed {
    fn from(refused: R) -> Self {
        Self::Refused(refused.into())
    }
}

/// A connection's incoming side.
pub struct Intake {
    pub head: RequestHead,
    /// The head, then whatever has come behind it.
    inbox: Vec<u8>,
    /// The body, where it is not in the inbox as it came (it was chunked or compressed).
    decoded: Option<Vec<u8>>,
    /// Bytes of the inbox that belong to the present request.
    consumed: usize,
    body_is_read: bool,
    lease: Lease,
}

/// A request that is all there.
#[derive(Clone, Copy)]
pub struct Request<'b> {
    pub head: &'b RequestHead,
    /// What the head's spans point into.
    pub bytes: &'b [u8],
    pub body: &'b [u8],
}

impl<'b> Request<'b> {
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.head.header(self.bytes, name)
    }
}

impl Intake {
    /// `read` are the first bytes, where some were read already.
    pub fn new(memory: &BodyMemory, read: Vec<u8>) -> Self {
        Self {
            head: RequestHead::default(),
            inbox: read,
            decoded: None,
            consumed: 0,
            body_is_read: false,
            lease: memory.lease(),
        }
    }

    /// The request, once `read_body` has succeeded (before, with what body there is).
    pub fn request(&self) -> Request<'_> {
        let plain = self.inbox.get(self.head.head_len..self.consumed).unwrap_or_default();
        let body = self.decoded.as_deref().unwrap_or(plain);
        Request { head: &self.head, bytes: &self.inbox, body }
    }

    /// What the head's spans point into.
    pub fn head_bytes(&self) -> &[u8] {
        &self.inbox
    }

    /// Is everything of the present request read, so that the next one can follow?
    pub fn is_drained(&self) -> bool {
        self.body_is_read
    }

    /// Bytes that belong to no request yet, between two requests.
    pub fn take_unread(&mut self) -> Vec<u8> {
        debug_assert_eq!(self.consumed, 0, "between two requests");
        std::mem::take(&mut self.inbox)
    }

    /// Are the first bytes of a next request here already?
    pub fn has_more(&self) -> bool {
        self.inbox.len() > self.consumed
    }

    /// Is what came the beginning of HTTP/2?
    pub fn is_http2_preface(&self) -> bool {
        let here = self.inbox.len().min(HTTP2_PREFACE.len());
        here >= HTTP2_PREFACE_BYTES_MIN && self.inbox[..here] == HTTP2_PREFACE[..here]
    }

    /// All that came.
    pub fn into_bytes(self) -> Vec<u8> {
        self.inbox
    }

    /// Wait for a request's head.
    pub async fn read_head(
        &mut self,
        link: &mut Link,
        alarm: &Alarm,
        clock: &Clock,
        settings: &Settings,
    ) -> Result<(), Missed> {
        let bounds = &settings.bounds;
        let limits = Limits {
            head_bytes_max: bounds.head_bytes_max,
            headers_max: HEADERS_MAX,
            target_bytes_max: bounds.target_bytes_max,
        };
        let timeouts = &settings.timeouts;
        let mut deadline = clock.recent().plus_millis(timeouts.keep_alive_ms);
        let mut has_begun = false;
        loop {
            if !self.inbox.is_empty() {
                if !has_begun {
                    has_begun = true;
                    deadline = clock.recent().plus_millis(timeouts.head_ms);
                }
                if self.head.parse(&self.inbox, &limits).map_err(refuse_http)? {
                    self.begin_body();
                    return Ok(());
                }
            }
            match alarm.guard(deadline, self.fill(link, INBOX_BYTES)).await {
                Ok(Ok(read)) if read > 0 => drop(clock.now()),
                Ok(_) if has_begun => return Err(Refusal::BadHttp.into()),
                Err(Ring::Deadline) if has_begun => return Err(Refusal::RequestTimeout.into()),
                _ => return Err(Missed::Closed),
            }
        }
    }

    fn begin_body(&mut self) {
        self.decoded = None;
        self.consumed = self.head.head_len;
        self.body_is_read = match self.head.framing {
            Framing::None => true,
            Framing::Length(length) => {
                let there = self.inbox.len() - self.head.head_len;
                let is_there = usize::try_from(length).is_ok_and(|length| length <= there);
                if is_there {
                    self.consumed += usize::try_from(length).unwrap_or_default();
                }
                is_there
            }
            Framing::Chunked | Framing::UntilClose => false,
        };
    }

    /// Read the rest of the body, asking the client to go on where it waits for that.
    pub async fn read_body(
        &mut self,
        link: &mut Link,
        alarm: &Alarm,
        clock: &Clock,
        settings: &Settings,
    ) -> Result<(), Missed> {
        let bytes_max = settings.bounds.body_bytes_max;
        if let Framing::Length(length) = self.head.framing
            && usize::try_from(length).is_ok_and(|length| length > bytes_max)
        {
            return Err(too_large(bytes_max).into());
        }
        if !self.body_is_read && self.head.expects_continue && !self.has_more() {
            let deadline = clock.recent().plus_millis(settings.timeouts.write_idle_ms);
            match alarm.guard(deadline, link.write(CONTINUE.to_vec())).await {
                Ok((Ok(()), _)) => {}
                _ => return Err(Missed::Closed),
            }
        }
        let begun = clock.recent().plus_millis(settings.timeouts.body_idle_ms);
        let mut chunks = Chunks::default();
        while !self.body_is_read {
            if self.advance(&mut chunks, bytes_max)? {
                break;
            }
            let room = self.room_wanted(bytes_max, chunks.body.len());
            if !self.lease.grow_to(self.inbox.len() + chunks.body.len() + room) {
                self.give_back();
                return Err(Refusal::BodyMemoryFull.into());
            }
            let plain = self.inbox.len().saturating_sub(self.head.head_len);
            let here = (plain + chunks.body.len()) as u64;
            let pace = begun.plus_millis(here * 1_000 / BODY_BYTES_PER_SECOND_MIN);
            let idle = clock.now().plus_millis(settings.timeouts.body_idle_ms);
            match alarm.guard(idle.min(pace), self.fill(link, room)).await {
                Ok(Ok(read)) if read > 0 => {}
                Err(Ring::Deadline) => return Err(Refusal::RequestTimeout.into()),
                _ => return Err(Missed::Closed),
            }
        }
        Ok(())
    }

    /// Take what has come; true once the body is whole.
    fn advance(&mut self, chunks: &mut Chunks, bytes_max: usize) -> Result<bool, Missed> {
        match self.head.framing {
            Framing::Length(length) => {
                let end = self.head.head_len + usize::try_from(length).unwrap_or(usize::MAX);
                self.body_is_read = self.inbox.len() >= end;
                if self.body_is_read {
                    self.consumed = end;
                }
            }
            Framing::Chunked => {
                let from = self.consumed;
                self.consumed += chunks.take(&self.inbox[from..], bytes_max)?;
                // What is decoded needs not be kept twice.
                self.inbox.drain(self.head.head_len..self.consumed);
                self.consumed = self.head.head_len;
                self.body_is_read = chunks.is_done;
                if chunks.is_done {
                    self.decoded = Some(std::mem::take(&mut chunks.body));
                }
            }
            Framing::None | Framing::UntilClose => self.body_is_read = true,
        }
        Ok(self.body_is_read)
    }

    /// How much room the next read of the body wants, where `decoded` bytes are not in the inbox.
    fn room_wanted(&mut self, bytes_max: usize, decoded: usize) -> usize {
        let left = match self.head.framing {
            Framing::Length(length) => (self.head.head_len + bytes_max)
                .min(self.head.head_len + usize::try_from(length).unwrap_or(bytes_max))
                .saturating_sub(self.inbox.len()),
            _ => return decoded.clamp(INBOX_BYTES, READ_BYTES_MAX),
        };
        let early = self.inbox.len() + left;
        if (BODY_BYTES_MIN..=EARLY_BYTES_MAX).contains(&left) && self.lease.grow_early_to(early) {
            return left;
        }
        // Each read costs a system call or two, so what is here grows fourfold; a client that only
        // claims a length gets little memory for it.
        left.min((3 * self.inbox.len()).max(BODY_BYTES_MIN)).max(1)
    }

    /// Decode a compressed body, so that it can be read and spliced; the core serves others
    /// between its slices.
    ///
    /// # Errors
    /// As of `Decoding`; `BodyMemoryFull` where it grows beyond what all bodies may take.
    pub async fn decode_body(
        &mut self,
        encoding: Encoding,
        bytes_max: usize,
    ) -> Result<(), Refused> {
        let plain = self.inbox.get(self.head.head_len..self.consumed).unwrap_or_default();
        let body = self.decoded.as_deref().unwrap_or(plain);
        let held = self.inbox.len() + self.decoded.as_ref().map_or(0, Vec::len);
        let mut decoding = Decoding::of(encoding, body, bytes_max)?;
        loop {
            if !self.lease.grow_to(held + decoding.bytes_wanted()) {
                return Err(Refusal::BodyMemoryFull.into());
            }
            if decoding.step()? {
                break;
            }
            give_way().await;
        }
        let decoded = decoding.into_decoded();
        self.lease.shrink_to(self.inbox.len() + decoded.capacity());
        self.decoded = Some(decoded);
        Ok(())
    }

    /// Read once into room for `room` bytes more.
    async fn fill(&mut self, link: &mut Link, room: usize) -> std::io::Result<usize> {
        let mut inbox = std::mem::take(&mut self.inbox);
        if inbox.capacity() - inbox.len() < room.div_ceil(2) {
            inbox.reserve_exact(room);
        }
        let (read, inbox) = link.read(inbox).await;
        self.inbox = inbox;
        read
    }

    /// Keep the head alone: of many bodies that come at once, those that are refused make room for
    /// the others, and not only once they are told.
    fn give_back(&mut self) {
        self.inbox.truncate(self.head.head_len);
        self.inbox.shrink_to_fit();
        self.lease.clear();
    }

    /// Forget everything: no request follows, and others may have the memory.
    pub fn end(&mut self) {
        (self.inbox, self.consumed) = (Vec::new(), 0);
        self.next();
    }

    /// Forget the present request; what came behind it is the next one's.
    pub fn next(&mut self) {
        self.inbox.drain(..self.consumed);
        if self.inbox.capacity() > INBOX_KEPT_BYTES && self.inbox.len() < INBOX_BYTES {
            let mut small = Vec::with_capacity(INBOX_BYTES);
            small.extend_from_slice(&self.inbox);
            self.inbox = small;
        }
        self.decoded = None;
        self.consumed = 0;
        self.body_is_read = false;
        self.lease.clear();
        self.head.forget();
    }
}

/// A chunked body being decoded.
#[derive(Default)]
struct Chunks {
    decoder: Chunked,
    body: Vec<u8>,
    is_done: bool,
}

impl Chunks {
    /// Decode what is there; how many bytes of it are done with.
    fn take(&mut self, input: &[u8], bytes_max: usize) -> Result<usize, Missed> {
        let mut at = 0;
        loop {
            match self.decoder.next(&input[at..]).map_err(refuse_http)? {
                Step::Payload { consumed, payload } => {
                    self.body.extend_from_slice(&input[at..][payload]);
                    at += consumed;
                    if self.body.len() > bytes_max {
                        return Err(too_large(bytes_max).into());
                    }
                }
                Step::More { consumed } => return Ok(at + consumed),
                Step::Done { consumed } => {
                    self.is_done = true;
                    return Ok(at + consumed);
                }
            }
        }
    }
}

#[cold]
fn too_large(bytes_max: usize) -> Refused {
    Refused {
        refusal: Refusal::BodyTooLarge,
        detail: format!("It accepts {bytes_max} bytes.").into(),
        param: None,
    }
}

/// What a client is told of bytes that are no request.
#[cold]
fn refuse_http(error: HttpError) -> Refused {
    match error {
        HttpError::Bad(reason) => Refused {
            refusal: Refusal::BadHttp,
            detail: format!("Reason: {reason}.").into(),
            param: None,
        },
        HttpError::VersionUnsupported => Refused {
            refusal: Refusal::BadHttp,
            detail: "Reason: the version is neither HTTP/1.1 nor HTTP/1.0.".into(),
            param: None,
        },
        HttpError::HeadTooLarge => Refusal::HeadersTooLarge.into(),
        HttpError::UriTooLong => Refusal::UriTooLong.into(),
        HttpError::ExpectationFailed => Refusal::ExpectationFailed.into(),
        HttpError::MethodUnsupported => Refusal::MethodNotAllowed.into(),
    }
}

/// Let the core serve others first.
async fn give_way() {
    let mut has_waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
