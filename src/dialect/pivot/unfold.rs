//! A forced tool turned back into the text it stands for.
//!
//! A model without structured output is bound to a schema by a tool that it must call; the client
//! asked for text of that form, and gets the arguments as its content.

use crate::dialect::pivot::{
    delta::{Delta, Take},
    part::Content,
    reply::{Reply, Stop},
    target::FORCED_TOOL,
    text::{Arguments, Text},
};
use std::borrow::Cow;

/// Unfold a whole answer.
pub fn reply(reply: &mut Reply<'_>) {
    for choice in &mut reply.choices {
        let mut has_unfolded = false;
        let mut has_other_calls = false;
        for part in &mut choice.parts {
            let Content::ToolCall(call) = &part.content else { continue };
            if call.name != *FORCED_TOOL {
                has_other_calls = true;
                continue;
            }
            has_unfolded = true;
            part.content = Content::Text(match &call.arguments {
                Arguments::Text(text) => text.clone(),
                Arguments::Value(json) => Text::Plain(Cow::Owned(json.0.clone().into_owned())),
            });
        }
        if has_unfolded && !has_other_calls && choice.stop == Some(Stop::ToolUse) {
            choice.stop = Some(Stop::End);
        }
    }
}

/// Unfolds a stream on its way from a decoder to an encoder.
///
/// Where no tool was forced all steps pass as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfold {
    is_wanted: bool,
    /// The forced tool that is open: its choice, and its number among the tools.
    open: Option<(u32, u32)>,
    has_unfolded: bool,
    has_other_calls: bool,
}

impl Unfold {
    #[must_use]
    pub fn new(is_wanted: bool) -> Self {
        Self { is_wanted, ..Self::default() }
    }

    /// Hand a step on, as it is or unfolded.
    pub fn pass(&mut self, delta: Delta<'_>, to: &mut impl Take) {
        if !self.is_wanted {
            return to.take(delta);
        }
        match delta {
            Delta::ToolOpen { choice, tool, name, .. } if name == *FORCED_TOOL => {
                self.open = Some((choice, tool));
                self.has_unfolded = true;
            }
            Delta::ToolArguments { choice, tool, json } if self.open == Some((choice, tool)) => {
                to.take(Delta::Text { choice, text: json });
            }
            Delta::ToolClose { choice, tool } if self.open == Some((choice, tool)) => {
                self.open = None;
                to.take(Delta::PartEnd { choice });
            }
            Delta::Finish { choice, stop: Stop::ToolUse }
                if self.has_unfolded && !self.has_other_calls =>
            {
                to.take(Delta::Finish { choice, stop: Stop::End });
            }
            Delta::ToolOpen { .. } => {
                self.has_other_calls = true;
                to.take(delta);
            }
            other => to.take(other),
        }
    }
}
