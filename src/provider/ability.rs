//! What models can do that their dialect leaves open: a table by the beginning of their names.
//!
//! Read where a request is translated; where client and vendor speak one dialect the vendor judges
//! by itself. A model that no row knows is taken for one that can do what its dialect can say.

use crate::{
    dialect::pivot::{
        part::Dialect,
        target::{Abilities, Thinking},
    },
    provider::vendor::Vendor,
};

/// What is particular to models whose names begin so.
#[derive(Clone, Copy, Debug)]
struct Row {
    prefix: &'static str,
    thinking: Thinking,
    /// The most tokens that an answer can have.
    max_tokens: u64,
    has_json_schema: bool,
    samples_by_one: bool,
}

const BUDGET: Thinking = Thinking::Budget { min: 1_024 };

const fn row(prefix: &'static str, thinking: Thinking, max_tokens: u64) -> Row {
    Row { prefix, thinking, max_tokens, has_json_schema: false, samples_by_one: false }
}

/// From here on models answer by a schema and take one of `temperature` and `top_p`.
const fn later(prefix: &'static str, thinking: Thinking, max_tokens: u64) -> Row {
    Row { has_json_schema: true, samples_by_one: true, ..row(prefix, thinking, max_tokens) }
}

/// The first row that fits holds: longer names stand before shorter.
///
/// **Source**: docs.claude.com, "Models overview", "Structured outputs", "Extended thinking" and
/// "Effort"; bounds and what is not taken together from a public model catalogue of 2026-02-06
/// (MIT); all read 2026-11-21.
const CLAUDE: [Row; 18] = [
    row("claude-3-5-", Thinking::None, 8_192),
    row("claude-3-7-", BUDGET, 64_000),
    row("claude-3-", Thinking::None, 4_096),
    row("claude-2", Thinking::None, 4_096),
    row("claude-instant", Thinking::None, 4_096),
    later("claude-opus-4-1", BUDGET, 32_000),
    later("claude-opus-4-5", BUDGET, 64_000),
    later("claude-opus-4-6", Thinking::Adaptive, 64_000),
    later("claude-opus-4-7", Thinking::Adaptive, 64_000),
    row("claude-opus-4-0", BUDGET, 32_000),
    row("claude-opus-4-2", BUDGET, 32_000),
    later("claude-sonnet-4-5", BUDGET, 64_000),
    later("claude-sonnet-4-6", Thinking::Adaptive, 64_000),
    row("claude-sonnet-4-0", BUDGET, 64_000),
    row("claude-sonnet-4-2", BUDGET, 64_000),
    later("claude-haiku-4-5", BUDGET, 64_000),
    row("claude-opus-4@", BUDGET, 32_000),
    row("claude-sonnet-4@", BUDGET, 64_000),
];

/// OpenAI's models that do not think: they answer 400 to `reasoning_effort`.
const UNTHINKING: [&str; 5] = ["gpt-3.5", "gpt-4", "chatgpt-", "gpt-audio", "gpt-5-chat"];

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
        keeps_reasoning: vendor.is_anyones,
        says_max_tokens: vendor.is_anyones,
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
        Dialect::OpenAiChat | Dialect::OpenAiResponses => {
            let thinks = !UNTHINKING.iter().any(|prefix| model_id.starts_with(prefix));
            let thinking = if thinks { Thinking::Effort } else { Thinking::None };
            Abilities { thinking, ..unknown }
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

fn of_claude(model_id: &str, unknown: Abilities) -> Abilities {
    let Some(row) = CLAUDE.iter().find(|row| model_id.starts_with(row.prefix)) else {
        // Newer than this table: as the newest that it knows, and later.
        return Abilities {
            thinking: Thinking::Adaptive,
            samples_by_one: true,
            max_tokens_default: 64_000,
            ..unknown
        };
    };
    Abilities {
        max_tokens_default: row.max_tokens,
        has_json_schema: row.has_json_schema,
        thinking: row.thinking,
        samples_by_one: row.samples_by_one,
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
    use crate::{dialect::pivot::target::Thinking, provider::vendor};

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
}
