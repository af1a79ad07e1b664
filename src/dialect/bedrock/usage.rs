//! The `usage` object.
//!
//! ```text
//! {"inputTokens":9,"outputTokens":12,"totalTokens":141,
//!  "cacheReadInputTokens":20,"cacheWriteInputTokens":100}
//! ```
//! `inputTokens` counts what went in beside the caches; the pivot's `input` counts all.

use crate::{
    dialect::pivot::usage::Usage,
    wire::json::{document::Value, write::Object},
};

/// Read a `usage` object.
#[must_use]
pub fn decode(value: Value<'_, '_>) -> Usage {
    let count = |name: &str| value.get(name).and_then(Value::as_u64);
    let (cached, written) = (count("cacheReadInputTokens"), count("cacheWriteInputTokens"));
    let beside = cached.unwrap_or(0).saturating_add(written.unwrap_or(0));
    Usage {
        input: count("inputTokens").map(|fresh| fresh.saturating_add(beside)),
        output: count("outputTokens"),
        cached,
        cache_written: written,
        ..Usage::default()
    }
}

/// What AWS says of a call of any maker's model, by the names of its counts:
/// `{"inputTokenCount":5,"outputTokenCount":10}` in the last chunk of a stream, and in headers.
pub fn invoked(count: impl Fn(&str) -> Option<u64>) -> Usage {
    let cached = count("cacheReadInputTokenCount");
    let written = count("cacheWriteInputTokenCount");
    let beside = cached.unwrap_or(0).saturating_add(written.unwrap_or(0));
    Usage {
        input: count("inputTokenCount").map(|fresh| fresh.saturating_add(beside)),
        output: count("outputTokenCount"),
        cached,
        cache_written: written,
        ..Usage::default()
    }
}

/// The same by its header: `inputTokenCount` is `x-amzn-bedrock-input-token-count`.
#[must_use]
pub fn header_of(count: &str) -> Option<&'static str> {
    Some(match count {
        "inputTokenCount" => "x-amzn-bedrock-input-token-count",
        "outputTokenCount" => "x-amzn-bedrock-output-token-count",
        "cacheReadInputTokenCount" => "x-amzn-bedrock-cache-read-input-token-count",
        "cacheWriteInputTokenCount" => "x-amzn-bedrock-cache-write-input-token-count",
        _ => return None,
    })
}

/// Append a `usage` object; the API always tells the first three.
pub fn encode(out: &mut Vec<u8>, usage: &Usage) {
    let beside = usage.cached.unwrap_or(0).saturating_add(usage.cache_written.unwrap_or(0));
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    let mut object = Object::open(out);
    object.number("inputTokens", input.saturating_sub(beside));
    object.number("outputTokens", output);
    object.number("totalTokens", input.saturating_add(output));
    if let Some(cached) = usage.cached {
        object.number("cacheReadInputTokens", cached);
    }
    if let Some(written) = usage.cache_written {
        object.number("cacheWriteInputTokens", written);
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
            r#"{"inputTokens":9,"outputTokens":12,"totalTokens":141,"#,
            r#""cacheReadInputTokens":20,"cacheWriteInputTokens":100}"#,
        ]
        .concat();
        let mut document = Document::default();
        let usage = decode(document.parse(text.as_bytes()).expect("valid"));

        let expected = Usage {
            input: Some(129),
            output: Some(12),
            cached: Some(20),
            cache_written: Some(100),
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        let mut out = Vec::new();
        encode(&mut out, &usage);
        assert_eq!(String::from_utf8_lossy(&out), text);
    }
}
