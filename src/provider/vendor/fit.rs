//! What a vendor or a model is told under another name, or not at all.
//!
//! An OpenAI client sends what OpenAI's newest API knows; some answer 400 or 422 to a part of it.
//! What is left out is named to the client (`x-weir-dropped`); what has another name there is
//! renamed, for a bound that is left out would be a bound that does not hold.

use crate::{
    dialect::pivot::target::Sampling,
    provider::{ability, vendor::Vendor},
};

/// The changes to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Top-level members that are left out.
    pub drops: &'static [&'static str],
    /// When they are.
    pub when: When,
    /// From, to. Where both are there, the second stays and the first is left out.
    pub renames: &'static [(&'static str, &'static str)],
    /// `n` is left out where it is not 1.
    pub answers_once: bool,
    /// `messages[].name` is left out.
    pub drops_names: bool,
    /// The role `developer` is told as `system`.
    pub says_system: bool,
}

/// When a model does not take what is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// Where the request asks for an effort: it does not think otherwise.
    Trying,
    /// Unless the request asks for the effort `none`: it thinks otherwise.
    Thinking,
}

impl Fit {
    pub const AS_IT_IS: Self = Self {
        drops: &[],
        when: When::Always,
        renames: &[],
        answers_once: false,
        drops_names: false,
        says_system: false,
    };

    /// Is there nothing to change?
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.drops.is_empty()
            && self.renames.is_empty()
            && !(self.answers_once || self.drops_names || self.says_system)
    }
}

/// The bound on an answer by its newer name is unknown to some, and all know the older.
const OLD_BOUND: &[(&str, &str)] = &[("max_completion_tokens", "max_tokens")];

/// Not OpenAI, whose own the role `developer` is: some answer it with 400 or 422, and all know
/// `system`.
///
/// Source: github.com/earendil-works/pi, issue 1048 and pull request 1578, read 2026-11-21.
pub(super) const SYSTEM_ALONE: Fit = Fit { says_system: true, ..Fit::AS_IT_IS };

/// The same, of those who are not known to take the newer name of the bound.
pub(super) const PLAIN: Fit = Fit { renames: OLD_BOUND, ..SYSTEM_ALONE };

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
    ..SYSTEM_ALONE
};

/// Source: console.groq.com/docs/openai, "Currently Unsupported OpenAI Features", read 2026-11-21.
pub(super) const GROQ: Fit = Fit {
    drops: &["logprobs", "logit_bias", "top_logprobs"],
    answers_once: true,
    drops_names: true,
    ..SYSTEM_ALONE
};

/// Those of its models that are told no effort answer 400 to one.
///
/// Source: as its users quote console.groq.com/docs/reasoning, which was not read itself,
/// 2026-11-21.
const GROQ_UNTHINKING: Fit =
    Fit { drops: &["logprobs", "logit_bias", "top_logprobs", "reasoning_effort"], ..GROQ };

/// Whether it takes tools, sources disagree: they are sent, and it answers for itself.
///
/// Source: a public model catalogue of 2026-02-06 (MIT), read 2026-11-21.
pub(super) const PERPLEXITY: Fit = Fit { drops: &["stop"], ..PLAIN };

/// Source: as its users quote docs.x.ai/docs/guides/reasoning, which was not read itself,
/// 2026-11-21.
const XAI_THINKING: Fit =
    Fit { drops: &["presence_penalty", "frequency_penalty", "stop"], ..SYSTEM_ALONE };

/// Of those the ones that think as they find right.
const XAI_UNTOLD: Fit = Fit {
    drops: &["presence_penalty", "frequency_penalty", "stop", "reasoning_effort"],
    ..SYSTEM_ALONE
};

const XAI_UNTHINKING: Fit = Fit { drops: &["reasoning_effort"], ..SYSTEM_ALONE };

/// Source: inference-docs.cerebras.ai/resources/openai, "Currently Unsupported OpenAI Features",
/// read 2026-11-21.
pub(super) const CEREBRAS: Fit = Fit {
    drops: &["frequency_penalty", "logit_bias", "presence_penalty", "service_tier"],
    ..SYSTEM_ALONE
};

/// What OpenAI's models do not take while they think.
const SAMPLING: &[&str] = &[
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "stop",
];

/// Of OpenAI's later models the newer name of the bound is the only one.
const NEW_BOUND: Fit = Fit { renames: &[("max_tokens", "max_completion_tokens")], ..Fit::AS_IT_IS };

/// Models of OpenAI's that always think.
const REASONING: Fit = Fit { drops: SAMPLING, ..NEW_BOUND };

/// Claude since Opus 4.7.
///
/// Source: openrouter.ai/docs/guides/evaluate-and-optimize/model-migrations/claude-4-7, and what
/// Anthropic answers, as told in github.com/Comfy-Org/ComfyUI/issues/13923; both read 2026-11-22.
const UNSAMPLED: Fit = Fit { drops: &["temperature", "top_p", "top_k"], ..Fit::AS_IT_IS };

/// What this model of this vendor is told otherwise, by the beginning of its name.
#[must_use]
pub fn of(vendor: &Vendor, model: &str) -> Fit {
    if vendor.has_openai_models {
        return of_openai_model(model);
    }
    let abilities = ability::of(vendor, model);
    if abilities.sampling == Sampling::Fixed {
        return UNSAMPLED;
    }
    let tries = ability::tries(&abilities);
    match vendor.account_type {
        "groq" if !tries => GROQ_UNTHINKING,
        "xai" if model.contains("non-reasoning") => XAI_UNTHINKING,
        "xai" if tries => XAI_THINKING,
        "xai" if ability::is_plain_grok(model) => XAI_UNTHINKING,
        "xai" => XAI_UNTOLD,
        _ => vendor.fit,
    }
}

/// What this model of OpenAI's is told otherwise: known by its version, whatever that will be.
///
/// **Source**: learn.microsoft.com/javascript/api/@azure/ai-projects/reasoningeffort (which
/// versions think where no effort is said), a public model catalogue of 2026-02-06 (MIT), and
/// OpenAI's answers as told in github.com/huggingface/smolagents/issues/1893 (`stop`) and
/// github.com/itzcrazykns/vane/issues/1173 (5.6); all read 2026-11-21.
#[must_use]
pub fn of_openai_model(model: &str) -> Fit {
    match mind(model) {
        Mind::Unknown => Fit::AS_IT_IS,
        Mind::None => NEW_BOUND,
        Mind::Always { is_first: true } => Fit { answers_once: true, ..REASONING },
        Mind::Always { is_first: false } => REASONING,
        Mind::Trying => Fit { when: When::Trying, ..REASONING },
        Mind::Thinking => Fit { when: When::Thinking, ..REASONING },
    }
}

/// How a model of OpenAI's comes to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mind {
    /// Older than all that think, or another's.
    Unknown,
    /// It does not, and knows the bound by its newer name.
    None,
    /// Of the first generation they give one answer a request.
    Always { is_first: bool },
    /// Where an effort is asked for.
    Trying,
    /// Unless the effort `none` is asked for.
    Thinking,
}

/// How the model of that name does.
#[must_use]
pub fn mind(model: &str) -> Mind {
    let is_codex = model.starts_with("codex-");
    let Some((version, kind)) = version(model) else {
        return if is_codex { Mind::Always { is_first: false } } else { Mind::Unknown };
    };
    let is_single = kind.contains("codex") || kind.contains("pro");
    match version {
        Version::O(generation) => Mind::Always { is_first: generation < 4 },
        Version::Gpt(major, minor) if (major, minor) < (5, 0) => {
            // The newer name since 4.1.
            if (major, minor) == (4, 1) { Mind::None } else { Mind::Unknown }
        }
        Version::Gpt(..) if kind.starts_with("chat") => Mind::None,
        Version::Gpt(5, 0) => Mind::Always { is_first: !is_single },
        Version::Gpt(..) if is_single => Mind::Always { is_first: false },
        Version::Gpt(5, 1..=4) => Mind::Trying,
        Version::Gpt(..) => Mind::Thinking,
    }
}

/// What a model's name begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    O(u8),
    Gpt(u8, u8),
}

/// The version in a name of OpenAI's, and what follows.
///
/// **Shape**: `o3-mini`, `gpt-5`, `gpt-5.1-codex-max`; what follows a hyphen is a word or a date.
#[must_use]
pub fn version(model: &str) -> Option<(Version, &str)> {
    // One digit each: `gpt-35-turbo` is Azure's name for 3.5.
    let digit = |text: &str| {
        let byte = *text.as_bytes().first()?;
        byte.is_ascii_digit().then_some(byte - b'0')
    };
    let (version, rest) = if let Some(rest) = model.strip_prefix("gpt-") {
        let major = digit(rest)?;
        let rest = &rest[1..];
        let minor = rest.strip_prefix('.').and_then(digit);
        let rest = if minor.is_some() { &rest[2..] } else { rest };
        (Version::Gpt(major, minor.unwrap_or(0)), rest)
    } else {
        let rest = model.strip_prefix('o')?;
        (Version::O(digit(rest)?), &rest[1..])
    };
    if rest.is_empty() {
        return Some((version, rest));
    }
    let kind = rest.strip_prefix('-')?;
    let is_date = || kind.len() == "2025-08-07".len() && kind.starts_with("20");
    (kind.starts_with(|c: char| c.is_ascii_lowercase()) || is_date()).then_some((version, kind))
}

#[cfg(test)]
mod tests {
    use super::{Mind, When, mind, of, of_openai_model};
    use crate::provider::vendor;

    #[test]
    fn a_model_is_known_by_its_name_with_or_without_a_date() {
        for model in ["o1", "o3-mini", "o3-mini-2025-01-31", "gpt-5", "gpt-5-nano-2025-08-07"] {
            assert!(of_openai_model(model).drops.contains(&"temperature"), "{model}");
        }
        for model in ["gpt-4o", "o1x", "gpt-50", "gpt-5-20", "openai/gpt-5", ""] {
            assert!(of_openai_model(model).is_nothing(), "{model}");
        }
        assert!(!of_openai_model("gpt-5.2-2025-12-11").is_nothing());
    }

    #[test]
    fn models_that_are_newer_than_the_table_are_known_by_their_version() {
        for model in [
            "o1-pro",
            "o3-pro-2025-06-10",
            "gpt-5-pro",
            "gpt-5-codex",
            "gpt-5.1-codex-max",
            "gpt-5.2-pro",
            "gpt-5.3-codex",
            "codex-mini-latest",
        ] {
            let fit = of_openai_model(model);
            assert!(fit.drops.contains(&"top_p") && fit.when == When::Always, "{model}");
            assert!(fit.renames.contains(&("max_tokens", "max_completion_tokens")), "{model}");
        }
        // These take sampling as long as they need not think.
        for model in ["gpt-5.1", "gpt-5.2-2025-12-11", "gpt-5.3", "gpt-5.4-mini"] {
            assert_eq!(of_openai_model(model).when, When::Trying, "{model}");
        }
        for model in ["gpt-5.5", "gpt-5.6-luna", "gpt-6", "gpt-6.1-mini"] {
            assert_eq!(of_openai_model(model).when, When::Thinking, "{model}");
        }
        for model in ["gpt-5-chat-latest", "gpt-5.2-chat-latest", "gpt-4.1-mini"] {
            assert_eq!(mind(model), Mind::None, "{model}");
        }
        for model in ["gpt-35-turbo", "gpt-4-turbo", "gpt-oss-120b", "gpt-audio", "omni"] {
            assert_eq!(mind(model), Mind::Unknown, "{model}");
        }
    }

    #[test]
    fn others_models_are_told_no_effort_that_they_answer_400_to() {
        let drops = |slug: &str, model: &str, name: &str| {
            of(vendor::of(slug).expect(slug), model).drops.contains(&name)
        };
        for (slug, model, gone) in [
            ("groq", "llama-3.3-70b-versatile", true),
            ("groq", "openai/gpt-oss-120b", false),
            ("xai", "grok-4", true),
            ("xai", "grok-4-1-fast-reasoning", true),
            ("xai", "grok-4.20-reasoning", true),
            ("xai", "grok-3", true),
            ("xai", "grok-3-mini", false),
            ("xai", "grok-4.3", false),
            ("xai", "grok-5", false),
        ] {
            assert_eq!(drops(slug, model, "reasoning_effort"), gone, "{slug} {model}");
        }
        for (model, gone) in [
            ("grok-4", true),
            ("grok-code-fast-1", true),
            ("grok-4.5", true),
            ("grok-3", false),
            ("grok-4-1-fast-non-reasoning", false),
        ] {
            assert_eq!(drops("xai", model, "stop"), gone, "{model}");
        }
        assert!(drops("anthropic", "claude-opus-4-7", "top_k"));
        assert!(drops("google-vertex", "claude-opus-4-8@20260528", "temperature"));
        assert!(!drops("anthropic", "claude-opus-4-6", "temperature"));
    }
}
