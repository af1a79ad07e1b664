//! Writes a stream's steps in the dialect of its client, whichever that is.

use crate::dialect::{
    anthropic, bedrock, gemini, openai_chat, openai_responses,
    pivot::{delta::Delta, dropped::Dropped, manner::Manner, part::Dialect},
};

/// Writes events of one dialect.
pub enum Encoder {
    /// The events pass as they came: nothing is written.
    Nobody,
    OpenAiChat(openai_chat::encode::stream::Encoder),
    Anthropic(anthropic::encode::stream::Encoder),
    Bedrock(bedrock::encode::stream::Encoder),
    OpenAiResponses(openai_responses::encode::stream::Encoder),
    Gemini(gemini::encode::stream::Encoder),
}

impl Encoder {
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAiChat => {
                Self::OpenAiChat(openai_chat::encode::stream::Encoder::default())
            }
            Dialect::Anthropic => Self::Anthropic(anthropic::encode::stream::Encoder::default()),
            Dialect::Bedrock => Self::Bedrock(bedrock::encode::stream::Encoder::default()),
            Dialect::Gemini => Self::Gemini(gemini::encode::stream::Encoder::default()),
            Dialect::OpenAiResponses => {
                Self::OpenAiResponses(openai_responses::encode::stream::Encoder::default())
            }
            // No client speaks it.
            Dialect::Cohere => Self::Nobody,
        }
    }

    pub fn push(&mut self, out: &mut Vec<u8>, delta: &Delta<'_>, manner: &Manner<'_>) {
        match self {
            Self::Nobody => {}
            Self::OpenAiChat(encoder) => encoder.push(out, delta, manner),
            Self::Anthropic(encoder) => encoder.push(out, delta, manner),
            Self::Bedrock(encoder) => encoder.push(out, delta),
            Self::Gemini(encoder) => encoder.push(out, delta, manner),
            Self::OpenAiResponses(encoder) => encoder.push(out, delta, manner),
        }
    }

    /// Something that no other dialect can say was left out.
    pub fn name(&mut self, name: &str) {
        let Some(dropped) = self.dropped_mut() else { return };
        if !dropped.iter().any(|known| known == name) {
            dropped.name(name.to_owned());
        }
    }

    /// What could not be said so far.
    pub const fn dropped(&self) -> Option<&Dropped> {
        match self {
            Self::Nobody => None,
            Self::OpenAiChat(encoder) => Some(&encoder.dropped),
            Self::Anthropic(encoder) => Some(&encoder.dropped),
            Self::Bedrock(encoder) => Some(&encoder.dropped),
            Self::OpenAiResponses(encoder) => Some(&encoder.dropped),
            Self::Gemini(encoder) => Some(&encoder.dropped),
        }
    }

    const fn dropped_mut(&mut self) -> Option<&mut Dropped> {
        match self {
            Self::Nobody => None,
            Self::OpenAiChat(encoder) => Some(&mut encoder.dropped),
            Self::Anthropic(encoder) => Some(&mut encoder.dropped),
            Self::Bedrock(encoder) => Some(&mut encoder.dropped),
            Self::OpenAiResponses(encoder) => Some(&mut encoder.dropped),
            Self::Gemini(encoder) => Some(&mut encoder.dropped),
        }
    }

    /// More must be remembered than there is room for.
    pub const fn is_overfull(&self) -> bool {
        match self {
            Self::Nobody | Self::OpenAiChat(_) => false,
            Self::Anthropic(encoder) => encoder.is_overfull,
            Self::Bedrock(encoder) => encoder.is_overfull,
            Self::OpenAiResponses(encoder) => encoder.is_overfull,
            Self::Gemini(encoder) => encoder.is_overfull,
        }
    }
}
