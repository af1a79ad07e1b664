//! Where an answer is from as Perplexity tells it: beside the choices, for the answer as a whole.
//!
//! ```text
//! "citations":["https://…"],"search_results":[{"title":"…","url":"https://…","snippet":"…"}]
//! ```
//! Words tell theirs by `[1]`, which is the first of them. A chunk of a stream tells all that are
//! known by then. **Source**: docs.perplexity.ai/api-reference/chat-completions-post, read
//! 2026-11-21, and recorded traffic.

use crate::{
    dialect::pivot::{
        citation::Citation,
        delta::{Delta, Take},
        text::Text,
    },
    wire::json::document::Value,
};

/// The members that tell sources.
pub const LISTS: [&str; 2] = ["citations", "search_results"];
/// Sources of one answer; a search finds a few dozen.
const SOURCES_MAX: usize = 1_024;

/// The sources in these two lists, each once, and whether all of each list could be read.
#[must_use]
pub fn read<'b>(lists: [Option<Value<'_, 'b>>; 2]) -> (Vec<Citation<'b>>, [bool; 2]) {
    let [citations, results] =
        lists.map(|list| list.into_iter().flat_map(Value::items).collect::<Vec<_>>());
    let text = |value: &Value<'_, 'b>, name: &str| value.get(name).and_then(Text::of);
    let of_result = |result: &Value<'_, 'b>| {
        Some(Citation {
            url: text(result, "url").filter(|url| !url.is_empty())?,
            title: text(result, "title").unwrap_or_default(),
            cited_text: text(result, "snippet").unwrap_or_default(),
        })
    };
    let known: Vec<_> = results.iter().take(SOURCES_MAX).filter_map(of_result).collect();
    let are_all_known = known.len() == results.len();
    // In the order by which the words number them.
    let mut found: Vec<Citation<'b>> = Vec::new();
    let urls = citations.iter().take(SOURCES_MAX).filter_map(|url| Text::of(*url));
    for url in urls.filter(|url| !url.is_empty()) {
        let same = known.iter().find(|known| known.url == url).cloned();
        found.push(same.unwrap_or(Citation { url, ..Citation::default() }));
    }
    let are_all_cited = found.len() == citations.len();
    for source in known {
        if !found.iter().any(|found| found.url == source.url) {
            found.push(source);
        }
    }
    (found, [are_all_cited, are_all_known])
}

/// The sources of an answer as it is streamed, which are told where it finishes.
#[derive(Debug, Default)]
pub struct Sources {
    known: Vec<Citation<'static>>,
    /// How long they were as they were written: each chunk says them again.
    bytes: usize,
    are_told: bool,
}

impl Sources {
    /// Note what a chunk says, and name what cannot be told of it.
    pub fn note(&mut self, lists: [Option<Value<'_, '_>>; 2], to: &mut impl Take) {
        let bytes = lists.iter().flatten().map(|list| list.raw().len()).sum();
        if self.are_told || bytes == self.bytes {
            return;
        }
        let (found, are_all) = read(lists);
        self.bytes = bytes;
        self.known = found.iter().map(Citation::owned).collect();
        for (name, _) in LISTS.into_iter().zip(are_all).filter(|(_, are_all)| !are_all) {
            to.take(Delta::Unsaid { name });
        }
    }

    /// Tell them, once.
    pub fn tell(&mut self, choice: u32, to: &mut impl Take) {
        for citation in std::mem::take(&mut self.known) {
            self.are_told = true;
            to.take(Delta::Citation { choice, citation });
        }
    }
}
