//! The `usage` object.
//!
//! ```text
//! {"billed_units":{"input_tokens":51,"output_tokens":66},
//!  "tokens":{"input_tokens":267,"output_tokens":91,"reasoning_tokens":58},"cached_tokens":144}
//! ```
//! `billed_units` is what is paid for, `tokens` what the model saw, the vendor's own template
//! included, and `cached_tokens` a part of that. Receipts and bills are made of the pivot's counts,
//! so the billed ones are read; only where none are told, those that the model saw.

use crate::{dialect::pivot::usage::Usage, wire::json::document::Value};

/// Read a `usage` object.
#[must_use]
pub fn decode(value: Value<'_, '_>) -> Usage {
    let count_in = |object: &str, name: &str| count(value.get(object)?.get(name)?);
    let reasoning = count_in("tokens", "reasoning_tokens");
    let billed = Usage {
        input: count_in("billed_units", "input_tokens"),
        output: count_in("billed_units", "output_tokens"),
        ..Usage::default()
    };
    if billed.is_told() {
        // A part is never more than its whole.
        let reasoning = reasoning.map(|part| part.min(billed.output.unwrap_or(part)));
        return Usage { reasoning, ..billed };
    }
    Usage {
        input: count_in("tokens", "input_tokens"),
        output: count_in("tokens", "output_tokens"),
        cached: value.get("cached_tokens").and_then(count),
        reasoning,
        ..Usage::default()
    }
}

/// A whole number; the API documents them as floating.
fn count(value: Value<'_, '_>) -> Option<u64> {
    value.as_u64().or_else(|| value.as_number()?.strip_suffix(".0")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::{dialect::pivot::usage::Usage, wire::json::document::Document};

    fn read(text: &str) -> Usage {
        decode(Document::default().parse(text.as_bytes()).expect("valid"))
    }

    #[test]
    fn what_is_billed_counts_and_else_what_the_model_saw() {
        let both = r#"{"billed_units":{"input_tokens":51.0,"output_tokens":66},"tokens":
            {"input_tokens":267,"output_tokens":91,"reasoning_tokens":80},"cached_tokens":144}"#;
        let seen = r#"{"tokens":{"input_tokens":267,"output_tokens":91},"cached_tokens":144}"#;

        let (both, seen, neither) = (read(both), read(seen), read("{\"billed_units\":null}"));

        assert_eq!((both.input, both.output, both.cached), (Some(51), Some(66), None));
        assert_eq!(both.reasoning, Some(66));
        assert_eq!((seen.input, seen.output, seen.cached), (Some(267), Some(91), Some(144)));
        assert!(!neither.is_told());
    }
}
