//! A conversation, and what is asked of it.

use crate::dialect::pivot::{
    part::Part,
    text::{Json, Text},
    tool::{ServerTool, Tool, ToolChoice},
};
use std::borrow::Cow;

/// What a client wants of a chat model.
///
/// Numbers that pass unread (`&str`) are JSON numbers as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request<'b> {
    pub model: Text<'b>,
    /// In order; instructions are turns too, for some dialects know them in mid-conversation.
    pub turns: Vec<Turn<'b>>,
    pub tools: Vec<Tool<'b>>,
    pub server_tools: Vec<ServerTool<'b>>,
    pub tool_choice: Option<ToolChoice<'b>>,
    /// May one answer call several tools?
    pub parallel_tools: Option<bool>,
    pub output: Output<'b>,
    pub reasoning: Reasoning,
    /// Tokens the answer may have, reasoning included.
    pub max_tokens: Option<u64>,
    pub temperature: Option<&'b str>,
    pub top_p: Option<&'b str>,
    pub top_k: Option<&'b str>,
    pub frequency_penalty: Option<&'b str>,
    pub presence_penalty: Option<&'b str>,
    pub seed: Option<&'b str>,
    pub stop: Vec<Text<'b>>,
    /// Answers wanted.
    pub count: Option<u64>,
    pub logprobs: Option<bool>,
    pub top_logprobs: Option<u64>,
    /// The end user, by an id that is not a name.
    pub user: Option<Text<'b>>,
    pub is_streaming: bool,
    /// The client wants the tokens of a stream told.
    pub wants_usage: bool,
    /// Fields at the top level that have no noun here, as the client wrote them. An encoder says
    /// those that its API knows under the same name, and names the others as dropped.
    pub others: Vec<Other<'b>>,
}

/// A field by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other<'b> {
    pub name: Cow<'b, str>,
    pub value: Json<'b>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn<'b> {
    pub role: Role,
    /// The name of who speaks, where one is given.
    pub name: Option<Text<'b>>,
    pub parts: Vec<Part<'b>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    System,
    /// As the system's, with less authority; most dialects do not tell them apart.
    Developer,
    User,
    Assistant,
    /// Results of tools, and nothing else.
    Tool,
}

/// The form that the answer's text must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output<'b> {
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    JsonSchema {
        name: Option<Text<'b>>,
        description: Option<Text<'b>>,
        schema: Json<'b>,
        is_strict: Option<bool>,
    },
}

/// How much the model may think before it speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reasoning {
    /// Nothing was said.
    #[default]
    Unsaid,
    Off,
    Effort(Effort),
    /// So many tokens.
    Budget(u64),
    /// As much as the model finds right; the effort where one was said.
    Adaptive(Option<Effort>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl Effort {
    /// The word that OpenAI and Anthropic share.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let all = [Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max];
        all.into_iter().find(|effort| effort.word() == word)
    }

    /// Tokens of thinking that this effort is, for an answer of `max_tokens`.
    ///
    /// A fifth, a half or four fifths of the answer, at least `budget_min` and fewer than all of
    /// it; `None` where there is no room for thinking and an answer.
    /// **Source** of the shares: openrouter.ai/docs, "Reasoning Tokens", read 2026-11-21.
    #[must_use]
    pub fn budget(self, max_tokens: u64, budget_min: u64) -> Option<u64> {
        let percent = match self {
            Self::Minimal => 10,
            Self::Low => 20,
            Self::Medium => 50,
            Self::High => 80,
            Self::XHigh | Self::Max => 95,
        };
        let share = (u128::from(max_tokens) * percent / 100).try_into().unwrap_or(u64::MAX);
        Some(budget_min.max(share)).filter(|budget| *budget < max_tokens)
    }

    /// The effort that a budget is: what [`Effort::budget`] makes of an effort comes back as it.
    #[must_use]
    pub fn of_budget(budget: u64, max_tokens: Option<u64>) -> Self {
        // Without a bound on the answer: the budgets of an answer of 32,000 tokens, which is what
        // the models that think are mostly asked for.
        let max_tokens = u128::from(max_tokens.unwrap_or(32_000)).max(1);
        match u128::from(budget) * 100 / max_tokens {
            0..35 => Self::Low,
            35..65 => Self::Medium,
            _ => Self::High,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Effort;

    #[test]
    fn an_effort_survives_as_a_budget() {
        for effort in [Effort::Low, Effort::Medium, Effort::High] {
            for max_tokens in [6_000, 32_000, 128_000] {
                let budget = effort.budget(max_tokens, 1_024).expect("there is room");
                assert!(budget >= 1_024 && budget < max_tokens);
                assert_eq!(Effort::of_budget(budget, Some(max_tokens)), effort);
            }
        }
        assert_eq!(Effort::High.budget(1_024, 1_024), None);
        assert_eq!(Effort::Low.budget(1_025, 1_024), Some(1_024));
    }
}
