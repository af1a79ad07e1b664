//! The content of a message: a text, or parts.

use crate::{
    dialect::{
        asked,
        field::Field,
        pivot::{
            dropped::Dropped,
            part::{Content, Dialect, Document, DocumentBody, Foreign, Part, Source},
            text::{Json, Text},
        },
    },
    lexicon::refusal::Refused,
};

/// Members that some part is read from.
const KNOWN: [&str; 12] = [
    "type",
    "text",
    "image_url",
    "video_url",
    "input_audio",
    "file",
    "refusal",
    "thinking",
    "signature",
    "data",
    "cache_control",
    "index",
];

/// Append what a `content` holds.
pub fn decode<'b>(
    parts: &mut Vec<Part<'b>>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    asked::content(parts, field, |parts, item| part(parts, item, dropped))
}

/// Append one part.
pub fn part<'b>(
    parts: &mut Vec<Part<'b>>,
    field: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    field.object()?;
    let name = field.need_text("type")?;
    let content = match &*name.read() {
        "text" => Content::Text(field.need_text("text")?),
        "image_url" => {
            let image = field.need("image_url", "there")?;
            let url = Text::of(image.value).or_else(|| image.get_text("url"));
            let url = url.ok_or_else(|| image.refuse_member("url", "a string"))?;
            Content::Image { source: source(url), detail: image.get_text("detail") }
        }
        "video_url" => {
            let video = field.need("video_url", "there")?;
            Content::Video(source(video.get_text("url").ok_or_else(|| video.refuse("an URL"))?))
        }
        "input_audio" => audio(&field.need("input_audio", "there")?)?,
        "file" => file(&field.need("file", "there")?)?,
        "refusal" => Content::Refusal(field.need_text("refusal")?),
        "thinking" => Content::Thinking {
            text: thinking(&field.need("thinking", "there")?)?,
            signature: field.get_text("signature").filter(|text| !text.is_empty()),
        },
        "redacted_thinking" => Content::RedactedThinking(field.need_text("data")?),
        _ => Content::Foreign(Foreign {
            dialect: Dialect::OpenAiChat,
            name: name.clone(),
            json: Json::of(field.value),
        }),
    };
    if !matches!(content, Content::Foreign(_)) {
        field.drop_others(&KNOWN, dropped);
    }
    let cache = field.get("cache_control").map(|cache| Json::of(cache.value));
    parts.push(Part { content, cache });
    Ok(())
}

/// A text; Mistral's models think in parts of text.
fn thinking<'b>(field: &Field<'_, 'b, '_>) -> Result<Text<'b>, Refused> {
    let mut texts = Vec::new();
    let text = field.text_or_items(|part| {
        texts.extend(part.get_text("text"));
        Ok(())
    })?;
    Ok(match (text, texts.len()) {
        (Some(text), _) => text,
        (None, 0 | 1) => texts.pop().unwrap_or_default(),
        (None, _) => Text::Plain(texts.iter().map(Text::read).collect::<String>().into()),
    })
}

/// What an URL names, or what it holds where it is `data:image/png;base64,…`.
#[must_use]
pub fn source(url: Text<'_>) -> Source<'_> {
    if let Text::Escaped(written) = url
        && let Some(rest) = written.strip_prefix("data:")
        && let Some((media_type, data)) = rest.split_once(";base64,")
    {
        let media_type = Text::Escaped(media_type.split(';').next().unwrap_or_default());
        return Source::Base64 { media_type, data: Text::Escaped(data) };
    }
    Source::Url(url)
}

/// `{"data":"…","format":"wav"}`
fn audio<'b>(field: &Field<'_, 'b, '_>) -> Result<Content<'b>, Refused> {
    let data = field.need_text("data")?;
    let media_type = match &*field.word("format") {
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "flac" => "audio/flac",
        "ogg" | "opus" => "audio/ogg",
        "aac" => "audio/aac",
        "pcm16" => "audio/pcm",
        _ => return Err(field.refuse_member("format", "wav, mp3, flac, ogg, aac or pcm16")),
    };
    Ok(Content::Audio(Source::Base64 { media_type: Text::plain(media_type), data }))
}

/// `{"file_id":"…"}` or `{"filename":"a.pdf","file_data":"data:application/pdf;base64,…"}`
fn file<'b>(field: &Field<'_, 'b, '_>) -> Result<Content<'b>, Refused> {
    let found = match (field.get_text("file_id"), field.get_text("file_data")) {
        (Some(id), _) => Source::File(id),
        (None, Some(data)) => match source(data) {
            // Some clients leave the prefix out; only PDFs are taken as files.
            Source::Url(data) if !data.read().starts_with("http") => {
                Source::Base64 { media_type: Text::plain("application/pdf"), data }
            }
            found => found,
        },
        (None, None) => return Err(field.refuse("a file_id or file_data")),
    };
    Ok(Content::Document(Document {
        body: DocumentBody::Source(found),
        title: field.get_text("filename"),
        context: None,
        citations: None,
    }))
}
