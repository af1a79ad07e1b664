//! Blocks of content, in requests and in answers.

use crate::{
    dialect::{
        asked,
        field::Field,
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
};
use std::borrow::Cow;

/// Members that some block is read from; the first not always.
const KNOWN: [&str; 17] = [
    "caller",
    "type",
    "text",
    "citations",
    "source",
    "id",
    "name",
    "input",
    "title",
    "tool_use_id",
    "content",
    "is_error",
    "thinking",
    "signature",
    "data",
    "context",
    "cache_control",
];

/// Append what a `content` or `system` holds: a text, or blocks.
pub fn decode_all<'b>(
    parts: &mut Vec<Part<'b>>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    asked::content(parts, field, |parts, block| {
        parts.push(decode(block, dropped)?);
        Ok(())
    })
}

/// Read one block.
pub fn decode<'b>(block: &Field<'_, 'b, '_>, dropped: &mut Dropped) -> Result<Part<'b>, Refused> {
    let kind = read_kind(block)?;
    let word = kind.read();
    let content = match &*word {
        "text" => text(block)?,
        "image" => Content::Image { source: source(block)?, detail: None },
        "document" => Content::Document(document(block, dropped)?),
        "tool_use" => Content::ToolCall(ToolCall {
            id: block.need_text("id")?,
            name: block.need_text("name")?,
            arguments: match block.get("input") {
                Some(input) => Arguments::Value(Json::of(input.value)),
                None => Arguments::Value(Json(Cow::Borrowed("{}"))),
            },
            signature: None,
        }),
        "tool_result" => Content::ToolResult(result(block, dropped)?),
        "thinking" => Content::Thinking {
            text: block.need_text("thinking")?,
            signature: block.get_text("signature").filter(|text| !text.is_empty()),
        },
        "redacted_thinking" => Content::RedactedThinking(block.need_text("data")?),
        _ => {
            // What the vendor's own tools were asked and answered, and all that is newer.
            let is_servers = word.ends_with("_tool_use") || word.ends_with("_tool_result");
            let json = Json::of(block.value);
            let foreign = Foreign { dialect: Dialect::Anthropic, name: kind.clone(), json };
            let content =
                if is_servers { Content::Server(foreign) } else { Content::Foreign(foreign) };
            return Ok(content.into());
        }
    };
    // Who called a tool: that the model itself did is the common case, and goes without saying.
    let caller = block.get("caller").filter(|caller| caller.word("type") == "direct");
    block.drop_others(&KNOWN[usize::from(caller.is_none())..], dropped);
    Ok(Part { content, cache: block.get("cache_control").map(|cache| Json::of(cache.value)) })
}

fn text<'b>(block: &Field<'_, 'b, '_>) -> Result<Content<'b>, Refused> {
    let text = block.need_text("text")?;
    let citations = block.get("citations").filter(|list| list.value.items().next().is_some());
    Ok(match citations {
        Some(list) => Content::Cited { text, citations: Json::of(list.value) },
        None => Content::Text(text),
    })
}

fn read_kind<'b>(block: &Field<'_, 'b, '_>) -> Result<Text<'b>, Refused> {
    block.object()?;
    block.get_text("type").ok_or_else(|| block.refuse_member("type", "a string"))
}

/// `{"type":"base64","media_type":"image/png","data":"…"}`, or an `url` or `file`.
fn source<'b>(block: &Field<'_, 'b, '_>) -> Result<Source<'b>, Refused> {
    let source = block.need("source", "an object")?;
    match &*read_kind(&source)?.read() {
        "base64" => Ok(Source::Base64 {
            media_type: source.need_text("media_type")?,
            data: source.need_text("data")?,
        }),
        "url" => Ok(Source::Url(source.need_text("url")?)),
        "file" => Ok(Source::File(source.need_text("file_id")?)),
        _ => Err(source.refuse_member("type", "base64, url or file")),
    }
}

fn document<'b>(block: &Field<'_, 'b, '_>, dropped: &mut Dropped) -> Result<Document<'b>, Refused> {
    let inner = block.need("source", "an object")?;
    let body = match &*read_kind(&inner)?.read() {
        "text" => DocumentBody::Text(inner.need_text("data")?),
        "content" => {
            let mut parts = Vec::new();
            if let Some(content) = inner.get("content") {
                decode_all(&mut parts, &content, dropped)?;
            }
            DocumentBody::Parts(parts)
        }
        _ => DocumentBody::Source(source(block)?),
    };
    Ok(Document {
        body,
        title: block.get_text("title"),
        context: block.get_text("context"),
        citations: block.get("citations").map(|citations| Json::of(citations.value)),
    })
}

fn result<'b>(block: &Field<'_, 'b, '_>, dropped: &mut Dropped) -> Result<ToolResult<'b>, Refused> {
    let mut content = Vec::new();
    if let Some(inner) = block.get("content") {
        decode_all(&mut content, &inner, dropped)?;
    }
    let is_error = block.get("is_error").map_or(Ok(false), |field| field.boolean())?;
    Ok(ToolResult { id: block.need_text("tool_use_id")?, name: None, content, is_error })
}
