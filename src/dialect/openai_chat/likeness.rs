//! Is an event like one that was seen before, but for words that no one here reads?
//!
//! ```text
//! {"id":"c1","choices":[{"delta":{"content":"Hi"},"finish_reason":null}],"obfuscation":"x7"}
//! |---------------- stays ------------------|  |--------------- stays --------------|    ||
//! ```
//!
//! A stream is one event said a hundred times with another word in it. What stays is compared as
//! bytes; what changes may be anything without a quote. So what was not there before as a key with
//! its value is not there now: a key ends in a quote, which is in a part that stays; and each part
//! but the last ends in `:"`, each but the first begins with a quote that no colon follows, so the
//! key and its value's first byte are in that part with it.

/// The texts that change from event to event: what the model says, and noise against eavesdroppers.
/// **Source**: platform.openai.com/docs/api-reference/chat-streaming (`obfuscation`), read
/// 2026-11-21; the others are what vendors of this dialect stream words in.
const CHANGES: [&str; 5] = ["content\"", "reasoning\"", "arguments\"", "text\"", "obfuscation\""];
/// Longer events are not worth remembering: to search them costs little beside sending them.
const KEPT_BYTES_MAX: usize = 1 << 10;
/// A stream whose events are of so many kinds is not worth learning.
const LESSONS_MAX: u8 = 64;
/// Parts of one event: one more than the words that change in it. Further words must stay.
const PARTS_MAX: usize = 6;

/// What stays from event to event, in its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Likeness {
    bytes: Vec<u8>,
    /// Where each part ends; the last one's end is the event's.
    ends: [u16; PARTS_MAX],
    parts: u8,
    lessons: u8,
}

impl Likeness {
    /// What is learned is kept in this memory.
    pub(super) fn new(memory: Vec<u8>) -> Self {
        Self { bytes: memory, ..Self::default() }
    }

    pub(super) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// Does `data` differ from what was learned by nothing but changing words?
    pub(super) fn is_like(&self, data: &[u8]) -> bool {
        let mut rest = data;
        let mut start = 0;
        for (index, end) in self.ends.iter().take(usize::from(self.parts)).enumerate() {
            if index > 0 {
                let Some(quote) = memchr::memchr(b'"', rest) else { return false };
                rest = &rest[quote..];
            }
            let end = usize::from(*end);
            let Some(behind) = rest.strip_prefix(&self.bytes[start..end]) else { return false };
            (rest, start) = (behind, end);
        }
        rest.is_empty() && start > 0
    }

    /// Learn what stays of `data`.
    pub(super) fn learn(&mut self, data: &[u8]) {
        if data.len() > KEPT_BYTES_MAX || self.lessons == LESSONS_MAX {
            return;
        }
        self.lessons += 1;
        self.bytes.clear();
        self.parts = 0;
        let mut from = 0;
        for open in memchr::memchr_iter(b'"', data) {
            let word = open + 1;
            if open < from || !is_change(&data[..open]) {
                continue;
            }
            if usize::from(self.parts) == PARTS_MAX - 1 {
                break;
            }
            let Some(quote) = memchr::memchr(b'"', &data[word..]).map(|at| word + at) else {
                break;
            };
            // An escaped quote, or one before a colon, is no end of a text.
            let is_end = data[quote - 1] != b'\\'
                && data[quote + 1..].trim_ascii_start().first() != Some(&b':');
            if is_end {
                self.push(&data[from..word]);
                from = quote;
            }
        }
        self.push(&data[from..]);
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
        // What is kept is far shorter than 2^16.
        self.ends[usize::from(self.parts)] = u16::try_from(self.bytes.len()).unwrap_or(u16::MAX);
        self.parts += 1;
    }
}

/// Is what follows the value of a key whose value changes?
fn is_change(before: &[u8]) -> bool {
    let key = before.trim_ascii_end().strip_suffix(b":");
    key.is_some_and(|key| CHANGES.iter().any(|change| key.ends_with(change.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::Likeness;

    fn check(learned: &str, data: &str, expected: bool) {
        let mut likeness = Likeness::default();
        assert!(!likeness.is_like(data.as_bytes()), "nothing is like nothing");
        likeness.learn(learned.as_bytes());
        assert!(likeness.is_like(learned.as_bytes()), "{learned}");
        assert_eq!(likeness.is_like(data.as_bytes()), expected, "{learned}\n{data}");
    }

    #[test]
    fn only_words_may_differ() {
        let learned = r#"{"content":"a","n":null,"obfuscation":"x"}"#;
        check(learned, r#"{"content":" b, c","n":null,"obfuscation":""}"#, true);
        check(learned, r#"{"content":"\n","n":null,"obfuscation":"xyz"}"#, true);
        check(learned, r#"{"content":"a","n":1,"obfuscation":"x"}"#, false);
        check(learned, r#"{"content":"a","n":null,"obfuscation":"x","m":1}"#, false);
        check(learned, r#"{"content":"a","m":1,"n":null,"obfuscation":"x"}"#, false);
        check(learned, r#"{"content":"\"a","n":null,"obfuscation":"x"}"#, false);
        check(learned, "", false);
        check(r#"{"content": "a","n":null}"#, r#"{"content": "b","n":null}"#, true);
        check(r#"{"content": "a","n":null}"#, r#"{"content":"b","n":null}"#, false);
        check(r#"{"n":1}"#, r#"{"n":2}"#, false);
        let texts = |last: &str| format!(r#"{{{}"text":"{last}"}}"#, r#""text":"a","#.repeat(5));
        check(&texts("a"), &texts("a").replacen(":\"a", ":\"b", 5), true);
        check(&texts("a"), &texts("b"), false);
    }

    #[test]
    fn what_ends_like_a_word_but_is_none_must_stay() {
        check(r#"{"a":"content\":\"b","error":1}"#, r#"{"a":"content\":\"c","error":1}"#, false);
        check(r#"{"content":"usage":null}"#, r#"{"content":"error":null}"#, false);
    }
}
