//! A streamed answer, watched event by event as it passes.
//!
//! ```text
//! data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}
//! data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
//! data: {"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}
//! data: [DONE]
//! ```
//!
//! Changed, and nothing else: the usage chunk is taken out where the client did not ask for it;
//! `[DONE]` is added where the vendor finished without it; an error event is added where it did
//! not.
//!
//! Most events are neither parsed nor searched, but found to be like the last one (`likeness.rs`).
//! The others are searched: a key that is followed by a bare quote and a colon cannot stand inside
//! a JSON string, where its quotes would be escaped.

use crate::{
    dialect::openai_chat::{likeness::Likeness, usage},
    lexicon::usage::Usage,
    wire::json::{
        self,
        document::{Document, Value},
        value::is_null,
    },
};
use memchr::memmem;
use std::{borrow::Cow, sync::LazyLock};

/// The end of a stream as bytes.
pub const DONE_EVENT: &[u8] = b"data: [DONE]\n\n";

/// The keys that are searched, each with the quote behind it.
const TAILS: [&str; 3] = ["finish_reason\"", "error\"", "usage\""];
const FINISH: usize = 0;
const ERROR: usize = 1;
const USAGE: usize = 2;

/// A searcher costs more to make than an event to search.
static SEARCHERS: LazyLock<[memmem::Finder<'static>; 3]> =
    LazyLock::new(|| TAILS.map(memmem::Finder::new));

/// Watches one stream.
#[expect(clippy::struct_excessive_bools, reason = "facts seen, independent of each other")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observer {
    /// The client asked for the usage chunk.
    pub wants_usage: bool,
    /// How many answers it asked for; none and one are the same.
    pub choices: u8,
    /// Those of them that have finished, a bit each; the last stands for all beyond.
    finished: u64,
    pub usage: Option<Usage>,
    /// All of them have.
    pub has_finished: bool,
    pub is_done: bool,
    pub has_error: bool,
    /// The last event held a choice, though a finish reason was seen before.
    pub goes_on: bool,
    /// Events with data so far.
    pub events: u32,
    /// The last event that had none of the keys with a value other than null.
    plain: Likeness,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// The client did not ask for it.
    TakeOut,
}

impl Observer {
    /// What it remembers is kept in `memory`, so that a stream costs no allocation.
    #[must_use]
    pub fn new(wants_usage: bool, choices: u8, memory: Vec<u8>) -> Self {
        Self { wants_usage, choices, plain: Likeness::new(memory), ..Self::default() }
    }

    /// The memory, for another stream.
    #[must_use]
    pub fn into_memory(self) -> Vec<u8> {
        self.plain.into_memory()
    }

    /// See the data of one event.
    pub fn see(&mut self, data: &[u8]) -> Verdict {
        self.events = self.events.saturating_add(1);
        if !self.has_finished && self.plain.is_like(data) {
            return Verdict::Pass;
        }
        if data == b"[DONE]" {
            self.is_done = true;
            self.goes_on = false;
            return Verdict::Pass;
        }
        let [may_finish, may_fail, may_count] =
            [FINISH, ERROR, USAGE].map(|key| may_have(key, data));
        if self.has_finished {
            self.goes_on = !self.is_done && has_choice(data);
        } else if may_finish {
            self.has_finished = has_finish_reason(data) && self.is_last_to_finish(data);
        } else if !may_fail && !may_count {
            self.plain.learn(data);
        }
        if may_fail && top_level(data, "error").is_some() {
            self.has_error = true;
        }
        if may_count { self.see_usage(data) } else { Verdict::Pass }
    }

    /// Is the answer complete, as far as its own words say?
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_done || self.has_finished
    }

    /// An event with a finish reason: was it the last choice's?
    fn is_last_to_finish(&mut self, data: &[u8]) -> bool {
        if self.choices <= 1 {
            return true;
        }
        for choice in finished_choices(data) {
            self.finished |= 1 << choice.min(u64::from(u64::BITS) - 1);
        }
        self.finished.count_ones() >= u32::from(self.choices).min(u64::BITS)
    }

    /// Usage may stand in the last content chunk or in a chunk of its own; the last one counts.
    #[inline(never)]
    fn see_usage(&mut self, data: &[u8]) -> Verdict {
        let Ok(object) = json::object::scan_object(data, &["usage", "choices"]) else {
            return Verdict::Pass;
        };
        let value = |index: usize| object.values[index].map(|span| span.of(data));
        let Some(found) = value(0).and_then(usage::read) else {
            return Verdict::Pass;
        };
        self.usage = Some(found);
        let is_usage_only = value(1).is_some_and(is_empty_array);
        if is_usage_only && !self.wants_usage { Verdict::TakeOut } else { Verdict::Pass }
    }
}

/// Does an event hold content, or the end of it? One that only names a role, or counts, or says
/// what a filter found in the request, holds none; what cannot be read does.
///
/// **Cost**: a full parse; asked only of the first events, and only where it matters.
#[must_use]
pub fn has_content(data: &[u8]) -> bool {
    let mut document = Document::default();
    let Ok(root) = document.parse(data) else { return true };
    let says_something = |(name, value): (Cow<'_, str>, Value<'_, '_>)| {
        name != "role" && name != "index" && !value.is_null() && !is_blank(value)
    };
    root.get("choices").is_some_and(|choices| {
        choices.items().any(|choice| {
            let in_choice = ["finish_reason", "text"].iter().any(|name| {
                choice.get(name).is_some_and(|value| !value.is_null() && !is_blank(value))
            });
            in_choice || choice.get("delta").is_some_and(|it| it.members().any(says_something))
        })
    })
}

/// An empty text, list or object.
fn is_blank(value: Value<'_, '_>) -> bool {
    matches!(value.raw(), "\"\"" | "[]" | "{}")
}

/// A quick look: may there be this key with a value that is not null?
fn may_have(key: usize, data: &[u8]) -> bool {
    !values(data, key).all(|(_, value)| value.is_none_or(|value| value.starts_with(b"n")))
}

/// Some vendors say `""` for as long as there is no reason.
fn has_finish_reason(data: &[u8]) -> bool {
    let is_reason = |value: &[u8]| !value.starts_with(b"n") && !value.starts_with(b"\"\"");
    values(data, FINISH).any(|(_, value)| value.is_some_and(is_reason))
}

/// **Cost**: a full parse; asked only where several answers are, of the events that end one.
fn finished_choices(data: &[u8]) -> Vec<u64> {
    let mut document = Document::default();
    let Ok(root) = document.parse(data) else { return Vec::new() };
    let Some(choices) = root.get("choices") else { return Vec::new() };
    let has_reason = |choice: &Value<'_, '_>| {
        choice.get("finish_reason").is_some_and(|value| !value.is_null() && !is_blank(value))
    };
    let index = |choice: Value<'_, '_>| choice.get("index").and_then(Value::as_u64).unwrap_or(0);
    choices.items().filter(has_reason).map(index).collect()
}

/// Asked only of what comes behind a finish reason, which is little.
fn has_choice(data: &[u8]) -> bool {
    let tail = b"choices\"";
    memmem::find_iter(data, tail).any(|at| {
        value_behind(data, at + tail.len())
            .and_then(|value| value.strip_prefix(b"["))
            .is_some_and(|inside| !inside.trim_ascii_start().starts_with(b"]"))
    })
}

/// Where this key may be, and its value; `None` where no value stands behind it.
fn values(data: &[u8], key: usize) -> impl Iterator<Item = (usize, Option<&[u8]>)> {
    let value = move |at| value_behind(data, at + TAILS[key].len());
    SEARCHERS[key].find_iter(data).map(move |at| (at, value(at)))
}

/// What stands behind the colon at `from`, if there is a colon.
fn value_behind(data: &[u8], from: usize) -> Option<&[u8]> {
    let rest = data.get(from..)?;
    if rest.starts_with(b":null") {
        return rest.get(1..); // As in nearly each event.
    }
    Some(rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
}

fn top_level<'a>(data: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let object = json::object::scan_object(data, &[key]).ok()?;
    object.values[0].map(|span| span.of(data)).filter(|value| !is_null(value))
}

fn is_empty_array(value: &[u8]) -> bool {
    let inner = value.strip_prefix(b"[").and_then(|value| value.strip_suffix(b"]"));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Observer, Verdict};

    #[test]
    fn the_usage_chunk_is_taken_out_only_where_it_was_not_asked_for() {
        let chunk = br#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#;
        for (wants_usage, expected) in [(false, Verdict::TakeOut), (true, Verdict::Pass)] {
            let mut observer = Observer::new(wants_usage, 1, Vec::new());
            assert_eq!(observer.see(chunk), expected);
            assert_eq!(observer.usage.map(|usage| usage.input_tokens), Some(9));
        }
    }

    #[test]
    fn usage_in_a_chunk_with_content_is_counted_and_stays() {
        let mut observer = Observer::new(false, 1, Vec::new());
        let verdict = observer.see(br#"{"choices":[{"delta":{}}],"usage":{"prompt_tokens":9}}"#);
        assert_eq!(verdict, Verdict::Pass);
        assert!(observer.usage.is_some());
    }

    #[test]
    fn words_about_usage_and_finish_reason_in_a_text_are_not_usage_nor_a_finish() {
        let mut observer = Observer::new(false, 1, Vec::new());
        let verdict = observer.see(
            br#"{"choices":[{"delta":{"content":"\"finish_reason\": \"stop\", \"usage\":{}, \"error\":1"},"finish_reason":null}],"usage":null}"#);
        assert_eq!(verdict, Verdict::Pass);
        let plain = observer.plain.clone();
        assert_eq!(observer, Observer { events: 1, plain, ..Observer::new(false, 1, Vec::new()) });
    }

    #[test]
    fn an_empty_finish_reason_is_none() {
        let mut observer = Observer::new(false, 1, Vec::new());
        observer.see(br#"{"choices":[{"delta":{"content":"x"},"finish_reason":""}]}"#);
        assert!(!observer.has_finished);
    }

    #[test]
    fn an_event_like_the_last_is_seen_as_one_that_is_not() {
        let plain = br#"{"id":"c","choices":[{"delta":{"content":"a"},"finish_reason":null}],"usage":null}"#;
        for next in [
            r#"{"id":"c","choices":[{"delta":{"content":"b"},"finish_reason":"stop"}],"usage":null}"#,
            r#"{"id":"c","choices":[{"delta":{"content":""},"finish_reason":null}],"usage":{"prompt_tokens":9}}"#,
            r#"{"id":"c","choices":[{"delta":{"content":"b"},"finish_reason":null}],"error":{},"usage":null}"#,
            r#"{"id":"c","choices":[{"delta":{"content":"b\"},\"error\":{"},"finish_reason":null}],"usage":null}"#,
            r#"{"id":"c","error":{},"choices":[{"delta":{"content":"b"},"finish_reason":null}],"usage":null}"#,
        ] {
            let (mut fresh, mut used) =
                (Observer::new(false, 1, Vec::new()), Observer::new(false, 1, Vec::new()));
            used.see(plain);

            assert_eq!(fresh.see(next.as_bytes()), used.see(next.as_bytes()), "{next}");

            used.events -= 1;
            used.plain = fresh.plain.clone();
            assert_eq!(fresh, used, "{next}");
        }
    }

    #[test]
    fn several_answers_are_complete_when_each_has_finished() {
        let mut observer = Observer::new(false, 3, Vec::new());
        for (index, is_complete) in [(2, false), (2, false), (0, false), (1, true)] {
            let data = format!(
                r#"{{"choices":[{{"index":{index},"delta":{{"tool_calls":[{{"index":7}}]}},"finish_reason":"stop"}}]}}"#
            );
            observer.see(data.as_bytes());
            assert_eq!(observer.is_complete(), is_complete, "{index}");
        }
    }

    #[test]
    fn a_finish_an_error_and_the_end_are_seen() {
        let mut observer = Observer::new(false, 1, Vec::new());
        observer.see(br#"{"choices":[{"finish_reason" : "length"}]}"#);
        assert!(observer.has_finished && !observer.is_done);
        assert!(!observer.goes_on);
        observer.see(br#"{"choices":[{"index":1,"delta":{"content":"x"}}]}"#);
        assert!(observer.goes_on, "another choice is not finished");
        observer.see(br#"{"choices":[ ]}"#);
        assert!(!observer.goes_on, "a heartbeat says nothing");
        observer.see(br#"{"error":{"message":"x"}}"#);
        assert!(observer.has_error);
        observer.see(b"[DONE]");
        assert!(observer.is_done);
    }
}
