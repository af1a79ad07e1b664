//! Looking for members in a document that arrives in pieces and is not kept.
//!
//! A reply passes through while we read its `usage` or `error`. The finder follows brackets and
//! strings from piece to piece, and copies out the raw values of the keys it was told to look for
//! at the top level.

use crate::wire::json::DEPTH_MAX;
use crate::wire::json::object::{index_of, is_space};
use crate::wire::json::skip::Brackets;

/// What one value may measure to be kept. Usage blocks have hundreds of bytes.
pub const CAPTURE_BYTES_MAX: usize = 64 << 10;

/// Longer keys are not looked for; with all six bytes of each escape counted.
const KEY_BYTES_MAX: usize = 256;

/// Where the finder is in the document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first bracket.
    #[default]
    Before,
    /// Between tokens, or in a number or word.
    Between,
    InString,
    /// Behind a backslash.
    InEscape,
    After,
    Broken,
}

/// What became of a value that was looked for.
#[derive(Clone, Debug, Default)]
struct Capture {
    bytes: Vec<u8>,
    state: Kept,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kept {
    #[default]
    Nothing,
    /// The value is being read.
    Open,
    Whole,
    TooLarge,
}

/// Searches one document for the values of `N` top-level keys.
///
/// A key that comes twice counts with its last value. Brackets must match and strings end, no more
/// is checked. **Bounds**: [`CAPTURE_BYTES_MAX`] a key. **Cost**: one pass, `memchr` inside
/// strings; allocates only what it captures.
pub struct Finder<const N: usize> {
    keys: [&'static str; N],
    captures: [Capture; N],
    state: State,
    brackets: Brackets,
    starts_with_object: bool,
    /// At the top level of an object: a key comes before a colon, a value behind it.
    is_at_key: bool,
    /// The raw key in work, quotes included.
    key: Vec<u8>,
    is_in_key: bool,
    /// The wanted key whose value comes or is being read.
    wanted: Option<usize>,
}

impl<const N: usize> Finder<N> {
    #[must_use]
    pub fn new(keys: [&'static str; N]) -> Self {
        Self {
            keys,
            captures: std::array::from_fn(|_| Capture::default()),
            state: State::default(),
            brackets: Brackets::new(DEPTH_MAX),
            starts_with_object: false,
            is_at_key: false,
            key: Vec::new(),
            is_in_key: false,
            wanted: None,
        }
    }

    /// Reads the next piece of the document, however it was cut.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut at = 0;
        // What of this piece has gone to the open capture or key.
        let mut kept = 0;
        while let Some(&byte) = piece.get(at) {
            match self.state {
                State::Broken => return,
                State::InString => {
                    let Some(length) = memchr::memchr2(b'"', b'\\', &piece[at..]) else { break };
                    at += length;
                    let is_end = piece[at] == b'"';
                    self.state = if is_end { State::Between } else { State::InEscape };
                    at += 1;
                    if is_end && self.is_in_key {
                        self.keep(&piece[kept..at]);
                        self.is_in_key = false;
                    }
                    continue;
                }
                State::InEscape => self.state = State::InString,
                State::Before | State::After => self.around(byte),
                State::Between => {
                    if self.brackets.depth() == 1 && self.ends_value(byte) {
                        self.keep(&piece[kept..at]);
                        self.close_capture();
                    }
                    if self.between(byte, at) {
                        kept = at + usize::from(byte == b':');
                    }
                }
            }
            at += 1;
        }
        self.keep(&piece[kept..]);
    }

    /// The raw value of a key by its index, once it was read to its end.
    #[must_use]
    pub fn value(&self, index: usize) -> Option<&[u8]> {
        let capture = self.captures.get(index)?;
        (capture.state == Kept::Whole).then(|| capture.bytes.trim_ascii())
    }

    /// The value is there but larger than [`CAPTURE_BYTES_MAX`].
    #[must_use]
    pub fn is_too_large(&self, index: usize) -> bool {
        self.captures.get(index).is_some_and(|capture| capture.state == Kept::TooLarge)
    }

    /// The pieces so far are one object or array, complete, and nothing but whitespace around it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::After
    }

    /// The first byte that is no whitespace was a brace.
    #[must_use]
    pub const fn starts_with_object(&self) -> bool {
        self.starts_with_object
    }

    /// A byte before or after the document.
    fn around(&mut self, byte: u8) {
        if is_space(byte) {
            return;
        }
        let is_start = self.state == State::Before && matches!(byte, b'{' | b'[');
        if !is_start || self.brackets.open(byte).is_err() {
            self.state = State::Broken;
            return;
        }
        self.state = State::Between;
        self.starts_with_object = byte == b'{';
        self.is_at_key = self.starts_with_object;
    }

    /// A byte between tokens; `true` when keeping starts here.
    fn between(&mut self, byte: u8, at: usize) -> bool {
        let is_top = self.brackets.depth() == 1 && self.starts_with_object;
        match byte {
            b'"' => {
                self.state = State::InString;
                self.is_in_key = is_top && self.is_at_key;
                if self.is_in_key {
                    self.key.clear();
                }
                return self.is_in_key;
            }
            b':' if is_top && self.is_at_key => {
                self.is_at_key = false;
                self.wanted = index_of(&self.key, &self.keys);
                self.key.clear();
                return self.open_capture();
            }
            b',' if is_top => self.is_at_key = true,
            b'{' | b'[' => {
                let opened = self.brackets.open(byte);
                if opened.is_err() {
                    self.state = State::Broken;
                }
            }
            b'}' | b']' => match self.brackets.close(byte, at) {
                Ok(true) => self.state = State::After,
                Ok(false) => {}
                Err(_) => self.state = State::Broken,
            },
            b'\\' => self.state = State::Broken,
            _ => {}
        }
        false
    }

    const fn ends_value(&self, byte: u8) -> bool {
        self.wanted.is_some() && matches!(byte, b',' | b'}' | b']')
    }

    fn open_capture(&mut self) -> bool {
        let Some(capture) = self.wanted.and_then(|index| self.captures.get_mut(index)) else {
            return false;
        };
        capture.bytes.clear();
        capture.state = Kept::Open;
        true
    }

    fn close_capture(&mut self) {
        let wanted = self.wanted.take();
        if let Some(capture) = wanted.and_then(|index| self.captures.get_mut(index))
            && capture.state == Kept::Open
        {
            capture.state = Kept::Whole;
        }
    }

    /// Keeps bytes of the key or value in work, if there is one.
    fn keep(&mut self, bytes: &[u8]) {
        if self.is_in_key {
            // One byte beyond the bound marks a key as too long to be any of ours.
            let room = (KEY_BYTES_MAX + 1).saturating_sub(self.key.len());
            self.key.extend_from_slice(&bytes[..bytes.len().min(room)]);
        } else if let Some(capture) = self.wanted.and_then(|index| self.captures.get_mut(index))
            && capture.state == Kept::Open
        {
            if capture.bytes.len() + bytes.len() > CAPTURE_BYTES_MAX {
                *capture = Capture { bytes: Vec::new(), state: Kept::TooLarge };
            } else {
                capture.bytes.extend_from_slice(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPTURE_BYTES_MAX, Finder};

    /// Values of `usage` and `error`, and whether the document is complete; whole and in pieces.
    fn check(document: &str, expected: [Option<&str>; 2], is_complete: bool) {
        for size in [document.len().max(1), 1, 2, 3, 7] {
            let mut finder = Finder::new(["usage", "error"]);
            for piece in document.as_bytes().chunks(size) {
                finder.feed(piece);
            }
            let found = [finder.value(0), finder.value(1)];
            assert_eq!(found, expected.map(|v| v.map(str::as_bytes)), "{document} by {size}");
            assert_eq!(finder.is_complete(), is_complete, "{document} by {size}");
            assert_eq!(finder.starts_with_object(), document.trim_start().starts_with('{'));
        }
    }

    #[test]
    fn values_of_the_top_level_are_captured() {
        check(
            r#"{"usage": {"a":[1,"}"]} ,"x":{"error":1}}"#,
            [Some(r#"{"a":[1,"}"]}"#), None],
            true,
        );
        check(
            r#" {"error" : "a\"b\\" , "usage":null} "#,
            [Some("null"), Some(r#""a\"b\\""#)],
            true,
        );
        check(r#"{"\u0075sage":12}"#, [Some("12"), None], true);
        check(r#"{"usage":1,"x":"usage","usage":{"b":2}}"#, [Some(r#"{"b":2}"#), None], true);
        check(r#"["usage",{"usage":1}]"#, [None, None], true);
    }

    #[test]
    fn a_document_cut_short_or_followed_by_more_is_not_complete() {
        check(r#"{"usage":{"a":1},"error":{"b""#, [Some(r#"{"a":1}"#), None], false);
        check(r#"{"usage":1"#, [None, None], false);
        check(r#"{"usage":1}{}"#, [Some("1"), None], false);
        check(r#"{"usage":[1}}"#, [None, None], false);
        check("", [None, None], false);
        check("<html>{}", [None, None], false);
        check("\"text\"", [None, None], false);
    }

    #[test]
    fn a_capture_is_bounded() {
        let document = |n: usize| format!("{{\"usage\":\"{}\",\"error\":1}}", "x".repeat(n - 2));
        for (length, is_kept) in [(CAPTURE_BYTES_MAX, true), (CAPTURE_BYTES_MAX + 1, false)] {
            let mut finder = Finder::new(["usage", "error"]);
            for piece in document(length).as_bytes().chunks(1000) {
                finder.feed(piece);
            }
            assert_eq!(finder.value(0).is_some(), is_kept);
            assert_eq!(finder.is_too_large(0), !is_kept);
            assert_eq!(finder.value(1), Some(b"1".as_slice()));
        }
    }

    #[test]
    fn a_long_key_is_no_key_of_ours() {
        let document = format!("{{\"{}\":1,\"usage\":2}}", "usage".repeat(1000));
        check(&document, [Some("2"), None], true);
    }
}
