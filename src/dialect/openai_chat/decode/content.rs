//! The content of a message: a text, or parts.

use crate::{
    dialect::{
        field::{self, Path},
        pivot::{
            dropped::Dropped,
            part::{Content, Dialect, Document, DocumentBody, Foreign, Part, Source},
            text::{Json, Text},
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};

/// Append what a `content` holds.
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

/// Append one part.
pub fn part<'b>(
    parts: &mut Vec<Part<'b>>,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let object = field::object(value, path)?;
    let kind = object.get("type").ok_or_else(|| path.name("type").refuse("a string"))?;
    let name = field::text(kind, &path.name("type"))?;
    let inner = |key: &str| {
        let path = path.name(key);
        object.get(key).ok_or_else(|| path.refuse("there"))
    };
    let text = |key: &str| field::text(inner(key)?, &path.name(key));
    let content = match &*name.read() {
        "text" => Content::Text(text("text")?),
        "image_url" => {
            let image = inner("image_url")?;
            let url = Text::of(image).or_else(|| image.get("url").and_then(Text::of));
            let url = url.ok_or_else(|| path.name("image_url").name("url").refuse("a string"))?;
            Content::Image { source: source(url), detail: image.get("detail").and_then(Text::of) }
        }
        "video_url" => {
            let url = inner("video_url")?.get("url").and_then(Text::of);
            Content::Video(source(url.ok_or_else(|| path.name("video_url").refuse("an URL"))?))
        }
        "input_audio" => audio(inner("input_audio")?, &path.name("input_audio"))?,
        "file" => file(inner("file")?, &path.name("file"))?,
        "refusal" => Content::Refusal(text("refusal")?),
        "thinking" => Content::Thinking {
            text: thinking(inner("thinking")?, &path.name("thinking"))?,
            signature: object.get("signature").and_then(Text::of).filter(|s| !s.is_empty()),
        },
        "redacted_thinking" => Content::RedactedThinking(text("data")?),
        _ => Content::Foreign(Foreign {
            dialect: Dialect::OpenAiChat,
            name: name.clone(),
            json: Json::of(value),
        }),
    };
    let cache = object.get("cache_control").map(Json::of);
    for (key, _) in object.members() {
        let is_read = matches!(
            &*key,
            "type"
                | "text"
                | "image_url"
                | "video_url"
                | "input_audio"
                | "file"
                | "refusal"
                | "thinking"
                | "signature"
                | "data"
                | "cache_control"
                | "index"
        );
        if !is_read && !matches!(content, Content::Foreign(_)) {
            dropped.name(path.name(&key).to_string());
        }
    }
    parts.push(Part { content, cache });
    Ok(())
}

/// A text; Mistral's models think in parts of text.
fn thinking<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Text<'b>, Refused> {
    if let Some(text) = Text::of(value) {
        return Ok(text);
    }
    let mut texts = field::array(value, path)?.items().filter_map(|part| part.get("text"));
    match (texts.next(), texts.next()) {
        (None, _) => Ok(Text::default()),
        (Some(only), None) => field::text(only, path),
        (Some(first), Some(second)) => {
            let texts = [first, second].into_iter().chain(texts).filter_map(Value::plain);
            Ok(Text::Plain(texts.collect::<String>().into()))
        }
    }
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
fn audio<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Content<'b>, Refused> {
    let data = value.get("data").and_then(Text::of);
    let data = data.ok_or_else(|| path.name("data").refuse("a string"))?;
    let media_type = match value.get("format").and_then(Value::plain).as_deref() {
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mpeg",
        Some("flac") => "audio/flac",
        Some("ogg" | "opus") => "audio/ogg",
        Some("aac") => "audio/aac",
        Some("pcm16") => "audio/pcm",
        _ => return Err(path.name("format").refuse("wav, mp3, flac, ogg, aac or pcm16")),
    };
    Ok(Content::Audio(Source::Base64 { media_type: Text::plain(media_type), data }))
}

/// `{"file_id":"…"}` or `{"filename":"a.pdf","file_data":"data:application/pdf;base64,…"}`
fn file<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Content<'b>, Refused> {
    let text = |key: &str| value.get(key).and_then(Text::of);
    let found = match (text("file_id"), text("file_data")) {
        (Some(id), _) => Source::File(id),
        (None, Some(data)) => match source(data) {
            // Some clients leave the prefix out; only PDFs are taken as files.
            Source::Url(data) if !data.read().starts_with("http") => {
                Source::Base64 { media_type: Text::plain("application/pdf"), data }
            }
            found => found,
        },
        (None, None) => return Err(path.refuse("a file_id or file_data")),
    };
    Ok(Content::Document(Document {
        body: DocumentBody::Source(found),
        title: text("filename"),
        context: None,
        citations: None,
    }))
}
