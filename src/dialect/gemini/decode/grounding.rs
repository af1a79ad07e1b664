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
        part::{Content, Part},
        text::{Json, Text},
    },
    wire::json::{
        document::Value,
        value::push_json_string,
        write::{Array, Object},
    },
};
use std::{borrow::Cow, ops::Range};

/// Cut the texts of an answer where its supports begin and end; true where all that is told was
/// said by it.
pub fn cite(parts: &mut Vec<Part<'_>>, grounding: Value<'_, '_>) -> bool {
    let chunks: Vec<_> =
        grounding.get("groundingChunks").into_iter().flat_map(Value::items).collect();
    let supports = grounding.get("groundingSupports").into_iter().flat_map(Value::items);
    let mut is_all = !grounding.members().any(|(key, _)| {
        matches!(&*key, "searchEntryPoint" | "retrievalMetadata" | "googleMapsWidgetContextToken")
    });
    let mut found: Vec<(usize, Range<usize>, String)> = Vec::new();
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
        let cut = cut(&parts[texts[at]], here, &mut is_all);
        if cut.len() > 1 || cut.iter().any(|part| matches!(part.content, Content::Cited { .. })) {
            parts.splice(texts[at]..=texts[at], cut);
        }
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

/// The sources of a support, as Anthropic writes those of a search; `None` if none has an address.
fn citations(support: Value<'_, '_>, chunks: &[Value<'_, '_>]) -> Option<String> {
    let mut out = Vec::new();
    let mut array = Array::open(&mut out);
    let mut is_empty = true;
    let text = support.get("segment")?.get("text").and_then(Text::of);
    let indices = support.get("groundingChunkIndices").into_iter().flat_map(Value::items);
    for index in indices.filter_map(Value::as_u64) {
        let chunk = usize::try_from(index).ok().and_then(|index| chunks.get(index))?;
        let source = chunk.get("web").or_else(|| chunk.get("retrievedContext"));
        let source = source.or_else(|| chunk.get("maps"));
        let Some(uri) = source.and_then(|source| source.get("uri")).and_then(Text::of) else {
            continue;
        };
        is_empty = false;
        let mut object: Object<'_> = array.object();
        object.text("type", "web_search_result_location");
        uri.push(object.key("url"));
        let title = source.and_then(|source| source.get("title")).and_then(Text::of);
        title.unwrap_or_default().push(object.key("title"));
        text.clone().unwrap_or_default().push(object.key("cited_text"));
        push_json_string(object.key("encrypted_index"), "");
        object.close();
    }
    array.close();
    (!is_empty).then(|| String::from_utf8(out).ok()).flatten()
}

fn cut<'b, 'f>(
    part: &Part<'b>,
    supports: impl Iterator<Item = &'f (usize, Range<usize>, String)>,
    is_all: &mut bool,
) -> Vec<Part<'b>> {
    let Content::Text(text) = &part.content else { return vec![part.clone()] };
    let plain = text.read();
    let own = |range: Range<usize>| {
        plain.get(range).map(|piece| Text::Plain(Cow::Owned(piece.to_owned())))
    };
    let (mut pieces, mut done) = (Vec::new(), 0);
    for (_, range, json) in supports {
        // One that overlaps another, or cuts a character, cannot be told.
        let cited = own(range.clone()).filter(|text| range.start >= done && !text.is_empty());
        let (Some(text), Some(before)) = (cited, own(done..range.start.max(done))) else {
            *is_all = false;
            continue;
        };
        if !before.is_empty() {
            pieces.push(Part::text(before));
        }
        let citations = Json(Cow::Owned(json.clone()));
        pieces.push(Content::Cited { text, citations }.into());
        done = range.end;
    }
    if let Some(rest) = own(done..plain.len()).filter(|rest| !rest.is_empty()) {
        pieces.push(Part::text(rest));
    }
    pieces
}
