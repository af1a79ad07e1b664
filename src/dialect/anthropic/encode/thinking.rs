//! How Anthropic's models are told to think, by its own API and by others' that offer them.

use crate::{
    dialect::pivot::{
        dropped::Dropped,
        part::Content,
        request::{Effort, Other, Reasoning, Request, Role},
        target::{Abilities, Thinking},
    },
    wire::json::write::Object,
};

/// The least budget for thinking.
/// **Source**: docs.claude.com/en/docs/build-with-claude/extended-thinking and docs.aws.amazon.com/
/// bedrock/latest/userguide/claude-messages-extended-thinking.html, both read 2026-11-21.
const BUDGET_MIN: u64 = 1_024;

/// The value of `thinking`, and the effort that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Nothing,
    Disabled,
    Adaptive(Option<Effort>),
    Enabled(u64),
}

impl Said {
    /// What a request asks for, of an answer of at most `max_tokens`.
    pub fn of(
        request: &Request<'_>,
        abilities: &Abilities,
        max_tokens: u64,
        dropped: &mut Dropped,
    ) -> Self {
        let is_able = abilities.thinking != Thinking::None;
        match request.reasoning {
            Reasoning::Off if is_able => return Self::Disabled,
            Reasoning::Unsaid | Reasoning::Off => return Self::Nothing,
            _ if is_able && !lacks_thinking(request) => {}
            _ => {
                dropped.name("reasoning_effort");
                return Self::Nothing;
            }
        }
        let Thinking::Budget { min } = abilities.thinking else {
            return Self::Adaptive(match request.reasoning {
                Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => Some(effort),
                Reasoning::Budget(budget) => Some(Effort::of_budget(budget, request.max_tokens)),
                _ => None,
            });
        };
        let min = min.max(BUDGET_MIN);
        let budget = match request.reasoning {
            Reasoning::Budget(budget) => budget_of(budget, request, (min, max_tokens), dropped),
            Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => {
                effort.budget(max_tokens, min)
            }
            _ => Effort::Medium.budget(max_tokens, min),
        };
        budget.map_or_else(
            || {
                dropped.name("reasoning_effort");
                Self::Nothing
            },
            Self::Enabled,
        )
    }

    #[must_use]
    pub const fn thinks(self) -> bool {
        matches!(self, Self::Adaptive(_) | Self::Enabled(_))
    }

    /// Append the member `thinking`, if anything is to be said.
    pub fn push(self, object: &mut Object<'_>) {
        match self {
            Self::Nothing => {}
            Self::Disabled => object.raw("thinking", "{\"type\":\"disabled\"}"),
            Self::Adaptive(_) => object.raw("thinking", "{\"type\":\"adaptive\"}"),
            Self::Enabled(budget) => {
                let mut thinking = object.object("thinking");
                thinking.text("type", "enabled");
                thinking.number("budget_tokens", budget);
                thinking.close();
            }
        }
    }
}

/// The budget that a client named, within what the API takes: at least `min`, and fewer than all of
/// the answer unless the model thinks between its calls too. `None` where there is no such number.
fn budget_of(
    budget: u64,
    request: &Request<'_>,
    (min, max_tokens): (u64, u64),
    dropped: &mut Dropped,
) -> Option<u64> {
    let interleaves =
        |it: &Other<'_>| it.name == "anthropic_beta" && it.value.0.contains("interleaved-thinking");
    let most = match request.max_tokens {
        // Without a bound of the client's the answer has the model's own, and words need room.
        None => {
            return Some(budget.min(max_tokens / 2).max(min)).inspect(|said| {
                if budget < *said {
                    dropped.name("reasoning_effort");
                }
            });
        }
        Some(_) if request.others.iter().any(interleaves) => u64::MAX,
        Some(max_tokens) => max_tokens.saturating_sub(1),
    };
    let said = Some(budget.max(min).min(most)).filter(|said| *said >= min)?;
    if said != budget {
        dropped.name("reasoning_effort");
    }
    Some(said)
}

/// The word of the effort in `output_config`.
#[must_use]
pub const fn effort_word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh | Effort::Max => "max",
    }
}

/// A model that thinks wants its thinking back with the calls whose results it gets; a client that
/// has lost it gets an answer without.
fn lacks_thinking(request: &Request<'_>) -> bool {
    let mut turns = request.turns.iter().rev().skip_while(|turn| turn.role == Role::Tool);
    let Some(turn) = turns.next() else { return false };
    let awaits_results = request.turns.last().is_some_and(|turn| turn.role == Role::Tool);
    let has = |is: fn(&Content<'_>) -> bool| turn.parts.iter().any(|part| is(&part.content));
    awaits_results
        && has(|content| matches!(content, Content::ToolCall(_)))
        && !has(|content| {
            matches!(
                content,
                Content::Thinking { signature: Some(_), .. } | Content::RedactedThinking(_)
            )
        })
}
