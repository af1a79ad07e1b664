//! A whole answer, read in full.

use crate::{
    dialect::{
        field::Field,
        openai_responses::{decode::input::thoughts, seal, usage},
        pivot::{
            citation::Citation,
            dropped::Dropped,
            part::{Content, Dialect, Foreign, Part, ToolCall},
            reply::{Choice, Reply, Stop},
            text::{Arguments, Json, Text},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};

/// Read an answer.
///
/// # Errors
/// What is not as its dialect says, or has failed; whose fault it is, the caller knows.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Reply<'b>, Refused> {
    let fields = Field::root(root);
    let text = |name: &str| fields.get_text(name);
    if fields.word("status") == "failed" {
        return Err(fields.refuse_member("status", "completed"));
    }
    let mut choice = Choice::default();
    fields.need("output", "an array")?.items(|item| {
        self::item(&mut choice.parts, item.value, dropped);
        Ok(())
    })?;
    choice.stop = Some(stop(root, choice.parts.iter().any(is_call)));
    Ok(Reply {
        id: text("id"),
        model: text("model"),
        created: root.get("created_at").and_then(seconds),
        choices: vec![choice],
        usage: root.get("usage").map(usage::decode).unwrap_or_default(),
        service_tier: text("service_tier"),
    })
}

/// Some vendors tell fractions of a second.
#[must_use]
pub fn seconds(value: Value<'_, '_>) -> Option<u64> {
    value.as_number()?.split('.').next()?.parse().ok()
}

const fn is_call(part: &Part<'_>) -> bool {
    matches!(part.content, Content::ToolCall(_))
}

/// Why it ended, where `has_calls` says whether the client is to answer calls.
pub fn stop<'b>(response: Value<'_, 'b>, has_calls: bool) -> Stop<'b> {
    let status = response.get("status").and_then(Value::plain);
    if status.as_deref() == Some("incomplete") {
        let details = response.get("incomplete_details");
        let reason = details.and_then(|details| details.get("reason")).and_then(Text::of);
        let reason = reason.unwrap_or(Text::plain("incomplete"));
        return match &*reason.read() {
            "max_output_tokens" | "max_tokens" => Stop::Length,
            "content_filter" => Stop::Filter,
            _ => Stop::Other(reason.clone()),
        };
    }
    if has_calls { Stop::ToolUse } else { Stop::End }
}

fn item<'b>(parts: &mut Vec<Part<'b>>, item: Value<'_, 'b>, dropped: &mut Dropped) {
    let text = |name: &str| item.get(name).and_then(Text::of).unwrap_or_default();
    let kind = item.get("type").and_then(Text::of).unwrap_or_default();
    let content = match &*kind.read() {
        "message" => {
            for part in item.get("content").into_iter().flat_map(Value::items) {
                parts.extend(message_part(part, dropped));
            }
            return;
        }
        "function_call" => Content::ToolCall(ToolCall {
            id: text("call_id"),
            name: text("name"),
            arguments: Arguments::Text(text("arguments")),
            signature: None,
        }),
        "reasoning" => {
            let encrypted = item.get("encrypted_content").and_then(Text::of);
            let thought = thoughts(item);
            if thought.is_none() && encrypted.is_none() {
                return;
            }
            Content::Thinking {
                text: thought.unwrap_or_default(),
                signature: encrypted.as_ref().map(seal::as_signature),
            }
        }
        _ => Content::Server(Foreign {
            dialect: Dialect::OpenAiResponses,
            name: kind.clone(),
            json: Json::of(item),
        }),
    };
    parts.push(content.into());
}

fn message_part<'b>(part: Value<'_, 'b>, dropped: &mut Dropped) -> Option<Part<'b>> {
    let text = |name: &str| part.get(name).and_then(Text::of).unwrap_or_default();
    let kind = part.get("type").and_then(Value::plain)?;
    Some(match &*kind {
        "output_text" | "text" => {
            let text = text("text");
            match part.get("annotations").and_then(|list| citations(list, &text, dropped)) {
                Some(citations) => Content::Cited { text, citations }.into(),
                None => Part::text(text),
            }
        }
        "refusal" => Content::Refusal(text("refusal")).into(),
        other => {
            dropped.name(format!("output.{other}"));
            return None;
        }
    })
}

/// Where words are from; `None` where nothing has an URL.
fn citations<'b>(
    annotations: Value<'_, 'b>,
    text: &Text<'b>,
    dropped: &mut Dropped,
) -> Option<Json<'static>> {
    let plain = text.read();
    let read = |one| annotation(one, &plain, dropped);
    let found: Vec<_> = annotations.items().filter_map(read).collect();
    (!found.is_empty()).then(|| Citation::list(found.iter()))
}

/// The source of an annotation of this text; one without an URL is named.
pub fn annotation<'b>(
    annotation: Value<'_, 'b>,
    text: &str,
    dropped: &mut Dropped,
) -> Option<Citation<'b>> {
    let Some(citation) = Citation::of(annotation) else {
        let kind = annotation.get("type").and_then(Value::plain).unwrap_or_default();
        dropped.name(format!("annotations.{kind}"));
        return None;
    };
    let index = |name: &str| annotation.get(name).and_then(Value::as_u64);
    let (start, end) = (index("start_index").unwrap_or(0), index("end_index").unwrap_or(0));
    let cited = text.chars().skip(usize::try_from(start).unwrap_or(usize::MAX));
    let cited = cited.take(usize::try_from(end.saturating_sub(start)).unwrap_or_default());
    let cited_text = Text::Plain(cited.collect::<String>().into());
    Some(Citation { cited_text, ..citation })
}
