//! Words and values as they were written.

use crate::wire::json::{
    document::{Kind, Value},
    value::{push_json_string, read_str},
};
use std::borrow::Cow;

/// What the signature of thinking begins with that only a vendor of the Responses API can read;
/// other vendors answer 400 to it.
pub const RESPONSES_SEAL: &str = "responses.";

/// A text. It is equal to another if it reads the same, however it is written.
#[derive(Clone, Debug)]
pub enum Text<'b> {
    /// The inside of a JSON string, escaped as it came, and checked.
    Escaped(&'b str),
    /// As a person reads it.
    Plain(Cow<'b, str>),
}

impl<'b> Text<'b> {
    /// The text of a JSON string; `None` of any other value.
    #[must_use]
    pub fn of(value: Value<'_, 'b>) -> Option<Self> {
        value.escaped().map(Self::Escaped)
    }

    #[must_use]
    pub const fn plain(text: &'b str) -> Self {
        Self::Plain(Cow::Borrowed(text))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Escaped(text) => text.is_empty(),
            Self::Plain(text) => text.is_empty(),
        }
    }

    /// Is it a signature under [`RESPONSES_SEAL`]?
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        match self {
            Self::Escaped(text) => text.starts_with(RESPONSES_SEAL),
            Self::Plain(text) => text.starts_with(RESPONSES_SEAL),
        }
    }

    /// As a person reads it; borrowed unless it has escapes.
    #[must_use]
    pub fn read(&self) -> Cow<'_, str> {
        match self {
            Self::Escaped(text) => unescape(text),
            Self::Plain(text) => Cow::Borrowed(text),
        }
    }

    /// Append it as a JSON string, quotes included.
    pub fn push(&self, out: &mut Vec<u8>) {
        match self {
            Self::Escaped(text) => {
                out.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            }
            Self::Plain(text) => push_json_string(out, text),
        }
    }

    /// Append what is between the quotes of it as a JSON string.
    pub fn push_inside(&self, out: &mut Vec<u8>) {
        match self {
            Self::Escaped(text) => out.extend_from_slice(text.as_bytes()),
            Self::Plain(text) => push_escaped(out, text),
        }
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Escaped("")
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.read() == other.read()
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.read() == other
    }
}

/// A JSON value as it was written: checked, and not ours to understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json<'b>(pub Cow<'b, str>);

impl<'b> Json<'b> {
    #[must_use]
    pub fn of(value: Value<'_, 'b>) -> Self {
        Self(Cow::Borrowed(value.raw()))
    }

    pub fn push(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }
}

/// What a tool is called with: some dialects say it as a value, some as a text that holds one.
#[derive(Clone, Debug)]
pub enum Arguments<'b> {
    Value(Json<'b>),
    Text(Text<'b>),
}

impl Arguments<'_> {
    /// Append them as the text of a JSON string, quotes included.
    pub fn push_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => text.push(out),
            Self::Value(json) => push_json_string(out, &json.0),
        }
    }

    /// Append them as an object; false, with nothing appended, where they are none.
    ///
    /// A tool called with no words at all is called with `{}`.
    pub fn push_object(&self, out: &mut Vec<u8>) -> bool {
        let written = self.read();
        let object = written.trim_ascii();
        if object.is_empty() {
            out.extend_from_slice(b"{}");
            return true;
        }
        let is_object = match self {
            Self::Value(_) => object.starts_with('{'),
            Self::Text(_) => {
                let mut document = crate::wire::json::document::Document::default();
                let parsed = document.parse(object.as_bytes());
                parsed.is_ok_and(|value| value.kind() == Kind::Object)
            }
        };
        if is_object {
            out.extend_from_slice(object.as_bytes());
        }
        is_object
    }

    /// The JSON that they are, or were meant to be.
    #[must_use]
    pub fn read(&self) -> Cow<'_, str> {
        match self {
            Self::Value(json) => Cow::Borrowed(&json.0),
            Self::Text(text) => text.read(),
        }
    }
}

impl PartialEq for Arguments<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.read() == other.read()
    }
}

impl Eq for Arguments<'_> {}

/// Append the inside of the JSON string that holds a text.
pub fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let at = out.len();
    push_json_string(out, text);
    out.pop();
    // The quote in front: texts that are not escaped yet are short.
    out.remove(at);
}

/// The text that the inside of a JSON string means; borrowed where nothing is escaped.
#[must_use]
pub fn unescape(inside: &str) -> Cow<'_, str> {
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let quoted = format!("\"{inside}\"");
    let text = read_str(quoted.as_bytes()).unwrap_or_default().into_owned();
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Json, Text};

    #[test]
    fn a_text_is_what_it_reads_and_is_written_as_it_came() {
        let escaped = Text::Escaped(r"a\u0062\n");
        assert_eq!(escaped, Text::plain("ab\n"));
        let mut out = Vec::new();
        escaped.push(&mut out);
        Text::plain("ab\n").push(&mut out);
        Text::plain("\"").push_inside(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), r#""a\u0062\n""ab\n"\""#);
    }

    #[test]
    fn arguments_are_an_object_here_and_a_text_there() {
        let check = |arguments: Arguments<'_>, text: &str, object: Option<&str>| {
            let mut out = Vec::new();
            arguments.push_text(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
            out.clear();
            let is_object = arguments.push_object(&mut out);
            assert_eq!(
                is_object.then(|| String::from_utf8_lossy(&out).into_owned()).as_deref(),
                object
            );
        };
        let value = |json: &'static str| Arguments::Value(Json(json.into()));
        check(value(r#"{"a":"\n"}"#), r#""{\"a\":\"\\n\"}""#, Some(r#"{"a":"\n"}"#));
        let text = |text: &'static str| Arguments::Text(Text::Escaped(text));
        check(text(r#"{\"a\":1}"#), r#""{\"a\":1}""#, Some(r#"{"a":1}"#));
        check(text(""), r#""""#, Some("{}"));
        check(text("[1]"), r#""[1]""#, None);
        check(text(r#"{\"a\":"#), r#""{\"a\":""#, None);
    }
}
