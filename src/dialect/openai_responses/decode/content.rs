//! The content of a message, or of what a tool gave: a text, or parts.

use crate::{
    dialect::{
        field::{self, Path},
        openai_chat::decode::content::source,
        pivot::{
            dropped::Dropped,
            part::{Content, Document, DocumentBody, Part, Source},
            text::Text,
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};

/// Append what a `content` or an `output` holds.
pub fn decode<'b>(
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
        part(parts, item, &path.index(index), dropped)?;
    }
    Ok(())
}

fn part<'b>(
    parts: &mut Vec<Part<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let object = field::object(value, path)?;
    let kind = object.get("type").and_then(Value::plain);
    let kind = kind.ok_or_else(|| path.name("type").refuse("a string"))?;
    let text = |key: &str| {
        let path = path.name(key);
        let value = object.get(key).ok_or_else(|| path.refuse("a string"))?;
        field::text(value, &path)
    };
    let content = match &*kind {
        "input_text" | "output_text" | "text" => Content::Text(text("text")?),
        "refusal" => Content::Refusal(text("refusal")?),
        "input_image" => Content::Image {
            source: image(object, path)?,
            detail: object.get("detail").and_then(Text::of).filter(|detail| *detail != *"auto"),
        },
        "input_file" => Content::Document(file(object, path)?),
        // Newer than this, or of a tool that only its vendor has.
        other => {
            dropped.name(path.name(other).to_string());
            return Ok(());
        }
    };
    for (key, value) in object.members() {
        let is_read = matches!(
            &*key,
            "type"
                | "text"
                | "refusal"
                | "image_url"
                | "file_id"
                | "detail"
                | "file_data"
                | "file_url"
                | "filename"
        );
        let is_empty = value.is_null() || value.raw() == "[]";
        if !is_read && !is_empty {
            dropped.name(path.name(&key).to_string());
        }
    }
    parts.push(content.into());
    Ok(())
}

fn image<'b>(object: Value<'_, 'b>, path: &Path<'_>) -> Result<Source<'b>, Refused> {
    let text = |key: &str| object.get(key).and_then(Text::of);
    match (text("image_url"), text("file_id")) {
        (Some(url), _) => Ok(source(url)),
        (None, Some(id)) => Ok(Source::File(id)),
        (None, None) => Err(path.name("image_url").refuse("a string, or file_id one")),
    }
}

fn file<'b>(object: Value<'_, 'b>, path: &Path<'_>) -> Result<Document<'b>, Refused> {
    let text = |key: &str| object.get(key).and_then(Text::of);
    let found = match (text("file_data"), text("file_url"), text("file_id")) {
        (Some(data), ..) => match source(data) {
            // Without the prefix it is what most files are.
            Source::Url(data) => {
                Source::Base64 { media_type: Text::plain("application/pdf"), data }
            }
            found => found,
        },
        (None, Some(url), _) => Source::Url(url),
        (None, None, Some(id)) => Source::File(id),
        (None, None, None) => return Err(path.refuse("a file_data, file_url or file_id")),
    };
    Ok(Document {
        body: DocumentBody::Source(found),
        title: text("filename"),
        context: None,
        citations: None,
    })
}
