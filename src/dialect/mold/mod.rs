//! A document that is like the last one but for its words and counts, read without being parsed.
//!
//! ```text
//! {"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{"totalTokenCount":8}}
//! |----------------- stays -----------------|  |---------------- stays ----------------| |--|
//! ```
//!
//! A stream is one event said a hundred times with another word in it, and a vendor's plain answers
//! are one document with other words, ids and counts in it. Of one that was parsed the bytes around
//! its holes are kept. A document of the same bytes, with other texts and counts in the same
//! places, is the same document with other values there, and means the same with them. What stands
//! in a hole is checked as a parser would check it; whatever is unusual is left to one.
//!
//! `event.rs` knows events of words, `answer.rs` whole answers.

pub mod answer;
pub mod event;

use crate::{
    dialect::pivot::text::Text,
    wire::json::document::{Value, string_at},
};
use std::ops::Range;

/// What stays of a document is a few hundred bytes, its lists of sources aside, which no other has.
const KEPT_BYTES_MAX: usize = 2 << 10;
/// What may differ within one: words, names, noise, and the counts that are told each time.
const HOLES_MAX: usize = 20;
/// Texts that are read of one.
const TEXTS_MAX: usize = 4;
/// Counts that are read of one.
const COUNTS_MAX: usize = 8;
/// So many nines are less than 2^64.
const DIGITS_MAX: usize = 19;

/// What stands where a document may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// A text, and which of those that are read it is.
    Text(usize),
    /// A text that nobody reads, such as noise against eavesdroppers.
    Noise,
    /// A whole number, and which of those that are read it is.
    Count(usize),
    /// One that nobody reads.
    Number,
    /// A number that may be broken or negative, which nobody reads.
    Figure,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where it begins; of what is kept, where the bytes before it end.
    from: usize,
    to: usize,
    hole: Hole,
}

/// What stays from document to document.
#[derive(Debug)]
pub struct Mold {
    bytes: Vec<u8>,
    places: [Place; HOLES_MAX],
    holes: usize,
    is_set: bool,
}

impl Default for Mold {
    fn default() -> Self {
        let none = Place { from: 0, to: 0, hole: Hole::Noise };
        Self { bytes: Vec::new(), places: [none; HOLES_MAX], holes: 0, is_set: false }
    }
}

/// What a document of a mold says, by the numbers of its holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cast<'b> {
    /// Escaped as they came.
    pub texts: [&'b str; TEXTS_MAX],
    pub counts: [u64; COUNTS_MAX],
}

/// Counts that a document tells, by their numbers, each where it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub [Option<u64>; COUNTS_MAX]);

impl Counts {
    /// The same counts as another document of the mold tells them.
    #[must_use]
    pub fn again(&self, cast: &Cast<'_>) -> Self {
        let mut again = *self;
        for (count, told) in again.0.iter_mut().zip(cast.counts) {
            *count = count.map(|_| told);
        }
        again
    }
}

impl Mold {
    /// Read a document that is like the one which was kept; `None` of any other.
    ///
    /// **Cost**: a comparison of what stays, and a look at what does not; no allocation.
    #[must_use]
    pub fn cast<'b>(&self, data: &'b [u8]) -> Option<Cast<'b>> {
        if !self.is_set {
            return None;
        }
        let mut cast = Cast::default();
        let (mut at, mut start) = (0, 0);
        for place in self.places.get(..self.holes)? {
            let stays = self.bytes.get(start..place.from)?;
            if !data.get(at..)?.starts_with(stays) {
                return None;
            }
            (at, start) = (at + stays.len(), place.from);
            at += match place.hole {
                Hole::Text(number) => {
                    let text = string_at(data, at.checked_sub(1)?)?;
                    *cast.texts.get_mut(number)? = text;
                    text.len()
                }
                Hole::Noise => string_at(data, at.checked_sub(1)?)?.len(),
                Hole::Count(number) => {
                    let (count, length) = count_at(data, at)?;
                    *cast.counts.get_mut(number)? = count;
                    length
                }
                Hole::Number => count_at(data, at)?.1,
                Hole::Figure => figure_at(data, at)?,
            };
        }
        (data.get(at..)? == self.bytes.get(start..)?).then_some(cast)
    }

    /// Forget what was kept: another document is to be read in full.
    pub const fn clear(&mut self) {
        (self.holes, self.is_set) = (0, false);
    }

    /// The document that is being read may differ here, next time.
    pub fn hole(&mut self, place: Range<usize>, hole: Hole) {
        if let Some(free) = self.places.get_mut(self.holes) {
            *free = Place { from: place.start, to: place.end, hole };
        }
        self.holes += 1;
    }

    /// The same of a count, if it is one.
    pub fn count(&mut self, value: Value<'_, '_>, number: Option<usize>) {
        if value.as_u64().is_some() {
            self.hole(value.place(), number.map_or(Hole::Number, Hole::Count));
        }
    }

    /// The same of a text, if it was read of this document.
    ///
    /// False where it was not, and would have to be made of several.
    fn text(&mut self, data: &[u8], text: &Text<'_>, number: usize) -> bool {
        let Text::Escaped(inside) = text else { return false };
        self.text_at(data, (inside.as_ptr().addr(), inside.len()), number)
    }

    fn text_at(&mut self, data: &[u8], text: (usize, usize), number: usize) -> bool {
        let (address, length) = text;
        let Some(from) = address.checked_sub(data.as_ptr().addr()) else { return false };
        let to = from.saturating_add(length);
        if data.get(to) != Some(&b'"') {
            return false;
        }
        self.hole(from..to, Hole::Text(number));
        true
    }

    /// Keep the document, whose holes are all known.
    fn set(&mut self, data: &[u8]) {
        self.is_set = false;
        let Some(places) = self.places.get_mut(..self.holes) else { return };
        places.sort_unstable_by_key(|place| place.from);
        let inside: usize = places.iter().map(|place| place.to - place.from).sum();
        let is_in_order = places.is_sorted_by(|one, next| one.to < next.from);
        if !is_in_order || data.len().saturating_sub(inside) > KEPT_BYTES_MAX {
            return;
        }
        self.bytes.clear();
        let mut at = 0;
        for place in places {
            self.bytes.extend_from_slice(data.get(at..place.from).unwrap_or_default());
            (at, place.from) = (place.to, self.bytes.len());
        }
        self.bytes.extend_from_slice(data.get(at..).unwrap_or_default());
        self.is_set = true;
    }
}

/// The plain whole number at this place, and how many digits it has.
fn count_at(data: &[u8], at: usize) -> Option<(u64, usize)> {
    let (mut count, mut digits) = (0_u64, 0);
    for byte in data.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()) {
        count = count.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        digits += 1;
    }
    let has_zero = digits > 1 && data[at] == b'0';
    ((1..=DIGITS_MAX).contains(&digits) && !has_zero).then_some((count, digits))
}

/// How long the number at this place is, which has no exponent: `-12.5`.
fn figure_at(data: &[u8], at: usize) -> Option<usize> {
    let whole = at + usize::from(data.get(at) == Some(&b'-'));
    let point = whole + count_at(data, whole)?.1;
    if data.get(point) != Some(&b'.') {
        return Some(point - at);
    }
    let digits = data[point + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=DIGITS_MAX).contains(&digits).then_some(point + 1 + digits - at)
}

#[cfg(test)]
mod tests {
    use super::{Hole, Mold};
    use crate::{
        dialect::pivot::text::Text,
        wire::json::document::{Document, Value},
    };

    fn mold_of(learned: &str) -> Mold {
        let (mut mold, mut document) = (Mold::default(), Document::default());
        let root = document.parse(learned.as_bytes()).expect("valid");
        let place = |name: &str| root.get(name).map(Value::place);
        if let Some(place) = place("noise") {
            mold.hole(place, Hole::Noise);
        }
        if let Some(place) = place("figure") {
            mold.hole(place, Hole::Figure);
        }
        if let Some(count) = root.get("count") {
            mold.count(count, Some(3));
        }
        let text = root.get("text").and_then(Text::of).expect("a text");
        assert!(mold.text(learned.as_bytes(), &text, 1));
        mold.set(learned.as_bytes());
        mold
    }

    fn check(learned: &str, data: &str, expected: Option<(&str, u64)>) {
        let mold = mold_of(learned);
        let cast = mold.cast(data.as_bytes());
        assert_eq!(cast.map(|cast| (cast.texts[1], cast.counts[3])), expected, "{learned}\n{data}");
    }

    #[test]
    fn only_words_noise_and_counts_may_differ() {
        let learned = r#"{"count":1,"text":"a","noise":"x","n":null}"#;
        let other = |text: &str, count: &str, noise: &str| {
            format!(r#"{{"count":{count},"text":"{text}","noise":"{noise}","n":null}}"#)
        };
        check(learned, learned, Some(("a", 1)));
        for text in ["b c", r#"\n\u00e9\""#, r"\ud83d\ude00", "é😀", &"long ".repeat(300)] {
            check(learned, &other(text, "120", ""), Some((text, 120)));
        }
        for text in [r"\q", r"\ud83d", "\n", r"a\"] {
            check(learned, &other(text, "1", "x"), None);
        }
        for count in ["", "01", "-1", "1.0", "1e2", "12345678901234567890", "\"1\"", "null"] {
            check(learned, &other("a", count, "x"), None);
        }
        check(learned, &other("a", "1", "\t"), None);
        check(learned, r#"{"count":1,"text":"a","noise":"x","n":1}"#, None);
        check(learned, r#"{"count":1,"text":"a","noise":"x","n":null,"m":1}"#, None);
        check(learned, r#"{"count":1,"text":"a","m":1,"noise":"x","n":null}"#, None);
        check(learned, "", None);
        let figure = |figure: &str| format!(r#"{{"figure":{figure},"text":"a"}}"#);
        for one in ["-1.25", "0", "7.0"] {
            check(&figure("-0.5"), &figure(one), Some(("a", 0)));
        }
        for one in ["-", "1.", ".5", "01.5", "1e999", "--1", "\"1\""] {
            check(&figure("-0.5"), &figure(one), None);
        }
        check(r#"{"text": "a","count": 7}"#, r#"{"text": "b","count": 8}"#, Some(("b", 8)));
        check(r#"{"text": "a"}"#, r#"{"text":"b"}"#, None);
    }

    #[test]
    fn bytes_that_are_no_text_are_left_to_the_parser() {
        let mold = mold_of(r#"{"text":"a"}"#);
        assert!(mold.cast(b"{\"text\":\"\xc3\xa9\"}").is_some());
        assert!(mold.cast(b"{\"text\":\"\xc3\"}").is_none());
    }

    #[test]
    fn a_document_with_more_holes_than_there_is_room_for_is_not_kept() {
        let event = r#"{"text":"a"}"#;
        let mut mold = Mold::default();
        (0..40).for_each(|_| mold.hole(0..0, Hole::Number));

        mold.set(event.as_bytes());

        assert_eq!(mold.cast(event.as_bytes()), None);
    }

    #[test]
    fn long_texts_are_no_part_of_what_is_kept() {
        let long = |text: &str| format!(r#"{{"text":"{}"}}"#, text.repeat(9_000));
        let mold = mold_of(&long("a"));
        assert!(mold.cast(long("é").as_bytes()).is_some());
        assert!(mold.bytes.len() < 20);
    }
}
