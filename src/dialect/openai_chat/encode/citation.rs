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
        citation::{Citation, Cited, Extent},
        dropped::Dropped,
        part::{Content, Part},
    },
    wire::json::{document::Document, write::Object},
};

/// Append the member `annotations`.
pub fn push_all(message: &mut Object<'_>, found: &[Cited<'_>]) {
    let mut array = message.array("annotations");
    for Cited { from, to, source } in found {
        let mut annotation = array.object();
        annotation.text("type", "url_citation");
        let mut citation = annotation.object("url_citation");
        citation.number("start_index", from.chars);
        citation.number("end_index", to.chars);
        source.url.push(citation.key("url"));
        source.title.push(citation.key("title"));
        citation.close();
        annotation.close();
    }
    array.close();
}

/// Append the member `annotations`, if there is one to make; other citations are named.
pub fn push(message: &mut Object<'_>, parts: &[Part<'_>], dropped: &mut Dropped) {
    if !parts.iter().any(|part| matches!(part.content, Content::Cited { .. })) {
        return;
    }
    let mut document = Document::default();
    let mut found = Vec::new();
    let mut said = Extent::default();
    for part in parts {
        let Some(text) = part.as_text() else { continue };
        let from = said;
        said.add(text);
        let Content::Cited { citations, .. } = &part.content else { continue };
        let Ok(citations) = document.parse(citations.0.as_bytes()) else { continue };
        for citation in citations.items() {
            match Citation::of(citation) {
                Some(source) => found.push(Cited { from, to: said, source }),
                None => dropped.name("content.citations"),
            }
        }
    }
    if !found.is_empty() {
        push_all(message, &found);
    }
}
