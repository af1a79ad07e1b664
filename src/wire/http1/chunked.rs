//! Chunked bodies: a decoder that takes any split, and a writer.
//!
//! ```text
//! body    = *chunk "0" [ext] CRLF *(name ":" value CRLF) CRLF
//! chunk   = size [ext] CRLF payload CRLF      size = 1*16 HEXDIG, value at most 2^40
//! ext     = ";" *(HTAB / SP / VCHAR / obs-text)
//! ```
//!
//! Extensions and trailers are read over and dropped (RFC 9112 sections 7.1.1 and 7.1.2); a bare LF
//! or a bare CR in them is an error, for others read it differently.

use std::ops::Range;

use crate::wire::http1::{HttpError, head};

/// More hex digits than these only hide an overflow.
const SIZE_DIGITS_MAX: u8 = 16;

/// One tebibyte: no body is larger, and sums of sizes cannot overflow.
const CHUNK_BYTES_MAX: u64 = 1 << 40;

/// Extension bytes over a whole body; unbounded ones are a known denial of service
/// (CVE-2023-39326).
const EXTENSION_BYTES_MAX: usize = 4 << 10;

/// Trailer bytes, line ends included.
const TRAILER_BYTES_MAX: usize = 8 << 10;

/// What ends a body that was written in chunks.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What was found in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Payload bytes, a part of one chunk. Call again from `consumed` on.
    Payload {
        consumed: usize,
        /// Within the input; ends at `consumed`.
        payload: Range<usize>,
    },
    /// All of the input was used, and the body goes on.
    More { consumed: usize },
    /// The body ends at `consumed`; what follows is another message.
    Done { consumed: usize },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first digit, or among them.
    #[default]
    Size,
    Extension,
    SizeLf,
    Payload,
    PayloadCr,
    PayloadLf,
    /// At the start of a line behind the last chunk.
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

/// The decoder of one chunked body.
///
/// **Bounds**: constant memory; 4 KiB of extensions and 8 KiB of trailers a body.
#[derive(Clone, Debug, Default)]
pub struct Chunked {
    state: State,
    digits: u8,
    /// The size while it is read, then what is left of the chunk.
    rest: u64,
    extension_bytes: usize,
    trailer_bytes: usize,
}

impl Chunked {
    /// Reads on. Call again with the input after `consumed`, until `More` or `Done`.
    ///
    /// **Errors**: `Bad` for anything but the grammar above; the decoder is of no use afterwards.
    pub fn next(&mut self, input: &[u8]) -> Result<Step, HttpError> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            if self.state == State::Payload {
                let left = usize::try_from(self.rest).unwrap_or(usize::MAX);
                let length = left.min(input.len() - at);
                self.rest -= length as u64;
                if self.rest == 0 {
                    self.state = State::PayloadCr;
                }
                return Ok(Step::Payload { consumed: at + length, payload: at..at + length });
            }
            if self.state == State::Done {
                break;
            }
            if let Some(length) = self.line_at_once(&input[at..]) {
                at += length;
                continue;
            }
            self.state = self.after(byte)?;
            at += 1;
        }
        let is_done = self.state == State::Done;
        Ok(if is_done { Step::Done { consumed: at } } else { Step::More { consumed: at } })
    }

    /// Whether the last chunk and its trailers were read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes what stands between two payloads, where it is all there and plain, as nearly always:
    /// its length. A stream has such a line for each event, and byte by byte it costs as much as
    /// all else that is done to one.
    fn line_at_once(&mut self, input: &[u8]) -> Option<usize> {
        let (end, line) = match (self.state, input) {
            (State::PayloadCr, [b'\r', b'\n', line @ ..]) => (2, line),
            (State::Size, line) if self.digits == 0 => (0, line),
            _ => return None,
        };
        let mut size = 0;
        // Seven digits cannot be too large.
        for (at, byte) in line.iter().take(8).enumerate() {
            size = match byte {
                b'0'..=b'9' => size << 4 | u64::from(byte - b'0'),
                b'a'..=b'f' => size << 4 | u64::from(byte - b'a' + 10),
                // An empty chunk is the last one: what follows is for the careful way.
                b'\r' if size > 0 && line.get(at + 1) == Some(&b'\n') => {
                    (self.state, self.rest) = (State::Payload, size);
                    return Some(end + at + 2);
                }
                _ => return None,
            };
        }
        None
    }

    /// The state after one byte of what is not payload.
    fn after(&mut self, byte: u8) -> Result<State, HttpError> {
        match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (State::Size, b'\r') if self.digits > 0 => Ok(State::SizeLf),
            (State::Size, b';') if self.digits > 0 => self.extension(),
            (State::Size, _) => Err(HttpError::Bad("chunk_size")),
            (State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, byte) if is_text(byte) => self.extension(),
            (State::Extension, _) => Err(HttpError::Bad("chunk_extension")),
            (State::SizeLf, b'\n') => {
                self.digits = 0;
                Ok(if self.rest == 0 { State::Trailer } else { State::Payload })
            }
            (State::PayloadCr, b'\r') => Ok(State::PayloadLf),
            (State::PayloadLf, b'\n') => Ok(State::Size),
            (State::LastLf, b'\n') => Ok(State::Done),
            (State::SizeLf | State::PayloadCr | State::PayloadLf | State::LastLf, _) => {
                Err(HttpError::Bad("chunk_end"))
            }
            _ => self.trailer(byte),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<State, HttpError> {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        self.digits += 1;
        self.rest = self.rest << 4 | u64::from(value);
        if self.digits > SIZE_DIGITS_MAX || self.rest > CHUNK_BYTES_MAX {
            return Err(HttpError::Bad("chunk_size"));
        }
        Ok(State::Size)
    }

    fn extension(&mut self) -> Result<State, HttpError> {
        self.extension_bytes += 1;
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(HttpError::Bad("chunk_extension"));
        }
        Ok(State::Extension)
    }

    /// Trailer fields must at least look like fields, lest a request hide among them.
    fn trailer(&mut self, byte: u8) -> Result<State, HttpError> {
        self.trailer_bytes += 1;
        let next = match (self.state, byte) {
            (State::Trailer, b'\r') => Some(State::LastLf),
            (State::TrailerName, b':') => Some(State::TrailerValue),
            (State::Trailer | State::TrailerName, byte) if head::is_token(byte) => {
                Some(State::TrailerName)
            }
            (State::TrailerValue, b'\r') => Some(State::TrailerLf),
            (State::TrailerValue, byte) if is_text(byte) => Some(State::TrailerValue),
            (State::TrailerLf, b'\n') => Some(State::Trailer),
            _ => None,
        };
        next.filter(|_| self.trailer_bytes <= TRAILER_BYTES_MAX).ok_or(HttpError::Bad("trailer"))
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Appends the line before a chunk of `length` bytes; the caller adds the payload and a CRLF.
///
/// A length of zero would end the body: write [`LAST_CHUNK`] for that.
pub fn push_chunk_head(out: &mut Vec<u8>, length: usize) {
    debug_assert!(length > 0);
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[length >> (digit * 4) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::{Chunked, LAST_CHUNK, Step, push_chunk_head};

    /// The payload and what is left behind the body, or `None` where it is bad or unfinished.
    fn decode(mut input: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut chunked = Chunked::default();
        let mut body = Vec::new();
        loop {
            match chunked.next(input).ok()? {
                Step::Payload { consumed, payload } => {
                    body.extend_from_slice(&input[payload]);
                    input = &input[consumed..];
                }
                Step::More { .. } => return None,
                Step::Done { consumed } => return Some((body, input[consumed..].to_vec())),
            }
        }
    }

    #[test]
    fn chunks_are_joined_and_the_next_message_is_left() {
        let input = b"5;a=b\r\nhello\r\n00A\r\n, world !!\r\n0\r\nX-Sum: 1\r\n\r\nGET";

        assert_eq!(decode(input), Some((b"hello, world !!".to_vec(), b"GET".to_vec())));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        for length in [1, 15, 16, 255, 4096] {
            push_chunk_head(&mut out, length);
            out.extend_from_slice(&vec![b'x'; length]);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(LAST_CHUNK);

        assert_eq!(decode(&out).map(|(body, _)| body.len()), Some(1 + 15 + 16 + 255 + 4096));
    }

    #[test]
    fn extensions_trailers_and_sizes_are_bounded() {
        let extended = |n| format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(n)).into_bytes();
        assert!(decode(&extended(4095)).is_some());
        assert!(decode(&extended(4096)).is_none());

        let trailed = |n| format!("0\r\na:{}\r\n\r\n", "b".repeat(n)).into_bytes();
        assert!(decode(&trailed(8192 - 5)).is_some());
        assert!(decode(&trailed(8192 - 4)).is_none());

        assert!(Chunked::default().next(b"10000000000\r\n").is_ok());
        assert!(Chunked::default().next(b"10000000001\r\n").is_err());
        assert!(Chunked::default().next(b"0000000000000005\r\n").is_ok());
        assert!(Chunked::default().next(b"00000000000000005\r\n").is_err());
    }

    #[test]
    fn trailers_that_are_no_fields_are_refused() {
        for bad in ["0\r\nGET / HTTP/1.1\r\n\r\n", "0\r\n: x\r\n\r\n", "0\r\na\n\r\n", "0\r\n\n"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
