//! Tokens seen.

/// Tokens of one exchange, as the vendor counted them.
///
/// **Units**: tokens. `cached_tokens` is part of `input_tokens`, `reasoning_tokens` part of
/// `output_tokens`. **Source**: OpenAI API reference, "usage" of a chat completion
/// (platform.openai.com/docs/api-reference/chat/object, read 2026-11-21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cached_tokens: u64,
    pub reasoning_tokens: u64,
}
