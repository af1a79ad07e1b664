//! Parts of contents, in requests and in answers.

use crate::{
    dialect::{
        gemini::{id::is_made, signature},
        pivot::{
            dropped::Dropped,
            part::{Content, Dialect, Document, DocumentBody, Foreign, Part, Source, ToolCall},
            text::{Arguments, Text},
        },
    },
    wire::json::write::{Array, Object},
};

/// A text without a word, which this API does not take and nobody misses.
pub fn is_empty(part: &Part<'_>) -> bool {
    matches!(&part.content, Content::Text(text) if text.is_empty())
}

/// Append one part of a request, which is no result of a tool, or name it as dropped.
///
/// `needs_proof`: a call without a proof of thought is refused.
pub fn push(parts: &mut Array<'_>, part: &Part<'_>, needs_proof: bool, dropped: &mut Dropped) {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => push_text(parts, text),
        Content::Cited { text, .. } => {
            push_text(parts, text);
            dropped.name("messages[].citations");
        }
        Content::Image { source, detail } => {
            push_media(parts, source, "image", dropped);
            if detail.as_ref().is_some_and(|detail| *detail != *"auto") {
                dropped.name("messages[].image_url.detail");
            }
        }
        Content::Audio(source) => push_media(parts, source, "audio", dropped),
        Content::Video(source) => push_media(parts, source, "video", dropped),
        Content::Document(document) => push_document(parts, document, dropped),
        Content::ToolCall(call) => push_call(parts, call, needs_proof),
        // What another vendor's model thought, as its words; what it signed nobody here can check.
        Content::Thinking { text, signature: None } => {
            let mut object = parts.object();
            text.push(object.key("text"));
            object.boolean("thought", true);
            object.close();
        }
        Content::RedactedThinking(data) if let Some(proof) = signature::out_of_thinking(data) => {
            let mut object = parts.object();
            object.text("text", "");
            object.text("thoughtSignature", &proof);
            object.close();
        }
        Content::Server(Foreign { dialect: Dialect::Gemini, json, .. })
        | Content::Foreign(Foreign { dialect: Dialect::Gemini, json, .. }) => {
            json.push(parts.item());
        }
        _ => dropped.name(format!("messages[].{}", part.name())),
    }
    if part.cache.is_some() {
        dropped.name("messages[].cache_control");
    }
}

pub fn push_text(parts: &mut Array<'_>, text: &Text<'_>) {
    let mut object = parts.object();
    text.push(object.key("text"));
    object.close();
}

/// Append data, or the address of it. `kind` names what cannot be said.
pub fn push_media(parts: &mut Array<'_>, source: &Source<'_>, kind: &str, dropped: &mut Dropped) {
    match source {
        Source::Base64 { media_type, data } => {
            let mut object = parts.object();
            let mut inline = object.object("inlineData");
            media_type.push(inline.key("mimeType"));
            data.push(inline.key("data"));
            inline.close();
            object.close();
        }
        Source::File(id) if !is_address(id) => dropped.name(format!("messages[].{kind}.file_id")),
        Source::Url(address) | Source::File(address) => {
            let mut object = parts.object();
            let mut file = object.object("fileData");
            let known = media_type(&address.read());
            file.text("mimeType", known.unwrap_or_else(|| usual(kind)));
            address.push(file.key("fileUri"));
            file.close();
            object.close();
        }
    }
}

/// Files of this vendor are known by their address; `gs://` is one too.
fn is_address(id: &Text<'_>) -> bool {
    let id = id.read();
    id.contains("://") || id.starts_with("files/")
}

/// What such things mostly are, where an address does not say.
fn usual(kind: &str) -> &'static str {
    match kind {
        "image" => "image/jpeg",
        "audio" => "audio/mpeg",
        "video" => "video/mp4",
        _ => "application/pdf",
    }
}

/// The media type that an address ends in; Vertex wants one.
///
/// **Source**: the types of docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/
/// inference#filedata, read 2026-11-21.
fn media_type(address: &str) -> Option<&'static str> {
    const TYPES: [(&str, &str); 23] = [
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        ("jpeg", "image/jpeg"),
        ("webp", "image/webp"),
        ("gif", "image/gif"),
        ("heic", "image/heic"),
        ("heif", "image/heif"),
        ("pdf", "application/pdf"),
        ("txt", "text/plain"),
        ("mp3", "audio/mpeg"),
        ("wav", "audio/wav"),
        ("ogg", "audio/ogg"),
        ("flac", "audio/flac"),
        ("aac", "audio/aac"),
        ("m4a", "audio/m4a"),
        ("mp4", "video/mp4"),
        ("mpeg", "video/mpeg"),
        ("mpg", "video/mpg"),
        ("mov", "video/mov"),
        ("avi", "video/avi"),
        ("flv", "video/x-flv"),
        ("webm", "video/webm"),
        ("wmv", "video/wmv"),
    ];
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let (_, ending) = path.rsplit('/').next()?.rsplit_once('.')?;
    let known = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    known.map(|(_, media_type)| *media_type)
}

fn push_document(parts: &mut Array<'_>, document: &Document<'_>, dropped: &mut Dropped) {
    match &document.body {
        DocumentBody::Source(source) => push_media(parts, source, "document", dropped),
        DocumentBody::Text(text) => push_text(parts, text),
        DocumentBody::Parts(inner) => {
            for part in inner.iter().filter(|part| !is_empty(part)) {
                push(parts, part, false, dropped);
            }
        }
    }
    let unsaid = [
        ("messages[].document.title", document.title.is_some()),
        ("messages[].document.context", document.context.is_some()),
        ("messages[].document.citations", document.citations.is_some()),
    ];
    for (name, is_unsaid) in unsaid {
        if is_unsaid {
            dropped.name(name);
        }
    }
}

fn push_call(parts: &mut Array<'_>, call: &ToolCall<'_>, needs_proof: bool) {
    let mut object = parts.object();
    let (id, proof) = signature::out_of_id(&call.id);
    let mut inner = object.object("functionCall");
    if !is_made(&id) {
        inner.text("id", &id);
    }
    call.name.push(inner.key("name"));
    push_args(inner.key("args"), &call.arguments);
    inner.close();
    match proof {
        Some(proof) => object.text("thoughtSignature", &proof),
        None if needs_proof => object.text("thoughtSignature", signature::UNPROVEN),
        None => {}
    }
    object.close();
}

/// Append what a tool is called with, which must be an object. What is none is kept to the letter
/// inside of one: a model that wrote broken JSON shall see what it wrote.
pub fn push_args(out: &mut Vec<u8>, arguments: &Arguments<'_>) {
    if !arguments.push_object(out) {
        let mut object = Object::open(out);
        arguments.push_text(object.key("arguments"));
        object.close();
    }
}

#[cfg(test)]
mod tests {
    use super::media_type;

    #[test]
    fn an_address_tells_its_media_type_by_its_ending() {
        assert_eq!(media_type("https://x.org/a/b.PNG?size=1.gif"), Some("image/png"));
        assert_eq!(media_type("gs://bucket/clip.mp4"), Some("video/mp4"));
        assert_eq!(media_type("https://x.org/a.b/c"), None);
        assert_eq!(media_type(""), None);
    }
}
