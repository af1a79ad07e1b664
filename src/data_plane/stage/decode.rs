//! Compressed request bodies: decoded, because they are spliced; bounded, because they may be
//! bombs.

use crate::{
    lexicon::refusal::{Refusal, Refused},
    wire::http1::request::RequestHead,
};
use std::io::Read;

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

/// The body as it was before it was encoded.
///
/// # Errors
/// `BodyTooLarge` beyond `bytes_max`; `InvalidJson` where it does not decode.
pub fn decode(encoding: Encoding, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Refused> {
    match encoding {
        Encoding::Gzip => read_bounded(flate2::read::MultiGzDecoder::new(body), bytes_max),
        Encoding::Deflate => read_bounded(flate2::read::ZlibDecoder::new(body), bytes_max),
        Encoding::Brotli => {
            read_bounded(brotli_decompressor::Decompressor::new(body, 16 << 10), bytes_max)
        }
        Encoding::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(body).map_err(|_| broken())?;
            read_bounded(decoder, bytes_max)
        }
    }
}

fn read_bounded(decoder: impl Read, bytes_max: usize) -> Result<Vec<u8>, Refused> {
    let mut out = Vec::new();
    let bound = bytes_max as u64 + 1;
    decoder.take(bound).read_to_end(&mut out).map_err(|_| broken())?;
    if out.len() > bytes_max { Err(Refusal::BodyTooLarge.into()) } else { Ok(out) }
}

#[cold]
fn broken() -> Refused {
    Refusal::InvalidJson.about("content-encoding", "The body does not decode as its header says.")
}

#[cfg(test)]
mod tests {
    use super::{Encoding, decode};
    use crate::lexicon::refusal::Refusal;
    use std::io::Write;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).expect("memory");
        encoder.finish().expect("memory")
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
