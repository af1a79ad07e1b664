//! What turns and answers are made of.

use crate::{
    dialect::pivot::text::{Arguments, Json, Text},
    lexicon::operation::Operation,
};
use std::borrow::Cow;

/// One part of a turn, or of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'b> {
    pub content: Content<'b>,
    /// What stands before the end of this part may be kept by the vendor for the next request.
    ///
    /// **Shape**: `{"type":"ephemeral","ttl":"1h"}`, as Anthropic writes it.
    pub cache: Option<Json<'b>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'b> {
    Text(Text<'b>),
    /// A text, and where it is from, in the words of the dialect that says so.
    Cited {
        text: Text<'b>,
        citations: Json<'b>,
    },
    Image {
        source: Source<'b>,
        detail: Option<Text<'b>>,
    },
    Audio(Source<'b>),
    Video(Source<'b>),
    Document(Document<'b>),
    ToolCall(ToolCall<'b>),
    ToolResult(ToolResult<'b>),
    /// What a model thought; the signature proves it to the vendor when it is sent back.
    Thinking {
        text: Text<'b>,
        signature: Option<Text<'b>>,
    },
    /// The same, in words for the vendor alone.
    RedactedThinking(Text<'b>),
    /// Why the model does not answer.
    Refusal(Text<'b>),
    /// A call that the vendor itself answered, or what came of it; only its own dialect can say it.
    Server(Foreign<'b>),
    /// Anything else that only one dialect can say.
    Foreign(Foreign<'b>),
}

impl<'b> From<Content<'b>> for Part<'b> {
    fn from(content: Content<'b>) -> Self {
        Self { content, cache: None }
    }
}

impl<'b> Part<'b> {
    #[must_use]
    pub fn text(text: Text<'b>) -> Self {
        Content::Text(text).into()
    }

    /// The words of it, where it is a text.
    #[must_use]
    pub const fn as_text(&self) -> Option<&Text<'b>> {
        match &self.content {
            Content::Text(text) | Content::Cited { text, .. } => Some(text),
            _ => None,
        }
    }

    /// What it is called where it must be named as dropped.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        let name = match &self.content {
            Content::Text(_) => "text",
            Content::Cited { .. } => "citations",
            Content::Image { .. } => "image",
            Content::Audio(_) => "audio",
            Content::Video(_) => "video",
            Content::Document(_) => "document",
            Content::ToolCall(_) => "tool_call",
            Content::ToolResult(_) => "tool_result",
            Content::Thinking { .. } => "thinking",
            Content::RedactedThinking(_) => "redacted_thinking",
            Content::Refusal(_) => "refusal",
            Content::Server(foreign) | Content::Foreign(foreign) => return foreign.name.read(),
        };
        Cow::Borrowed(name)
    }
}

/// Where an image, a sound or a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<'b> {
    Url(Text<'b>),
    /// `media_type` as in `image/png`.
    Base64 {
        media_type: Text<'b>,
        data: Text<'b>,
    },
    /// The vendor has it under this id.
    File(Text<'b>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<'b> {
    pub body: DocumentBody<'b>,
    pub title: Option<Text<'b>>,
    pub context: Option<Text<'b>>,
    /// `{"enabled":true}`
    pub citations: Option<Json<'b>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentBody<'b> {
    Source(Source<'b>),
    Text(Text<'b>),
    Parts(Vec<Part<'b>>),
}

/// A tool of the client's, called by the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall<'b> {
    pub id: Text<'b>,
    pub name: Text<'b>,
    pub arguments: Arguments<'b>,
    /// What the vendor wants back with the call, e.g. Gemini's thought signature.
    pub signature: Option<Text<'b>>,
}

/// What came of a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult<'b> {
    pub id: Text<'b>,
    /// Some dialects answer by name.
    pub name: Option<Text<'b>>,
    pub content: Vec<Part<'b>>,
    pub is_error: bool,
}

/// A part in the words of one dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign<'b> {
    pub dialect: Dialect,
    /// Its type there.
    pub name: Text<'b>,
    pub json: Json<'b>,
}

/// An API's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    OpenAiChat,
    Anthropic,
    Bedrock,
    OpenAiResponses,
    Gemini,
    /// Spoken by vendors alone.
    Cohere,
}

impl Dialect {
    /// In which an operation is asked for.
    #[must_use]
    pub const fn of(operation: Operation) -> Self {
        match operation {
            Operation::ChatCompletions | Operation::Completions | Operation::Embeddings => {
                Self::OpenAiChat
            }
            Operation::Messages
            | Operation::CountTokens
            | Operation::InvokeModel
            | Operation::InvokeModelStream => Self::Anthropic,
            Operation::Converse | Operation::ConverseStream | Operation::CountConverse => {
                Self::Bedrock
            }
            Operation::Responses | Operation::CompactResponse | Operation::StoredResponse => {
                Self::OpenAiResponses
            }
            Operation::GenerateContent | Operation::CountContent => Self::Gemini,
        }
    }

    /// In which whoever asks for an operation is told errors.
    #[must_use]
    pub const fn of_errors(operation: Operation) -> Self {
        match operation {
            Operation::InvokeModel | Operation::InvokeModelStream => Self::Bedrock,
            operation => Self::of(operation),
        }
    }

    /// Its word for a chat, which some tell from one that is streamed.
    #[must_use]
    pub const fn chat_of(self, is_streaming: bool) -> Operation {
        match self {
            Self::Bedrock if is_streaming => Operation::ConverseStream,
            dialect => dialect.chat(),
        }
    }

    /// Its word for a chat.
    #[must_use]
    pub const fn chat(self) -> Operation {
        match self {
            Self::OpenAiChat | Self::Cohere => Operation::ChatCompletions,
            Self::Anthropic => Operation::Messages,
            Self::Bedrock => Operation::Converse,
            Self::OpenAiResponses => Operation::Responses,
            Self::Gemini => Operation::GenerateContent,
        }
    }
}
