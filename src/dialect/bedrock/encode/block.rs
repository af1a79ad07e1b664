//! Blocks of content, in requests and in answers.

use crate::{
    dialect::{
        anthropic::encode::block::{push_id, push_input},
        bedrock::format::{self, DOCUMENTS, IMAGES, SOUNDS, VIDEOS},
        pivot::{
            citation::Citation,
            dropped::Dropped,
            part::{Content, Dialect, Document, DocumentBody, Foreign, Part, Source, ToolResult},
            text::{Json, Text},
        },
        told,
    },
    wire::json::{
        value::push_json_string,
        write::{Array, Object},
    },
};

/// A text without a word, which this API refuses and nobody misses.
pub fn is_empty(part: &Part<'_>) -> bool {
    matches!(&part.content, Content::Text(text) if text.read().trim().is_empty())
}

/// `{"title":"…","sourceContent":[{"text":"…"}],"location":{"web":{"url":"…"}}}`
///
/// **Source**: the `Citation` of AWS's own description of its API, 2023-09-30.
pub fn push_citation(mut object: Object<'_>, citation: &Citation<'_>) {
    citation.title.push(object.key("title"));
    let mut content = object.array("sourceContent");
    let mut text = content.object();
    citation.cited_text.push(text.key("text"));
    text.close();
    content.close();
    let mut location = object.object("location");
    let mut web = location.object("web");
    citation.url.push(web.key("url"));
    web.close();
    location.close();
    object.close();
}

/// **Source**: the `ToolUseId` of AWS's own description of its API, 2023-09-30.
const ID_BYTES_MAX: usize = 64;

/// Append an id in the letters that the API takes, and no more of them.
fn push_fit_id(out: &mut Vec<u8>, id: &Text<'_>) {
    let mut fit = Vec::new();
    push_id(&mut fit, id);
    let fit = std::str::from_utf8(&fit[1..fit.len() - 1]).unwrap_or_default();
    told::push_id(out, &Text::Escaped(fit), ID_BYTES_MAX);
}

/// Writes blocks; what stands at `path` and cannot be said is named.
pub struct Pen<'p> {
    pub dropped: &'p mut Dropped,
    /// The model takes marks of what may be kept.
    pub keeps_marks: bool,
    /// Documents so far: no two may have one name.
    pub documents: usize,
    /// What the field is called where something in it must be named.
    pub path: &'static str,
}

impl Pen<'_> {
    /// Append a block and the mark behind it, or name it as dropped.
    pub fn push(&mut self, array: &mut Array<'_>, part: &Part<'_>) {
        match &part.content {
            // A refusal is a text here; that it is one is said by the stop reason of its answer.
            Content::Text(text) | Content::Refusal(text) => push_text(array, text),
            Content::Cited { text, .. } => {
                push_text(array, text);
                self.name("citations");
            }
            Content::Image { source, detail } => {
                self.media(array, "image", source, IMAGES);
                if detail.as_ref().is_some_and(|detail| *detail != *"auto") {
                    self.name("image_url.detail");
                }
            }
            Content::Audio(source) => self.media(array, "audio", source, SOUNDS),
            Content::Video(source) => self.media(array, "video", source, VIDEOS),
            Content::Document(document) => self.document(array, document),
            Content::ToolCall(call) => {
                let mut object = array.object();
                let mut inner = object.object("toolUse");
                push_fit_id(inner.key("toolUseId"), &call.id);
                call.name.push(inner.key("name"));
                push_input(inner.key("input"), &call.arguments);
                inner.close();
                object.close();
            }
            Content::ToolResult(result) => self.result(array, result),
            Content::Thinking { text, signature: Some(signature) } => {
                push_thinking(array, text, Some(signature));
            }
            Content::RedactedThinking(data) => {
                let mut object = array.object();
                let mut inner = object.object("reasoningContent");
                data.push(inner.key("redactedContent"));
                inner.close();
                object.close();
            }
            Content::Server(Foreign { dialect: Dialect::Bedrock, json, .. })
            | Content::Foreign(Foreign { dialect: Dialect::Bedrock, json, .. }) => {
                json.push(array.item());
            }
            // Unsigned thinking is refused by the vendor.
            _ => return self.name(&part.name()),
        }
        if let Some(cache) = &part.cache {
            if self.keeps_marks {
                push_mark(array, cache);
            } else {
                self.name("cache_control");
            }
        }
    }

    fn name(&mut self, what: &str) {
        self.dropped.name(format!("{}.{what}", self.path));
    }

    /// Nobody fetches an URL on the way, but one of S3's.
    fn media(
        &mut self,
        array: &mut Array<'_>,
        kind: &'static str,
        source: &Source<'_>,
        families: &[&str],
    ) {
        let format = match source {
            Source::Base64 { media_type, .. } => format::of(&media_type.read(), families),
            Source::Url(url) => of_s3(url, families),
            Source::File(_) => None,
        };
        let Some(format) = format else { return self.name(kind) };
        let mut object = array.object();
        let mut inner = object.object(kind);
        inner.text("format", format);
        push_source(&mut inner, source);
        inner.close();
        object.close();
    }

    fn document(&mut self, array: &mut Array<'_>, document: &Document<'_>) {
        let format = match &document.body {
            DocumentBody::Text(_) | DocumentBody::Parts(_) => Some("txt"),
            DocumentBody::Source(Source::Base64 { media_type, .. }) => {
                format::of(&media_type.read(), DOCUMENTS)
            }
            DocumentBody::Source(Source::Url(url)) => of_s3(url, DOCUMENTS),
            DocumentBody::Source(Source::File(_)) => None,
        };
        let Some(format) = format else { return self.name("document") };
        let mut object = array.object();
        let mut inner = object.object("document");
        inner.text("format", format);
        self.documents += 1;
        inner.text("name", &title(document.title.as_ref(), self.documents));
        match &document.body {
            DocumentBody::Source(source) => push_source(&mut inner, source),
            DocumentBody::Text(text) => {
                let mut source = inner.object("source");
                text.push(source.key("text"));
                source.close();
            }
            DocumentBody::Parts(parts) => {
                let mut source = inner.object("source");
                let mut content = source.array("content");
                for part in parts {
                    match part.as_text() {
                        Some(text) => push_text(&mut content, text),
                        None => self.name(&part.name()),
                    }
                }
                content.close();
                source.close();
            }
        }
        if let Some(context) = &document.context {
            context.push(inner.key("context"));
        }
        if let Some(citations) = &document.citations {
            citations.push(inner.key("citations"));
        }
        inner.close();
        object.close();
    }

    fn result(&mut self, array: &mut Array<'_>, result: &ToolResult<'_>) {
        let mut object = array.object();
        let mut inner = object.object("toolResult");
        push_fit_id(inner.key("toolUseId"), &result.id);
        let mut content = inner.array("content");
        for part in result.content.iter().filter(|part| !is_empty(part)) {
            self.push(&mut content, part);
        }
        content.close();
        if result.is_error {
            inner.text("status", "error");
        }
        inner.close();
        object.close();
    }
}

pub fn push_text(array: &mut Array<'_>, text: &Text<'_>) {
    let mut object = array.object();
    text.push(object.key("text"));
    object.close();
}

/// Append thinking; answers to clients may have it without a proof.
pub fn push_thinking(array: &mut Array<'_>, text: &Text<'_>, signature: Option<&Text<'_>>) {
    let mut object = array.object();
    let mut outer = object.object("reasoningContent");
    let mut inner = outer.object("reasoningText");
    text.push(inner.key("text"));
    if let Some(signature) = signature {
        signature.push(inner.key("signature"));
    }
    inner.close();
    outer.close();
    object.close();
}

/// Append a mark: what stands before it may be kept.
pub fn push_mark(array: &mut Array<'_>, cache: &Json<'_>) {
    let mut object = array.object();
    let mut point = object.object("cachePoint");
    point.text("type", "default");
    if cache.0.contains("\"1h\"") {
        point.text("ttl", "1h");
    }
    point.close();
    object.close();
}

fn push_source(object: &mut Object<'_>, source: &Source<'_>) {
    let mut inner = object.object("source");
    match source {
        Source::Base64 { data, .. } => data.push(inner.key("bytes")),
        Source::Url(uri) | Source::File(uri) => {
            let mut place = inner.object("s3Location");
            uri.push(place.key("uri"));
            place.close();
        }
    }
    inner.close();
}

/// The format of what lies in S3, by its name's end.
fn of_s3(url: &Text<'_>, families: &[&str]) -> Option<&'static str> {
    let url = url.read();
    let name = url.strip_prefix("s3://")?;
    let (_, end) = name.rsplit_once('.')?;
    let end = if end.eq_ignore_ascii_case("jpg") { "jpeg" } else { end };
    let media_type = format::media_type(&end.to_ascii_lowercase(), families)?;
    format::of(media_type, families)
}

/// A name as this API takes it: letters, digits, single spaces, `-`, `(`, `)`, `[` and `]`, up to
/// 200 of them. Others than the first have their number, for no two may be alike.
/// **Source**: `DocumentBlock` of the API's reference, read 2026-11-21.
fn title(title: Option<&Text<'_>>, number: usize) -> String {
    const CHARS_MAX: usize = 190;
    let title = title.map(Text::read).unwrap_or_default();
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "-()[]".contains(c);
    let plain: String = title.chars().map(|c| if is_fit(c) { c } else { ' ' }).collect();
    let mut name = String::new();
    for word in plain.split(' ').filter(|word| !word.is_empty()) {
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(word);
    }
    name.truncate(CHARS_MAX);
    match (name.trim_end(), number) {
        ("", 1) => "document".to_owned(),
        ("", number) => format!("document {number}"),
        (name, 1) => name.to_owned(),
        (name, number) => format!("{name} [{number}]"),
    }
}

/// Append a text that holds JSON, as a JSON string.
pub fn push_json_text(out: &mut Vec<u8>, json: &Json<'_>) {
    push_json_string(out, &json.0);
}

#[cfg(test)]
mod tests {
    use super::title;
    use crate::dialect::pivot::text::Text;

    #[test]
    fn a_document_has_a_name_that_the_api_takes_and_no_other_has() {
        assert_eq!(title(None, 1), "document");
        assert_eq!(title(None, 2), "document 2");
        assert_eq!(title(Some(&Text::plain("Q3  report_v1.pdf")), 1), "Q3 report v1 pdf");
        assert_eq!(title(Some(&Text::plain("é")), 3), "document 3");
        assert_eq!(title(Some(&Text::plain("a")), 2), "a [2]");
        assert!(title(Some(&Text::Plain("x".repeat(500).into())), 12).len() <= 200);
    }
}
