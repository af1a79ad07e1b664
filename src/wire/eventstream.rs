//! AWS event streams (`application/vnd.amazon.eventstream`) over a growing buffer.
//!
//! ```text
//! frame   = total:u32 headers:u32 crc(prelude):u32  *header  payload  crc(frame before it):u32
//! header  = length:u8 name  type:u8 value
//! value   = type 0 true, 1 false: none; 2: 1 byte; 3: 2; 4: 4; 5 and 8: 8; 9: 16;
//!           6 bytes and 7 text: length:u16 and so many
//! ```
//!
//! Numbers are big-endian, both checksums CRC-32 (IEEE). Every byte of the stream belongs to
//! exactly one frame. A frame's size is believed only after its prelude's own checksum agreed: a
//! prelude that came in two pieces, or is garbage, can never be taken for a length.
//! Source: smithy.io/2.0/aws/amazon-eventstream.html, read 2026-11-21.

use std::ops::Range;

/// What an answer of frames says that it is.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// Both lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
/// The checksum at a frame's end.
const TRAILER_BYTES: usize = 4;
/// The shortest frame: no headers, no payload.
const FRAME_BYTES_MIN: usize = PRELUDE_BYTES + TRAILER_BYTES;
/// The longest frame: as much as an event of any other stream (`sse::EVENT_BYTES_MAX`). The format
/// allows 24 MiB of payload; vendors of models stay below 64 KiB but for inline images.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// The format's own bound on a frame's headers.
pub const HEADERS_BYTES_MAX: usize = 128 << 10;
/// The longest name that a header's one byte of length can tell.
const NAME_BYTES_MAX: usize = u8::MAX as usize;

/// Why a stream makes no sense from here on: nothing that follows can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The prelude's checksum disagrees with it.
    PreludeChecksum,
    /// The frame's checksum disagrees with it.
    FrameChecksum,
    /// The lengths contradict each other, or leave no room for the checksums.
    Length,
    /// Longer than [`FRAME_BYTES_MAX`], or its headers than [`HEADERS_BYTES_MAX`].
    TooLarge,
    /// A header runs past its block, has no name or a type that does not exist.
    Header,
    /// The stream ended inside a frame.
    Truncated,
}

impl FrameError {
    /// The label in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::PreludeChecksum => "prelude_checksum",
            Self::FrameChecksum => "frame_checksum",
            Self::Length => "frame_length",
            Self::TooLarge => "frame_too_large",
            Self::Header => "frame_header",
            Self::Truncated => "frame_truncated",
        }
    }
}

/// One frame, by its places in the buffer; its checksums agree and its headers are well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// With prelude and checksums.
    pub whole: Range<usize>,
    pub headers: Range<usize>,
    pub payload: Range<usize>,
}

/// What a frame is, by its `:message-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'b> {
    /// `event`: its `:event-type`, such as `contentBlockDelta`.
    Event(&'b str),
    /// `exception`: its `:exception-type`, such as `throttlingException`. The payload is JSON with
    /// a `message`.
    Exception(&'b str),
    /// `error`: its `:error-code` and `:error-message`; there is no payload.
    Error { code: &'b str, message: &'b str },
    /// Of a type that the format does not know.
    Unknown,
}

/// The value of a header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeaderValue<'b> {
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Bytes(&'b [u8]),
    /// UTF-8 by the format; what is not is `Bytes`.
    Text(&'b str),
    /// Milliseconds since 1970.
    Timestamp(i64),
    Uuid([u8; 16]),
}

/// Cuts a stream into frames.
///
/// **Cost**: each byte is read once, for its checksum; no allocation.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    /// Where the frame in work starts.
    start: usize,
    /// Its length, once its prelude was judged.
    length: Option<usize>,
}

impl Scanner {
    /// The next frame that is complete in `bytes`, or `None` until there are more.
    ///
    /// Between calls `bytes` may only grow at the end, and lose at the front what
    /// [`Scanner::consumed`] is told of.
    ///
    /// **Errors**: before more than [`FRAME_BYTES_MAX`] need to be buffered; for good.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
        let rest = bytes.get(self.start..).unwrap_or_default();
        let Some(prelude) = rest.first_chunk::<PRELUDE_BYTES>() else { return Ok(None) };
        let length = match self.length {
            Some(length) => length,
            None => *self.length.insert(judge(prelude)?),
        };
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        let (checked, checksum) = frame.split_at(length - TRAILER_BYTES);
        if crc32fast::hash(checked) != number(checksum) {
            return Err(FrameError::FrameChecksum);
        }
        let start = self.start;
        let headers = start + PRELUDE_BYTES..start + PRELUDE_BYTES + number(&prelude[4..]) as usize;
        let payload = headers.end..start + length - TRAILER_BYTES;
        let mut walk = Headers { rest: &bytes[headers.clone()] };
        while walk.step()?.is_some() {}
        self.start = start + length;
        self.length = None;
        Ok(Some(Frame { whole: start..self.start, headers, payload }))
    }

    /// Says that `length` bytes were drained from the buffer's front, all of finished frames.
    pub fn consumed(&mut self, length: usize) {
        debug_assert!(length <= self.start);
        self.start = self.start.saturating_sub(length);
    }

    /// What the end of the stream means.
    ///
    /// **Errors**: [`FrameError::Truncated`] where it came inside a frame.
    pub fn finish(&self, bytes: &[u8]) -> Result<(), FrameError> {
        if bytes.len() > self.start { Err(FrameError::Truncated) } else { Ok(()) }
    }
}

impl Frame {
    /// What this frame of `bytes` is.
    #[must_use]
    pub fn message<'b>(&self, bytes: &'b [u8]) -> Message<'b> {
        let (mut kind, mut name, mut code, mut message) = (None, None, None, None);
        for (header, value) in self.headers(bytes) {
            let HeaderValue::Text(value) = value else { continue };
            let place = match header {
                b":message-type" => &mut kind,
                b":event-type" | b":exception-type" => &mut name,
                b":error-code" => &mut code,
                b":error-message" => &mut message,
                _ => continue,
            };
            *place = Some(value);
        }
        match kind {
            Some("event") => Message::Event(name.unwrap_or_default()),
            Some("exception") => Message::Exception(name.unwrap_or_default()),
            Some("error") => Message::Error {
                code: code.unwrap_or_default(),
                message: message.unwrap_or_default(),
            },
            _ => Message::Unknown,
        }
    }

    /// Its headers in the order written.
    pub fn headers<'b>(
        &self,
        bytes: &'b [u8],
    ) -> impl Iterator<Item = (&'b [u8], HeaderValue<'b>)> + use<'b> {
        let mut walk = Headers { rest: bytes.get(self.headers.clone()).unwrap_or_default() };
        std::iter::from_fn(move || walk.step().ok().flatten())
    }
}

/// Appends a frame whose headers are texts, as all frames of Bedrock are.
///
/// **Shape**: `push(out, &[(":message-type", "event"), (":event-type", "chunk")], b"{…}")`.
/// **Errors**: [`FrameError::TooLarge`] beyond the bounds of this file, [`FrameError::Header`] for
/// a name that is empty or longer than 255 bytes; nothing is appended then.
pub fn push(out: &mut Vec<u8>, headers: &[(&str, &str)], payload: &[u8]) -> Result<(), FrameError> {
    let mut headers_length = 0;
    for (name, value) in headers {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(FrameError::Header);
        }
        if value.len() > usize::from(u16::MAX) {
            return Err(FrameError::TooLarge);
        }
        headers_length += 1 + name.len() + 1 + 2 + value.len();
    }
    let length = FRAME_BYTES_MIN + headers_length + payload.len();
    if headers_length > HEADERS_BYTES_MAX || length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge);
    }
    let start = out.len();
    out.reserve(length);
    push_number(out, length);
    push_number(out, headers_length);
    let prelude_checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&prelude_checksum.to_be_bytes());
    for (name, value) in headers {
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name.as_bytes());
        out.push(TEXT);
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(payload);
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_be_bytes());
    debug_assert_eq!(out.len() - start, length);
    Ok(())
}

/// The type of a header that holds text.
const TEXT: u8 = 7;

/// The frame's length, if its prelude can be believed.
fn judge(prelude: &[u8; PRELUDE_BYTES]) -> Result<usize, FrameError> {
    if crc32fast::hash(&prelude[..8]) != number(&prelude[8..]) {
        return Err(FrameError::PreludeChecksum);
    }
    let (length, headers) = (number(prelude) as usize, number(&prelude[4..]) as usize);
    if length > FRAME_BYTES_MAX || headers > HEADERS_BYTES_MAX {
        return Err(FrameError::TooLarge);
    }
    if length < FRAME_BYTES_MIN + headers { Err(FrameError::Length) } else { Ok(length) }
}

/// The first four bytes as a number; 0 where there are fewer.
fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Bounded by `FRAME_BYTES_MAX`.
fn push_number(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
}

/// Walks a block of headers.
struct Headers<'b> {
    rest: &'b [u8],
}

impl<'b> Headers<'b> {
    fn step(&mut self) -> Result<Option<(&'b [u8], HeaderValue<'b>)>, FrameError> {
        let Some((length, rest)) = self.rest.split_first() else { return Ok(None) };
        if *length == 0 {
            return Err(FrameError::Header);
        }
        self.rest = rest;
        let name = self.take(usize::from(*length))?;
        let [kind] = self.array()?;
        let value = match kind {
            0 => HeaderValue::Bool(true),
            1 => HeaderValue::Bool(false),
            2 => HeaderValue::Byte(i8::from_be_bytes(self.array()?)),
            3 => HeaderValue::Short(i16::from_be_bytes(self.array()?)),
            4 => HeaderValue::Int(i32::from_be_bytes(self.array()?)),
            5 => HeaderValue::Long(i64::from_be_bytes(self.array()?)),
            8 => HeaderValue::Timestamp(i64::from_be_bytes(self.array()?)),
            9 => HeaderValue::Uuid(self.array()?),
            6 | TEXT => {
                let length = u16::from_be_bytes(self.array()?);
                let bytes = self.take(usize::from(length))?;
                let text = if kind == TEXT { std::str::from_utf8(bytes).ok() } else { None };
                text.map_or(HeaderValue::Bytes(bytes), HeaderValue::Text)
            }
            _ => return Err(FrameError::Header),
        };
        Ok(Some((name, value)))
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], FrameError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(FrameError::Header)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.take(N)?.try_into().map_err(|_| FrameError::Header)
    }
}
