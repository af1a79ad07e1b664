//! The content of a message: a text where it is one, else parts.

use crate::{
    dialect::pivot::{
        dropped::Dropped,
        part::{Content, Document, DocumentBody, Part, Source},
        target::Addressee,
        text::Text,
    },
    wire::json::write::{Array, Object},
};

/// Append the content: `""` where there is nothing, a text where there is one.
pub fn push<'p, 'b: 'p>(
    out: &mut Vec<u8>,
    parts: impl Iterator<Item = &'p Part<'b>>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let mut parts = parts.peekable();
    let Some(first) = parts.next() else { return out.extend_from_slice(b"\"\"") };
    let has_mark = first.cache.is_some() && to.abilities.keeps_cache_marks;
    if let (Some(text), None, false) = (first.as_text(), parts.peek(), has_mark) {
        note_unsaid(first, to, dropped);
        return text.push(out);
    }
    let mut array = Array::open(out);
    for part in std::iter::once(first).chain(parts) {
        push_part(&mut array, part, to, dropped);
    }
    array.close();
}

fn note_unsaid(part: &Part<'_>, to: &Addressee<'_>, dropped: &mut Dropped) {
    if part.cache.is_some() && !to.abilities.keeps_cache_marks {
        dropped.name("messages[].cache_control");
    }
    if matches!(part.content, Content::Cited { .. }) {
        dropped.name("messages[].citations");
    }
}

fn push_part(array: &mut Array<'_>, part: &Part<'_>, to: &Addressee<'_>, dropped: &mut Dropped) {
    match &part.content {
        Content::Text(text) | Content::Cited { text, .. } => {
            let mut object = open(array, "text");
            text.push(object.key("text"));
            close(object, part, to);
        }
        Content::Image { source: source @ (Source::Url(_) | Source::Base64 { .. }), detail } => {
            let mut object = open(array, "image_url");
            let mut image = object.object("image_url");
            push_url(image.key("url"), source);
            if let Some(detail) = detail {
                detail.push(image.key("detail"));
            }
            image.close();
            close(object, part, to);
        }
        Content::Video(source @ (Source::Url(_) | Source::Base64 { .. })) => {
            let mut object = open(array, "video_url");
            let mut video = object.object("video_url");
            push_url(video.key("url"), source);
            video.close();
            close(object, part, to);
        }
        Content::Audio(Source::Base64 { media_type, data }) if format(media_type).is_some() => {
            let mut object = open(array, "input_audio");
            let mut audio = object.object("input_audio");
            data.push(audio.key("data"));
            audio.text("format", format(media_type).unwrap_or_default());
            audio.close();
            close(object, part, to);
        }
        Content::Document(document) => push_document(array, part, document, to, dropped),
        Content::Refusal(text) => {
            let mut object = open(array, "refusal");
            text.push(object.key("refusal"));
            object.close();
        }
        _ => return dropped.name(format!("messages[].{}", part.name())),
    }
    note_unsaid(part, to, dropped);
}

fn open<'a>(array: &'a mut Array<'_>, kind: &str) -> Object<'a> {
    let mut object = array.object();
    object.text("type", kind);
    object
}

fn close(mut object: Object<'_>, part: &Part<'_>, to: &Addressee<'_>) {
    if let Some(cache) = part.cache.as_ref().filter(|_| to.abilities.keeps_cache_marks) {
        cache.push(object.key("cache_control"));
    }
    object.close();
}

fn push_document(
    array: &mut Array<'_>,
    part: &Part<'_>,
    document: &Document<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let mut title = document.title.as_ref();
    match &document.body {
        DocumentBody::Source(source @ Source::Base64 { .. }) => {
            let mut object = open(array, "file");
            let mut file = object.object("file");
            match title.take() {
                Some(title) => title.push(file.key("filename")),
                // The API wants one with data.
                None => file.text("filename", "document.pdf"),
            }
            push_url(file.key("file_data"), source);
            file.close();
            close(object, part, to);
        }
        DocumentBody::Source(Source::File(id)) => {
            let mut object = open(array, "file");
            let mut file = object.object("file");
            id.push(file.key("file_id"));
            file.close();
            close(object, part, to);
        }
        DocumentBody::Text(text) => {
            let mut object = open(array, "text");
            text.push(object.key("text"));
            close(object, part, to);
        }
        DocumentBody::Parts(parts) => {
            for part in parts {
                push_part(array, part, to, dropped);
            }
        }
        // Nobody fetches it on the way.
        DocumentBody::Source(Source::Url(_)) => dropped.name("messages[].document"),
    }
    if title.is_some() {
        dropped.name("messages[].document.title");
    }
    if document.context.is_some() {
        dropped.name("messages[].document.context");
    }
    if document.citations.is_some() {
        dropped.name("messages[].document.citations");
    }
}

/// Append the URL of a source, or the data as one.
pub fn push_url(out: &mut Vec<u8>, source: &Source<'_>) {
    match source {
        Source::Url(text) | Source::File(text) => text.push(out),
        Source::Base64 { media_type, data } => {
            out.extend_from_slice(b"\"data:");
            media_type.push_inside(out);
            out.extend_from_slice(b";base64,");
            data.push_inside(out);
            out.push(b'"');
        }
    }
}

fn format(media_type: &Text<'_>) -> Option<&'static str> {
    match &*media_type.read() {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mpeg" | "audio/mp3" => Some("mp3"),
        "audio/flac" => Some("flac"),
        "audio/ogg" => Some("ogg"),
        "audio/aac" => Some("aac"),
        "audio/pcm" => Some("pcm16"),
        _ => None,
    }
}
