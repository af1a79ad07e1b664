//! The `usage` object.
//!
//! ```text
//! {"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,
//!  "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":8}}
//! ```

use crate::{
    dialect::pivot,
    lexicon::usage::Usage,
    wire::{
        http1::push_decimal,
        json::{self, document::Value, write::Object},
    },
};

/// Read a `usage` object; `None` where it is no object or counts nothing.
///
/// `DeepSeek` says `prompt_cache_hit_tokens` for `cached_tokens`.
/// **Source**: api-docs.deepseek.com/api/create-chat-completion, read 2026-11-21.
#[must_use]
pub fn read(value: &[u8]) -> Option<Usage> {
    match read_front(value) {
        Some((usage, b"")) => Some(usage),
        _ => read_in_full(value),
    }
}

fn read_in_full(value: &[u8]) -> Option<Usage> {
    let keys = [
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "prompt_cache_hit_tokens",
        "cache_creation_input_tokens",
    ];
    let object = json::object::scan_object(value, &keys).ok()?;
    let raw = |index: usize| object.values[index].map(|span| span.of(value));
    let count = |index: usize| raw(index).and_then(json::value::read_u64);
    let detail = |index: usize, key: &str| raw(index).and_then(|details| nested(details, key));
    if raw(0).is_none() && raw(1).is_none() {
        return None;
    }
    Some(Usage {
        input_tokens: count(0).unwrap_or(0),
        output_tokens: count(1).unwrap_or(0),
        cached_tokens: detail(2, "cached_tokens").or(count(4)).unwrap_or(0),
        reasoning_tokens: detail(3, "reasoning_tokens").unwrap_or(0),
        cache_written_tokens: part(count(5)),
        cache_written_hour_tokens: 0,
        input_audio_tokens: part(detail(2, "audio_tokens")),
        output_audio_tokens: part(detail(3, "audio_tokens")),
    })
}

fn part(count: Option<u64>) -> u32 {
    u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX)
}

fn nested(object: &[u8], key: &str) -> Option<u64> {
    let found = json::object::scan_nested(object, &[key]).ok()?;
    json::value::read_u64(found.values[0]?.of(object))
}

/// The same of a parsed document, with all that it tells.
///
/// `cache_creation_input_tokens` is how gateways tell what Anthropic's caches were given. Azure
/// tells of Grok more cached tokens than went in at all: a part is never taken for more than its
/// whole.
#[must_use]
pub fn decode(value: Value<'_, '_>) -> pivot::usage::Usage {
    let count = |name: &str| value.get(name).and_then(Value::as_u64);
    let input = value.get("prompt_tokens_details");
    let output = value.get("completion_tokens_details");
    let detail = |details: Option<Value<'_, '_>>, name: &str| details?.get(name)?.as_u64();
    let prompt = count("prompt_tokens");
    let cached = detail(input, "cached_tokens").or_else(|| count("prompt_cache_hit_tokens"));
    pivot::usage::Usage {
        input: prompt,
        output: count("completion_tokens"),
        cached: cached.map(|cached| cached.min(prompt.unwrap_or(cached))),
        cache_written: count("cache_creation_input_tokens"),
        cache_written_hour: None,
        reasoning: detail(output, "reasoning_tokens"),
        input_audio: detail(input, "audio_tokens"),
        output_audio: detail(output, "audio_tokens"),
    }
}

/// Append a `usage` object; what a cache gave and took also under the names that Anthropic's
/// clients know.
pub fn encode(out: &mut Vec<u8>, usage: &pivot::usage::Usage) {
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    let mut object = Object::open(out);
    push_decimal(object.members(r#""prompt_tokens":"#), input);
    push_decimal(object.members(r#""completion_tokens":"#), output);
    push_decimal(object.members(r#""total_tokens":"#), input.saturating_add(output));
    if let Some(first) = usage.cached.or(usage.input_audio) {
        let details = match usage.cached {
            Some(_) => object.members(r#""prompt_tokens_details":{"cached_tokens":"#),
            None => object.members(r#""prompt_tokens_details":{"audio_tokens":"#),
        };
        push_details(details, first, usage.input_audio.filter(|_| usage.cached.is_some()));
    }
    if let Some(first) = usage.reasoning.or(usage.output_audio) {
        let details = match usage.reasoning {
            Some(_) => object.members(r#""completion_tokens_details":{"reasoning_tokens":"#),
            None => object.members(r#""completion_tokens_details":{"audio_tokens":"#),
        };
        push_details(details, first, usage.output_audio.filter(|_| usage.reasoning.is_some()));
    }
    if let Some(written) = usage.cache_written {
        object.number("cache_read_input_tokens", usage.cached.unwrap_or(0));
        object.number("cache_creation_input_tokens", written);
    }
    object.close();
}

/// Append the counts of an object whose first name is written, and close it.
fn push_details(out: &mut Vec<u8>, first: u64, audio: Option<u64>) {
    push_decimal(out, first);
    if let Some(audio) = audio {
        out.extend_from_slice(b",\"audio_tokens\":");
        push_decimal(out, audio);
    }
    out.push(b'}');
}

/// The same of an object that the bytes begin with, where it is plain, and what follows it.
#[must_use]
pub fn read_front(bytes: &[u8]) -> Option<(Usage, &[u8])> {
    let mut plain = Plain { rest: bytes };
    plain.read().map(|usage| (usage, plain.rest))
}

/// An object of whole numbers, some of them in objects in it: what nearly every vendor sends.
///
/// Whatever else there is, each step says `None`, and all is read again in full. **Cost**: one look
/// at each byte, a fraction of what it takes to find members that may be anything.
struct Plain<'v> {
    rest: &'v [u8],
}

impl<'v> Plain<'v> {
    fn read(&mut self) -> Option<Usage> {
        let (mut input, mut output) = (None, None);
        let (mut cached, mut hit, mut reasoning) = (None, None, None);
        let (mut heard, mut spoken) = (None, None);
        let (mut has_input_details, mut has_output_details) = (false, false);
        self.byte(b'{')?;
        loop {
            self.skip_space();
            if self.takes(b"\"prompt_tokens\"") {
                once(&mut input, self.number()?)?;
            } else if self.takes(b"\"completion_tokens\"") {
                once(&mut output, self.number()?)?;
            } else if self.takes(b"\"total_tokens\"") {
                self.number()?;
            } else if !has_input_details && self.takes(b"\"prompt_tokens_details\"") {
                has_input_details = true;
                self.details((b"cached_tokens", &mut cached), &mut heard)?;
            } else if !has_output_details && self.takes(b"\"completion_tokens_details\"") {
                has_output_details = true;
                self.details((b"reasoning_tokens", &mut reasoning), &mut spoken)?;
            } else if self.takes(b"\"prompt_cache_hit_tokens\"") {
                once(&mut hit, self.number()?)?;
            } else {
                return None;
            }
            if !self.goes_on()? {
                break;
            }
        }
        (input.is_some() || output.is_some()).then(|| Usage {
            input_tokens: input.unwrap_or(0),
            output_tokens: output.unwrap_or(0),
            cached_tokens: cached.or(hit).unwrap_or(0),
            reasoning_tokens: reasoning.unwrap_or(0),
            input_audio_tokens: part(heard),
            output_audio_tokens: part(spoken),
            ..Usage::NONE
        })
    }

    /// The number of this name and that of audio, among others.
    fn details(
        &mut self,
        (wanted, found): (&[u8], &mut Option<u64>),
        audio: &mut Option<u64>,
    ) -> Option<()> {
        self.byte(b':')?;
        self.byte(b'{')?;
        loop {
            let key = self.key()?;
            let number = self.number()?;
            if key == wanted {
                once(found, number)?;
            } else if key == b"audio_tokens" {
                once(audio, number)?;
            }
            if !self.goes_on()? {
                return Some(());
            }
        }
    }

    /// Takes this key, if it stands here.
    #[inline]
    fn takes<const N: usize>(&mut self, key: &[u8; N]) -> bool {
        let rest = self.rest.strip_prefix(key);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// A key of small letters.
    fn key(&mut self) -> Option<&'v [u8]> {
        self.byte(b'"')?;
        let is_inside = |byte: &u8| matches!(byte, b'a'..=b'z' | b'_');
        let length = self.rest.iter().position(|byte| !is_inside(byte))?;
        let (key, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest.strip_prefix(b"\"")?;
        Some(key)
    }

    /// The number behind a colon.
    #[inline]
    fn number(&mut self) -> Option<u64> {
        self.byte(b':')?;
        self.skip_space();
        let (mut number, mut digits) = (0_u64, 0);
        for byte in self.rest.iter().take_while(|byte| byte.is_ascii_digit()) {
            number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            digits += 1;
        }
        let has_zero = digits > 1 && self.rest[0] == b'0';
        self.rest = self.rest.get(digits..)?;
        // So many nines are less than 2^64.
        ((1..=19).contains(&digits) && !has_zero).then_some(number)
    }

    /// Does another member follow?
    fn goes_on(&mut self) -> Option<bool> {
        self.skip_space();
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        match byte {
            b',' => Some(true),
            b'}' => Some(false),
            _ => None,
        }
    }

    #[inline]
    fn byte(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    #[inline]
    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

/// What is there twice is not plain.
fn once(slot: &mut Option<u64>, number: u64) -> Option<()> {
    slot.replace(number).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::{read, read_front, read_in_full};
    use crate::lexicon::usage::Usage;

    #[test]
    fn cached_and_reasoning_tokens_are_found_in_their_details() {
        let usage = read(
            br#"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,
                "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":2},
                "completion_tokens_details":{"reasoning_tokens":8}}"#,
        );

        let expected = Usage {
            input_tokens: 9,
            output_tokens: 12,
            cached_tokens: 4,
            reasoning_tokens: 8,
            input_audio_tokens: 2,
            ..Usage::NONE
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn null_details_count_nothing_and_null_usage_is_none() {
        let usage = read(br#"{"prompt_tokens":9,"prompt_tokens_details":null}"#);
        assert_eq!(usage, Some(Usage { input_tokens: 9, ..Usage::default() }));
        assert_eq!(read(b"null"), None);
        assert_eq!(read(b"{}"), None);
    }

    /// The same by the plain way alone.
    fn of_all(bytes: &[u8]) -> Option<Usage> {
        read_front(bytes).filter(|(_, rest)| rest.is_empty()).map(|(usage, _)| usage)
    }

    #[test]
    fn what_is_plain_is_read_as_it_is_in_full() {
        let plain = br#"{"prompt_tokens":9, "completion_tokens": 12 ,"total_tokens":21,
            "prompt_tokens_details":{"audio_tokens":0,"cached_tokens":4},"prompt_cache_hit_tokens":5,
            "completion_tokens_details":{"reasoning_tokens":8}}"#;
        assert_eq!(of_all(plain), read_in_full(plain));
        assert!(of_all(plain).is_some());
        for at in 0..plain.len() {
            for byte in *b"\"{}[],:.-e01ax \n\\\x00\xc3" {
                let mut other = plain.to_vec();
                other[at] = byte;
                let found = of_all(&other);
                assert!(found.is_none() || found == read_in_full(&other), "{byte} at {at}");
                other.remove(at);
                let found = of_all(&other);
                assert!(found.is_none() || found == read_in_full(&other), "without {at}");
            }
        }
        for odd in [
            r#"{"prompt_tokens":1,"prompt_tokens":2}"#,
            r#"{"prompt_tokens":1,"prompt_tokens_details":{"x":1},"prompt_tokens_details":{"x":1}}"#,
            r#"{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":1,"cached_tokens":1}}"#,
            r#"{"prompt_tokens":01}"#,
            r#"{"prompt_tokens":1}}"#,
            r#"{"prompt_tokens":18446744073709551616}"#,
            r#"{"prompt_tokens":}"#,
            r#"{"prompt_tokens":1,}"#,
        ] {
            assert_eq!(of_all(odd.as_bytes()), None, "{odd}");
        }
    }
}
