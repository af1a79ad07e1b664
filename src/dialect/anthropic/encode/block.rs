//! Blocks of content, in requests and in answers.

use crate::{
    dialect::pivot::{
        dropped::Dropped,
        part::{
            Content, Dialect, Document, DocumentBody, Foreign, Part, Source, ToolCall, ToolResult,
        },
        text::{Arguments, Text},
    },
    wire::json::write::{Array, Object},
};

/// A text without a word, which this API does not take and nobody misses.
pub fn is_empty(part: &Part<'_>) -> bool {
    matches!(&part.content, Content::Text(text) if text.is_empty())
}

/// Append a `content`: a text where it is one, else blocks.
pub fn push_all<'p, 'b: 'p>(
    out: &mut Vec<u8>,
    parts: impl Iterator<Item = &'p Part<'b>>,
    dropped: &mut Dropped,
) {
    let mut parts = parts.peekable();
    let Some(first) = parts.next() else { return out.extend_from_slice(b"\"\"") };
    if let (Content::Text(text), None, None) = (&first.content, &first.cache, parts.peek()) {
        return text.push(out);
    }
    let mut array = Array::open(out);
    for part in std::iter::once(first).chain(parts) {
        push(&mut array, part, dropped);
    }
    array.close();
}

/// Append one block, or name it as dropped.
pub fn push(array: &mut Array<'_>, part: &Part<'_>, dropped: &mut Dropped) {
    let object = match &part.content {
        // A refusal is a text here; that it is one is said by the stop reason of its answer.
        Content::Text(text) | Content::Refusal(text) => {
            let mut object = open(array, "text");
            text.push(object.key("text"));
            object
        }
        Content::Cited { text, citations } => {
            let mut object = open(array, "text");
            text.push(object.key("text"));
            citations.push(object.key("citations"));
            object
        }
        Content::Image { source, .. } => {
            let mut object = open(array, "image");
            push_source(&mut object, source);
            object
        }
        Content::Document(document) => push_document(array, document, dropped),
        Content::ToolCall(call) => push_call(array, call),
        Content::ToolResult(result) => push_result(array, result, dropped),
        Content::Thinking { text, signature: Some(signature) } if !signature.is_sealed() => {
            let mut object = open(array, "thinking");
            text.push(object.key("thinking"));
            signature.push(object.key("signature"));
            object
        }
        // Another vendor's proof is refused by this one.
        Content::RedactedThinking(data) if !data.read().starts_with("gemini:") => {
            let mut object = open(array, "redacted_thinking");
            data.push(object.key("data"));
            object
        }
        Content::Server(Foreign { dialect: Dialect::Anthropic, json, .. })
        | Content::Foreign(Foreign { dialect: Dialect::Anthropic, json, .. }) => {
            return json.push(array.item());
        }
        // Thinking that is unsigned, or signed by another vendor, is refused by this one.
        _ => return dropped.name(format!("messages[].{}", part.name())),
    };
    let mut object = object;
    if let Some(cache) = &part.cache {
        // The vendor takes no mark on thinking.
        if matches!(part.content, Content::Thinking { .. } | Content::RedactedThinking(_)) {
            dropped.name("messages[].cache_control");
        } else {
            cache.push(object.key("cache_control"));
        }
    }
    object.close();
    if let Content::Image { detail: Some(detail), .. } = &part.content
        && *detail != *"auto"
    {
        dropped.name("messages[].image_url.detail");
    }
}

fn open<'a>(array: &'a mut Array<'_>, kind: &str) -> Object<'a> {
    let mut object = array.object();
    object.text("type", kind);
    object
}

fn push_source(object: &mut Object<'_>, source: &Source<'_>) {
    let mut inner = object.object("source");
    match source {
        Source::Url(url) => {
            inner.text("type", "url");
            url.push(inner.key("url"));
        }
        Source::Base64 { media_type, data } => {
            inner.text("type", "base64");
            media_type.push(inner.key("media_type"));
            data.push(inner.key("data"));
        }
        Source::File(id) => {
            inner.text("type", "file");
            id.push(inner.key("file_id"));
        }
    }
    inner.close();
}

fn push_document<'a>(
    array: &'a mut Array<'_>,
    document: &Document<'_>,
    dropped: &mut Dropped,
) -> Object<'a> {
    let mut object = open(array, "document");
    match &document.body {
        DocumentBody::Source(source) => push_source(&mut object, source),
        DocumentBody::Text(text) => {
            let mut source = object.object("source");
            source.raw("type", "\"text\",\"media_type\":\"text/plain\"");
            text.push(source.key("data"));
            source.close();
        }
        DocumentBody::Parts(parts) => {
            let mut source = object.object("source");
            source.text("type", "content");
            push_all(source.key("content"), parts.iter(), dropped);
            source.close();
        }
    }
    if let Some(title) = &document.title {
        title.push(object.key("title"));
    }
    if let Some(context) = &document.context {
        context.push(object.key("context"));
    }
    if let Some(citations) = &document.citations {
        citations.push(object.key("citations"));
    }
    object
}

fn push_call<'a>(array: &'a mut Array<'_>, call: &ToolCall<'_>) -> Object<'a> {
    let mut object = open(array, "tool_use");
    push_id(object.key("id"), &call.id);
    call.name.push(object.key("name"));
    push_input(object.key("input"), &call.arguments);
    object
}

/// Append the input, which must be an object. What is none is kept to the letter inside of one: a
/// model that wrote broken JSON shall see what it wrote.
pub fn push_input(out: &mut Vec<u8>, arguments: &Arguments<'_>) {
    if !arguments.push_object(out) {
        out.extend_from_slice(b"{\"arguments\":");
        arguments.push_text(out);
        out.push(b'}');
    }
}

fn push_result<'a>(
    array: &'a mut Array<'_>,
    result: &ToolResult<'_>,
    dropped: &mut Dropped,
) -> Object<'a> {
    let mut object = open(array, "tool_result");
    push_id(object.key("tool_use_id"), &result.id);
    let mut parts = result.content.iter().filter(|part| !is_empty(part)).peekable();
    if parts.peek().is_some() {
        push_all(object.key("content"), parts, dropped);
    }
    if result.is_error {
        object.boolean("is_error", true);
    }
    object
}

/// Append an id as this API takes it: letters, digits, `_` and `-`. Other bytes become their hex
/// digits, so that a call and its result still meet and two calls stay two.
/// **Source**: the pattern `^[a-zA-Z0-9_-]+$` of `tool_use.id`, docs.claude.com, read 2026-11-21.
pub fn push_id(out: &mut Vec<u8>, id: &Text<'_>) {
    let plain = id.read();
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    out.push(b'"');
    for byte in plain.bytes() {
        if is_fit(byte) {
            out.push(byte);
        } else {
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
            out.extend_from_slice(&[b'_', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out.push(b'"');
}
