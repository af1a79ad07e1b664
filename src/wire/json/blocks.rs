//! Skipping 64 bytes at a time, with AVX2 and carry-less multiplication.
//!
//! The bits of a block say where quotes, backslashes, brackets and control characters are. Runs of
//! backslashes give the escaped characters; the exclusive or of all unescaped quotes up to a byte
//! says whether it is in a string; what is left of the brackets is structure. After Langdale and
//! Lemire, "Parsing Gigabytes of JSON per Second" (arxiv.org/abs/1902.08318, read 2026-11-21).
//!
//! JUSTIFICATION: bytes one by one take several times the budget of 40 µs for a prompt of 256 KiB
//! with an escape every few words. SAFETY is two facts: a [`Blocks`] exists only where the
//! processor has both features, and loads are of arrays of exactly 64 bytes.

#![expect(unsafe_code, reason = "processor features; see JUSTIFICATION above")]

use std::arch::x86_64::{
    __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm_setr_epi8,
    _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
    _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_srli_epi16,
};

use crate::wire::json::JsonError;
use crate::wire::json::skip::{Brackets, escape_len};

/// Proof that the processor has AVX2 and PCLMULQDQ.
#[derive(Clone, Copy)]
pub(super) struct Blocks(());

#[expect(clippy::unused_self, reason = "`self` is the proof that the processor can")]
impl Blocks {
    /// **Cost**: one load and test; the standard library remembers what it found.
    pub fn detect() -> Option<Self> {
        let is_able = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("pclmulqdq");
        is_able.then_some(Self(()))
    }

    pub fn string_end(self, bytes: &[u8], start: usize) -> Result<usize, JsonError> {
        // SAFETY: `detect` found both features, or there would be no `self`.
        unsafe { string_end(bytes, start) }
    }

    pub fn container_end(
        self,
        bytes: &[u8],
        start: usize,
        depth_max: usize,
    ) -> Result<usize, JsonError> {
        // SAFETY: `detect` found both features, or there would be no `self`.
        unsafe { container_end(bytes, start, depth_max) }
    }
}

#[target_feature(enable = "avx2,pclmulqdq")]
fn string_end(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let mut at = start + 1;
    let mut escapes = Escapes::default();
    let mut padded = [b' '; 64];
    // Where one block is plain the next ones are likely to be.
    let mut is_plain = true;
    while at < bytes.len() {
        if is_plain {
            at = after_plain_pairs(bytes, at);
        }
        let block = Block::load(block_at(bytes, at, &mut padded));
        let backslashes = block.equal(b'\\');
        let escaped = escapes.escaped(backslashes);
        let quotes = block.equal(b'"') & !escaped;
        is_plain = backslashes == 0;
        let inside = quotes.wrapping_sub(1) & !quotes;
        let control = block.control() & inside;
        if control != 0 {
            return Err(JsonError::Malformed { at: at + control.trailing_zeros() as usize });
        }
        // What is left begins `\uXXXX`, or is an error.
        let mut rest = if escaped == 0 { 0 } else { escaped & inside & !block.simple_escapes() };
        while rest != 0 {
            escape_len(bytes, at + rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
        }
        if quotes != 0 {
            return Ok(at + quotes.trailing_zeros() as usize + 1);
        }
        at += 64;
    }
    Err(JsonError::Malformed { at: bytes.len() })
}

#[target_feature(enable = "avx2,pclmulqdq")]
fn container_end(bytes: &[u8], start: usize, depth_max: usize) -> Result<usize, JsonError> {
    let mut brackets = Brackets::new(depth_max);
    let mut escapes = Escapes::default();
    // All ones while a string goes on from block to block.
    let mut carried = 0_u64;
    let mut padded = [b' '; 64];
    let mut is_plain = false;
    let mut at = start;
    while at < bytes.len() {
        if is_plain {
            at = after_plain_pairs(bytes, at);
        }
        let raw = block_at(bytes, at, &mut padded);
        let block = Block::load(raw);
        let backslashes = block.equal(b'\\');
        let quotes = block.equal(b'"') & !escapes.escaped(backslashes);
        // Most of a prompt is the inside of one long string.
        if carried & !quotes == u64::MAX {
            let control = block.control();
            if control != 0 {
                return Err(at_bit(at, control));
            }
            is_plain = backslashes == 0;
            at += 64;
            continue;
        }
        is_plain = false;
        let strings = prefix_xor(quotes) ^ carried;
        carried = 0_u64.wrapping_sub(strings >> 63);
        let bad = (block.control() & strings) | (backslashes & !strings);
        // Brackets of both kinds are alike but for one bit.
        let opening = block.equal_lowered(b'{') & !strings;
        let mut rest = (block.equal_lowered(b'}') & !strings) | opening;
        while rest != 0 {
            let bit = rest & rest.wrapping_neg();
            let index = rest.trailing_zeros() as usize;
            if opening & bit != 0 {
                brackets.open(raw[index])?;
            } else if brackets.close(raw[index], at + index)? {
                return if bad & (bit - 1) == 0 {
                    Ok(at + index + 1)
                } else {
                    Err(at_bit(at, bad))
                };
            }
            rest ^= bit;
        }
        if bad != 0 {
            return Err(at_bit(at, bad));
        }
        at += 64;
    }
    Err(JsonError::Malformed { at: bytes.len() })
}

/// Behind as many pairs of blocks as have neither quotes nor backslashes nor control characters:
/// of two blocks together, one test.
#[inline]
#[target_feature(enable = "avx2")]
fn after_plain_pairs(bytes: &[u8], start: usize) -> usize {
    let (pairs, _) = bytes[start..].as_chunks::<128>();
    let mut at = start;
    for pair in pairs {
        let ([first, second], _) = pair.as_chunks() else { break };
        let marks = _mm256_or_si256(Block::load(first).marks(), Block::load(second).marks());
        if _mm256_movemask_epi8(marks) != 0 {
            break;
        }
        at += 128;
    }
    at
}

#[cold]
fn at_bit(at: usize, bits: u64) -> JsonError {
    JsonError::Malformed { at: at + bits.trailing_zeros() as usize }
}

/// The 64 bytes at `at`; the last ones are padded with spaces, which mean nothing.
#[inline]
fn block_at<'b>(bytes: &'b [u8], at: usize, padded: &'b mut [u8; 64]) -> &'b [u8; 64] {
    let rest = &bytes[at..];
    if let Some(block) = rest.first_chunk() {
        return block;
    }
    padded.fill(b' ');
    padded[..rest.len()].copy_from_slice(rest);
    padded
}

/// 64 bytes in two registers.
struct Block(__m256i, __m256i);

impl Block {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(bytes: &[u8; 64]) -> Self {
        let [low, high]: [*const __m256i; 2] =
            [bytes[..32].as_ptr().cast(), bytes[32..].as_ptr().cast()];
        // SAFETY: both point to 32 readable bytes of one array, and the load needs no alignment.
        unsafe { Self(_mm256_loadu_si256(low), _mm256_loadu_si256(high)) }
    }

    /// A bit for each byte that is `byte`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(&self, byte: u8) -> u64 {
        let wanted = _mm256_set1_epi8(byte.cast_signed());
        bits(_mm256_cmpeq_epi8(self.0, wanted), _mm256_cmpeq_epi8(self.1, wanted))
    }

    /// All ones where either half has a quote, a backslash or a control character.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn marks(&self) -> __m256i {
        let quote = _mm256_set1_epi8(b'"'.cast_signed());
        let backslash = _mm256_set1_epi8(b'\\'.cast_signed());
        let last = _mm256_set1_epi8(0x1f);
        let special = |half: __m256i| {
            let marks =
                _mm256_or_si256(_mm256_cmpeq_epi8(half, quote), _mm256_cmpeq_epi8(half, backslash));
            _mm256_or_si256(marks, _mm256_cmpeq_epi8(_mm256_min_epu8(half, last), half))
        };
        _mm256_or_si256(special(self.0), special(self.1))
    }

    /// A bit for each byte that is `byte`, or would be with bit 5 set.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal_lowered(&self, byte: u8) -> u64 {
        let lower = _mm256_set1_epi8(0x20);
        Self(_mm256_or_si256(self.0, lower), _mm256_or_si256(self.1, lower)).equal(byte)
    }

    /// A bit for each byte that is one of `"\/bfnrt`.
    ///
    /// The first table says for a low nibble with which high nibbles it makes one of them, as bits
    /// for 2, 5, 6 and 7; the second gives a high nibble's bit.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn simple_escapes(&self) -> u64 {
        let low_table = _mm_setr_epi8(0, 0, 13, 0, 8, 0, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1);
        let high_table = _mm_setr_epi8(0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0);
        let low_table = _mm256_broadcastsi128_si256(low_table);
        let high_table = _mm256_broadcastsi128_si256(high_table);
        let mask = _mm256_set1_epi8(0x0f);
        let others = |half: __m256i| {
            let low = _mm256_shuffle_epi8(low_table, _mm256_and_si256(half, mask));
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(half), mask);
            let high = _mm256_shuffle_epi8(high_table, high);
            _mm256_cmpeq_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256())
        };
        !bits(others(self.0), others(self.1))
    }

    /// A bit for each byte below 0x20.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn control(&self) -> u64 {
        let last = _mm256_set1_epi8(0x1f);
        bits(
            _mm256_cmpeq_epi8(_mm256_min_epu8(self.0, last), self.0),
            _mm256_cmpeq_epi8(_mm256_min_epu8(self.1, last), self.1),
        )
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn bits(low: __m256i, high: __m256i) -> u64 {
    let low = u64::from(_mm256_movemask_epi8(low).cast_unsigned());
    let high = u64::from(_mm256_movemask_epi8(high).cast_unsigned());
    high << 32 | low
}

/// Each bit: whether an odd number of bits is set up to and with it.
#[inline]
#[target_feature(enable = "pclmulqdq")]
fn prefix_xor(bits: u64) -> u64 {
    let product = _mm_clmulepi64_si128(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1), 0);
    _mm_cvtsi128_si64(product).cast_unsigned()
}

/// Which characters a backslash stands before, over blocks.
#[derive(Default)]
struct Escapes {
    /// One if the last block's last byte escapes the next one's first.
    carried: u64,
}

impl Escapes {
    /// A run of backslashes escapes in pairs from its start: those that start at an odd bit are
    /// found by adding them to the run, which carries a bit to its end.
    #[inline]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslashes == 0 {
            return std::mem::take(&mut self.carried);
        }
        let backslashes = backslashes & !self.carried;
        let follows = backslashes << 1 | self.carried;
        let odd_starts = backslashes & !EVEN & !follows;
        let (even_runs, carry) = odd_starts.overflowing_add(backslashes);
        self.carried = u64::from(carry);
        (EVEN ^ (even_runs << 1)) & follows
    }
}
