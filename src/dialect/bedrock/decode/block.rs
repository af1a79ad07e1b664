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
        field::{self, Path},
        pivot::{
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
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    for (index, item) in field::array(value, path)?.items().enumerate() {
        decode(parts, item, &path.index(index), dropped)?;
    }
    Ok(())
}

/// Append one block: a part, several, or a mark on the part before.
pub fn decode<'b>(
    parts: &mut Vec<Part<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    // Some write a `type` beside the one member that the API knows.
    let mut members = field::object(value, path)?
        .members()
        .filter(|(key, value)| &**key != "type" && !value.is_null());
    let Some((key, inner)) = members.next() else { return Err(path.refuse("a block")) };
    let inner_path = path.name(&key);
    let content = match &*key {
        "text" => Content::Text(field::text(inner, &inner_path)?),
        // Nobody else reads S3.
        "image" | "video" | "audio" | "document" if is_in_s3(inner) => foreign(&key, value),
        "image" => {
            let source = source(inner, &inner_path, IMAGES)?;
            Content::Image { source, detail: None }
        }
        "video" => Content::Video(source(inner, &inner_path, VIDEOS)?),
        "audio" => Content::Audio(source(inner, &inner_path, SOUNDS)?),
        "document" => Content::Document(document(inner, &inner_path, dropped)?),
        "toolUse" if !is_servers(inner) => Content::ToolCall(call(inner, &inner_path)?),
        "toolResult" if !is_servers(inner) => {
            Content::ToolResult(result(inner, &inner_path, dropped)?)
        }
        "reasoningContent" => reasoning(inner, &inner_path)?,
        "cachePoint" => {
            mark(parts, inner, &inner_path, dropped);
            return Ok(());
        }
        "citationsContent" => {
            for text in inner.get("content").into_iter().flat_map(Value::items) {
                parts.extend(text.get("text").and_then(Text::of).map(Part::text));
            }
            let has = |list: &Value<'_, '_>| list.items().next().is_some();
            let Some(citations) = inner.get("citations").filter(has) else { return Ok(()) };
            Content::Foreign(citation(citations))
        }
        _ if is_servers(inner) => match foreign(&key, value) {
            Content::Foreign(foreign) => Content::Server(foreign),
            other => other,
        },
        _ => foreign(&key, value),
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

/// What stands before this point may be kept.
fn mark<'b>(parts: &mut [Part<'b>], point: Value<'_, 'b>, path: &Path<'_>, dropped: &mut Dropped) {
    match parts.last_mut() {
        Some(part) => part.cache = Some(cache(point)),
        None => dropped.name(path.to_string()),
    }
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

fn text<'b>(value: Value<'_, 'b>, name: &str, path: &Path<'_>) -> Result<Text<'b>, Refused> {
    let path = path.name(name);
    field::text(value.get(name).ok_or_else(|| path.refuse("a string"))?, &path)
}

/// `{"format":"png","source":{"bytes":"…"}}`
fn source<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    families: &[&str],
) -> Result<Source<'b>, Refused> {
    let source_path = path.name("source");
    let source = value.get("source").ok_or_else(|| source_path.refuse("an object"))?;
    let data = text(source, "bytes", &source_path)?;
    let format = text(value, "format", path)?;
    let media_type = format::media_type(&format.read(), families)
        .ok_or_else(|| path.name("format").refuse("a format that the API knows"))?;
    Ok(Source::Base64 { media_type: Text::plain(media_type), data })
}

fn document<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Document<'b>, Refused> {
    let written = value.get("source");
    let inner = |name: &str| written.and_then(|source| source.get(name));
    let body = if let Some(text) = inner("text").and_then(Text::of) {
        DocumentBody::Text(text)
    } else if let Some(content) = inner("content") {
        let mut parts = Vec::new();
        decode_all(&mut parts, content, &path.name("source").name("content"), dropped)?;
        DocumentBody::Parts(parts)
    } else {
        DocumentBody::Source(source(value, path, DOCUMENTS)?)
    };
    Ok(Document {
        body,
        title: value.get("name").and_then(Text::of),
        context: value.get("context").and_then(Text::of),
        citations: value.get("citations").map(Json::of),
    })
}

fn call<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<ToolCall<'b>, Refused> {
    let arguments = match value.get("input") {
        Some(input) => Json::of(input),
        None => Json(Cow::Borrowed("{}")),
    };
    Ok(ToolCall {
        id: text(value, "toolUseId", path)?,
        name: text(value, "name", path)?,
        arguments: Arguments::Value(arguments),
        signature: None,
    })
}

fn result<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<ToolResult<'b>, Refused> {
    let mut content = Vec::new();
    let items = value.get("content").into_iter().flat_map(Value::items);
    for (index, item) in items.enumerate() {
        match item.get("json") {
            // A value is words to models of other vendors.
            Some(json) => content.push(Part::text(Text::Plain(Cow::Borrowed(json.raw())))),
            None => decode(&mut content, item, &path.name("content").index(index), dropped)?,
        }
    }
    let status = value.get("status").and_then(Value::plain);
    Ok(ToolResult {
        id: text(value, "toolUseId", path)?,
        name: None,
        content,
        is_error: status.as_deref() == Some("error"),
    })
}

fn reasoning<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Content<'b>, Refused> {
    if let Some(data) = value.get("redactedContent").and_then(Text::of) {
        return Ok(Content::RedactedThinking(data));
    }
    let path = path.name("reasoningText");
    let inner = value.get("reasoningText").ok_or_else(|| path.refuse("an object"))?;
    Ok(Content::Thinking {
        text: text(inner, "text", &path)?,
        signature: inner.get("signature").and_then(Text::of).filter(|text| !text.is_empty()),
    })
}
