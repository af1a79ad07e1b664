//! A whole answer, read in full.

use crate::{
    dialect::{
        field::Field,
        gemini::{
            decode::{grounding, logprobs, part},
            id::Seed,
            stop, usage,
        },
        pivot::{
            dropped::Dropped,
            part::{Content, Part},
            reply::{Choice, Reply, Stop},
            text::Text,
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};

/// Read an answer. A prompt that was blocked is an answer without words that a filter cut.
///
/// # Errors
/// What is not as its dialect says; whose fault it is, the caller knows.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Reply<'b>, Refused> {
    let mut reply = Reply {
        id: root.get("responseId").and_then(Text::of),
        model: root.get("modelVersion").and_then(Text::of),
        ..Reply::default()
    };
    let mut seed = Seed::default();
    match &reply.id {
        Some(id) => seed.feed(id.read().as_bytes()),
        // Two answers without an id differ in what they say.
        None => seed.feed(root.raw().as_bytes()),
    }
    if let Some(told) = root.get("usageMetadata") {
        reply.usage = usage::decode(told);
        reply.service_tier = told.get("serviceTier").and_then(Text::of);
    }
    let fields = Field::root(root);
    if let Some(candidates) = fields.get("candidates") {
        candidates.any_items(|item| {
            let choice = candidate(item, reply.choices.len(), seed, dropped)?;
            reply.choices.push(choice);
            Ok(())
        })?;
    }
    if let Some(reason) = blocked(root) {
        dropped.name(format!("promptFeedback.blockReason.{}", reason.read()));
        if reply.choices.is_empty() {
            reply.choices.push(Choice { stop: Some(Stop::Filter), ..Choice::default() });
        }
    }
    if reply.choices.is_empty() {
        return Err(fields.refuse_member("candidates", "there"));
    }
    Ok(reply)
}

/// Why the prompt was not answered.
pub fn blocked<'b>(root: Value<'_, 'b>) -> Option<Text<'b>> {
    root.get("promptFeedback")?.get("blockReason").and_then(Text::of)
}

/// What is told of an answer, and no other dialect has a word for.
pub fn unsaid(candidate: Value<'_, '_>) -> impl Iterator<Item = &'static str> {
    const NAMES: [&str; 4] =
        ["citationMetadata", "urlContextMetadata", "safetyRatings", "finishMessage"];
    let says = move |name: &str| candidate.get(name).is_some_and(|it| it.raw() != "[]");
    NAMES.into_iter().filter(move |name| says(name))
}

fn candidate<'b>(
    field: &Field<'_, 'b, '_>,
    place: usize,
    seed: Seed,
    dropped: &mut Dropped,
) -> Result<Choice<'b>, Refused> {
    let value = field.value;
    let told = value.get("index").and_then(Value::as_u64);
    let index = u32::try_from(told.unwrap_or(place as u64)).unwrap_or(0);
    let mut choice = Choice { index, ..Choice::default() };
    let mut calls = 0;
    if let Some(content) = field.get("content")
        && let Some(parts) = content.get("parts")
    {
        parts.items(|part| part::of_vendor(&mut choice.parts, part, seed, (index, &mut calls)))?;
    }
    if let Some(grounding) = value.get("groundingMetadata")
        && !grounding::cite(&mut choice.parts, grounding)
    {
        dropped.name("groundingMetadata");
    }
    unsaid(value).for_each(|name| dropped.name(name));
    let is_call = |part: &Part<'_>| matches!(part.content, Content::ToolCall(_));
    let has_calls = choice.parts.iter().any(is_call);
    let word = value.get("finishReason").and_then(Text::of);
    choice.stop = word.and_then(|word| stop::decode(&word, has_calls));
    choice.logprobs = value.get("logprobsResult").and_then(logprobs::decode);
    Ok(choice)
}
