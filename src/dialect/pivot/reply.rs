//! A whole answer.

use crate::dialect::pivot::{
    part::Part,
    text::{Json, Text},
    usage::Usage,
};
use std::borrow::Cow;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply<'b> {
    pub id: Option<Text<'b>>,
    /// The model as the vendor calls it.
    pub model: Option<Text<'b>>,
    /// Seconds since 1970.
    pub created: Option<u64>,
    /// More than one only where more were asked for.
    pub choices: Vec<Choice<'b>>,
    pub usage: Usage,
    pub service_tier: Option<Text<'b>>,
}

/// One answer of those that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice<'b> {
    pub index: u32,
    pub parts: Vec<Part<'b>>,
    /// `None` where the vendor gives no reason; none is invented.
    pub stop: Option<Stop<'b>>,
    /// As OpenAI writes them.
    pub logprobs: Option<Json<'b>>,
}

/// Why an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop<'b> {
    /// The model was done.
    End,
    /// A bound on its tokens, or the model's window.
    Length,
    /// It waits for the results of tools.
    ToolUse,
    /// It was about to say this.
    Sequence(Option<Text<'b>>),
    /// A filter of the vendor's cut it.
    Filter,
    /// The model declines to go on.
    Refusal,
    /// The vendor's own tools take long: to be sent back as it is, and to go on.
    Pause,
    /// A reason that only this vendor has.
    Other(Text<'b>),
}

impl Stop<'_> {
    /// A reason that outlives its event.
    #[must_use]
    pub fn owned(&self) -> Stop<'static> {
        let text = |text: &Text<'_>| Text::Plain(Cow::Owned(text.read().into_owned()));
        match self {
            Self::End => Stop::End,
            Self::Length => Stop::Length,
            Self::ToolUse => Stop::ToolUse,
            Self::Filter => Stop::Filter,
            Self::Refusal => Stop::Refusal,
            Self::Pause => Stop::Pause,
            Self::Sequence(sequence) => Stop::Sequence(sequence.as_ref().map(text)),
            Self::Other(reason) => Stop::Other(text(reason)),
        }
    }
}
