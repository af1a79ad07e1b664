//! What a vendor does: how fast it speaks, and the bytes it was taught.

use std::{collections::HashMap, sync::Arc};

/// One step of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These bytes in one write.
    Send(Vec<u8>),
    /// Nothing for so many milliseconds.
    Pause(u64),
    /// These bytes in writes of so many each.
    Split(Vec<u8>, usize),
    /// These bytes so many times, each time one write.
    Repeat(Vec<u8>, usize),
    /// Nothing until the client leaves.
    Hang,
    /// The connection ends in order (FIN).
    Close,
    /// The connection ends at once (RST); what was sent just before may be lost.
    Reset,
}

/// How fast answers come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Everything at once; each event of a stream still is a write of its own.
    #[default]
    Instant,
    /// 30 to 60 tokens a second with some jitter, after a moment of thought.
    Human,
}

/// How a vendor behaves.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub pace: Pace,
    /// Requests are not kept: for load, where the log would grow without end.
    pub forgets: bool,
    /// With a length: every request that does not ask for a stream gets the same 200 with an answer
    /// of about so many bytes in its language, and its body is not parsed; one that asks for a
    /// stream gets what the same body got before. **Cost**: one read, one write; of a stream, its
    /// writes.
    pub canned_bytes: Option<usize>,
    pub(super) raws: HashMap<String, Arc<[Step]>>,
}

impl Script {
    /// For tests: no pacing.
    #[must_use]
    pub fn instant() -> Self {
        Self::default()
    }

    /// For people: answers paced as a model paces them.
    #[must_use]
    pub fn human() -> Self {
        Self { pace: Pace::Human, forgets: true, ..Self::default() }
    }

    /// For load: canned answers of about `bytes`, nothing kept.
    #[must_use]
    pub fn load(bytes: usize) -> Self {
        Self { forgets: true, canned_bytes: Some(bytes), ..Self::default() }
    }

    /// The model `raw:NAME` answers with exactly these steps.
    #[must_use]
    pub fn raw(mut self, name: &str, steps: Vec<Step>) -> Self {
        self.raws.insert(name.to_owned(), steps.into());
        self
    }
}

impl Pace {
    /// The milliseconds before the token that `dice` was thrown for.
    pub(super) fn between_tokens(self, dice: u64) -> Option<u64> {
        match self {
            Self::Instant => None,
            Self::Human => Some(16 + dice % 18),
        }
    }

    /// The milliseconds before the first byte.
    pub(super) fn before_first(self, dice: u64) -> Option<u64> {
        match self {
            Self::Instant => None,
            Self::Human => Some(120 + dice % 150),
        }
    }
}
