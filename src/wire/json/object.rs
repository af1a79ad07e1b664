//! Finding members of an object: which value lies where.
//!
//! ```text
//! object = ws "{" ws [ member *( "," member ) ] "}" ws      member = ws string ws ":" ws value ws
//! ```
//!
//! At the top level the grammar is checked in full; inside nested values as `json/mod.rs` says.

use crate::wire::json::value::{is_scalar, read_str};
use crate::wire::json::{DEPTH_MAX, JsonError, skip};
use crate::wire::span::Span;

/// What was found: for each wanted key the span of its raw value, quotes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<const N: usize> {
    pub values: [Option<Span>; N],
    /// Where the closing brace is: new members go before it.
    pub end: usize,
    /// There is no member at all, so a new one needs no comma.
    pub is_empty: bool,
}

/// Looks for members of the object that `bytes` is, with only whitespace around it.
///
/// A key written with escapes is the same key. To look into a nested object, scan its span.
///
/// **Errors**: see [`JsonError`]; `Duplicate` for wanted keys only. **Cost**: two passes over the
/// bytes, 64 at a time where the processor can; no allocation unless a key has escapes.
pub fn scan_object<const N: usize>(bytes: &[u8], keys: &[&str; N]) -> Result<Object<N>, JsonError> {
    look(Members::of(bytes)?, bytes, keys)
}

/// The same for a nested object, whose bytes are a span of a document that was looked at: that they
/// are UTF-8 is known.
pub fn scan_nested<const N: usize>(bytes: &[u8], keys: &[&str; N]) -> Result<Object<N>, JsonError> {
    look(Members::of_text(bytes)?, bytes, keys)
}

/// The same for the members from one on whose key is at `at`, to the end of object and bytes.
///
/// What stands before is taken for granted, but that a member can begin there.
pub fn scan_members_from<const N: usize>(
    bytes: &[u8],
    at: usize,
    keys: &[&str; N],
) -> Result<Object<N>, JsonError> {
    look(Members::from(bytes, at)?, bytes, keys)
}

fn look<const N: usize>(
    mut members: Members<'_>,
    bytes: &[u8],
    keys: &[&str; N],
) -> Result<Object<N>, JsonError> {
    let mut values = [None; N];
    let mut is_empty = true;
    while let Some((key, value)) = members.next()? {
        is_empty = false;
        if let Some(index) = index_of(key.of(bytes), keys)
            && values[index].replace(value).is_some()
        {
            return Err(JsonError::Duplicate(index));
        }
    }
    Ok(Object { values, end: members.end, is_empty })
}

/// Which of the keys a raw one is.
pub(super) fn index_of(raw: &[u8], keys: &[&str]) -> Option<usize> {
    let text = raw.get(1..raw.len().saturating_sub(1))?;
    let plain = keys.iter().position(|wanted| wanted.as_bytes() == text);
    // Keys are too short for a searcher to be worth its call.
    if plain.is_none() && text.contains(&b'\\') {
        let key = read_str(raw)?;
        return keys.iter().position(|wanted| *wanted == key);
    }
    plain
}

/// The members of an object one by one, in the order they are written.
pub(super) struct Members<'b> {
    bytes: &'b [u8],
    at: usize,
    /// The closing brace, once all members were given.
    pub end: usize,
    is_first: bool,
}

impl<'b> Members<'b> {
    /// **Errors**: not UTF-8, or no object.
    pub fn of(bytes: &'b [u8]) -> Result<Self, JsonError> {
        simdutf8::basic::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
        Self::of_text(bytes)
    }

    /// **Errors**: no object.
    fn of_text(bytes: &'b [u8]) -> Result<Self, JsonError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(JsonError::Malformed { at: u32::MAX as usize });
        }
        let at = after_space(bytes, 0);
        if bytes.get(at) != Some(&b'{') {
            return Err(JsonError::NotAnObject);
        }
        Ok(Self { bytes, at: at + 1, end: 0, is_first: true })
    }

    /// **Errors**: not UTF-8 from there on, or no member can begin there.
    pub fn from(bytes: &'b [u8], at: usize) -> Result<Self, JsonError> {
        let (before, rest) = bytes.split_at_checked(at).ok_or(JsonError::Malformed { at })?;
        simdutf8::basic::from_utf8(rest).map_err(|_| JsonError::NotUtf8)?;
        let is_begin = matches!(before.trim_ascii_end().last(), Some(b'{' | b','));
        if !is_begin || u32::try_from(bytes.len()).is_err() {
            return Err(JsonError::Malformed { at });
        }
        Ok(Self { bytes, at, end: 0, is_first: true })
    }

    /// Key and value, both raw; `None` after the last, when only whitespace followed the object.
    pub fn next(&mut self) -> Result<Option<(Span, Span)>, JsonError> {
        if self.end > 0 {
            return Ok(None);
        }
        self.at = after_space(self.bytes, self.at);
        match self.bytes.get(self.at) {
            Some(b'}') => {
                self.end = self.at;
                self.at = after_space(self.bytes, self.at + 1);
                let is_whole = self.at == self.bytes.len();
                return is_whole.then_some(None).ok_or(self.malformed());
            }
            Some(b',') if !self.is_first => self.at = after_space(self.bytes, self.at + 1),
            Some(_) if self.is_first => {}
            _ => return Err(self.malformed()),
        }
        self.is_first = false;
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.malformed());
        }
        let key_end = skip::string_end(self.bytes, self.at)?;
        let key = self.span(self.at, key_end)?;
        self.at = after_space(self.bytes, key_end);
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.malformed());
        }
        let start = after_space(self.bytes, self.at + 1);
        self.at = start;
        self.at = self.value_end()?;
        Ok(Some((key, self.span(start, self.at)?)))
    }

    /// The offset behind the value at `self.at`.
    fn value_end(&self) -> Result<usize, JsonError> {
        match self.bytes.get(self.at) {
            Some(b'"') => skip::string_end(self.bytes, self.at),
            Some(b'{' | b'[') => skip::container_end(self.bytes, self.at, DEPTH_MAX - 1),
            _ => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                // A whole number, as counts are; its end is judged by whoever goes on from there.
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                if matches!(rest.get(digits), Some(b',' | b'}'))
                    && (digits == 1 || (digits > 1 && rest[0] != b'0'))
                {
                    return Ok(self.at + digits);
                }
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || is_space(*byte);
                let length = rest.iter().position(ends).unwrap_or(rest.len());
                is_scalar(&rest[..length]).then_some(self.at + length).ok_or(self.malformed())
            }
        }
    }

    fn span(&self, start: usize, end: usize) -> Result<Span, JsonError> {
        Span::new(start, end).ok_or(self.malformed())
    }

    const fn malformed(&self) -> JsonError {
        JsonError::Malformed { at: self.at }
    }
}

#[inline]
fn after_space(bytes: &[u8], at: usize) -> usize {
    // Most documents are sent without any.
    if bytes.get(at).is_some_and(|byte| !is_space(*byte)) {
        return at;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| !is_space(byte)).unwrap_or(rest.len())
}

/// JSON's four.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::{Object, scan_object};
    use crate::wire::json::{DEPTH_MAX, JsonError};

    const KEYS: [&str; 3] = ["model", "stream", "user"];

    fn check(body: &str, expected: [&str; 3]) {
        let object = scan_object(body.as_bytes(), &KEYS).expect(body);
        let found = object.values.map(|v| v.map_or("", |v| &body[v.range()]));
        assert_eq!(found, expected, "{body}");
        assert_eq!(&body[object.end..=object.end], "}");
    }

    fn refuse(body: &[u8], expected: JsonError) {
        assert_eq!(scan_object(body, &KEYS), Err(expected), "{}", String::from_utf8_lossy(body));
    }

    #[test]
    fn wanted_members_are_found_among_others() {
        check(r#"{"model":"a","x":[{"model":"b"}],"stream":true}"#, [r#""a""#, "true", ""]);
        check(" {\t\"user\" :\r\n null , \"model\": 1e3 } \n", ["1e3", "", "null"]);
        check(r#"{"x":"\"}{","user":{"a":[1,"]"]}}"#, ["", "", r#"{"a":[1,"]"]}"#]);
        check(r#"{"mod\u0065l":"é"}"#, ["\"é\"", "", ""]);
        let empty = scan_object(b" { } ", &KEYS);
        assert_eq!(empty, Ok(Object { values: [None; 3], end: 3, is_empty: true }));
    }

    #[test]
    fn a_wanted_key_may_come_once_however_it_is_written() {
        refuse(br#"{"model":1,"model":1}"#, JsonError::Duplicate(0));
        refuse(br#"{"user":1,"\u0075ser":2}"#, JsonError::Duplicate(2));
        check(r#"{"x":1,"x":2,"stream":3}"#, ["", "3", ""]);
    }

    #[test]
    fn broken_documents_are_refused_where_they_break() {
        for not_object in ["", " ", "[]", "\"a\"", "null"] {
            refuse(not_object.as_bytes(), JsonError::NotAnObject);
        }
        refuse(b"{\"a\":\"\xff\"}", JsonError::NotUtf8);
        for (body, at) in [
            ("{", 1),
            ("{}x", 2),
            ("{,}", 1),
            ("{\"a\":1,}", 7),
            ("{\"a\" 1}", 5),
            ("{\"a\":}", 5),
            ("{\"a\":01}", 5),
            ("{\"a\":tru}", 5),
            ("{\"a\":1 2}", 7),
            ("{a:1}", 1),
            ("{\"a\":[}}", 6),
            ("{\"a\":\"b}", 8),
            ("{\"a\":\"\\q\"}", 7),
            ("{\"a\":\"\n\"}", 6),
            ("{\"a\":[\"\n\"]}", 7),
            ("{\"a\":1]", 6),
            ("{\"a\":[1", 7),
            ("{\"a\":NaN}", 5),
            ("{1:1}", 1),
            ("{} {}", 3),
        ] {
            refuse(body.as_bytes(), JsonError::Malformed { at });
        }
    }

    #[test]
    fn depth_is_bounded_and_costs_no_stack() {
        let nest = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        check(&nest(DEPTH_MAX - 1), ["", "", ""]);
        refuse(nest(DEPTH_MAX).as_bytes(), JsonError::TooDeep);
        refuse(nest(100_000).as_bytes(), JsonError::TooDeep);
    }
}
