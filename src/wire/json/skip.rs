//! Skipping a string or a container without reading what is in it: the hot primitive.
//!
//! Two versions with one meaning: bytes one by one (with `memchr` inside strings), and `blocks.rs`,
//! 64 at a time, where the processor can. Which of the two is decided at run time.

use crate::wire::json::JsonError;

/// Keys and short values end within these, and are found sooner than a block is set up.
const SHORT_WORDS: usize = 4;

/// The offset behind the string whose opening quote is at `start`.
///
/// **Errors**: `Malformed` for control characters, escapes that JSON does not have, and no end.
pub(super) fn string_end(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    match short_string_end(bytes, start) {
        Some(end) => Ok(end),
        None => long_string_end(bytes, start),
    }
}

/// The same of a string that ends soon and has no escapes, which need not be looked for then.
#[inline]
pub(super) fn short_string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let (words, _) = bytes.get(start + 1..)?.as_chunks();
    for (index, word) in words.iter().take(SHORT_WORDS).enumerate() {
        if let Some(at) = first_special(u64::from_le_bytes(*word)) {
            return (word[at] == b'"').then(|| start + 1 + index * 8 + at + 1);
        }
    }
    None
}

/// The same of any string.
pub(super) fn long_string_end(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    #[cfg(target_arch = "x86_64")]
    if let Some(blocks) = super::blocks::Blocks::detect() {
        return blocks.string_end(bytes, start);
    }
    string_end_by_bytes(bytes, start)
}

/// The first of eight bytes, the lowest being the first, that is a quote, a backslash or a control
/// character.
///
/// Taking one from each byte borrows from the next only where a byte was zero, so each of the three
/// tests is exact up to its first hit, and so is the first hit of all.
fn first_special(word: u64) -> Option<usize> {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let below = |word: u64, bound: u8| word.wrapping_sub(EACH * u64::from(bound)) & !word;
    let is = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    let found = (is(b'"') | is(b'\\') | below(word, b' ')) & (EACH << 7);
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}

/// The offset behind the container whose opening bracket is at `start`.
///
/// **Errors**: `TooDeep` beyond `depth_max` brackets; `Malformed` for brackets that do not match,
/// control characters in strings, backslashes outside of them, and no end.
pub(super) fn container_end(
    bytes: &[u8],
    start: usize,
    depth_max: usize,
) -> Result<usize, JsonError> {
    #[cfg(target_arch = "x86_64")]
    if let Some(blocks) = super::blocks::Blocks::detect() {
        return blocks.container_end(bytes, start, depth_max);
    }
    container_end_by_bytes(bytes, start, depth_max)
}

/// Open brackets: one bit each, set for braces.
pub(super) struct Brackets {
    kinds: u128,
    depth: usize,
    depth_max: usize,
}

impl Brackets {
    pub const fn new(depth_max: usize) -> Self {
        debug_assert!(depth_max <= u128::BITS as usize);
        Self { kinds: 0, depth: 0, depth_max }
    }

    pub const fn open(&mut self, bracket: u8) -> Result<(), JsonError> {
        if self.depth >= self.depth_max {
            return Err(JsonError::TooDeep);
        }
        self.depth += 1;
        self.kinds = self.kinds << 1 | is_brace(bracket);
        Ok(())
    }

    /// `true` when it was the outermost.
    pub const fn close(&mut self, bracket: u8, at: usize) -> Result<bool, JsonError> {
        if self.depth == 0 || self.kinds & 1 != is_brace(bracket) {
            return Err(JsonError::Malformed { at });
        }
        self.depth -= 1;
        self.kinds >>= 1;
        Ok(self.depth == 0)
    }

    pub const fn depth(&self) -> usize {
        self.depth
    }
}

/// Braces and square brackets differ in one bit, alike when opening and closing.
const fn is_brace(bracket: u8) -> u128 {
    (bracket >> 5 & 1) as u128
}

/// Bytes of the escape whose backslash stands before `at`, the backslash not counted.
pub(super) fn escape_len(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    match bytes.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(1),
        Some(b'u')
            if bytes
                .get(at + 1..at + 5)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
        {
            Ok(5)
        }
        _ => Err(JsonError::Malformed { at }),
    }
}

pub(super) fn string_end_by_bytes(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let mut at = start + 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let length =
            memchr::memchr2(b'"', b'\\', rest).ok_or(JsonError::Malformed { at: bytes.len() })?;
        if let Some(control) = rest[..length].iter().position(|&byte| byte < b' ') {
            return Err(JsonError::Malformed { at: at + control });
        }
        at += length + 1;
        if rest[length] == b'"' {
            return Ok(at);
        }
        at += escape_len(bytes, at)?;
    }
}

pub(super) fn container_end_by_bytes(
    bytes: &[u8],
    start: usize,
    depth_max: usize,
) -> Result<usize, JsonError> {
    let mut brackets = Brackets::new(depth_max);
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => brackets.open(byte)?,
            b'}' | b']' => {
                let is_outermost = brackets.close(byte, at)?;
                if is_outermost {
                    return Ok(at + 1);
                }
            }
            b'"' => {
                at = nested_string_end(bytes, at)?;
                continue;
            }
            b'\\' => return Err(JsonError::Malformed { at }),
            _ => {}
        }
        at += 1;
    }
    Err(JsonError::Malformed { at: bytes.len() })
}

/// As [`string_end`], but escapes are not judged: inside nested values nobody reads them here.
fn nested_string_end(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let mut at = start + 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let length =
            memchr::memchr2(b'"', b'\\', rest).ok_or(JsonError::Malformed { at: bytes.len() })?;
        if let Some(control) = rest[..length].iter().position(|&byte| byte < b' ') {
            return Err(JsonError::Malformed { at: at + control });
        }
        if rest[length] == b'"' {
            return Ok(at + length + 1);
        }
        if rest.get(length + 1).is_some_and(|&byte| byte < b' ') {
            return Err(JsonError::Malformed { at: at + length + 1 });
        }
        at += length + 2;
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};

    use super::{container_end_by_bytes, first_special, string_end_by_bytes};
    use crate::wire::json::blocks::Blocks;

    /// Bytes that mean something, often enough to nest, escape and end.
    fn document() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
        prop::collection::vec(
            prop::sample::select(b"\"\"\"\\\\\\[[{]]}}aaaaauu000/bfnrte \x01\xc3".to_vec()),
            0..300,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn the_first_special_of_a_word_is_the_first_of_its_bytes(bytes: [u8; 8]) {
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
            prop_assert_eq!(
                first_special(u64::from_le_bytes(bytes)),
                bytes.iter().position(special)
            );
        }

        #[test]
        fn blocks_skip_what_bytes_skip(
            tail in document(),
            is_string: bool,
            start in 0_usize..70,
            depth_max in 1_usize..20,
        ) {
            let Some(blocks) = Blocks::detect() else { return Ok(()) };
            let mut bytes = vec![b' '; start];
            bytes.push(if is_string { b'"' } else { b'[' });
            bytes.extend(tail);

            let (slow, fast) = if is_string {
                (string_end_by_bytes(&bytes, start), blocks.string_end(&bytes, start))
            } else {
                (
                    container_end_by_bytes(&bytes, start, depth_max),
                    blocks.container_end(&bytes, start, depth_max),
                )
            };

            prop_assert_eq!(slow.ok(), fast.ok());
        }
    }
}
