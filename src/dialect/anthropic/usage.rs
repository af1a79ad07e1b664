//! The `usage` object.
//!
//! ```text
//! {"input_tokens":9,"cache_creation_input_tokens":100,"cache_read_input_tokens":20,
//!  "output_tokens":12,"output_tokens_details":{"thinking_tokens":3}}
//! ```
//! `input_tokens` counts what went in beside the caches; the pivot's `input` counts all.

use crate::{
    dialect::{mold::Counts, pivot::usage::Usage},
    wire::json::{document::Value, write::Object},
};

/// The counts that are read, by their numbers.
const INPUT: usize = 0;
const OUTPUT: usize = 1;
const CACHED: usize = 2;
const CACHE_WRITTEN: usize = 3;
const CACHE_WRITTEN_HOUR: usize = 4;
const THINKING: usize = 5;

/// Read a `usage` object.
#[must_use]
pub fn decode(value: Value<'_, '_>) -> Usage {
    of(&counts(value, |_, _| {}))
}

/// What was used, by the counts that tell it.
#[must_use]
pub fn of(counts: &Counts) -> Usage {
    let mut usage = Usage::default();
    amend_by(&mut usage, counts);
    usage
}

/// Amend what is known by a later `usage` object.
///
/// In a stream the first event tells what went in and the last what came out, of some vendors also
/// what went in, told anew: it replaces what was known and is not added to it.
pub fn amend(known: &mut Usage, value: Value<'_, '_>) {
    amend_by(known, &counts(value, |_, _| {}));
}

fn amend_by(known: &mut Usage, counts: &Counts) {
    let beside =
        |usage: &Usage| usage.cached.unwrap_or(0).saturating_add(usage.cache_written.unwrap_or(0));
    let fresh = known.input.map(|input| input.saturating_sub(beside(known)));
    let count = |number: usize| counts.0[number];
    known.amend(Usage {
        output: count(OUTPUT),
        cached: count(CACHED),
        cache_written: count(CACHE_WRITTEN),
        cache_written_hour: count(CACHE_WRITTEN_HOUR),
        reasoning: count(THINKING),
        ..Usage::default()
    });
    let fresh = count(INPUT).or(fresh);
    known.input = fresh.map(|fresh| fresh.saturating_add(beside(known)));
}

/// Read the counts of a `usage` object. `see` is shown each number in it, with the number of the
/// count that it is, if it is one.
pub fn counts<'d, 'b>(
    value: Value<'d, 'b>,
    mut see: impl FnMut(Value<'d, 'b>, Option<usize>),
) -> Counts {
    let mut counts = Counts::default();
    for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
        let (number, inner) = match &*key {
            "input_tokens" => (INPUT, None),
            "output_tokens" => (OUTPUT, None),
            "cache_read_input_tokens" => (CACHED, None),
            "cache_creation_input_tokens" => (CACHE_WRITTEN, None),
            "cache_creation" => (CACHE_WRITTEN_HOUR, Some("ephemeral_1h_input_tokens")),
            "output_tokens_details" => (THINKING, Some("thinking_tokens")),
            _ => {
                see(value, None);
                continue;
            }
        };
        let Some(inner) = inner else {
            counts.0[number] = value.as_u64();
            see(value, Some(number));
            continue;
        };
        counts.0[number] = None;
        for (key, value) in value.members().filter(|(_, value)| !value.is_null()) {
            let is_read = key == inner;
            if is_read {
                counts.0[number] = value.as_u64();
            }
            see(value, is_read.then_some(number));
        }
    }
    counts
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
