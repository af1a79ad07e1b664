//! Parts: what a vendor says, and what a client says.

use crate::{
    dialect::{
        field::{self, Path},
        gemini::{
            id::Seed,
            name::{camel, get},
            signature,
        },
        pivot::{
            dropped::Dropped,
            part::{Content, Dialect, Document, DocumentBody, Foreign, Part, Source, ToolCall},
            text::{Arguments, Json, Text},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::{Kind, Value},
};
use std::borrow::Cow;

/// Members of a part that say something of it, and are not it.
const MARKS: [&str; 5] =
    ["thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"];

/// Append what a vendor's part says; `seed` and `number` make the id of a call that has none.
pub fn of_vendor<'b>(
    parts: &mut Vec<Part<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    seed: Seed,
    (choice, number): (u32, &mut u32),
) -> Result<(), Refused> {
    field::object(value, path)?;
    let proof = value.get("thoughtSignature").and_then(Text::of);
    if let Some(call) = value.get("functionCall") {
        let name = call_name(call, &path.name("functionCall"))?;
        let own = call.get("id").and_then(Text::of);
        let id = seed.call_id(own, (choice, *number), &name, proof.as_ref());
        *number += 1;
        let call = ToolCall { id, name, arguments: arguments(call), signature: None };
        parts.push(Content::ToolCall(call).into());
        return Ok(());
    }
    let proof = proof.filter(|text| !text.is_empty());
    if let Some(text) = value.get("text").and_then(Text::of) {
        if !text.is_empty() {
            let thought = |text| Content::Thinking { text, signature: None }.into();
            parts.push(if is_thought(value) { thought(text) } else { Part::text(text) });
        }
    } else if let Some(content) = media(value, path)? {
        parts.push(content.into());
    } else if let Some((name, is_server)) = kind(value) {
        let foreign = Foreign { dialect: Dialect::Gemini, name, json: Json::of(value) };
        let content = if is_server { Content::Server(foreign) } else { Content::Foreign(foreign) };
        parts.push(content.into());
    }
    if let Some(proof) = proof {
        parts.push(Content::RedactedThinking(signature::into_thinking(&proof)).into());
    }
    Ok(())
}

/// Read a client's part, which is no call and no result.
pub fn of_client<'b>(
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Option<Part<'b>>, Refused> {
    let proof = get(value, "thoughtSignature").and_then(Text::of).filter(|it| !it.is_empty());
    for mark in ["videoMetadata", "mediaResolution", "partMetadata"] {
        if get(value, mark).is_some() {
            dropped.name(path.name(mark).to_string());
        }
    }
    let text = get(value, "text").map(|text| field::text(text, &path.name("text"))).transpose()?;
    if let Some(text) = text {
        if is_thought(value) {
            return Ok(Some(thought(text, proof).into()));
        }
        if proof.is_some() {
            dropped.name(path.name("thoughtSignature").to_string());
        }
        return Ok(Some(Part::text(text)));
    }
    if let Some(content) = media(value, path)? {
        return Ok(Some(content.into()));
    }
    let Some((name, is_server)) = kind(value) else {
        if value.members().next().is_none() {
            return Ok(None);
        }
        return Err(path.refuse("a part, e.g. {\"text\":\"…\"}"));
    };
    let foreign = Foreign { dialect: Dialect::Gemini, name, json: Json::of(value) };
    let content = if is_server { Content::Server(foreign) } else { Content::Foreign(foreign) };
    Ok(Some(content.into()))
}

/// Thinking as a client carries it back: see `signature.rs`.
fn thought<'b>(text: Text<'b>, proof: Option<Text<'b>>) -> Content<'b> {
    let Some(proof) = proof else { return Content::Thinking { text, signature: None } };
    let proof = signature::standard(&proof.read());
    match signature::redacted(&proof) {
        Some(data) if text.is_empty() => {
            Content::RedactedThinking(Text::Plain(Cow::Owned(data.to_owned())))
        }
        _ => Content::Thinking { text, signature: Some(Text::Plain(Cow::Owned(proof))) },
    }
}

pub fn is_thought(value: Value<'_, '_>) -> bool {
    value.get("thought").and_then(Value::as_bool) == Some(true)
}

pub fn call_name<'b>(call: Value<'_, 'b>, path: &Path<'_>) -> Result<Text<'b>, Refused> {
    let path = path.name("name");
    let name = call.get("name").ok_or_else(|| path.refuse("a string"))?;
    field::text(name, &path)
}

/// A call without words is one with an empty object.
pub fn arguments<'b>(call: Value<'_, 'b>) -> Arguments<'b> {
    let args = call.get("args").filter(|args| args.kind() == Kind::Object);
    Arguments::Value(args.map_or(Json(Cow::Borrowed("{}")), Json::of))
}

/// `inlineData` and `fileData`, by their media type.
fn media<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Option<Content<'b>>, Refused> {
    let member = |object: Value<'_, 'b>, name: &str| {
        get(object, name).and_then(Text::of).filter(|text| !text.is_empty())
    };
    let (source, media_type, title) = if let Some(inline) = get(value, "inlineData") {
        let path = path.name("inlineData");
        let data = member(inline, "data").ok_or_else(|| path.name("data").refuse("base64"))?;
        let media_type = member(inline, "mimeType")
            .ok_or_else(|| path.name("mimeType").refuse("a media type"))?;
        let source = Source::Base64 { media_type: media_type.clone(), data };
        (source, Some(media_type), member(inline, "displayName"))
    } else if let Some(file) = get(value, "fileData") {
        let path = path.name("fileData");
        let path = path.name("fileUri");
        let uri = member(file, "fileUri").ok_or_else(|| path.refuse("a URI"))?;
        (Source::Url(uri), member(file, "mimeType"), member(file, "displayName"))
    } else {
        return Ok(None);
    };
    let kind = media_type.as_ref().map(|text| text.read().into_owned()).unwrap_or_default();
    Ok(Some(match kind.split('/').next() {
        Some("image") => Content::Image { source, detail: None },
        Some("audio") => Content::Audio(source),
        Some("video") => Content::Video(source),
        _ => Content::Document(Document {
            body: DocumentBody::Source(source),
            title,
            context: None,
            citations: None,
        }),
    }))
}

/// What a part of no other dialect is called, and whether the vendor's own tools made it.
fn kind<'b>(value: Value<'_, 'b>) -> Option<(Text<'b>, bool)> {
    let mut names =
        value.members().map(|(key, _)| key).filter(|key| !MARKS.contains(&&*camel(key)));
    let name = names.next()?;
    let servers = ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"];
    let is_server = servers.contains(&&*camel(&name));
    Some((Text::Plain(name), is_server))
}
