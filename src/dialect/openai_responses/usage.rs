//! The `usage` object.
//!
//! ```text
//! {"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":12,
//!  "output_tokens_details":{"reasoning_tokens":8},"total_tokens":21}
//! ```
//! `input_tokens` counts all that went in, as the pivot's `input` does.

use crate::{
    dialect::pivot::usage::Usage,
    wire::json::{document::Value, write::Object},
};

/// Read a `usage` object.
#[must_use]
pub fn decode(value: Value<'_, '_>) -> Usage {
    let count = |name: &str| value.get(name).and_then(Value::as_u64);
    let detail = |details: &str, name: &str| value.get(details)?.get(name)?.as_u64();
    Usage {
        input: count("input_tokens"),
        output: count("output_tokens"),
        cached: detail("input_tokens_details", "cached_tokens"),
        cache_written: detail("input_tokens_details", "cache_write_tokens"),
        reasoning: detail("output_tokens_details", "reasoning_tokens"),
        ..Usage::default()
    }
}

/// Append a `usage` object. This API's clients want all counts, told or not.
pub fn encode(out: &mut Vec<u8>, usage: &Usage) {
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    let mut object = Object::open(out);
    object.number("input_tokens", input);
    let mut details = object.object("input_tokens_details");
    details.number("cached_tokens", usage.cached.unwrap_or(0));
    if let Some(written) = usage.cache_written {
        details.number("cache_write_tokens", written);
    }
    details.close();
    object.number("output_tokens", output);
    let mut details = object.object("output_tokens_details");
    details.number("reasoning_tokens", usage.reasoning.unwrap_or(0));
    details.close();
    object.number("total_tokens", input.saturating_add(output));
    object.close();
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::{dialect::pivot::usage::Usage, wire::json::document::Document};

    #[test]
    fn t051_cached_and_reasoning_tokens_are_told_in_both_directions() {
        let text = [
            r#"{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"#,
            r#""output_tokens":12,"output_tokens_details":{"reasoning_tokens":8},"total_tokens":21}"#,
        ]
        .concat();
        let mut document = Document::default();
        let usage = decode(document.parse(text.as_bytes()).expect("valid"));

        let expected = Usage {
            input: Some(9),
            output: Some(12),
            cached: Some(4),
            cache_written: Some(2),
            reasoning: Some(8),
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        let mut out = Vec::new();
        encode(&mut out, &usage);
        assert_eq!(String::from_utf8_lossy(&out), text);
    }
}
