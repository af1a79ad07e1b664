//! A call whose words come piece by piece: the object is written as its pieces are named.
//!
//! ```text
//! {"name":"f","willContinue":true}
//! {"partialArgs":[{"jsonPath":"$.a[0].b","stringValue":"x","willContinue":true}],
//!  "willContinue":true}                                           *
//! {}                                                             the end
//! ```
//! Pieces are told depth first, in the order of the object that they make: one that goes back into
//! a value or to an earlier element cannot be written any more, and is malformed.
//! **Source**: docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling,
//! "Streaming function call arguments", read 2026-11-21, and recorded traffic.

use crate::{
    dialect::pivot::delta::Malformed,
    wire::json::{document::Value, value::push_json_string},
};
use std::borrow::Cow;

/// As deep as any document that we read.
const DEPTH_MAX: usize = 128;

/// The object so far.
#[derive(Debug, Default)]
pub struct Partial {
    /// Where the last value stands: each step opens what it stands in.
    path: Vec<Step>,
    has_begun: bool,
    is_in_string: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(u64),
}

impl Partial {
    /// Append what the pieces of one event add to the object's text.
    ///
    /// # Errors
    /// `Malformed`: a path that is none, or that leads back.
    pub fn push(&mut self, out: &mut Vec<u8>, pieces: Value<'_, '_>) -> Result<(), Malformed> {
        for piece in pieces.items() {
            let path = piece.get("jsonPath").and_then(Value::plain).ok_or(Malformed)?;
            let path = steps(&path).ok_or(Malformed)?;
            let continues = self.is_in_string && path == self.path;
            if !continues {
                self.turn_to(out, path)?;
            }
            self.value(out, piece, continues)?;
        }
        Ok(())
    }

    /// Append what closes the object.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.close_string(out);
        if !self.has_begun {
            return out.extend_from_slice(b"{}");
        }
        while let Some(step) = self.path.pop() {
            out.push(close(&step));
        }
    }

    fn value(
        &mut self,
        out: &mut Vec<u8>,
        piece: Value<'_, '_>,
        continues: bool,
    ) -> Result<(), Malformed> {
        if let Some(text) = piece.get("stringValue").and_then(Value::escaped) {
            if !continues {
                out.push(b'"');
                self.is_in_string = true;
            }
            out.extend_from_slice(text.as_bytes());
            if piece.get("willContinue").and_then(Value::as_bool) != Some(true) {
                self.close_string(out);
            }
            return Ok(());
        }
        if continues {
            return Err(Malformed);
        }
        let other = ["numberValue", "boolValue"].iter().find_map(|name| piece.get(name));
        match other {
            Some(value) => out.extend_from_slice(value.raw().as_bytes()),
            None => out.extend_from_slice(b"null"),
        }
        Ok(())
    }

    fn close_string(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.is_in_string) {
            out.push(b'"');
        }
    }

    fn turn_to(&mut self, out: &mut Vec<u8>, path: Vec<Step>) -> Result<(), Malformed> {
        self.close_string(out);
        let shared = self.path.iter().zip(&path).take_while(|(one, other)| one == other).count();
        // The same place again, or one inside of what was a value.
        if self.has_begun && (shared == path.len() || shared == self.path.len()) {
            return Err(Malformed);
        }
        if !self.has_begun && !matches!(path.first(), Some(Step::Name(_))) {
            return Err(Malformed);
        }
        while self.path.len() > shared + 1 {
            if let Some(step) = self.path.pop() {
                out.push(close(&step));
            }
        }
        let mut opened = self.path.len().min(shared);
        if self.has_begun {
            let (known, next) = (&self.path[shared], &path[shared]);
            let is_onward = match (known, next) {
                (Step::Index(known), Step::Index(next)) => *next == known + 1,
                (Step::Name(_), Step::Name(_)) => true,
                _ => false,
            };
            if !is_onward {
                return Err(Malformed);
            }
            out.push(b',');
            push_name(out, next);
            opened += 1;
        }
        for step in &path[opened..] {
            match step {
                Step::Name(_) => out.push(b'{'),
                Step::Index(0) => out.push(b'['),
                Step::Index(_) => return Err(Malformed),
            }
            push_name(out, step);
        }
        self.has_begun = true;
        self.path = path;
        Ok(())
    }
}

const fn close(step: &Step) -> u8 {
    match step {
        Step::Name(_) => b'}',
        Step::Index(_) => b']',
    }
}

fn push_name(out: &mut Vec<u8>, step: &Step) {
    if let Step::Name(name) = step {
        push_json_string(out, name);
        out.push(b':');
    }
}

/// `$.recipe.steps[8]` and `$['odd name']`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == DEPTH_MAX {
            return None;
        }
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            steps.push(Step::Name(name[..end].to_owned()));
            rest = &name[end..];
            continue;
        }
        let inside = rest.strip_prefix('[')?;
        let quote = inside.chars().next().filter(|first| matches!(first, '\'' | '"'));
        if let Some(quote) = quote {
            let (name, behind) = quoted(&inside[1..], quote)?;
            steps.push(Step::Name(name.into_owned()));
            rest = behind.strip_prefix(']')?;
        } else {
            let (digits, behind) = inside.split_once(']')?;
            steps.push(Step::Index(digits.parse().ok()?));
            rest = behind;
        }
    }
    Some(steps).filter(|steps| !steps.is_empty())
}

/// A name up to its closing quote, which a backslash may escape.
fn quoted(text: &str, quote: char) -> Option<(Cow<'_, str>, &str)> {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            letter if letter == quote => {
                let name = &text[..at];
                let plain = if name.contains('\\') {
                    Cow::Owned(name.replace(&format!("\\{quote}"), &quote.to_string()))
                } else {
                    Cow::Borrowed(name)
                };
                return Some((plain, &text[at + 1..]));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Partial;
    use crate::{dialect::pivot::delta::Malformed, wire::json::document::Document};

    fn written(pieces: &[&str]) -> Result<String, Malformed> {
        let (mut partial, mut out) = (Partial::default(), Vec::new());
        for piece in pieces {
            let text = format!("[{piece}]");
            let mut document = Document::default();
            partial.push(&mut out, document.parse(text.as_bytes()).expect("valid"))?;
        }
        partial.end(&mut out);
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn fault_20_pieces_of_a_call_become_the_object_that_they_name() {
        let pieces = [
            r#"{"jsonPath":"$.a.name","stringValue":"x\"","willContinue":true}"#,
            r#"{"jsonPath":"$.a.name","stringValue":"y"}"#,
            r#"{"jsonPath":"$.a.list[0].n","numberValue":1.50}"#,
            r#"{"jsonPath":"$.a.list[0].b","boolValue":true},{"jsonPath":"$.a.list[1].n","nullValue":null}"#,
            r#"{"jsonPath":"$['odd.name'][0]","stringValue":"z","willContinue":true}"#,
            r#"{"jsonPath":"$['odd.name'][0]","stringValue":""}"#,
        ];
        assert_eq!(
            written(&pieces).as_deref(),
            Ok(r#"{"a":{"name":"x\"y","list":[{"n":1.50,"b":true},{"n":null}]},"odd.name":["z"]}"#)
        );
        assert_eq!(written(&[]).as_deref(), Ok("{}"));
    }

    #[test]
    fn a_piece_that_cannot_be_written_any_more_is_malformed() {
        let first = r#"{"jsonPath":"$.a","numberValue":1}"#;
        for second in [
            first,
            r#"{"jsonPath":"$.a.b","numberValue":1}"#,
            r#"{"jsonPath":"$[0]","numberValue":1}"#,
            r#"{"jsonPath":"a","numberValue":1}"#,
            r#"{"jsonPath":"$.b[1]","numberValue":1}"#,
            r#"{"jsonPath":"$['x","numberValue":1}"#,
            r#"{"jsonPath":"$","numberValue":1}"#,
        ] {
            assert_eq!(written(&[first, second]), Err(Malformed), "{second}");
        }
    }
}
