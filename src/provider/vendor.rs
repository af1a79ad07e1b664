//! The vendors: tables, one row each.

use crate::dialect::pivot::part::Dialect;

/// What is particular to a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The account type behind `provider-account/`.
    pub account_type: &'static str,
    /// Where it lives when the account names no other place.
    pub base_url: Option<&'static str>,
    pub dialect: Dialect,
    /// Where a key goes: the header in lower case; none is `authorization: Bearer`.
    pub key_header: Option<&'static str>,
    /// Answers 400 to `stream_options`.
    pub rejects_stream_options: bool,
    /// Servers of many makers: they know the bound on an answer as `max_tokens`, and take back what
    /// a model thought as `reasoning_content`.
    pub is_anyones: bool,
}

const fn openai(account_type: &'static str, base_url: Option<&'static str>) -> Vendor {
    Vendor {
        account_type,
        base_url,
        dialect: Dialect::OpenAiChat,
        key_header: None,
        rejects_stream_options: false,
        is_anyones: base_url.is_none(),
    }
}

/// The account types that are obeyed. A model of `provider-account/X` is an
/// `integration/model/X`.
pub const VENDORS: [Vendor; 4] = [
    openai("openai", Some("https://api.openai.com/v1")),
    openai("self-hosted-model", None),
    openai("custom", None),
    // Source: docs.claude.com/en/api/overview, read 2026-11-21.
    Vendor {
        dialect: Dialect::Anthropic,
        key_header: Some("x-api-key"),
        ..openai("anthropic", Some("https://api.anthropic.com/v1"))
    },
];

/// The row of an account type.
#[must_use]
pub fn of(account_type: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.account_type == account_type)
}

/// A vendor with an OpenAI-compatible API that a key in the environment is enough to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quick {
    /// The account's name.
    pub name: &'static str,
    /// The environment variable that holds a key.
    pub env: &'static str,
    pub base_url: &'static str,
    pub chat_models: &'static [&'static str],
    pub embedding_models: &'static [&'static str],
}

/// Vendors that quickstart looks for.
///
/// **Source**: base URLs from the vendors' API references. Model ids, except those marked, from a
/// public model catalogue of 2026-02-06 (MIT), entries that it does not call deprecated.
pub const QUICK: [Quick; 10] = [
    Quick {
        name: "openai",
        env: "OPENAI_API_KEY",
        base_url: "https://api.openai.com/v1",
        chat_models: &["gpt-5.2", "gpt-5-mini", "gpt-5-nano", "gpt-4.1", "gpt-4o", "gpt-4o-mini"],
        embedding_models: &["text-embedding-3-small", "text-embedding-3-large"],
    },
    Quick {
        name: "groq",
        env: "GROQ_API_KEY",
        base_url: "https://api.groq.com/openai/v1",
        chat_models: &[
            "llama-3.3-70b-versatile",
            "llama-3.1-8b-instant",
            "openai/gpt-oss-120b",
            "openai/gpt-oss-20b",
            "qwen/qwen3-32b",
        ],
        embedding_models: &[],
    },
    Quick {
        name: "together",
        env: "TOGETHER_API_KEY",
        base_url: "https://api.together.xyz/v1",
        chat_models: &[
            "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "deepseek-ai/DeepSeek-V3.1",
            "moonshotai/Kimi-K2.5",
            "openai/gpt-oss-120b",
            "zai-org/GLM-4.7",
        ],
        embedding_models: &["BAAI/bge-base-en-v1.5"],
    },
    Quick {
        name: "mistral",
        env: "MISTRAL_API_KEY",
        base_url: "https://api.mistral.ai/v1",
        chat_models: &[
            "mistral-large-latest",
            "mistral-medium-latest",
            "mistral-small-latest",
            "magistral-medium-latest",
            "codestral-latest",
        ],
        embedding_models: &["mistral-embed"],
    },
    Quick {
        name: "xai",
        env: "XAI_API_KEY",
        base_url: "https://api.x.ai/v1",
        chat_models: &[
            "grok-4",
            "grok-4-1-fast-reasoning",
            "grok-4-1-fast-non-reasoning",
            "grok-3-mini",
            "grok-code-fast-1",
        ],
        embedding_models: &[],
    },
    Quick {
        name: "deepseek",
        env: "DEEPSEEK_API_KEY",
        base_url: "https://api.deepseek.com/v1",
        // Not in the catalogue: api-docs.deepseek.com, "Your First API Call".
        chat_models: &["deepseek-chat", "deepseek-reasoner"],
        embedding_models: &[],
    },
    Quick {
        name: "openrouter",
        env: "OPENROUTER_API_KEY",
        base_url: "https://openrouter.ai/api/v1",
        chat_models: &[
            "anthropic/claude-opus-4.6",
            "anthropic/claude-sonnet-4.5",
            "google/gemini-2.5-flash",
            "deepseek/deepseek-v3.2",
            "moonshotai/kimi-k2.5",
        ],
        embedding_models: &[],
    },
    Quick {
        name: "perplexity",
        env: "PERPLEXITY_API_KEY",
        // This vendor's API begins at the root.
        base_url: "https://api.perplexity.ai/.",
        chat_models: &["sonar", "sonar-pro", "sonar-reasoning-pro", "sonar-deep-research"],
        embedding_models: &[],
    },
    Quick {
        name: "cerebras",
        env: "CEREBRAS_API_KEY",
        base_url: "https://api.cerebras.ai/v1",
        chat_models: &["llama-3.3-70b", "llama3.1-8b", "gpt-oss-120b", "qwen-3-32b", "zai-glm-4.7"],
        embedding_models: &[],
    },
    Quick {
        name: "fireworks",
        env: "FIREWORKS_API_KEY",
        base_url: "https://api.fireworks.ai/inference/v1",
        // Not in the catalogue: mastra.ai/en/models/providers/fireworks-ai, read 2026-11-21.
        chat_models: &[
            "accounts/fireworks/models/gpt-oss-120b",
            "accounts/fireworks/models/gpt-oss-20b",
            "accounts/fireworks/models/deepseek-v3p1",
        ],
        embedding_models: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::{QUICK, VENDORS};
    use crate::provider::base_url::BaseUrl;

    #[test]
    fn every_base_url_of_the_tables_is_one() {
        let vendors = VENDORS.iter().filter_map(|vendor| vendor.base_url);
        for url in vendors.chain(QUICK.iter().map(|quick| quick.base_url)) {
            assert!(url.parse::<BaseUrl>().is_ok_and(|url| url.is_tls), "{url}");
        }
    }
}
