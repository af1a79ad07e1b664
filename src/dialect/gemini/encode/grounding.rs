//! Where the words of an answer are from, as a search of Google's says it: see
//! `decode/grounding.rs`.

use crate::{
    dialect::pivot::{
        citation::{Citation, Cited, Extent},
        dropped::Dropped,
        part::{Content, Dialect, Part},
    },
    wire::json::{document::Document, write::Object},
};

/// Append the member `groundingMetadata`; each source with the place of its part.
pub fn push(candidate: &mut Object<'_>, found: &[(u64, Cited<'_>)]) {
    let mut grounding = candidate.object("groundingMetadata");
    let mut chunks = grounding.array("groundingChunks");
    for (_, Cited { source, .. }) in found {
        let mut chunk = chunks.object();
        let mut web = chunk.object("web");
        source.url.push(web.key("uri"));
        source.title.push(web.key("title"));
        web.close();
        chunk.close();
    }
    chunks.close();
    let mut supports = grounding.array("groundingSupports");
    for (index, (part, Cited { from, to, .. })) in found.iter().enumerate() {
        let mut support = supports.object();
        let mut segment = support.object("segment");
        segment.number("partIndex", *part);
        segment.number("startIndex", from.bytes);
        segment.number("endIndex", to.bytes);
        segment.close();
        support.raw("groundingChunkIndices", &format!("[{index}]"));
        support.close();
    }
    supports.close();
    grounding.close();
}

/// The same of a whole answer, if there is something to say; sources without an address are named.
pub fn push_all<'p, 'b: 'p>(
    candidate: &mut Object<'_>,
    parts: impl Iterator<Item = &'p Part<'b>>,
    dropped: &mut Dropped,
) {
    let mut found = Vec::new();
    // What only another dialect can say is no part here.
    let is_said = |part: &&Part<'_>| match &part.content {
        Content::Server(foreign) | Content::Foreign(foreign) => foreign.dialect == Dialect::Gemini,
        _ => true,
    };
    for (part, content) in parts.filter(is_said).enumerate() {
        let Content::Cited { text, citations } = &content.content else { continue };
        let mut document = Document::default();
        let Ok(list) = document.parse(citations.0.as_bytes()) else { continue };
        let mut to = Extent::default();
        to.add(text);
        for citation in list.items() {
            match Citation::of(citation) {
                Some(source) => {
                    let source = source.owned();
                    found.push((part as u64, Cited { from: Extent::default(), to, source }));
                }
                None => dropped.name("content.citations"),
            }
        }
    }
    if !found.is_empty() {
        push(candidate, &found);
    }
}
