//! The `usage` object.
//!
//! ```text
//! {"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,
//!  "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":8}}
//! ```

use crate::{lexicon::usage::Usage, wire::json};

/// Read a `usage` object; `None` where it is no object or counts nothing.
///
/// `DeepSeek` says `prompt_cache_hit_tokens` for `cached_tokens`.
/// **Source**: api-docs.deepseek.com/api/create-chat-completion, read 2026-11-21.
#[must_use]
pub fn read(value: &[u8]) -> Option<Usage> {
    let keys = [
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "prompt_cache_hit_tokens",
    ];
    let object = json::object::scan_object(value, &keys).ok()?;
    let raw = |index: usize| object.values[index].map(|span| span.of(value));
    let count = |index: usize| raw(index).and_then(json::value::read_u64);
    let detail = |index: usize, key: &str| raw(index).and_then(|details| nested(details, key));
    if raw(0).is_none() && raw(1).is_none() {
        return None;
    }
    Some(Usage {
        input_tokens: count(0).unwrap_or(0),
        output_tokens: count(1).unwrap_or(0),
        cached_tokens: detail(2, "cached_tokens").or(count(4)).unwrap_or(0),
        reasoning_tokens: detail(3, "reasoning_tokens").unwrap_or(0),
    })
}

fn nested(object: &[u8], key: &str) -> Option<u64> {
    let found = json::object::scan_nested(object, &[key]).ok()?;
    json::value::read_u64(found.values[0]?.of(object))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::lexicon::usage::Usage;

    #[test]
    fn cached_and_reasoning_tokens_are_found_in_their_details() {
        let usage = read(
            br#"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,
                "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},
                "completion_tokens_details":{"reasoning_tokens":8}}"#,
        );

        let expected =
            Usage { input_tokens: 9, output_tokens: 12, cached_tokens: 4, reasoning_tokens: 8 };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn null_details_count_nothing_and_null_usage_is_none() {
        let usage = read(br#"{"prompt_tokens":9,"prompt_tokens_details":null}"#);
        assert_eq!(usage, Some(Usage { input_tokens: 9, ..Usage::default() }));
        assert_eq!(read(b"null"), None);
        assert_eq!(read(b"{}"), None);
    }
}
