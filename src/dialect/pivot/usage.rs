//! Tokens, as finely as any vendor tells them.

use crate::lexicon;

/// Tokens of one answer.
///
/// **Units**: tokens. `input` counts all that went in, the cached and the newly cached included;
/// `output` all that came out, the reasoning included. `None` is "not told", which is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: Option<u64>,
    pub output: Option<u64>,
    /// Read from a cache.
    pub cached: Option<u64>,
    /// Written to a cache.
    pub cache_written: Option<u64>,
    /// Of that, for an hour.
    pub cache_written_hour: Option<u64>,
    pub reasoning: Option<u64>,
    pub input_audio: Option<u64>,
    pub output_audio: Option<u64>,
}

impl Usage {
    /// What a later report says replaces what an earlier one said; what it does not say stays.
    pub fn amend(&mut self, later: Self) {
        let pairs = [
            (&mut self.input, later.input),
            (&mut self.output, later.output),
            (&mut self.cached, later.cached),
            (&mut self.cache_written, later.cache_written),
            (&mut self.cache_written_hour, later.cache_written_hour),
            (&mut self.reasoning, later.reasoning),
            (&mut self.input_audio, later.input_audio),
            (&mut self.output_audio, later.output_audio),
        ];
        for (known, later) in pairs {
            *known = later.or(*known);
        }
    }

    /// Is anything told?
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.input.is_some() || self.output.is_some()
    }

    /// The same for the receipt; `None` where nothing is told.
    #[must_use]
    pub fn seen(&self) -> Option<lexicon::usage::Usage> {
        self.is_told().then(|| lexicon::usage::Usage {
            input_tokens: self.input.unwrap_or(0),
            output_tokens: self.output.unwrap_or(0),
            cached_tokens: self.cached.unwrap_or(0),
            reasoning_tokens: self.reasoning.unwrap_or(0),
            cache_written_tokens: part(self.cache_written),
            cache_written_hour_tokens: part(self.cache_written_hour),
            input_audio_tokens: part(self.input_audio),
            output_audio_tokens: part(self.output_audio),
        })
    }
}

fn part(count: Option<u64>) -> u32 {
    u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX)
}
