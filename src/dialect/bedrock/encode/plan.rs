//! What hangs together in a request, decided before a word is written.

use crate::dialect::{
    anthropic::encode::thinking::Said,
    pivot::{
        dropped::Dropped,
        request::{Effort, Output, Reasoning, Request},
        target::{Addressee, FORCED_TOOL, Thinking},
    },
};

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
        self.thinking.thinks()
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
        let max_tokens = request.max_tokens.unwrap_or(to.abilities.max_tokens_default);
        self.thinking = Said::of(request, to.abilities, max_tokens, dropped);
        match self.thinking {
            Said::Adaptive(effort) => self.effort = effort,
            // A budget must be less than a bound that is told.
            Said::Enabled(_) => self.max_tokens = Some(max_tokens),
            Said::Nothing | Said::Disabled => {}
        }
    }
}
