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
    dialect::{mold::Counts, pivot::usage::Usage},
    wire::json::{document::Value, write::Object},
};

/// The counts that are read, by their numbers; behind them those of what was heard and spoken.
const NAMES: [&str; 5] = [
    "promptTokenCount",
    "toolUsePromptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "cachedContentTokenCount",
];
const DETAILS: [&str; 2] = ["promptTokensDetails", "candidatesTokensDetails"];

/// What was used, by the counts that tell it.
#[must_use]
pub fn of(counts: &Counts) -> Usage {
    let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    };
    let [prompt, tool_use, candidates, reasoning, cached, input_audio, output_audio, ..] = counts.0;
    Usage {
        input: sum(prompt, tool_use),
        output: sum(candidates, reasoning),
        cached,
        reasoning,
        input_audio,
        output_audio,
        ..Usage::default()
    }
}

/// Read a `usageMetadata`.
#[must_use]
pub fn decode(value: Value<'_, '_>) -> Usage {
    of(&counts(value, |_, _| {}))
}

/// Read the counts of a `usageMetadata`. `see` is shown each number in it, with the number of the
/// count that it is, if it is one.
pub fn counts<'d, 'b>(
    value: Value<'d, 'b>,
    mut see: impl FnMut(Value<'d, 'b>, Option<usize>),
) -> Counts {
    let mut counts = Counts::default();
    for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
        if let Some(number) = NAMES.iter().position(|name| *name == key) {
            counts.0[number] = value.as_u64();
            see(value, Some(number));
        } else if let Some(at) = DETAILS.iter().position(|name| *name == key) {
            let number = NAMES.len() + at;
            let is_audio = |one: &Value<'_, '_>| {
                one.get("modality").and_then(Value::plain).as_deref() == Some("AUDIO")
            };
            let audio = value.items().position(|one| is_audio(&one));
            counts.0[number] = None;
            for (place, one) in value.items().enumerate() {
                let Some(count) = one.get("tokenCount") else { continue };
                let is_read = audio == Some(place);
                if is_read {
                    counts.0[number] = count.as_u64();
                }
                see(count, is_read.then_some(number));
            }
        } else {
            // Of a kind of tokens that nobody reads, or a list of such.
            see(value, None);
            for count in value.items().filter_map(|one| one.get("tokenCount")) {
                see(count, None);
            }
        }
    }
    counts
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
