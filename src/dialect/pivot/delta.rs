//! One step of a streamed answer.

use crate::{
    dialect::pivot::{
        citation::Citation, failure::Failure, part::Foreign, reply::Stop, text::Text, usage::Usage,
    },
    wire::json::JsonError,
};

/// A step, borrowed from the event that said it.
///
/// `choice` counts answers, where several were asked for. `tool` counts the tools called within one
/// choice from 0 and belongs to one call from its opening to the end of the stream.
///
/// **Order**: `Start` once and first; a tool's `ToolOpen` before its `ToolArguments`, which may be
/// interleaved with another's; `Finish` behind the last word of its choice; `Usage` whenever it is
/// told, the last telling being amended to those before; `End` once and last, or `Failed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta<'b> {
    Start {
        id: Option<Text<'b>>,
        model: Option<Text<'b>>,
        created: Option<u64>,
    },
    Text {
        choice: u32,
        text: Text<'b>,
    },
    Thinking {
        choice: u32,
        text: Text<'b>,
    },
    /// Proves the thinking that went before; it has then ended.
    Signature {
        choice: u32,
        signature: Text<'b>,
    },
    RedactedThinking {
        choice: u32,
        data: Text<'b>,
    },
    Refusal {
        choice: u32,
        text: Text<'b>,
    },
    ToolOpen {
        choice: u32,
        tool: u32,
        id: Text<'b>,
        name: Text<'b>,
    },
    /// A piece of the JSON that the tool is called with; it may end anywhere.
    ToolArguments {
        choice: u32,
        tool: u32,
        json: Text<'b>,
    },
    ToolClose {
        choice: u32,
        tool: u32,
    },
    /// Where the words of the part in work are from: those before, or, if there are none, those
    /// that follow.
    Citation {
        choice: u32,
        citation: Citation<'b>,
    },
    /// Something that no other dialect can say, by its name; it is part of no content.
    Unsaid {
        name: &'b str,
    },
    /// As OpenAI writes them, of the words just said.
    Logprobs {
        choice: u32,
        logprobs: Foreign<'b>,
    },
    /// The part in work has ended; what follows is another, even if of the same kind.
    PartEnd {
        choice: u32,
    },
    Finish {
        choice: u32,
        stop: Stop<'b>,
    },
    Usage(Usage),
    /// The other side says that it is alive.
    Ping,
    /// A part that only one dialect can say.
    Foreign {
        choice: u32,
        part: Foreign<'b>,
    },
    /// The answer is complete, by its dialect's own word for it.
    End,
    /// The vendor says that it failed; nothing follows.
    Failed(Failure<'b>),
}

/// Whoever takes a stream's steps as they are read.
///
/// A decoder gives none, one or several steps an event; handing them on one by one keeps them
/// borrowed from the event, and needs no list.
pub trait Take {
    fn take(&mut self, delta: Delta<'_>);
}

/// An event that is no JSON, or not as its dialect says. Nothing behind it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl From<JsonError> for Malformed {
    fn from(_: JsonError) -> Self {
        Self
    }
}
