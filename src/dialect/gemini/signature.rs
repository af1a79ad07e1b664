//! Proofs of thought, where another dialect must carry them.
//!
//! Gemini signs parts of any kind and wants what it signed back as it came; its newest models
//! answer 400 to a call that lost its proof. Other dialects know signed thinking only: so the proof
//! of a call rides in the call's id, and that of words is thinking for the vendor alone. Toward
//! Gemini's own clients other vendors' thinking is a signed thought.
//! **Source**: ai.google.dev/gemini-api/docs/thought-signatures, read 2026-11-21.

use crate::dialect::pivot::text::Text;
use std::borrow::Cow;

/// Between a call's id and its proof.
const IN_ID: &str = "-thought-";
/// In front of a proof that is carried as redacted thinking.
const IN_THINKING: &str = "gemini:";
/// `redacted:` in base64, in front of redacted thinking of other vendors that Gemini's clients
/// carry: nine bytes, so that what follows is base64 too.
const REDACTED: &str = "cmVkYWN0ZWQ6";
/// What Gemini takes for a proof where a call was made by another model.
/// **Source**: ai.google.dev/gemini-api/docs/thought-signatures, "FAQs", read 2026-11-21.
pub const UNPROVEN: &str = "skip_thought_signature_validator";

/// An id that carries a proof; ids have letters, digits, `-` and `_` only.
pub fn into_id(id: &mut String, signature: &Text<'_>) {
    id.push_str(IN_ID);
    let plain = signature.read();
    id.extend(plain.chars().filter(|c| *c != '=').map(|c| match c {
        '+' => '-',
        '/' => '_',
        other => other,
    }));
}

/// An id and the proof it carries.
pub fn out_of_id<'t>(id: &'t Text<'_>) -> (Cow<'t, str>, Option<String>) {
    let id = id.read();
    match id.find(IN_ID) {
        Some(at) if at + IN_ID.len() < id.len() => {
            let signature = standard(&id[at + IN_ID.len()..]);
            (Cow::Owned(id[..at].to_owned()), Some(signature))
        }
        _ => (id, None),
    }
}

/// Base64 in its usual alphabet and with its padding; Google's own clients write the other.
pub fn standard(base64: &str) -> String {
    let mut out: String = base64
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

/// A proof as thinking for the vendor alone.
pub fn into_thinking(signature: &Text<'_>) -> Text<'static> {
    Text::Plain(Cow::Owned(format!("{IN_THINKING}{}", signature.read())))
}

/// The proof that redacted thinking is, if it is one of Gemini's.
pub fn out_of_thinking(data: &Text<'_>) -> Option<String> {
    data.read().strip_prefix(IN_THINKING).map(ToOwned::to_owned)
}

/// Redacted thinking of other vendors, as a proof for Gemini's clients to carry.
pub fn of_redacted(data: &Text<'_>) -> String {
    format!("{REDACTED}{}", data.read())
}

/// The redacted thinking of another vendor that a proof in standard form is.
pub fn redacted(signature: &str) -> Option<&str> {
    signature.strip_prefix(REDACTED)
}

#[cfg(test)]
mod tests {
    use super::{into_id, into_thinking, of_redacted, out_of_id, out_of_thinking, redacted};
    use crate::dialect::pivot::text::Text;

    #[test]
    fn t124_a_proof_survives_in_an_id_in_thinking_and_as_a_signature() {
        for proof in ["Eq+/1A==", "AAAA", "a/b+c9E="] {
            let mut id = "call_1".to_owned();
            into_id(&mut id, &Text::plain(proof));
            let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(id.bytes().all(is_fit), "{id}");
            let carried = Text::plain(&id);
            let (plain, found) = out_of_id(&carried);
            assert_eq!((&*plain, found.as_deref()), ("call_1", Some(proof)));
            let thinking = into_thinking(&Text::plain(proof));
            assert_eq!(out_of_thinking(&thinking).as_deref(), Some(proof));
        }
        let other = Text::plain("toolu_9");
        assert_eq!(out_of_id(&other), ("toolu_9".into(), None));
        let carried = of_redacted(&Text::plain("Zm9v"));
        assert_eq!(redacted(&carried), Some("Zm9v"));
        assert_eq!(redacted("Zm9v"), None);
    }
}
