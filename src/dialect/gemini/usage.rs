//! The `usageMetadata` object.
//!
//! ```text
//! {"promptTokenCount":9,"cachedContentTokenCount":4,"toolUsePromptTokenCount":3,
//!  "candidatesTokenCount":2,"thoughtsTokenCount":5,"totalTokenCount":19}
//! ```
//! What was cached is part of the prompt; what the vendor's own tools put into it is not; thoughts
//! are not among the candidates' tokens. In a stream each event tells anew what is known by then.
//! **Source**: ai.google.dev/api/generate-content#UsageMetadata, read 2026-11-21; the sums hold in
//! recorded traffic of AI Studio and Vertex.

use crate::{
    dialect::pivot::usage::Usage,
    wire::json::{document::Value, write::Object},
};

/// Read a `usageMetadata`.
#[must_use]
pub fn decode(value: Value<'_, '_>) -> Usage {
    let count = |name: &str| value.get(name).and_then(Value::as_u64);
    let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (None, None) => None,
        _ => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    };
    let audio = |name: &str| {
        let told = value.get(name)?.items();
        let mut audio = told
            .filter(|one| one.get("modality").and_then(Value::plain).as_deref() == Some("AUDIO"));
        audio.next()?.get("tokenCount").and_then(Value::as_u64)
    };
    Usage {
        input: sum(count("promptTokenCount"), count("toolUsePromptTokenCount")),
        output: sum(count("candidatesTokenCount"), count("thoughtsTokenCount")),
        cached: count("cachedContentTokenCount"),
        reasoning: count("thoughtsTokenCount"),
        input_audio: audio("promptTokensDetails"),
        output_audio: audio("candidatesTokensDetails"),
        ..Usage::default()
    }
}

/// Append a `usageMetadata`.
pub fn encode(out: &mut Vec<u8>, usage: &Usage) {
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    let mut object = Object::open(out);
    object.number("promptTokenCount", input);
    if let Some(cached) = usage.cached {
        object.number("cachedContentTokenCount", cached);
    }
    // Some vendors tell more thoughts than words, and count them nowhere.
    let reasoning = usage.reasoning.unwrap_or(0).min(output);
    object.number("candidatesTokenCount", output.saturating_sub(reasoning));
    if reasoning > 0 {
        object.number("thoughtsTokenCount", reasoning);
    }
    object.number("totalTokenCount", input.saturating_add(output));
    object.close();
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::{dialect::pivot::usage::Usage, wire::json::document::Document};

    #[test]
    fn t043_cached_tokens_are_part_of_the_prompt_and_thoughts_are_beside_the_words() {
        let text = r#"{"promptTokenCount":9,"cachedContentTokenCount":4,"toolUsePromptTokenCount":3,
            "candidatesTokenCount":2,"thoughtsTokenCount":5,"totalTokenCount":19,
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":2},
                {"modality":"AUDIO","tokenCount":7}]}"#;
        let mut document = Document::default();

        let usage = decode(document.parse(text.as_bytes()).expect("valid"));

        let expected = Usage {
            input: Some(12),
            output: Some(7),
            cached: Some(4),
            reasoning: Some(5),
            input_audio: Some(7),
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        let mut out = Vec::new();
        encode(&mut out, &usage);
        let told = decode(document.parse(&out).expect("valid"));
        assert_eq!(told, Usage { input_audio: None, ..expected });
    }
}
