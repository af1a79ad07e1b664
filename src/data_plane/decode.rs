//! Compressed request bodies: decoded, because they are spliced; bounded, because they may be
//! bombs.

use crate::{
    lexicon::refusal::{Refusal, Refused},
    wire::http1::request::RequestHead,
};
use std::io::Read;

/// About a tenth of a millisecond of work.
const SLICE_BYTES: usize = 64 << 10;
const BROTLI_READ_BYTES: usize = 16 << 10;

/// A content coding that we decode.
/// **Source**: RFC 9110 §8.4.1, RFC 8878 (zstd), RFC 7932 (br).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Gzip,
    /// In practice sent with the zlib wrapper, as the standard says.
    Deflate,
    Brotli,
    Zstd,
}

/// How the body is encoded; `None` is as it is.
///
/// # Errors
/// `EncodingUnsupported` for any other coding, and for several on top of each other.
pub fn encoding(head: &RequestHead, bytes: &[u8]) -> Result<Option<Encoding>, Refused> {
    let Some(name) = head.header(bytes, "content-encoding") else { return Ok(None) };
    let known: [(&[u8], Option<Encoding>); 7] = [
        (b"identity", None),
        (b"", None),
        (b"gzip", Some(Encoding::Gzip)),
        (b"x-gzip", Some(Encoding::Gzip)),
        (b"deflate", Some(Encoding::Deflate)),
        (b"br", Some(Encoding::Brotli)),
        (b"zstd", Some(Encoding::Zstd)),
    ];
    let found = known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, encoding)| encoding).ok_or_else(|| Refusal::EncodingUnsupported.into())
}

/// A body on its way back to what it was before it was encoded, a slice at a time: a few bytes may
/// stand for many, and others wait for the core.
pub struct Decoding<'b> {
    decoder: Box<dyn Read + 'b>,
    bytes_max: usize,
    decoded: Vec<u8>,
}

impl<'b> Decoding<'b> {
    /// # Errors
    /// `InvalidJson` where it does not begin as its encoding does.
    pub fn of(encoding: Encoding, body: &'b [u8], bytes_max: usize) -> Result<Self, Refused> {
        let decoder: Box<dyn Read + 'b> = match encoding {
            Encoding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(body)),
            Encoding::Deflate => Box::new(flate2::read::ZlibDecoder::new(body)),
            Encoding::Brotli => {
                Box::new(brotli_decompressor::Decompressor::new(body, BROTLI_READ_BYTES))
            }
            Encoding::Zstd => {
                let decoder = ruzstd::decoding::StreamingDecoder::new(body);
                Box::new(decoder.map_err(|_| broken())?)
            }
        };
        Ok(Self { decoder, bytes_max, decoded: Vec::new() })
    }

    /// The memory that the next slice may need in all. What a decoder remembers is a part of what
    /// it has said.
    pub fn bytes_wanted(&self) -> usize {
        self.decoded.len() + self.decoded.capacity() + self.room()
    }

    /// Room for what is next: doubled, so that little is moved twice; a byte more than the bound
    /// shows that it is crossed.
    fn room(&self) -> usize {
        let bytes = self.decoded.len();
        if bytes < self.decoded.capacity() {
            return 0;
        }
        bytes.max(SLICE_BYTES).min((self.bytes_max + 1).saturating_sub(bytes))
    }

    /// What was decoded.
    pub fn into_decoded(self) -> Vec<u8> {
        self.decoded
    }

    /// Decode one slice more; true once that was the last.
    ///
    /// # Errors
    /// `BodyTooLarge` beyond the bound; `InvalidJson` where it does not decode.
    pub fn step(&mut self) -> Result<bool, Refused> {
        self.decoded.reserve_exact(self.room());
        let room = self.decoded.capacity() - self.decoded.len();
        let slice = room.min(SLICE_BYTES);
        let mut next = self.decoder.by_ref().take(slice as u64);
        let read = next.read_to_end(&mut self.decoded).map_err(|_| broken())?;
        if self.decoded.len() > self.bytes_max {
            return Err(Refusal::BodyTooLarge.into());
        }
        Ok(read < slice)
    }
}

#[cold]
fn broken() -> Refused {
    Refusal::InvalidJson.about("content-encoding", "The body does not decode as its header says.")
}

#[cfg(test)]
mod tests {
    use super::{Decoding, Encoding, SLICE_BYTES};
    use crate::lexicon::refusal::{Refusal, Refused};
    use std::io::Write;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).expect("memory");
        encoder.finish().expect("memory")
    }

    fn decode(encoding: Encoding, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Refused> {
        let mut decoding = Decoding::of(encoding, body, bytes_max)?;
        loop {
            let (before, wanted) = (decoding.decoded.len(), decoding.bytes_wanted());
            let is_done = decoding.step()?;
            assert!(
                decoding.decoded.capacity() + before <= wanted,
                "it is said before it is taken"
            );
            assert!(decoding.decoded.len() - before <= SLICE_BYTES);
            if is_done {
                return Ok(decoding.decoded);
            }
        }
    }

    #[test]
    fn a_body_may_be_as_large_as_the_bound_and_not_a_byte_larger() {
        let bomb = gzip(&vec![b' '; 1 << 20]);
        assert!(bomb.len() < 2_000);
        assert_eq!(decode(Encoding::Gzip, &bomb, 1 << 20).map(|body| body.len()), Ok(1 << 20));
        let refused = decode(Encoding::Gzip, &bomb, (1 << 20) - 1).expect_err("too large");
        assert_eq!(refused.refusal, Refusal::BodyTooLarge);
    }

    #[test]
    fn what_does_not_decode_is_the_clients_fault_and_not_a_panic() {
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Brotli, Encoding::Zstd] {
            for body in [&b"{}"[..], b"\x1f\x8b\x08", &[0xff; 64]] {
                let refused = decode(encoding, body, 1_000).expect_err("it is not encoded");
                assert_eq!(refused.refusal, Refusal::InvalidJson, "{encoding:?} {body:?}");
            }
        }
    }
}
