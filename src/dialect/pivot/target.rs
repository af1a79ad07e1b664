//! What the other side can do, where its dialect alone does not say.

use crate::dialect::pivot::request::Effort;

/// The words that make a schema the answer's form where a model has no other way to be bound to
/// one: a tool that it must call, whose arguments are the answer. See `unfold.rs`.
pub const FORCED_TOOL: &str = "structured_output";

/// What a model at its vendor can do. Rows of it stand beside the vendors'.
#[expect(clippy::struct_excessive_bools, reason = "abilities, independent of each other")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// The bound on an answer's tokens where the client gives none and the API wants one.
    pub max_tokens_default: u64,
    /// Binds an answer to a JSON schema by itself.
    pub has_json_schema: bool,
    pub thinking: Thinking,
    /// Takes instructions in mid-conversation.
    pub has_late_instructions: bool,
    /// Takes what it thought before back without a signature, as `reasoning_content`.
    pub keeps_reasoning: bool,
    /// Takes `cache_control` though its API does not document it.
    pub keeps_cache_marks: bool,
    pub sampling: Sampling,
    /// The least and the most effort that it takes.
    pub efforts: [Effort; 2],
    pub off: Off,
    /// Knows the role `developer`.
    pub has_developer: bool,
    /// Calls the bound on an answer `max_tokens`; the newer name is unknown to it.
    pub says_max_tokens: bool,
    /// Answers 400 to `stream_options`.
    pub rejects_stream_options: bool,
}

/// How a model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// Not at all.
    None,
    /// By an effort.
    Effort,
    /// By a number of tokens, at least so many.
    Budget { min: u64 },
    /// By an effort, or as it finds right.
    Adaptive,
}

/// Whether `temperature`, `top_p` and `top_k` can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    Free,
    /// `temperature` or `top_p`, but not both.
    ByOne,
    /// None of them.
    Fixed,
}

/// How a model is told not to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// It cannot be told.
    Never,
    /// By the effort `none`.
    Effort,
    /// By `thinking: {"type":"disabled"}`.
    Switch,
}

impl Abilities {
    /// What is assumed of a model that nothing is known of: everything that its dialect can say.
    pub const UNKNOWN: Self = Self {
        // What every Claude since 3.0 can answer, so that no request fails for it.
        // Source: docs.claude.com, "Models overview", read 2026-11-21.
        max_tokens_default: 4_096,
        has_json_schema: true,
        thinking: Thinking::Effort,
        has_late_instructions: true,
        keeps_reasoning: false,
        keeps_cache_marks: false,
        sampling: Sampling::Free,
        efforts: [Effort::Minimal, Effort::XHigh],
        off: Off::Never,
        has_developer: true,
        says_max_tokens: false,
        rejects_stream_options: false,
    };
}

/// To whom a request is written.
#[derive(Clone, Copy, Debug)]
pub struct Addressee<'t> {
    /// What the vendor calls the model, as a JSON string with its quotes.
    pub model_json: &'t [u8],
    pub abilities: &'t Abilities,
}

/// What must be remembered of a request to read its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The answer's form was asked for by [`FORCED_TOOL`].
    pub has_forced_tool: bool,
}
