//! What proves a model's thinking is a text that only its own vendor can read. It comes back in a
//! later request, perhaps for another vendor: so it bears a word that says whose it is.
//!
//! ```text
//! encrypted_content: "thinking.EqQB…"    a signature of thinking, for a client of this dialect
//! encrypted_content: "redacted.EuYB…"    thinking in words for its vendor alone, likewise
//! signature: "responses.gAAAA…"          an `encrypted_content`, for a client of another dialect
//! ```

use crate::dialect::pivot::text::{RESPONSES_SEAL as OWN, Text};
use std::borrow::Cow;

const THINKING: &str = "thinking.";
const REDACTED: &str = "redacted.";

/// An `encrypted_content`, and whose it is.
pub enum Seal<'b> {
    Thinking(Text<'b>),
    Redacted(Text<'b>),
    /// Of a vendor that speaks this dialect.
    Own,
}

/// Whose is this `encrypted_content`?
pub fn open<'b>(text: &Text<'b>) -> Seal<'b> {
    if let Some(signature) = behind(text, THINKING) {
        Seal::Thinking(signature)
    } else if let Some(data) = behind(text, REDACTED) {
        Seal::Redacted(data)
    } else {
        Seal::Own
    }
}

/// Append the `encrypted_content` that carries another vendor's signature.
pub fn push_thinking(out: &mut Vec<u8>, signature: &Text<'_>) {
    push(out, THINKING, signature);
}

/// Append the `encrypted_content` that carries another vendor's redacted thinking.
pub fn push_redacted(out: &mut Vec<u8>, data: &Text<'_>) {
    push(out, REDACTED, data);
}

fn push(out: &mut Vec<u8>, word: &str, text: &Text<'_>) {
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    text.push_inside(out);
    out.push(b'"');
}

/// An `encrypted_content` as the signature that a client of another dialect is told.
pub fn as_signature(encrypted: &Text<'_>) -> Text<'static> {
    Text::Plain(Cow::Owned([OWN, &encrypted.read()].concat()))
}

/// The `encrypted_content` that a signature is, if it is one of this dialect.
pub fn of_signature<'b>(signature: &Text<'b>) -> Option<Text<'b>> {
    behind(signature, OWN)
}

fn behind<'b>(text: &Text<'b>, word: &str) -> Option<Text<'b>> {
    match text {
        Text::Escaped(text) => text.strip_prefix(word).map(Text::Escaped),
        Text::Plain(Cow::Borrowed(text)) => text.strip_prefix(word).map(Text::plain),
        Text::Plain(Cow::Owned(text)) => {
            text.strip_prefix(word).map(|rest| Text::Plain(Cow::Owned(rest.to_owned())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Seal, as_signature, of_signature, open, push_redacted, push_thinking};
    use crate::dialect::pivot::text::Text;

    #[test]
    fn what_is_sealed_is_opened_by_whose_it_is() {
        let mut out = Vec::new();
        push_thinking(&mut out, &Text::plain("ab"));
        assert_eq!(out, br#""thinking.ab""#);
        assert!(matches!(open(&Text::plain("thinking.ab")), Seal::Thinking(t) if t == *"ab"));
        out.clear();
        push_redacted(&mut out, &Text::plain("cd"));
        assert_eq!(out, br#""redacted.cd""#);
        assert!(matches!(open(&Text::plain("redacted.cd")), Seal::Redacted(t) if t == *"cd"));
        assert!(matches!(open(&Text::plain("gAAAAxyz")), Seal::Own));
        let signature = as_signature(&Text::plain("gAAAA"));
        assert_eq!(of_signature(&signature), Some(Text::plain("gAAAA")));
        assert_eq!(of_signature(&Text::plain("EqQB")), None);
    }
}
