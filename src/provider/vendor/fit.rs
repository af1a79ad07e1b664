//! What a vendor or a model is told under another name, or not at all.
//!
//! An OpenAI client sends what OpenAI's newest API knows; some answer 400 or 422 to a part of it.
//! What is left out is named to the client (`x-weir-dropped`); what has another name there is
//! renamed, for a bound that is left out would be a bound that does not hold.

/// The changes to a request's top-level members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Left out.
    pub drops: &'static [&'static str],
    /// From, to. Where both are there, the second stays and the first is left out.
    pub renames: &'static [(&'static str, &'static str)],
}

impl Fit {
    pub const AS_IT_IS: Self = Self { drops: &[], renames: &[] };

    /// Is there nothing to change?
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.drops.is_empty() && self.renames.is_empty()
    }
}

/// Source: docs.mistral.ai/api (its request schema allows no additional members), read 2026-11-21;
/// github.com/editor-code-assistant/eca/issues/231 and github.com/dnakov/anon-kode/issues/53 show
/// the 422 for `max_completion_tokens` and `stream_options`.
pub(super) const MISTRAL: Fit = Fit {
    drops: &[
        "stream_options",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "user",
        "store",
        "service_tier",
        "modalities",
        "audio",
        "verbosity",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "web_search_options",
    ],
    renames: &[("max_completion_tokens", "max_tokens"), ("seed", "random_seed")],
};

/// Source: console.groq.com/docs/openai, "Currently Unsupported OpenAI Features", read 2026-11-21.
pub(super) const GROQ: Fit =
    Fit { drops: &["logprobs", "logit_bias", "top_logprobs"], renames: &[] };

/// Source: inference-docs.cerebras.ai/resources/openai, "Currently Unsupported OpenAI Features",
/// read 2026-11-21.
pub(super) const CEREBRAS: Fit = Fit {
    drops: &["frequency_penalty", "logit_bias", "presence_penalty", "service_tier"],
    renames: &[],
};

/// OpenAI's reasoning models of the first generations: sampling cannot be set.
///
/// Source: platform.openai.com/docs/guides/reasoning and a public model catalogue of 2026-02-06
/// (MIT), both read 2026-11-21.
const REASONING: Fit = Fit {
    drops: &[
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
    ],
    renames: &[("max_tokens", "max_completion_tokens")],
};

/// Later ones take sampling where they do not reason, but never the old name of the bound.
const LATER_REASONING: Fit =
    Fit { drops: &[], renames: &[("max_tokens", "max_completion_tokens")] };

/// Models of OpenAI's that differ, by the beginning of what the vendor calls them; a date or
/// nothing may follow. Other vendors have their own names for what they host.
const MODELS: [(&str, &Fit); 14] = [
    ("o1", &REASONING),
    ("o1-mini", &REASONING),
    ("o3", &REASONING),
    ("o3-mini", &REASONING),
    ("o4-mini", &REASONING),
    ("gpt-5", &REASONING),
    ("gpt-5-mini", &REASONING),
    ("gpt-5-nano", &REASONING),
    ("gpt-5-chat-latest", &LATER_REASONING),
    ("gpt-5.1", &LATER_REASONING),
    ("gpt-5.1-chat-latest", &LATER_REASONING),
    ("gpt-5.2", &LATER_REASONING),
    ("gpt-5.2-chat-latest", &LATER_REASONING),
    ("gpt-5.2-pro", &LATER_REASONING),
];

/// What this model of OpenAI's is told otherwise.
#[must_use]
pub fn of_openai_model(model: &str) -> Fit {
    let is = |name: &str| {
        let rest = model.strip_prefix(name)?;
        let is_dated = || rest.strip_prefix("-20").is_some_and(|date| date.len() == 8);
        (rest.is_empty() || is_dated()).then_some(())
    };
    let row = MODELS.iter().find(|(name, _)| is(name).is_some());
    row.map_or(Fit::AS_IT_IS, |(_, fit)| **fit)
}

#[cfg(test)]
mod tests {
    use super::of_openai_model;

    #[test]
    fn a_model_is_known_by_its_name_with_or_without_a_date() {
        for model in ["o1", "o3-mini", "o3-mini-2025-01-31", "gpt-5", "gpt-5-nano-2025-08-07"] {
            assert!(of_openai_model(model).drops.contains(&"temperature"), "{model}");
        }
        for model in ["gpt-4o", "o1x", "gpt-50", "gpt-5-20", "openai/gpt-5", "gpt-5.2", ""] {
            assert!(of_openai_model(model).drops.is_empty(), "{model}");
        }
        assert!(!of_openai_model("gpt-5.2-2025-12-11").is_nothing());
    }
}
