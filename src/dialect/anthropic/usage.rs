//! The `usage` object.
//!
//! ```text
//! {"input_tokens":9,"cache_creation_input_tokens":100,"cache_read_input_tokens":20,
//!  "output_tokens":12,"output_tokens_details":{"thinking_tokens":3}}
//! ```
//! `input_tokens` counts what went in beside the caches; the pivot's `input` counts all.

use crate::{
    dialect::pivot::usage::Usage,
    wire::json::{document::Value, write::Object},
};

/// Read a `usage` object.
#[must_use]
pub fn decode(value: Value<'_, '_>) -> Usage {
    let mut usage = Usage::default();
    amend(&mut usage, value);
    usage
}

/// Amend what is known by a later `usage` object.
///
/// In a stream the first event tells what went in and the last what came out, of some vendors also
/// what went in, told anew: it replaces what was known and is not added to it.
pub fn amend(known: &mut Usage, value: Value<'_, '_>) {
    let count = |name: &str| value.get(name).and_then(Value::as_u64);
    let beside =
        |usage: &Usage| usage.cached.unwrap_or(0).saturating_add(usage.cache_written.unwrap_or(0));
    let fresh = known.input.map(|input| input.saturating_sub(beside(known)));
    let thinking = value.get("output_tokens_details").and_then(|all| all.get("thinking_tokens"));
    known.amend(Usage {
        output: count("output_tokens"),
        cached: count("cache_read_input_tokens"),
        cache_written: count("cache_creation_input_tokens"),
        cache_written_hour: value
            .get("cache_creation")
            .and_then(|all| all.get("ephemeral_1h_input_tokens"))
            .and_then(Value::as_u64),
        reasoning: thinking.and_then(Value::as_u64),
        ..Usage::default()
    });
    let fresh = count("input_tokens").or(fresh);
    known.input = fresh.map(|fresh| fresh.saturating_add(beside(known)));
}

/// Append a `usage` object. Anthropic's clients want both counts, told or not.
pub fn encode(out: &mut Vec<u8>, usage: &Usage) {
    let beside = usage.cached.unwrap_or(0).saturating_add(usage.cache_written.unwrap_or(0));
    let mut object = Object::open(out);
    object.number("input_tokens", usage.input.unwrap_or(0).saturating_sub(beside));
    object.number("output_tokens", usage.output.unwrap_or(0));
    object.number("cache_creation_input_tokens", usage.cache_written.unwrap_or(0));
    object.number("cache_read_input_tokens", usage.cached.unwrap_or(0));
    if let (Some(hour), Some(written)) = (usage.cache_written_hour, usage.cache_written) {
        let mut creation = object.object("cache_creation");
        creation.number("ephemeral_5m_input_tokens", written.saturating_sub(hour));
        creation.number("ephemeral_1h_input_tokens", hour);
        creation.close();
    }
    if let Some(reasoning) = usage.reasoning {
        let mut details = object.object("output_tokens_details");
        details.number("thinking_tokens", reasoning);
        details.close();
    }
    object.close();
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::{dialect::pivot::usage::Usage, wire::json::document::Document};

    #[test]
    fn t042_cached_tokens_are_counted_once_in_both_directions() {
        let text = [
            r#"{"input_tokens":9,"output_tokens":12,"cache_creation_input_tokens":100,"#,
            r#""cache_read_input_tokens":20,"cache_creation":{"ephemeral_5m_input_tokens":60,"#,
            r#""ephemeral_1h_input_tokens":40},"output_tokens_details":{"thinking_tokens":3}}"#,
        ]
        .concat();
        let mut document = Document::default();
        let usage = decode(document.parse(text.as_bytes()).expect("valid"));

        let expected = Usage {
            input: Some(129),
            output: Some(12),
            cached: Some(20),
            cache_written: Some(100),
            cache_written_hour: Some(40),
            reasoning: Some(3),
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        let mut out = Vec::new();
        encode(&mut out, &usage);
        assert_eq!(String::from_utf8_lossy(&out), text);
    }
}
