//! The content of a message, or of what a tool gave: a text, or parts.

use crate::{
    dialect::{
        asked,
        field::Field,
        openai_chat::decode::content::source,
        pivot::{
            dropped::Dropped,
            part::{Content, Document, DocumentBody, Part, Source},
            text::Text,
        },
    },
    lexicon::refusal::Refused,
};

/// Members that some part is read from.
const KNOWN: [&str; 9] = [
    "type",
    "text",
    "refusal",
    "image_url",
    "file_id",
    "detail",
    "file_data",
    "file_url",
    "filename",
];

/// Append what a `content` or an `output` holds.
pub fn decode<'b>(
    parts: &mut Vec<Part<'b>>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    asked::content(parts, field, |parts, item| part(parts, item, dropped))
}

fn part<'b>(
    parts: &mut Vec<Part<'b>>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.object()?;
    let content = match &*field.need_text("type")?.read() {
        "input_text" | "output_text" | "text" => Content::Text(field.need_text("text")?),
        "refusal" => Content::Refusal(field.need_text("refusal")?),
        "input_image" => Content::Image {
            source: image(field)?,
            detail: field.get_text("detail").filter(|detail| *detail != *"auto"),
        },
        "input_file" => Content::Document(file(field)?),
        // Newer than this, or of a tool that only its vendor has.
        other => {
            field.drop_member(other, dropped);
            return Ok(());
        }
    };
    field.drop_others(&KNOWN, dropped);
    parts.push(content.into());
    Ok(())
}

fn image<'b>(field: &Field<'_, 'b, '_>) -> Result<Source<'b>, Refused> {
    match (field.get_text("image_url"), field.get_text("file_id")) {
        (Some(url), _) => Ok(source(url)),
        (None, Some(id)) => Ok(Source::File(id)),
        (None, None) => Err(field.refuse_member("image_url", "a string, or file_id one")),
    }
}

fn file<'b>(field: &Field<'_, 'b, '_>) -> Result<Document<'b>, Refused> {
    let text = |name: &str| field.get_text(name);
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
        (None, None, None) => return Err(field.refuse("a file_data, file_url or file_id")),
    };
    Ok(Document {
        body: DocumentBody::Source(found),
        title: text("filename"),
        context: None,
        citations: None,
    })
}
