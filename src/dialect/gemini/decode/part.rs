//! Parts: what a vendor says, and what a client says.

use crate::{
    dialect::{
        field::Field,
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
    field: &Field<'_, 'b, '_>,
    seed: Seed,
    (choice, number): (u32, &mut u32),
) -> Result<(), Refused> {
    field.object()?;
    let proof = field.get_text("thoughtSignature");
    if let Some(call) = field.get("functionCall") {
        let name = call.need_text("name")?;
        let id = seed.call_id(call.get_text("id"), (choice, *number), &name, proof.as_ref());
        *number += 1;
        let arguments = arguments(call.value);
        let call = ToolCall { id, name, arguments, signature: None };
        parts.push(Content::ToolCall(call).into());
        return Ok(());
    }
    if let Some(text) = field.get_text("text") {
        if !text.is_empty() {
            let thought = |text| Content::Thinking { text, signature: None }.into();
            parts.push(if is_thought(field.value) { thought(text) } else { Part::text(text) });
        }
    } else if let Some(content) = media(field)? {
        parts.push(content.into());
    } else if let Some(content) = foreign(field.value) {
        parts.push(content.into());
    }
    if let Some(proof) = proof.filter(|text| !text.is_empty()) {
        parts.push(Content::RedactedThinking(signature::into_thinking(&proof)).into());
    }
    Ok(())
}

/// Read a client's part, which is no call and no result.
pub fn of_client<'b>(
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<Option<Part<'b>>, Refused> {
    let proof = get(field, "thoughtSignature").and_then(|it| Text::of(it.value));
    let proof = proof.filter(|it| !it.is_empty());
    for mark in ["videoMetadata", "mediaResolution", "partMetadata"] {
        if let Some(mark) = get(field, mark) {
            mark.drop_into(dropped);
        }
    }
    if let Some(text) = get(field, "text") {
        let text = text.text()?;
        if is_thought(field.value) {
            return Ok(Some(thought(text, proof).into()));
        }
        if proof.is_some() {
            field.drop_member("thoughtSignature", dropped);
        }
        return Ok(Some(Part::text(text)));
    }
    if let Some(content) = media(field)? {
        return Ok(Some(content.into()));
    }
    match foreign(field.value) {
        Some(content) => Ok(Some(content.into())),
        None if field.value.members().next().is_none() => Ok(None),
        None => Err(field.refuse("a part, e.g. {\"text\":\"…\"}")),
    }
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

/// A call without words is one with an empty object.
pub fn arguments<'b>(call: Value<'_, 'b>) -> Arguments<'b> {
    let args = call.get("args").filter(|args| args.kind() == Kind::Object);
    Arguments::Value(args.map_or(Json(Cow::Borrowed("{}")), Json::of))
}

/// `inlineData` and `fileData`, by their media type.
fn media<'b>(field: &Field<'_, 'b, '_>) -> Result<Option<Content<'b>>, Refused> {
    let member = |object: &Field<'_, 'b, '_>, name: &str| {
        let text = get(object, name).and_then(|it| Text::of(it.value));
        text.filter(|text| !text.is_empty())
    };
    let (source, media_type, title) = if let Some(inline) = get(field, "inlineData") {
        let data = member(&inline, "data");
        let data = data.ok_or_else(|| inline.refuse_member("data", "base64"))?;
        let media_type = member(&inline, "mimeType")
            .ok_or_else(|| inline.refuse_member("mimeType", "a media type"))?;
        let source = Source::Base64 { media_type: media_type.clone(), data };
        (source, Some(media_type), member(&inline, "displayName"))
    } else if let Some(file) = get(field, "fileData") {
        let uri = member(&file, "fileUri");
        let uri = uri.ok_or_else(|| file.refuse_member("fileUri", "a URI"))?;
        (Source::Url(uri), member(&file, "mimeType"), member(&file, "displayName"))
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

/// A part of no other dialect, and whether the vendor's own tools made it.
fn foreign<'b>(value: Value<'_, 'b>) -> Option<Content<'b>> {
    let mut names =
        value.members().map(|(key, _)| key).filter(|key| !MARKS.contains(&&*camel(key)));
    let name = names.next()?;
    let servers = ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"];
    let is_server = servers.contains(&&*camel(&name));
    let json = Json::of(value);
    let foreign = Foreign { dialect: Dialect::Gemini, name: Text::Plain(name), json };
    Some(if is_server { Content::Server(foreign) } else { Content::Foreign(foreign) })
}
