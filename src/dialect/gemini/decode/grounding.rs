//! Where the words of an answer are from: its supports, as citations of the pieces of text that
//! they support.
//!
//! ```text
//! {"groundingChunks":[{"web":{"uri":"https://…","title":"…"}}],
//!  "groundingSupports":[{"segment":{"startIndex":0,"endIndex":35,"text":"…"},
//!    "groundingChunkIndices":[0]}]}
//! ```
//! The indices count bytes of the part's text. **Source**: ai.google.dev/gemini-api/docs/
//! google-search, read 2026-11-21, and recorded traffic.

use crate::{
    dialect::pivot::{
        citation::{Citation, cut},
        delta::{Delta, Take},
        part::{Content, Part},
        text::{Json, Text},
    },
    wire::json::document::Value,
};
use std::ops::Range;

/// Cut the texts of an answer where its supports begin and end; true where all that is told was
/// said by it.
pub fn cite(parts: &mut Vec<Part<'_>>, grounding: Value<'_, '_>) -> bool {
    let chunks: Vec<_> =
        grounding.get("groundingChunks").into_iter().flat_map(Value::items).collect();
    let supports = grounding.get("groundingSupports").into_iter().flat_map(Value::items);
    let mut is_all = !has_more(grounding);
    let mut found: Vec<(usize, Range<usize>, Json<'static>)> = Vec::new();
    for support in supports {
        let cited = citations(support, &chunks);
        match (segment(support), cited) {
            (Some((part, range)), Some(json)) => found.push((part, range, json)),
            _ => is_all = false,
        }
    }
    found.sort_by_key(|(part, range, _)| (*part, range.start));
    let texts: Vec<usize> =
        (0..parts.len()).filter(|at| matches!(parts[*at].content, Content::Text(_))).collect();
    // From the back, so that places before stay where they are.
    for at in (0..texts.len()).rev() {
        let here = found.iter().filter(|(part, ..)| *part == at);
        let here = here.map(|(_, range, citations)| (range.clone(), citations.clone()));
        is_all &= cut(parts, texts[at], here);
    }
    is_all &= found.iter().all(|(part, ..)| *part < texts.len());
    is_all
}

/// The text that a support is of, by its place among texts, and where in it.
fn segment(support: Value<'_, '_>) -> Option<(usize, Range<usize>)> {
    let segment = support.get("segment")?;
    let count = |name: &str| match segment.get(name) {
        None => Some(0),
        Some(value) => usize::try_from(value.as_u64()?).ok(),
    };
    Some((count("partIndex")?, count("startIndex")?..count("endIndex")?))
}

/// What clients must show of a search beside its sources, or sources of no words.
fn has_more(grounding: Value<'_, '_>) -> bool {
    let is_empty = |name: &str| grounding.get(name).is_none_or(|it| it.items().next().is_none());
    let is_shown = grounding.members().any(|(key, _)| {
        matches!(&*key, "searchEntryPoint" | "retrievalMetadata" | "googleMapsWidgetContextToken")
    });
    is_shown || is_empty("groundingSupports") && !is_empty("groundingChunks")
}

/// Tell the sources of words that were streamed before; true where that is all.
pub fn tell(grounding: Value<'_, '_>, choice: u32, to: &mut impl Take) -> bool {
    let chunks: Vec<_> =
        grounding.get("groundingChunks").into_iter().flat_map(Value::items).collect();
    let mut is_all = !has_more(grounding);
    for support in grounding.get("groundingSupports").into_iter().flat_map(Value::items) {
        let mut is_any = false;
        for citation in sources(support, &chunks) {
            is_any = true;
            to.take(Delta::Citation { choice, citation });
        }
        is_all &= is_any;
    }
    is_all
}

/// The sources of a support that have an address.
fn sources<'b>(
    support: Value<'_, 'b>,
    chunks: &[Value<'_, 'b>],
) -> impl Iterator<Item = Citation<'b>> {
    let text = support.get("segment").and_then(|segment| segment.get("text")).and_then(Text::of);
    let indices = support.get("groundingChunkIndices").into_iter().flat_map(Value::items);
    indices.filter_map(Value::as_u64).filter_map(move |index| {
        let chunk = chunks.get(usize::try_from(index).ok()?)?;
        let source = ["web", "retrievedContext", "maps"].iter().find_map(|kind| chunk.get(kind))?;
        Some(Citation {
            url: source.get("uri").and_then(Text::of)?,
            title: source.get("title").and_then(Text::of).unwrap_or_default(),
            cited_text: text.clone().unwrap_or_default(),
        })
    })
}

/// The same as a list; `None` if there are none.
fn citations(support: Value<'_, '_>, chunks: &[Value<'_, '_>]) -> Option<Json<'static>> {
    let sources: Vec<_> = sources(support, chunks).collect();
    (!sources.is_empty()).then(|| Citation::list(sources.iter()))
}
