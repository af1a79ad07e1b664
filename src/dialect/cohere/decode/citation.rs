//! Where the words of an answer are from: those sources that have an address.
//!
//! ```text
//! {"start":0,"end":5,"text":"It is","type":"TEXT_CONTENT","content_index":0,"sources":[
//!   {"type":"document","id":"d","document":{"url":"https://…","title":"…","text":"…"}}]}
//! ```
//! The places count characters of the content's text. A document has the members that the client
//! gave it, and what a tool put out those of the tool: an address, if there is one, is their `url`.
//! **Source**: docs.cohere.com/v2/reference/chat (`citations`), read 2026-11-21, and recorded
//! traffic.

use crate::{
    dialect::pivot::{
        citation::{Citation, cut},
        part::{Content, Dialect, Foreign, Part},
        text::{Json, Text},
    },
    wire::json::document::Value,
};
use std::ops::Range;

/// A citation, or a list of them, that only this dialect can say.
#[must_use]
pub fn foreign<'b>(value: Value<'_, 'b>) -> Foreign<'b> {
    Foreign { dialect: Dialect::Cohere, name: Text::plain("citations"), json: Json::of(value) }
}

/// The sources of a citation that have an address, and whether those are all.
#[must_use]
pub fn sources<'b>(citation: Value<'_, 'b>) -> (Vec<Citation<'b>>, bool) {
    let all = || citation.get("sources").into_iter().flat_map(Value::items);
    let found: Vec<_> = all().filter_map(|source| addressed(citation, source)).collect();
    let is_all = !found.is_empty() && found.len() == all().count();
    (found, is_all)
}

fn addressed<'b>(citation: Value<'_, 'b>, source: Value<'_, 'b>) -> Option<Citation<'b>> {
    let place = source.get("document").or_else(|| source.get("tool_output"))?;
    let text = |value: Value<'_, 'b>, name: &str| value.get(name).and_then(Text::of);
    Some(Citation {
        url: text(place, "url").filter(|url| !url.is_empty())?,
        title: text(place, "title").unwrap_or_default(),
        cited_text: text(citation, "text").unwrap_or_default(),
    })
}

/// Cut the texts of an answer where its citations begin and end; true where all that is told was
/// said by it. Its content begins at `first` among its parts.
pub fn cite(parts: &mut Vec<Part<'_>>, first: usize, list: Value<'_, '_>) -> bool {
    let (mut is_all, mut found) = (true, Vec::new());
    for citation in list.items() {
        let (sources, are_all) = sources(citation);
        is_all &= are_all;
        let place = place(parts, first, citation).filter(|_| !sources.is_empty());
        match place {
            Some((at, range)) => found.push((at, range, Citation::list(sources.iter()))),
            None => is_all = false,
        }
    }
    found.sort_by_key(|(at, range, _)| (*at, range.start));
    // From the back, so that places before stay where they are.
    for at in (first..parts.len()).rev() {
        let here = found.iter().filter(|(part, ..)| *part == at);
        let mut here = here.map(|(_, range, json)| (range.clone(), json.clone())).peekable();
        if here.peek().is_some() {
            is_all &= cut(parts, at, here);
        }
    }
    is_all
}

/// The part whose words a citation is of, and where they stand in it, in bytes.
fn place(
    parts: &[Part<'_>],
    first: usize,
    citation: Value<'_, '_>,
) -> Option<(usize, Range<usize>)> {
    let count = |name: &str| usize::try_from(citation.get(name)?.as_u64()?).ok();
    let kind = citation.get("type").and_then(Value::plain);
    if kind.is_some_and(|kind| kind != "TEXT_CONTENT") {
        return None;
    }
    let is_text = |part: &Part<'_>| matches!(part.content, Content::Text(_));
    let at = match count("content_index") {
        Some(index) => first.checked_add(index)?,
        None => first + parts.get(first..)?.iter().position(is_text)?,
    };
    let Content::Text(text) = &parts.get(at)?.content else { return None };
    let plain = text.read();
    let mut bounds = plain.char_indices().map(|(at, _)| at).chain([plain.len()]);
    let (start, end) = (count("start")?, count("end")?);
    let from = bounds.nth(start)?;
    let to = if end > start { bounds.nth(end - start - 1)? } else { return None };
    Some((at, from..to))
}
