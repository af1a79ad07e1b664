//! Objects of strings, as callers send them in metadata headers.

use smallvec::SmallVec;
use std::borrow::Cow;

use crate::wire::json::JsonError;
use crate::wire::json::object::Members;
use crate::wire::json::value::read_str;

/// More members than any caller's metadata has; keys are compared each with each.
pub const FLAT_MEMBERS_MAX: usize = 64;

/// Key and value.
pub type Pair<'b> = (Cow<'b, str>, Cow<'b, str>);

/// As many as most callers send need no allocation.
pub type Pairs<'b> = SmallVec<[Pair<'b>; 8]>;

/// Why a document is no object of strings: which key, if one is to blame, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlatError {
    pub key: Option<String>,
    pub found: Found,
}

/// What stood where a string was wanted, or what is wrong with the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    NotJson,
    NotAnObject,
    /// The key was there before.
    Duplicate,
    /// More than [`FLAT_MEMBERS_MAX`].
    TooMany,
    Null,
    Boolean,
    Number,
    Array,
    Object,
    /// A string with a lone surrogate, which is no text.
    NotText,
}

impl Found {
    /// In words that complete "wanted a string, found …".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotJson => "malformed JSON",
            Self::NotAnObject => "something other than a JSON object",
            Self::Duplicate => "the key twice",
            Self::TooMany => "more than 64 keys",
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Array => "an array",
            Self::Object => "an object",
            Self::NotText => "a lone surrogate",
        }
    }
}

/// Reads an object whose values are all strings, in the order written.
///
/// **Shape**: `{"team":"search","env":"prod"}`. **Errors**: the first thing that is wrong.
/// **Cost**: no allocation for up to eight members; texts are borrowed unless they have escapes.
pub fn flat_strings(bytes: &[u8]) -> Result<Pairs<'_>, FlatError> {
    let mut members = Members::of(bytes).map_err(whole)?;
    let mut pairs = Pairs::new();
    while let Some((key, value)) = members.next().map_err(whole)? {
        let (key, raw) = (key.of(bytes), value.of(bytes));
        let key = read_str(key).ok_or(FlatError { key: None, found: Found::NotText })?;
        let blame = |found| FlatError { key: Some(key.to_string()), found };
        if pairs.iter().any(|(before, _)| *before == key) {
            return Err(blame(Found::Duplicate));
        }
        if pairs.len() == FLAT_MEMBERS_MAX {
            return Err(FlatError { key: None, found: Found::TooMany });
        }
        let value = read_str(raw).ok_or_else(|| blame(kind(raw)))?;
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn whole(error: JsonError) -> FlatError {
    let found = match error {
        JsonError::NotAnObject => Found::NotAnObject,
        _ => Found::NotJson,
    };
    FlatError { key: None, found }
}

fn kind(raw: &[u8]) -> Found {
    match raw.first() {
        Some(b'n') => Found::Null,
        Some(b't' | b'f') => Found::Boolean,
        Some(b'[') => Found::Array,
        Some(b'{') => Found::Object,
        Some(b'"') => Found::NotText,
        _ => Found::Number,
    }
}

#[cfg(test)]
mod tests {
    use super::{FLAT_MEMBERS_MAX, Found, flat_strings};

    fn check(text: &str, expected: &[(&str, &str)]) {
        let pairs = flat_strings(text.as_bytes()).expect(text);
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
        assert_eq!(pairs, expected);
    }

    fn refuse(text: &str, key: Option<&str>, found: Found) {
        let error = flat_strings(text.as_bytes()).expect_err(text);
        assert_eq!((error.key.as_deref(), error.found), (key, found), "{text}");
    }

    #[test]
    fn strings_are_read_in_order() {
        check("{}", &[]);
        check(r#" {"b":"1", "a\n":"é\u0021"} "#, &[("b", "1"), ("a\n", "é!")]);
    }

    #[test]
    fn the_key_to_blame_is_named() {
        refuse(r#"{"a":"x","b":1.5}"#, Some("b"), Found::Number);
        refuse(r#"{"a":null}"#, Some("a"), Found::Null);
        refuse(r#"{"a":false}"#, Some("a"), Found::Boolean);
        refuse(r#"{"a":["x"]}"#, Some("a"), Found::Array);
        refuse(r#"{"a":{"x":"y"}}"#, Some("a"), Found::Object);
        refuse(r#"{"a":"x","\u0061":"y"}"#, Some("a"), Found::Duplicate);
        refuse(r#"{"a":"\ud800"}"#, Some("a"), Found::NotText);
        refuse("[]", None, Found::NotAnObject);
        refuse(r#"{"a":"x""#, None, Found::NotJson);
        refuse("team=search", None, Found::NotAnObject);
    }

    #[test]
    fn members_are_bounded() {
        let text = |n: usize| {
            let members: Vec<_> = (0..n).map(|i| format!("\"k{i}\":\"\"")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(flat_strings(text(FLAT_MEMBERS_MAX).as_bytes()).is_ok());
        refuse(&text(FLAT_MEMBERS_MAX + 1), None, Found::TooMany);
    }
}
