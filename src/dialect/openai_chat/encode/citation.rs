//! Where the words of an answer are from: those with an URL are annotations, as OpenAI's own search
//! writes them.
//!
//! ```text
//! "annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":3,
//!   "url":"https://…","title":"…"}}]
//! ```
//! The indices count characters of `content`. **Source**: platform.openai.com/docs/guides/
//! tools-web-search, read 2026-11-21.

use crate::{
    dialect::pivot::{
        dropped::Dropped,
        part::{Content, Part},
        text::Text,
    },
    wire::json::{document::Document, write::Object},
};

/// Append the member `annotations`, if there is one to make; other citations are named.
pub fn push(message: &mut Object<'_>, parts: &[Part<'_>], dropped: &mut Dropped) {
    if !parts.iter().any(|part| matches!(part.content, Content::Cited { .. })) {
        return;
    }
    let mut document = Document::default();
    let mut found = Vec::new();
    let mut end = 0;
    for part in parts {
        let Some(text) = part.as_text() else { continue };
        let start = end;
        end += text.read().chars().count() as u64;
        let Content::Cited { citations, .. } = &part.content else { continue };
        let Ok(citations) = document.parse(citations.0.as_bytes()) else { continue };
        for citation in citations.items() {
            match citation.get("url").and_then(Text::of) {
                Some(url) => {
                    found.push((start, end, url, citation.get("title").and_then(Text::of)));
                }
                None => dropped.name("content.citations"),
            }
        }
    }
    if found.is_empty() {
        return;
    }
    let mut array = message.array("annotations");
    for (start, end, url, title) in found {
        let mut annotation = array.object();
        annotation.text("type", "url_citation");
        let mut citation = annotation.object("url_citation");
        citation.number("start_index", start);
        citation.number("end_index", end);
        url.push(citation.key("url"));
        title.unwrap_or_default().push(citation.key("title"));
        citation.close();
        annotation.close();
    }
    array.close();
}
