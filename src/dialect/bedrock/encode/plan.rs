//! What hangs together in a request, decided before a word is written.

use crate::dialect::pivot::{
    dropped::Dropped,
    part::Content,
    request::{Effort, Output, Reasoning, Request, Role},
    target::{Addressee, FORCED_TOOL, Thinking},
};

/// The least budget for thinking.
/// **Source**: docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html,
/// read 2026-11-21.
const BUDGET_MIN: u64 = 1_024;

/// Whose fields a model knows beside those of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Claude,
    Nova,
    /// OpenAI's open models.
    GptOss,
    Other,
}

impl Family {
    /// By the vendor's name in an id, an inference profile's or an ARN.
    #[must_use]
    pub fn of(model: &[u8]) -> Self {
        let has = |name: &str| memchr::memmem::find(model, name.as_bytes()).is_some();
        if has("anthropic.") {
            Self::Claude
        } else if has("amazon.nova") {
            Self::Nova
        } else if has("openai.") {
            Self::GptOss
        } else {
            Self::Other
        }
    }
}

pub struct Plan {
    pub family: Family,
    pub max_tokens: Option<u64>,
    pub thinking: Said,
    pub effort: Option<Effort>,
    /// The schema goes into `outputConfig`.
    pub has_native_schema: bool,
    pub has_forced_tool: bool,
}

/// What is said of thinking.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Nothing,
    Disabled,
    Adaptive,
    Enabled(u64),
}

impl Plan {
    #[must_use]
    pub fn of(request: &Request<'_>, to: &Addressee<'_>, dropped: &mut Dropped) -> Self {
        let mut plan = Self {
            family: Family::of(to.model_json),
            max_tokens: request.max_tokens,
            thinking: Said::Nothing,
            effort: None,
            has_native_schema: false,
            has_forced_tool: false,
        };
        match plan.family {
            Family::Claude => plan.think(request, to, dropped),
            _ => plan.try_hard(request, to, dropped),
        }
        match &request.output {
            Output::Text => {}
            Output::JsonSchema { is_strict, .. }
                if to.abilities.has_json_schema && (plan.thinks() || *is_strict != Some(false)) =>
            {
                plan.has_native_schema = true;
            }
            // A model that thinks cannot be forced to call, and a name can be taken.
            _ if plan.thinks() || request.tools.iter().any(|tool| tool.name == *FORCED_TOOL) => {
                dropped.name("response_format");
            }
            _ => plan.has_forced_tool = true,
        }
        plan
    }

    #[must_use]
    pub const fn thinks(&self) -> bool {
        matches!(self.thinking, Said::Adaptive | Said::Enabled(_))
    }

    /// Models that are told no more than how hard to try.
    fn try_hard(&mut self, request: &Request<'_>, to: &Addressee<'_>, dropped: &mut Dropped) {
        let effort = match request.reasoning {
            Reasoning::Unsaid | Reasoning::Off | Reasoning::Adaptive(None) => return,
            Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => effort,
            Reasoning::Budget(budget) => Effort::of_budget(budget, request.max_tokens),
        };
        if to.abilities.thinking == Thinking::None {
            return dropped.name("reasoning_effort");
        }
        self.effort = Some(effort);
    }

    fn think(&mut self, request: &Request<'_>, to: &Addressee<'_>, dropped: &mut Dropped) {
        let is_able = to.abilities.thinking != Thinking::None;
        match request.reasoning {
            Reasoning::Unsaid => return,
            Reasoning::Off => {
                if is_able {
                    self.thinking = Said::Disabled;
                }
                return;
            }
            _ if !is_able || lacks_thinking(request) => return dropped.name("reasoning_effort"),
            _ => {}
        }
        let Thinking::Budget { min } = to.abilities.thinking else {
            self.thinking = Said::Adaptive;
            self.effort = match request.reasoning {
                Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => Some(effort),
                Reasoning::Budget(budget) => Some(Effort::of_budget(budget, request.max_tokens)),
                _ => None,
            };
            return;
        };
        // A budget must be less than a bound that is told.
        let max_tokens = request.max_tokens.unwrap_or(to.abilities.max_tokens_default);
        let min = min.max(BUDGET_MIN);
        let budget = match request.reasoning {
            Reasoning::Budget(budget) if request.max_tokens.is_none() => {
                Some(budget.min(max_tokens / 2))
            }
            Reasoning::Budget(budget) => Some(budget),
            Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => {
                effort.budget(max_tokens, min)
            }
            _ => Effort::Medium.budget(max_tokens, min),
        };
        match budget {
            Some(budget) => {
                self.thinking = Said::Enabled(budget);
                self.max_tokens = Some(max_tokens);
            }
            None => dropped.name("reasoning_effort"),
        }
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
