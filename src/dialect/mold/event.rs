//! Events that tell words and nothing else.

use crate::dialect::{
    mold::{Cast, Counts, Hole, Mold},
    pivot::{
        delta::{Delta, Take},
        text::Text,
    },
};
use std::ops::Range;

/// The number of the words among the texts.
const WORDS: usize = 0;

/// Which words an event tells, and where they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Words {
    choice: u32,
    are_thoughts: bool,
    /// Their address and their length.
    read_at: (usize, usize),
}

/// The last event of a stream, if words and what was used were all that it told.
#[derive(Debug, Default)]
pub struct EventMold {
    mold: Mold,
    told: Words,
    /// What was used, where that was told.
    counts: Option<Counts>,
}

/// What an event of the mold tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<'b> {
    pub words: Delta<'b>,
    /// What was used, where that is told.
    pub counts: Option<Counts>,
}

impl EventMold {
    /// Read an event that is like the last; `None` of any other, which is to be read in full.
    pub fn read<'b>(&mut self, data: &'b [u8]) -> Option<Told<'b>> {
        let cast: Option<Cast<'b>> = self.mold.cast(data);
        // Without a word it says something else in some dialects.
        let Some(cast) = cast.filter(|cast| !cast.texts[WORDS].is_empty()) else {
            self.mold.clear();
            self.counts = None;
            return None;
        };
        let (choice, text) = (self.told.choice, Text::Escaped(cast.texts[WORDS]));
        let words = if self.told.are_thoughts {
            Delta::Thinking { choice, text }
        } else {
            Delta::Text { choice, text }
        };
        Some(Told { words, counts: self.counts.map(|counts| counts.again(&cast)) })
    }

    /// The event that is being read in full may differ here, next time.
    pub fn hole(&mut self, place: Range<usize>, hole: Hole) {
        self.mold.hole(place, hole);
    }

    /// Read what an event that is read in full tells of what was used.
    pub fn counts(&mut self, read: impl FnOnce(&mut Mold) -> Counts) -> Counts {
        *self.counts.insert(read(&mut self.mold))
    }

    /// Keep the event that was read, if words were all that it told.
    pub fn keep(&mut self, data: &[u8], seen: Seen) {
        let Some(told) = seen.words.filter(|_| !seen.has_more) else { return };
        if self.mold.text_at(data, told.read_at, WORDS) {
            self.told = told;
            self.mold.set(data);
        }
    }
}

/// What an event told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    words: Option<Words>,
    /// Something besides words and what was used.
    has_more: bool,
    /// What was used.
    pub has_usage: bool,
}

/// Hands steps on, and sees what they are.
pub struct Watch<'t, T> {
    to: &'t mut T,
    pub seen: Seen,
}

impl<'t, T: Take> Watch<'t, T> {
    pub fn new(to: &'t mut T) -> Self {
        Self { to, seen: Seen::default() }
    }

    fn see(&mut self, choice: u32, are_thoughts: bool, text: &Text<'_>) {
        let Text::Escaped(inside) = text else { return self.seen.has_more = true };
        let read_at = (inside.as_ptr().addr(), inside.len());
        let words = Words { choice, are_thoughts, read_at };
        self.seen.has_more |= self.seen.words.replace(words).is_some();
    }
}

impl<T: Take> Take for Watch<'_, T> {
    fn take(&mut self, delta: Delta<'_>) {
        match &delta {
            Delta::Text { choice, text } => self.see(*choice, false, text),
            Delta::Thinking { choice, text } => self.see(*choice, true, text),
            Delta::Usage(_) => self.seen.has_usage = true,
            _ => self.seen.has_more = true,
        }
        self.to.take(delta);
    }
}

#[cfg(test)]
mod tests {
    use super::{EventMold, Watch};
    use crate::dialect::pivot::{
        delta::{Delta, Take},
        text::Text,
    };

    struct Nobody;

    impl Take for Nobody {
        fn take(&mut self, _: Delta<'_>) {}
    }

    fn mold_of(event: &str, deltas: Vec<Delta<'_>>) -> EventMold {
        let mut mold = EventMold::default();
        let mut nobody = Nobody;
        let mut watch = Watch::new(&mut nobody);
        for delta in deltas {
            watch.take(delta);
        }
        mold.keep(event.as_bytes(), watch.seen);
        mold
    }

    #[test]
    fn an_event_of_words_is_known_again() {
        let event = r#"{"text":"a"}"#;
        let thought = |text| Delta::Thinking { choice: 3, text: Text::Escaped(text) };
        let mut mold = mold_of(event, vec![thought(&event[9..10])]);

        let read = mold.read(br#"{"text":"bc"}"#).expect("it is like the last");

        assert_eq!((read.words, read.counts), (thought("bc"), None));
        assert_eq!(mold.read(br#"{"text":""}"#), None, "an event without a word");
        assert_eq!(mold.read(event.as_bytes()), None, "the last one was another");
    }

    #[test]
    fn what_told_more_than_words_is_not_kept() {
        let event = r#"{"text":"a"}"#;
        let words = |text| Delta::Text { choice: 0, text: Text::Escaped(text) };
        let said = || words(&event[9..10]);
        let plain = Delta::Text { choice: 0, text: Text::plain("a") };
        for deltas in [vec![said(), Delta::Ping], vec![said(), said()], vec![plain], vec![]] {
            assert_eq!(mold_of(event, deltas).read(event.as_bytes()), None);
        }
    }

    #[test]
    fn words_that_stand_elsewhere_are_not_kept() {
        let (event, other) = (r#"{"text":"a"}"#.to_owned(), "a".to_owned());
        let words = Delta::Text { choice: 0, text: Text::Escaped(&other) };
        assert_eq!(mold_of(&event, vec![words]).read(event.as_bytes()), None);
    }
}
