//! Blocks of content, in requests and in answers.
//!
//! ```text
//! {"text":"…"}  {"image":{"format":"png","source":{"bytes":"…"}}}
//! {"cachePoint":{"type":"default"}}
//! {"toolUse":{"toolUseId":"…","name":"f","input":{…}}}  {"reasoningContent":{"reasoningText":{…}}}
//! ```

use crate::{
    dialect::{
        bedrock::format::{self, DOCUMENTS, IMAGES, SOUNDS, VIDEOS},
        field::Field,
        pivot::{
            citation::Citation,
            dropped::Dropped,
            part::{
                Content, Dialect, Document, DocumentBody, Foreign, Part, Source, ToolCall,
                ToolResult,
            },
            text::{Arguments, Json, Text},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};
use std::borrow::Cow;

/// Append what a `content` or `system` holds.
pub fn decode_all<'b>(
    parts: &mut Vec<Part<'b>>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.items(|item| decode(parts, item, dropped))
}

/// Append one block: a part, several, or a mark on the part before.
pub fn decode<'b>(
    parts: &mut Vec<Part<'b>>,
    block: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    block.object()?;
    // Some write a `type` beside the one member that the API knows.
    let is_block = |(key, value): &(Cow<'_, str>, Value<'_, '_>)| key != "type" && !value.is_null();
    let Some((key, _)) = block.value.members().find(is_block) else {
        return Err(block.refuse("a block"));
    };
    let inner = block.need(&key, "a block")?;
    let content = match &*key {
        "text" => Content::Text(inner.text()?),
        // Nobody else reads S3.
        "image" | "video" | "audio" | "document" if is_in_s3(inner.value) => {
            foreign(&key, block.value)
        }
        "image" => Content::Image { source: source(&inner, IMAGES)?, detail: None },
        "video" => Content::Video(source(&inner, VIDEOS)?),
        "audio" => Content::Audio(source(&inner, SOUNDS)?),
        "document" => Content::Document(document(&inner, dropped)?),
        "toolUse" if !is_servers(inner.value) => Content::ToolCall(call(&inner)?),
        "toolResult" if !is_servers(inner.value) => Content::ToolResult(result(&inner, dropped)?),
        "reasoningContent" => reasoning(&inner)?,
        "cachePoint" => {
            match parts.last_mut() {
                // What stands before this point may be kept.
                Some(part) => part.cache = Some(cache(inner.value)),
                None => inner.drop_into(dropped),
            }
            return Ok(());
        }
        "citationsContent" => {
            cited(parts, inner.value);
            return Ok(());
        }
        _ if is_servers(inner.value) => match foreign(&key, block.value) {
            Content::Foreign(foreign) => Content::Server(foreign),
            other => other,
        },
        _ => foreign(&key, block.value),
    };
    parts.push(content.into());
    Ok(())
}

fn foreign<'b>(name: &str, value: Value<'_, 'b>) -> Content<'b> {
    Content::Foreign(Foreign {
        dialect: Dialect::Bedrock,
        name: Text::Plain(Cow::Owned(name.to_owned())),
        json: Json::of(value),
    })
}

fn is_in_s3(block: Value<'_, '_>) -> bool {
    block.get("source").is_some_and(|source| source.get("s3Location").is_some())
}

/// Append words and where they are from, as far as that has an address.
fn cited<'b>(parts: &mut Vec<Part<'b>>, block: Value<'_, 'b>) {
    let texts = block.get("content").into_iter().flat_map(Value::items);
    parts.extend(texts.filter_map(|text| text.get("text").and_then(Text::of)).map(Part::text));
    let Some(list) = block.get("citations").filter(|list| list.items().next().is_some()) else {
        return;
    };
    let sources: Vec<_> = list.items().filter_map(source_of).collect();
    if let (Some(Part { content, .. }), false) = (parts.last_mut(), sources.is_empty())
        && let Content::Text(text) = content
    {
        let (text, citations) = (std::mem::take(text), Citation::list(sources.iter()));
        *content = Content::Cited { text, citations };
    }
    if sources.len() < list.items().count() {
        parts.push(Content::Foreign(citation(list)).into());
    }
}

/// `{"title":"…","sourceContent":[{"text":"…"}],"location":{"web":{"url":"…"}}}`: a source that has
/// an address.
pub fn source_of<'b>(value: Value<'_, 'b>) -> Option<Citation<'b>> {
    let web = value.get("location").and_then(|location| location.get("web"))?;
    let words = value.get("sourceContent").and_then(|list| list.items().next());
    Some(Citation {
        url: web.get("url").and_then(Text::of)?,
        title: value.get("title").and_then(Text::of).unwrap_or_default(),
        cited_text: words.and_then(|it| it.get("text")).and_then(Text::of).unwrap_or_default(),
    })
}

/// Citations that only this dialect can say.
#[must_use]
pub fn citation<'b>(value: Value<'_, 'b>) -> Foreign<'b> {
    Foreign { dialect: Dialect::Bedrock, name: Text::plain("citations"), json: Json::of(value) }
}

/// A call of the vendor's own tools, or what came of it.
#[must_use]
pub fn is_servers(block: Value<'_, '_>) -> bool {
    let kind = block.get("type").and_then(Value::plain);
    kind.is_some_and(|kind| kind == "server_tool_use" || kind.ends_with("_result"))
}

/// `{"type":"default","ttl":"1h"}` as the pivot says it.
#[must_use]
pub fn cache<'b>(point: Value<'_, 'b>) -> Json<'b> {
    let ttl = point.get("ttl").and_then(Value::plain);
    Json(match ttl.as_deref() {
        Some("1h") => Cow::Borrowed(r#"{"type":"ephemeral","ttl":"1h"}"#),
        _ => Cow::Borrowed(r#"{"type":"ephemeral"}"#),
    })
}

/// `{"format":"png","source":{"bytes":"…"}}`
fn source<'b>(field: &Field<'_, 'b, '_>, families: &[&str]) -> Result<Source<'b>, Refused> {
    let data = field.need("source", "an object")?.need_text("bytes")?;
    let format = field.need_text("format")?;
    let media_type = format::media_type(&format.read(), families)
        .ok_or_else(|| field.refuse_member("format", "a format that the API knows"))?;
    Ok(Source::Base64 { media_type: Text::plain(media_type), data })
}

fn document<'b>(field: &Field<'_, 'b, '_>, dropped: &mut Dropped) -> Result<Document<'b>, Refused> {
    let inner = field.need("source", "an object")?;
    let body = if let Some(text) = inner.get_text("text") {
        DocumentBody::Text(text)
    } else if let Some(content) = inner.get("content") {
        let mut parts = Vec::new();
        decode_all(&mut parts, &content, dropped)?;
        DocumentBody::Parts(parts)
    } else {
        DocumentBody::Source(source(field, DOCUMENTS)?)
    };
    Ok(Document {
        body,
        title: field.get_text("name"),
        context: field.get_text("context"),
        citations: field.get("citations").map(|citations| Json::of(citations.value)),
    })
}

fn call<'b>(field: &Field<'_, 'b, '_>) -> Result<ToolCall<'b>, Refused> {
    let arguments = match field.get("input") {
        Some(input) => Json::of(input.value),
        None => Json(Cow::Borrowed("{}")),
    };
    Ok(ToolCall {
        id: field.need_text("toolUseId")?,
        name: field.need_text("name")?,
        arguments: Arguments::Value(arguments),
        signature: None,
    })
}

fn result<'b>(field: &Field<'_, 'b, '_>, dropped: &mut Dropped) -> Result<ToolResult<'b>, Refused> {
    let mut content = Vec::new();
    if let Some(list) = field.get("content") {
        list.any_items(|item| match item.get("json") {
            // A value is words to models of other vendors.
            Some(json) => {
                content.push(Part::text(Text::Plain(Cow::Borrowed(json.value.raw()))));
                Ok(())
            }
            None => decode(&mut content, item, dropped),
        })?;
    }
    Ok(ToolResult {
        id: field.need_text("toolUseId")?,
        name: None,
        content,
        is_error: field.word("status") == "error",
    })
}

fn reasoning<'b>(field: &Field<'_, 'b, '_>) -> Result<Content<'b>, Refused> {
    if let Some(data) = field.get_text("redactedContent") {
        return Ok(Content::RedactedThinking(data));
    }
    let inner = field.need("reasoningText", "an object")?;
    Ok(Content::Thinking {
        text: inner.need_text("text")?,
        signature: inner.get_text("signature").filter(|text| !text.is_empty()),
    })
}
