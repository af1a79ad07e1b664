//! Blocks of content, in requests and in answers.

use crate::{
    dialect::{
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
    wire::json::document::{Kind, Value},
};
use std::borrow::Cow;

/// Append what a `content` or `system` holds: a text, or blocks.
pub fn decode_all<'b>(
    parts: &mut Vec<Part<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    if let Some(text) = Text::of(value) {
        parts.push(Part::text(text));
        return Ok(());
    }
    let items = field::array(value, path).map_err(|_| path.refuse("a string or an array"))?.items();
    for (index, item) in items.enumerate() {
        parts.push(decode(item, &path.index(index), dropped)?);
    }
    Ok(())
}

/// Read one block.
pub fn decode<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Part<'b>, Refused> {
    let block = Block::read(value, path)?;
    let kind = block.kind.read();
    let content = match &*kind {
        "text" => match block.get("citations").filter(|list| list.items().next().is_some()) {
            Some(list) => Content::Cited { text: block.text("text")?, citations: Json::of(list) },
            None => Content::Text(block.text("text")?),
        },
        "image" => Content::Image { source: block.source()?, detail: None },
        "document" => Content::Document(document(&block, dropped)?),
        "tool_use" => Content::ToolCall(ToolCall {
            id: block.text("id")?,
            name: block.text("name")?,
            arguments: match block.get("input") {
                Some(input) => Arguments::Value(Json::of(input)),
                None => Arguments::Value(Json(Cow::Borrowed("{}"))),
            },
            signature: None,
        }),
        "tool_result" => Content::ToolResult(result(&block, dropped)?),
        "thinking" => Content::Thinking {
            text: block.text("thinking")?,
            signature: block.get("signature").and_then(Text::of).filter(|text| !text.is_empty()),
        },
        "redacted_thinking" => Content::RedactedThinking(block.text("data")?),
        _ => block.foreign(),
    };
    let is_whole = matches!(content, Content::Server(_) | Content::Foreign(_));
    if !is_whole {
        block.name_unread(dropped);
    }
    let cache = block.get("cache_control").filter(|_| !is_whole).map(Json::of);
    Ok(Part { content, cache })
}

/// A block, its type read.
struct Block<'d, 'b, 'p> {
    kind: Text<'b>,
    value: Value<'d, 'b>,
    path: &'p Path<'p>,
}

impl<'d, 'b, 'p> Block<'d, 'b, 'p> {
    fn read(value: Value<'d, 'b>, path: &'p Path<'p>) -> Result<Self, Refused> {
        let object = field::object(value, path)?;
        let kind = object.get("type").and_then(Text::of);
        let kind = kind.ok_or_else(|| path.name("type").refuse("a string"))?;
        Ok(Self { kind, value, path })
    }

    fn get(&self, name: &str) -> Option<Value<'d, 'b>> {
        self.value.get(name)
    }

    fn text(&self, name: &str) -> Result<Text<'b>, Refused> {
        let path = self.path.name(name);
        let value = self.get(name).ok_or_else(|| path.refuse("a string"))?;
        field::text(value, &path)
    }

    /// `{"type":"base64","media_type":"image/png","data":"…"}`, or an `url` or `file`.
    fn source(&self) -> Result<Source<'b>, Refused> {
        let path = self.path.name("source");
        let value = self.get("source").ok_or_else(|| path.refuse("an object"))?;
        let source = Block::read(value, &path)?;
        match &*source.kind.read() {
            "base64" => Ok(Source::Base64 {
                media_type: source.text("media_type")?,
                data: source.text("data")?,
            }),
            "url" => Ok(Source::Url(source.text("url")?)),
            "file" => Ok(Source::File(source.text("file_id")?)),
            _ => Err(path.name("type").refuse("base64, url or file")),
        }
    }

    /// What the vendor's own tools were asked and answered, and all that is newer than this.
    fn foreign(&self) -> Content<'b> {
        let kind = self.kind.read();
        let foreign = Foreign {
            dialect: Dialect::Anthropic,
            name: self.kind.clone(),
            json: Json::of(self.value),
        };
        if kind.ends_with("_tool_use") || kind.ends_with("_tool_result") {
            Content::Server(foreign)
        } else {
            Content::Foreign(foreign)
        }
    }

    fn name_unread(&self, dropped: &mut Dropped) {
        for (key, value) in self.value.members() {
            let is_read = matches!(
                &*key,
                "type"
                    | "text"
                    | "citations"
                    | "source"
                    | "id"
                    | "name"
                    | "input"
                    | "title"
                    | "tool_use_id"
                    | "content"
                    | "is_error"
                    | "thinking"
                    | "signature"
                    | "data"
                    | "context"
                    | "cache_control"
            );
            // `caller` says who called a tool; that the model itself did is the common case.
            let is_direct = &*key == "caller"
                && value.get("type").and_then(Value::plain).as_deref() == Some("direct");
            if !is_read && !is_direct && !value.is_null() {
                dropped.name(self.path.name(&key).to_string());
            }
        }
    }
}

fn document<'b>(block: &Block<'_, 'b, '_>, dropped: &mut Dropped) -> Result<Document<'b>, Refused> {
    let path = block.path.name("source");
    let value = block.get("source").ok_or_else(|| path.refuse("an object"))?;
    let source = Block::read(value, &path)?;
    let body = match &*source.kind.read() {
        "text" => DocumentBody::Text(source.text("data")?),
        "content" => {
            let mut parts = Vec::new();
            if let Some(content) = source.get("content") {
                decode_all(&mut parts, content, &path.name("content"), dropped)?;
            }
            DocumentBody::Parts(parts)
        }
        _ => DocumentBody::Source(block.source()?),
    };
    Ok(Document {
        body,
        title: block.get("title").and_then(Text::of),
        context: block.get("context").and_then(Text::of),
        citations: block.get("citations").map(Json::of),
    })
}

fn result<'b>(block: &Block<'_, 'b, '_>, dropped: &mut Dropped) -> Result<ToolResult<'b>, Refused> {
    let mut content = Vec::new();
    if let Some(value) = block.get("content") {
        decode_all(&mut content, value, &block.path.name("content"), dropped)?;
    }
    let is_error = match block.get("is_error") {
        Some(value) if value.kind() == Kind::Boolean => value.as_bool().unwrap_or_default(),
        Some(_) => return Err(block.path.name("is_error").refuse("true or false")),
        None => false,
    };
    Ok(ToolResult { id: block.text("tool_use_id")?, name: None, content, is_error })
}
