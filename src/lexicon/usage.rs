//! Tokens seen.

/// Tokens of one exchange, as the vendor counted them.
///
/// **Units**: tokens. What was read from a cache, what was written to one and what was heard are
/// parts of `input_tokens`, reasoning and what was spoken parts of `output_tokens`; no such part
/// has 2^32. **Source**: OpenAI API reference, "usage" of a chat completion
/// (platform.openai.com/docs/api-reference/chat/object, read 2026-11-21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cached_tokens: u64,
    pub reasoning_tokens: u64,
    /// Of all that was written to a cache.
    pub cache_written_tokens: u32,
    /// Of that, what is kept for an hour and not for five minutes.
    pub cache_written_hour_tokens: u32,
    pub input_audio_tokens: u32,
    pub output_audio_tokens: u32,
}

impl Usage {
    pub const NONE: Self = Self {
        input_tokens: 0,
        output_tokens: 0,
        cached_tokens: 0,
        reasoning_tokens: 0,
        cache_written_tokens: 0,
        cache_written_hour_tokens: 0,
        input_audio_tokens: 0,
        output_audio_tokens: 0,
    };

    /// Is no part of it of a kind of its own?
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        let small = self.cache_written_tokens
            | self.cache_written_hour_tokens
            | self.input_audio_tokens
            | self.output_audio_tokens;
        self.cached_tokens | self.reasoning_tokens | small as u64 == 0
    }

    /// Both together.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            cache_written_tokens: self
                .cache_written_tokens
                .saturating_add(other.cache_written_tokens),
            cache_written_hour_tokens: self
                .cache_written_hour_tokens
                .saturating_add(other.cache_written_hour_tokens),
            input_audio_tokens: self.input_audio_tokens.saturating_add(other.input_audio_tokens),
            output_audio_tokens: self.output_audio_tokens.saturating_add(other.output_audio_tokens),
        }
    }
}
