//! What models can do that their dialect leaves open: a table by the beginning of their names.
//!
//! Read where a request is translated; where client and vendor speak one dialect the vendor judges
//! by itself. A model that no row knows is taken for one that can do what its dialect can say.

use crate::{
    dialect::pivot::{
        part::Dialect,
        request::Effort,
        target::{Abilities, Off, Sampling, Thinking},
    },
    provider::vendor::{
        Vendor,
        fit::{Mind, Version, mind, version},
    },
};

/// What is particular to models whose names begin so.
#[derive(Clone, Copy, Debug)]
struct Row {
    prefix: &'static str,
    thinking: Thinking,
    /// The most tokens that an answer can have.
    max_tokens: u64,
    has_json_schema: bool,
    sampling: Sampling,
}

const BUDGET: Thinking = Thinking::Budget { min: 1_024 };

const fn row(prefix: &'static str, thinking: Thinking, max_tokens: u64) -> Row {
    Row { prefix, thinking, max_tokens, has_json_schema: false, sampling: Sampling::Free }
}

/// From here on models answer by a schema and take one of `temperature` and `top_p`.
const fn later(prefix: &'static str, thinking: Thinking, max_tokens: u64) -> Row {
    Row { has_json_schema: true, sampling: Sampling::ByOne, ..row(prefix, thinking, max_tokens) }
}

/// And from here on none of them.
const fn newest(prefix: &'static str) -> Row {
    Row { sampling: Sampling::Fixed, ..later(prefix, Thinking::Adaptive, 64_000) }
}

/// The first row that fits holds: longer names stand before shorter.
///
/// **Source**: docs.claude.com, "Models overview", "Structured outputs", "Extended thinking" and
/// "Effort"; bounds and what is not taken together from a public model catalogue of 2026-02-06
/// (MIT); all read 2026-11-21. That the newest take no sampling: as `vendor/fit.rs` says.
const CLAUDE: [Row; 20] = [
    row("claude-3-5-", Thinking::None, 8_192),
    row("claude-3-7-", BUDGET, 64_000),
    row("claude-3-", Thinking::None, 4_096),
    row("claude-2", Thinking::None, 4_096),
    row("claude-instant", Thinking::None, 4_096),
    later("claude-opus-4-1", BUDGET, 32_000),
    later("claude-opus-4-5", BUDGET, 64_000),
    later("claude-opus-4-6", Thinking::Adaptive, 64_000),
    newest("claude-opus-4-7"),
    row("claude-opus-4-0", BUDGET, 32_000),
    row("claude-opus-4-2", BUDGET, 32_000),
    later("claude-sonnet-4-5", BUDGET, 64_000),
    later("claude-sonnet-4-6", Thinking::Adaptive, 64_000),
    row("claude-sonnet-4-0", BUDGET, 64_000),
    row("claude-sonnet-4-2", BUDGET, 64_000),
    later("claude-haiku-4-5", BUDGET, 64_000),
    row("claude-4-opus", BUDGET, 32_000),
    row("claude-4-sonnet", BUDGET, 64_000),
    // Also without a date behind it.
    row("claude-opus-4@", BUDGET, 32_000),
    row("claude-sonnet-4@", BUDGET, 64_000),
];

/// OpenAI's models that do not think: they answer 400 to `reasoning_effort`.
const UNTHINKING: [&str; 5] = ["gpt-3", "gpt-4", "chatgpt-", "gpt-audio", "gpt-5-chat"];

/// How models of other vendors that speak OpenAI's chats are told to think.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// The account type.
    vendor: &'static str,
    /// What a model's name begins with; the publisher before a slash is not looked at.
    prefix: &'static str,
    /// The efforts that it takes, if any.
    efforts: Option<[Effort; 2]>,
    off: Off,
}

const fn told(vendor: &'static str, prefix: &'static str, efforts: Option<[Effort; 2]>) -> Told {
    Told { vendor, prefix, efforts, off: Off::Never }
}

/// The same of models that are told not to think by the effort `none`.
const fn none(vendor: &'static str, prefix: &'static str, efforts: Option<[Effort; 2]>) -> Told {
    Told { vendor, prefix, efforts, off: Off::Effort }
}

const UP_TO_HIGH: Option<[Effort; 2]> = Some([Effort::Low, Effort::High]);
const HIGH: Option<[Effort; 2]> = Some([Effort::High, Effort::High]);

/// The first row that fits holds. A model or vendor without a row is told any effort.
///
/// **Source**: Groq's and xAI's pages on reasoning as their users quote them, not read themselves;
/// the releases of github.com/vercel/ai for @ai-sdk/xai (4.20 takes none, 4.3 takes `none`);
/// inference-docs.cerebras.ai/capabilities/reasoning; docs.perplexity.ai, "Chat Completions";
/// github.com/anomalyco/models.dev/pull/1986 (Mistral's, as tried); the page "Thinking Mode" of
/// api-docs.deepseek.com; these read 2026-11-21.
const TOLD: [Told; 25] = [
    told("groq", "gpt-oss", UP_TO_HIGH),
    none("groq", "qwen3", None),
    told("groq", "", None),
    told("xai", "grok-3-mini", UP_TO_HIGH),
    none("xai", "grok-4.3", UP_TO_HIGH),
    told("xai", "grok-4.20", None),
    told("xai", "grok-4.1", None),
    told("xai", "grok-4.", UP_TO_HIGH),
    told("xai", "grok-4", None),
    told("xai", "grok-code", None),
    told("xai", "grok-build", None),
    told("xai", "grok-2", None),
    told("xai", "grok-3", None),
    told("xai", "grok-beta", None),
    told("xai", "grok-vision", None),
    told("xai", "", UP_TO_HIGH),
    told("cerebras", "gpt-oss", UP_TO_HIGH),
    none("cerebras", "zai-glm", None),
    told("cerebras", "", None),
    told("perplexity-ai", "sonar-deep-research", Some([Effort::Minimal, Effort::High])),
    told("perplexity-ai", "", None),
    none("mistral-ai", "mistral-small", HIGH),
    none("mistral-ai", "mistral-medium", HIGH),
    told("mistral-ai", "", None),
    Told {
        vendor: "deepseek",
        prefix: "",
        efforts: Some([Effort::Low, Effort::Max]),
        off: Off::Switch,
    },
];

/// Google's models; what is newer than this table thinks by levels, as those since 3 do.
///
/// **Source**: ai.google.dev/gemini-api/docs/thinking ("Set budget": the ranges of each model, and
/// that 2.5 Pro cannot be told not to think), read 2026-11-21.
const GEMINI: [(&str, Thinking); 7] = [
    ("gemini-2.5-pro", Thinking::Budget { min: 128 }),
    ("gemini-2.5", Thinking::Budget { min: 0 }),
    ("gemini-2.0", Thinking::None),
    ("gemini-1", Thinking::None),
    ("gemini-pro-vision", Thinking::None),
    ("gemma", Thinking::None),
    ("learnlm", Thinking::None),
];

/// Cohere's models that do not think.
/// **Source**: docs.cohere.com/v2/docs/models and …/reasoning, read 2026-11-21.
const PLAIN_COMMANDS: [&str; 7] = [
    "command-r",
    "command-a-03",
    "command-a-vision",
    "command-a-translate",
    "command-light",
    "c4ai-",
    "tiny-aya",
];

/// What a model can do.
#[must_use]
pub fn of(vendor: &Vendor, model_id: &str) -> Abilities {
    let unknown = Abilities {
        keeps_reasoning: vendor.keeps_reasoning,
        says_max_tokens: vendor.says_max_tokens,
        has_developer: vendor.has_developer,
        rejects_stream_options: vendor.rejects_stream_options,
        ..Abilities::UNKNOWN
    };
    // Google writes the publisher in front of some names.
    let model_id = model_id.rsplit('/').next().unwrap_or_default();
    match vendor.dialect_of(model_id) {
        Dialect::Gemini => {
            let row = GEMINI.iter().find(|(prefix, _)| model_id.starts_with(prefix));
            let thinking = row.map_or(Thinking::Effort, |(_, thinking)| *thinking);
            Abilities { thinking, ..unknown }
        }
        Dialect::OpenAiChat | Dialect::OpenAiResponses if vendor.has_openai_models => {
            of_openai(model_id, unknown)
        }
        Dialect::OpenAiChat | Dialect::OpenAiResponses => {
            let is_it = |told: &&Told| {
                told.vendor == vendor.account_type && model_id.starts_with(told.prefix)
            };
            let Some(told) = TOLD.iter().find(is_it) else {
                let thinks = !UNTHINKING.iter().any(|prefix| model_id.starts_with(prefix));
                let thinking = if thinks { Thinking::Effort } else { Thinking::None };
                return Abilities { thinking, ..unknown };
            };
            let thinking = told.efforts.map_or(Thinking::None, |_| Thinking::Effort);
            let efforts = told.efforts.unwrap_or(unknown.efforts);
            Abilities { thinking, efforts, off: told.off, ..unknown }
        }
        Dialect::Anthropic => of_claude(model_id, unknown),
        Dialect::Bedrock => of_bedrock(model_id, unknown),
        Dialect::Cohere => {
            let thinks = !PLAIN_COMMANDS.iter().any(|prefix| model_id.starts_with(prefix));
            let thinking = if thinks { Thinking::Budget { min: 1 } } else { Thinking::None };
            Abilities { thinking, ..unknown }
        }
    }
}

/// Is it told by an effort?
#[must_use]
pub fn tries(abilities: &Abilities) -> bool {
    abilities.thinking == Thinking::Effort
}

/// xAI's models that do not think: the others all do.
/// **Source**: a public model catalogue of 2026-02-06 (MIT), read 2026-11-21.
#[must_use]
pub fn is_plain_grok(model_id: &str) -> bool {
    ["grok-2", "grok-3", "grok-beta", "grok-vision"].iter().any(|it| model_id.starts_with(it))
}

/// The efforts that OpenAI's models take.
///
/// **Source**: learn.microsoft.com/javascript/api/@azure/ai-projects/reasoningeffort, and OpenAI's
/// answer to `minimal` as told in github.com/anomalyco/opencode/issues/4451; read 2026-11-22.
fn of_openai(model_id: &str, unknown: Abilities) -> Abilities {
    if UNTHINKING.iter().any(|prefix| model_id.starts_with(prefix)) {
        return Abilities { thinking: Thinking::None, ..unknown };
    }
    let Some((version, kind)) = version(model_id) else { return unknown };
    let is = |word: &str| kind.starts_with(word);
    let efforts = match version {
        _ if is("chat") => [Effort::Medium, Effort::Medium],
        Version::Gpt(5, 0) if is("pro") => [Effort::High, Effort::High],
        Version::Gpt(5, 0) if !is("codex") => [Effort::Minimal, Effort::High],
        Version::Gpt(5, 1) if is("codex-max") => [Effort::Low, Effort::XHigh],
        Version::O(_) | Version::Gpt(5, 0 | 1) => [Effort::Low, Effort::High],
        Version::Gpt(..) if is("pro") => [Effort::Medium, Effort::XHigh],
        Version::Gpt(..) => [Effort::Low, Effort::XHigh],
    };
    let can_rest = matches!(mind(model_id), Mind::Trying | Mind::Thinking);
    let off = if can_rest { Off::Effort } else { Off::Never };
    Abilities { thinking: Thinking::Effort, efforts, off, ..unknown }
}

fn of_claude(model_id: &str, unknown: Abilities) -> Abilities {
    let is_it = |row: &&Row| {
        model_id.starts_with(row.prefix) || row.prefix.strip_suffix('@') == Some(model_id)
    };
    let Some(row) = CLAUDE.iter().find(is_it) else {
        // Newer than this table: as the newest that it knows, and later. Of a name of somebody's
        // own nothing is known.
        let is_claude = model_id.starts_with("claude");
        return Abilities {
            thinking: Thinking::Adaptive,
            sampling: if is_claude { Sampling::Fixed } else { unknown.sampling },
            max_tokens_default: 64_000,
            ..unknown
        };
    };
    Abilities {
        max_tokens_default: row.max_tokens,
        has_json_schema: row.has_json_schema,
        thinking: row.thinking,
        sampling: row.sampling,
        // Only what is newer takes them.
        has_late_instructions: false,
        ..unknown
    }
}

/// Models of Bedrock's that are bound to a schema by themselves, besides later Claudes.
/// **Source**: docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html and recorded
/// traffic, read 2026-11-21.
const BOUND_BY_SCHEMA: [&str; 7] =
    ["deepseek.v3", "google.gemma", "minimax.", "moonshot", "nvidia.", "openai.", "qwen."];
/// Models of Bedrock's that are told how hard to think.
/// **Source**: docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html and
/// …/bedrock/latest/userguide/model-parameters-openai.html, read 2026-11-21.
const TRYING: [&str; 2] = ["amazon.nova-2", "openai.gpt-oss"];

/// By the maker's name in an id, an inference profile's or an ARN: `eu.anthropic.claude-…`.
fn of_bedrock(model_id: &str, unknown: Abilities) -> Abilities {
    let has = |name: &&str| model_id.contains(*name);
    let common = Abilities {
        has_late_instructions: false,
        has_json_schema: BOUND_BY_SCHEMA.iter().any(has),
        thinking: if TRYING.iter().any(has) { Thinking::Effort } else { Thinking::None },
        // Source: docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html, read
        // 2026-11-21.
        keeps_cache_marks: has(&"anthropic.") || has(&"amazon.nova"),
        ..unknown
    };
    let Some((_, claude)) = model_id.split_once("anthropic.") else { return common };
    Abilities { has_late_instructions: false, ..of_claude(claude, common) }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::{
        dialect::pivot::{
            request::Effort,
            target::{Off, Sampling, Thinking},
        },
        provider::vendor,
    };

    #[test]
    fn a_model_is_known_by_the_beginning_of_its_name() {
        let claude = vendor::of("anthropic").expect("a row");
        let check = |id: &str, thinking: Thinking, max_tokens: u64, has_json_schema: bool| {
            let abilities = of(claude, id);
            assert_eq!(abilities.thinking, thinking, "{id}");
            assert_eq!(abilities.max_tokens_default, max_tokens, "{id}");
            assert_eq!(abilities.has_json_schema, has_json_schema, "{id}");
        };
        let budget = Thinking::Budget { min: 1_024 };
        check("claude-3-haiku-20240307", Thinking::None, 4_096, false);
        check("claude-3-5-sonnet-20241022", Thinking::None, 8_192, false);
        check("claude-sonnet-4-20250514", budget, 64_000, false);
        check("claude-sonnet-4-5-20250929", budget, 64_000, true);
        check("claude-opus-4-6", Thinking::Adaptive, 64_000, true);
        check("claude-opus-9", Thinking::Adaptive, 64_000, true);
        let bedrock = vendor::of("aws-bedrock").expect("a row");
        let sonnet = of(bedrock, "eu.anthropic.claude-sonnet-4-5-20250929-v1:0");
        assert_eq!((sonnet.thinking, sonnet.has_json_schema), (budget, true));
        assert!(sonnet.keeps_cache_marks && !sonnet.has_late_instructions);
        let nova = of(bedrock, "us.amazon.nova-2-lite-v1:0");
        assert_eq!((nova.thinking, nova.has_json_schema), (Thinking::Effort, false));
        assert_eq!(of(bedrock, "meta.llama3-1-8b-instruct-v1:0").thinking, Thinking::None);
        let openai = vendor::of("openai").expect("a row");
        assert_eq!(of(openai, "gpt-4o").thinking, Thinking::None);
        assert_eq!(of(openai, "gpt-5.2").thinking, Thinking::Effort);
        assert!(!of(openai, "gpt-5.2").says_max_tokens);
    }

    #[test]
    fn claude_since_opus_4_7_and_what_is_newer_takes_no_sampling() {
        let of = |slug: &str, id: &str| of(vendor::of(slug).expect(slug), id).sampling;
        assert_eq!(of("anthropic", "claude-sonnet-4-20250514"), Sampling::Free);
        assert_eq!(of("anthropic", "claude-sonnet-4"), Sampling::Free);
        assert_eq!(of("anthropic", "claude-opus-4-6"), Sampling::ByOne);
        assert_eq!(of("anthropic", "ours"), Sampling::Free);
        for id in ["claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-5"] {
            assert_eq!(of("anthropic", id), Sampling::Fixed, "{id}");
        }
        assert_eq!(of("aws-bedrock", "eu.anthropic.claude-opus-4-7-v1:0"), Sampling::Fixed);
    }

    #[test]
    fn each_model_is_told_the_efforts_that_it_takes() {
        use Effort::{High, Low, Max, Minimal, XHigh};
        let check = |slug: &str, id: &str, efforts: Option<[Effort; 2]>, off: Off| {
            let abilities = of(vendor::of(slug).expect(slug), id);
            let told = (abilities.thinking == Thinking::Effort).then_some(abilities.efforts);
            assert_eq!((told, abilities.off), (efforts, off), "{slug} {id}");
        };
        check("openai", "gpt-4o", None, Off::Never);
        check("openai", "o3-mini", Some([Low, High]), Off::Never);
        check("openai", "gpt-5-mini", Some([Minimal, High]), Off::Never);
        check("openai", "gpt-5-pro", Some([High, High]), Off::Never);
        check("openai", "gpt-5.2", Some([Low, XHigh]), Off::Effort);
        check("azure-openai", "gpt-5.1-codex", Some([Low, High]), Off::Never);
        check("groq", "llama-3.3-70b-versatile", None, Off::Never);
        check("groq", "openai/gpt-oss-120b", Some([Low, High]), Off::Never);
        check("groq", "qwen/qwen3-32b", None, Off::Effort);
        check("xai", "grok-4-1-fast-reasoning", None, Off::Never);
        check("xai", "grok-4.3", Some([Low, High]), Off::Effort);
        check("mistral-ai", "mistral-large-latest", None, Off::Never);
        check("mistral-ai", "mistral-small-latest", Some([High, High]), Off::Effort);
        check("deepseek", "deepseek-v4-pro", Some([Low, Max]), Off::Switch);
        check("self-hosted-model", "qwen3", Some([Minimal, XHigh]), Off::Never);
    }

    #[test]
    fn the_bound_has_its_newer_name_only_where_that_is_known() {
        let says = |slug: &str| of(vendor::of(slug).expect(slug), "m");
        for slug in ["openai", "azure-openai", "groq", "xai", "cerebras", "aws-bedrock-mantle"] {
            assert!(!says(slug).says_max_tokens, "{slug}");
        }
        for slug in ["deepseek", "together-ai", "perplexity-ai", "ollama", "custom", "mistral-ai"] {
            assert!(says(slug).says_max_tokens, "{slug}");
        }
        assert!(says("deepseek").keeps_reasoning && !says("groq").keeps_reasoning);
        assert!(says("azure").has_developer && !says("deepseek").has_developer);
    }
}
