//! A document parsed in full, read in place.
//!
//! One pass checks the whole grammar and notes where each value lies; nothing is copied and no text
//! is unescaped, so that what is read can be written into another document as it stands. The notes
//! are kept from parse to parse.
//!
//! simd-json, which judges this parser in tests, unescapes in place: text would have to be escaped
//! again on its way out, and the bytes of a client would not survive to be sent as they came.

mod parser;

use crate::wire::json::{JsonError, skip, value::read_str};
use parser::{Parser, has_paired_surrogates};
use std::{borrow::Cow, ops::Range};

/// Values in one document: no conversation has as many, and notes are larger than what they note.
pub const VALUES_MAX: usize = 1 << 20;

/// A guess, so that the notes of a usual request are one allocation.
const BYTES_PER_VALUE: usize = 16;
/// Large documents are long texts; their notes grow as they must.
const VALUES_FIRST: usize = 4_096;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

/// Where one value lies; the members of an object are key and value by turns.
#[derive(Clone, Copy, Debug)]
struct Note {
    start: u32,
    end: u32,
    /// The note behind this value and all that is in it.
    next: u32,
    kind: Kind,
    has_escapes: bool,
}

/// Room for the notes of one document at a time.
#[derive(Debug, Default)]
pub struct Document {
    notes: Vec<Note>,
}

impl Document {
    /// Parse a document of any kind, with only whitespace around it.
    ///
    /// **Errors**: see [`JsonError`]; `Malformed` also for lone surrogates, for numbers beyond what
    /// a double holds, and for more than [`VALUES_MAX`] values. Keys may come twice: who reads
    /// them judges that. **Cost**: one pass besides that for UTF-8; allocates only to grow the
    /// notes; no recursion.
    pub fn parse<'d, 'b>(&'d mut self, bytes: &'b [u8]) -> Result<Value<'d, 'b>, JsonError> {
        let text = simdutf8::basic::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
        if u32::try_from(bytes.len()).is_err() {
            return Err(JsonError::Malformed { at: u32::MAX as usize });
        }
        self.notes.clear();
        self.notes.reserve((bytes.len() / BYTES_PER_VALUE).min(VALUES_FIRST));
        Parser::new(bytes, &mut self.notes).document()?;
        Ok(Value { notes: &self.notes, text, at: 0 })
    }

    /// How large the memory is that is kept for the next one.
    #[must_use]
    pub const fn kept_bytes(&self) -> usize {
        self.notes.capacity() * size_of::<Note>()
    }
}

/// The inside of the string whose opening quote is at `start`, checked as of a whole document;
/// `None` of what is none.
#[must_use]
pub fn string_at(bytes: &[u8], start: usize) -> Option<&str> {
    let end = skip::string_end(bytes, start).ok()?;
    let inside = bytes.get(start + 1..end - 1)?;
    let has_escapes = memchr::memchr(b'\\', inside).is_some();
    if has_escapes && !has_paired_surrogates(inside) {
        return None;
    }
    simdutf8::basic::from_utf8(inside).ok()
}

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Value<'d, 'b> {
    notes: &'d [Note],
    text: &'b str,
    at: u32,
}

impl<'d, 'b> Value<'d, 'b> {
    #[must_use]
    pub fn kind(self) -> Kind {
        self.note().kind
    }

    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The whole document that it is of.
    #[must_use]
    pub const fn document(self) -> &'b str {
        self.text
    }

    /// Where it is written; of a string what is between the quotes.
    #[must_use]
    pub fn place(self) -> Range<usize> {
        let note = self.note();
        note.start as usize..note.end as usize
    }

    /// The value as it is written; of a string what is between the quotes.
    #[must_use]
    pub fn written(self) -> &'b str {
        let note = self.note();
        self.text.get(note.start as usize..note.end as usize).unwrap_or_default()
    }

    /// The value as it is written, quotes included.
    #[must_use]
    pub fn raw(self) -> &'b str {
        let note = self.note();
        let quote = usize::from(note.kind == Kind::String);
        self.text.get(note.start as usize - quote..note.end as usize + quote).unwrap_or_default()
    }

    /// The inside of a string, escaped as it was.
    #[must_use]
    pub fn escaped(self) -> Option<&'b str> {
        (self.kind() == Kind::String).then(|| self.written())
    }

    /// The text of a string; borrowed unless it has escapes.
    #[must_use]
    pub fn plain(self) -> Option<Cow<'b, str>> {
        let note = self.note();
        match note.kind {
            Kind::String if note.has_escapes => read_str(self.raw().as_bytes()),
            Kind::String => Some(Cow::Borrowed(self.written())),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Boolean).then(|| self.written() == "true")
    }

    /// A plain whole number.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        match self.kind() {
            Kind::Number => super::value::read_u64(self.written().as_bytes()),
            _ => None,
        }
    }

    /// A number as it is written.
    #[must_use]
    pub fn as_number(self) -> Option<&'b str> {
        (self.kind() == Kind::Number).then(|| self.written())
    }

    /// The members of an object in the order they are written; none of anything else.
    #[must_use]
    pub fn members(self) -> Members<'d, 'b> {
        let note = self.note();
        let is_object = note.kind == Kind::Object;
        let end = if is_object { note.next } else { self.at + 1 };
        Members { notes: self.notes, text: self.text, at: self.at + 1, end }
    }

    /// The elements of an array in order; none of anything else.
    #[must_use]
    pub fn items(self) -> Items<'d, 'b> {
        let note = self.note();
        let is_array = note.kind == Kind::Array;
        let end = if is_array { note.next } else { self.at + 1 };
        Items { notes: self.notes, text: self.text, at: self.at + 1, end }
    }

    /// The last member of this name that is not null.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        let own = self.note();
        if own.kind != Kind::Object {
            return None;
        }
        // One slice up to the end, so that each member takes one test of bounds.
        let notes = self.notes.get(..own.next as usize)?;
        let (mut at, mut found) = (self.at + 1, None);
        while let Some([key, value, ..]) = notes.get(at as usize..) {
            // Most names are told apart by their lengths.
            if ((key.end - key.start) as usize == name.len() || key.has_escapes)
                && value.kind != Kind::Null
                && self.reads(*key, name)
            {
                found = Some(at + 1);
            }
            at = value.next;
        }
        found.map(|at| Self { at, ..self })
    }

    /// Does the string of this note read so?
    fn reads(self, key: Note, wanted: &str) -> bool {
        let raw = self.text.as_bytes();
        if !key.has_escapes {
            return raw.get(key.start as usize..key.end as usize) == Some(wanted.as_bytes());
        }
        let quoted = raw.get(key.start as usize - 1..key.end as usize + 1).unwrap_or_default();
        read_str(quoted).is_some_and(|text| text == wanted)
    }

    #[inline]
    fn note(self) -> Note {
        // A value is only ever made of a note that is there.
        self.notes[self.at as usize]
    }
}

/// See [`Value::members`].
#[derive(Clone, Debug)]
pub struct Members<'d, 'b> {
    notes: &'d [Note],
    text: &'b str,
    at: u32,
    end: u32,
}

impl<'d, 'b> Iterator for Members<'d, 'b> {
    type Item = (Cow<'b, str>, Value<'d, 'b>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let key = Value { notes: self.notes, text: self.text, at: self.at };
        let value = Value { notes: self.notes, text: self.text, at: self.at + 1 };
        self.at = value.note().next;
        Some((key.plain().unwrap_or_default(), value))
    }
}

/// See [`Value::items`].
#[derive(Clone, Debug)]
pub struct Items<'d, 'b> {
    notes: &'d [Note],
    text: &'b str,
    at: u32,
    end: u32,
}

impl<'d, 'b> Iterator for Items<'d, 'b> {
    type Item = Value<'d, 'b>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let value = Value { notes: self.notes, text: self.text, at: self.at };
        self.at = value.note().next;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, Kind, VALUES_MAX};
    use crate::wire::json::{DEPTH_MAX, JsonError};
    use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};

    #[test]
    fn values_are_read_in_place() {
        let mut document = Document::default();
        let body =
            br#" {"a":[1, "x\n\u00e9", {"b":null}],"c\u0064":true , "n":-1.5e2,"e":{},"f":[]} "#;

        let root = document.parse(body).expect("valid");

        let names: Vec<_> = root.members().map(|(key, _)| key.into_owned()).collect();
        assert_eq!(names, ["a", "cd", "n", "e", "f"]);
        let items: Vec<_> = root.get("a").expect("there").items().collect();
        assert_eq!(items[0].as_u64(), Some(1));
        assert_eq!(items[1].escaped(), Some(r"x\n\u00e9"));
        assert_eq!(items[1].plain().as_deref(), Some("x\né"));
        assert_eq!(items[1].raw(), r#""x\n\u00e9""#);
        assert_eq!(items[2].raw(), r#"{"b":null}"#);
        assert!(items[2].get("b").is_none());
        assert_eq!(root.get("cd").and_then(super::Value::as_bool), Some(true));
        assert_eq!(root.get("n").and_then(super::Value::as_number), Some("-1.5e2"));
        assert_eq!(root.get("e").map(|e| (e.kind(), e.members().count())), Some((Kind::Object, 0)));
        assert_eq!(root.get("f").map(|f| f.items().count()), Some(0));
    }

    #[test]
    fn what_no_reader_could_take_is_refused() {
        let mut document = Document::default();
        for bad in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{1:2}",
            "[1}",
            "{\"a\":1]",
            "[01]",
            "nul",
            "[NaN]",
            "[Infinity]",
            "[1e999]",
            "[-1e999]",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\q\"",
            "\"\\ud800\\u0041\"",
            "\"a\nb\"",
            "{}{}",
            "[1 2]",
            "'a'",
            "[\"a]",
        ] {
            assert!(document.parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(document.parse(b"\"\xff\"").is_err_and(|error| error == JsonError::NotUtf8));
        for good in ["\"\\ud83d\\ude00\"", "[1e308]", "\"\\\\ud800\"", "0", "null", "[[],{}]"] {
            assert!(document.parse(good.as_bytes()).is_ok(), "{good}");
        }
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        let mut document = Document::default();
        let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(document.parse(nest(DEPTH_MAX).as_bytes()).is_ok());
        let deep = document.parse(nest(DEPTH_MAX + 1).as_bytes()).err();
        assert_eq!(deep, Some(JsonError::TooDeep));
        let many = |n: usize| format!("[{}]", vec!["0"; n - 1].join(","));
        assert!(document.parse(many(VALUES_MAX).as_bytes()).is_ok());
        assert!(document.parse(many(VALUES_MAX + 1).as_bytes()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn what_simd_json_takes_is_taken_and_no_more(
            bytes in prop::collection::vec(
                prop::sample::select(b"{}[]\"\"\",,::0123.eE-+ \\untrfalse\xc3\xa9d8c".to_vec()), 0..40),
        ) {
            let ours = Document::default().parse(&bytes).is_ok();

            let mut copy = bytes.clone();
            let theirs = simd_json::to_borrowed_value(&mut copy).is_ok();

            prop_assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
