//! What a request asks a model to do, and what a model can be asked.

/// An inference call by its API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    ChatCompletions,
    Completions,
    Embeddings,
    /// Anthropic's chat.
    Messages,
    /// How many tokens a request of `Messages` would have.
    CountTokens,
    /// Bedrock's chat; the model stands in the path.
    Converse,
    ConverseStream,
    /// How many tokens a request of Bedrock's would have.
    CountConverse,
    /// Bedrock's older chat, in the words of the model's maker: here Anthropic's.
    InvokeModel,
    InvokeModelStream,
    /// OpenAI's newer chat.
    Responses,
    /// A conversation of `Responses`, made shorter by its vendor.
    CompactResponse,
    /// What becomes of an answer of `Responses` that its vendor keeps.
    StoredResponse,
    /// Gemini's chat, streamed or not.
    GenerateContent,
    /// How many tokens a request of `GenerateContent` would have.
    CountContent,
}

impl Operation {
    pub const ALL: [Self; 15] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
        Self::Messages,
        Self::CountTokens,
        Self::Converse,
        Self::ConverseStream,
        Self::CountConverse,
        Self::InvokeModel,
        Self::InvokeModelStream,
        Self::Responses,
        Self::CompactResponse,
        Self::StoredResponse,
        Self::GenerateContent,
        Self::CountContent,
    ];

    /// The path behind the base URL, on both sides; of those whose model stands in the path, what
    /// follows it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/chat/completions",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
            Self::Messages => "/messages",
            Self::CountTokens => "/messages/count_tokens",
            Self::Converse => "/converse",
            Self::ConverseStream => "/converse-stream",
            Self::CountConverse => "/count-tokens",
            Self::InvokeModel => "/invoke",
            Self::InvokeModelStream => "/invoke-with-response-stream",
            Self::Responses | Self::StoredResponse => "/responses",
            Self::CompactResponse => "/responses/compact",
            Self::GenerateContent => ":generateContent",
            Self::CountContent => ":countTokens",
        }
    }

    /// Does its model stand in the path?
    #[must_use]
    pub const fn names_model_in_path(self) -> bool {
        matches!(
            self,
            Self::Converse
                | Self::ConverseStream
                | Self::CountConverse
                | Self::InvokeModel
                | Self::InvokeModelStream
        )
    }

    /// Are its streams frames of AWS's?
    #[must_use]
    pub const fn is_framed(self) -> bool {
        matches!(self, Self::ConverseStream | Self::InvokeModelStream)
    }

    /// The label in receipts and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Converse => "converse",
            Self::ConverseStream => "converse_stream",
            Self::CountConverse => "count_converse",
            Self::InvokeModel => "invoke_model",
            Self::InvokeModelStream => "invoke_model_stream",
            Self::Responses => "responses",
            Self::CompactResponse => "compact_response",
            Self::StoredResponse => "stored_response",
            Self::GenerateContent => "generate_content",
            Self::CountContent => "count_content",
        }
    }

    /// The model type that serves this call.
    #[must_use]
    pub const fn model_type(self) -> ModelType {
        match self {
            Self::ChatCompletions
            | Self::Messages
            | Self::CountTokens
            | Self::Converse
            | Self::ConverseStream
            | Self::CountConverse
            | Self::InvokeModel
            | Self::InvokeModelStream
            | Self::GenerateContent
            | Self::CountContent => ModelType::Chat,
            Self::Completions => ModelType::Completion,
            Self::Embeddings => ModelType::Embedding,
            Self::Responses | Self::CompactResponse | Self::StoredResponse => ModelType::Responses,
        }
    }
}

/// What a model can be asked, as written in `model_types`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ModelType {
    Chat,
    Completion,
    Embedding,
    Realtime,
    Rerank,
    AudioTranscription,
    AudioTranslation,
    TextToSpeech,
    Moderation,
    Image,
    Responses,
    Ocr,
}

impl ModelType {
    pub const ALL: [Self; 12] = [
        Self::Chat,
        Self::Completion,
        Self::Embedding,
        Self::Realtime,
        Self::Rerank,
        Self::AudioTranscription,
        Self::AudioTranslation,
        Self::TextToSpeech,
        Self::Moderation,
        Self::Image,
        Self::Responses,
        Self::Ocr,
    ];

    /// The name in manifests.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completion => "completion",
            Self::Embedding => "embedding",
            Self::Realtime => "realtime",
            Self::Rerank => "rerank",
            Self::AudioTranscription => "audio_transcription",
            Self::AudioTranslation => "audio_translation",
            Self::TextToSpeech => "text_to_speech",
            Self::Moderation => "moderation",
            Self::Image => "image",
            Self::Responses => "responses",
            Self::Ocr => "ocr",
        }
    }
}

/// A set of model types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelTypes(u16);

impl ModelTypes {
    pub const ALL: Self = Self(u16::MAX);

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub const fn with(self, kind: ModelType) -> Self {
        Self(self.0 | (1 << kind as u8))
    }

    #[must_use]
    pub const fn has(self, kind: ModelType) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Can a model of these types be asked this? A chat is one in whichever API it is held.
    #[must_use]
    pub const fn serves(self, operation: Operation) -> bool {
        match operation.model_type() {
            ModelType::Chat | ModelType::Responses => {
                self.has(ModelType::Chat) || self.has(ModelType::Responses)
            }
            kind => self.has(kind),
        }
    }
}
