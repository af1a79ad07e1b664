//! The vendors: a table, one row each.
//!
//! `vendor/quick.rs` is what quickstart adds, `vendor/fit.rs` what a vendor or a model takes under
//! another name or not at all.

pub mod fit;
pub mod quick;

use crate::{
    dialect::pivot::part::Dialect,
    manifest::account::AuthKind,
    provider::{target::Invoking, vendor::fit::Fit},
};

/// What is particular to a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "columns of a table, each on its own")]
pub struct Vendor {
    /// The account type behind `provider-account/`.
    pub account_type: &'static str,
    /// The model type behind `integration/model/`.
    pub model_type: &'static str,
    pub home: Home,
    pub dialect: Dialect,
    /// The ways to prove ourselves that it knows.
    pub proofs: &'static [AuthKind],
    /// It serves nobody without a proof, unless its address was written by the operator.
    pub wants_proof: bool,
    /// Where a key goes: the header in lower case; none is `authorization: Bearer`.
    pub key_header: Option<&'static str>,
    /// Keys of an account and of a model that mean something to this vendor alone; see `OWN_KEYS`.
    pub own_keys: &'static [&'static str],
    /// Answers 400 to `stream_options`.
    pub rejects_stream_options: bool,
    /// What is said otherwise to it, or not at all, whatever the model.
    pub fit: Fit,
    /// Its models are OpenAI's: see `fit::of_openai_model`.
    pub has_openai_models: bool,
    /// Speaks OpenAI's Responses API too, at its own address.
    pub has_responses: bool,
    /// The service that signatures are for.
    pub aws_service: &'static str,
    /// Its Claudes speak Anthropic's language whatever `dialect` says, are named in the path alone,
    /// and are told this version in the body.
    pub claude_version: Option<&'static str>,
    /// A host of many makers' models: a client can ask for one in its maker's own words, which
    /// pass, and what its maker takes in a header it takes in the body.
    pub invokes: bool,
    /// Where the model stands in the path.
    pub model_path: ModelPath,
    /// An account may be written before its models.
    pub may_lack_models: bool,
    /// Is not known to take the bound on an answer by its newer name, `max_completion_tokens`: it
    /// is told `max_tokens`, which all know.
    pub says_max_tokens: bool,
    /// Takes back what a model thought as `reasoning_content`.
    pub keeps_reasoning: bool,
    /// Knows the role `developer`; others are told `system`.
    pub has_developer: bool,
}

impl Vendor {
    /// Does it speak OpenAI's chats, which its newer API stands beside?
    #[must_use]
    pub fn has_chats(&self) -> bool {
        self.dialect == Dialect::OpenAiChat
    }
}

/// Where a vendor lives when neither account nor model names a `base_url`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    At(&'static str),
    /// Nowhere: it must be written.
    Written,
    /// `{region}` is the model's region, else the account's.
    Regional(&'static str),
    /// The account's `azure_endpoint`, or the older `auth_data.api_base`; see `AzurePath`.
    Azure(AzurePath),
    /// `auth_data.custom_host`.
    OllamaHost,
    /// By region: `global`, a country's, or of several.
    Vertex,
}

/// Where the model stands behind the base URL; elsewhere it stands in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelPath {
    None,
    /// `/models/MODEL`
    Gemini,
    /// `/projects/PROJECT/locations/REGION/publishers/PUBLISHER/models/MODEL`
    Vertex,
}

/// How a resource of Azure is called. `/openai/v1` at the end of an endpoint is Azure's newest API:
/// the base URL as it stands, `api-version` only where one is written.
///
/// Source: learn.microsoft.com/azure/ai-services/openai/reference and …/api-version-lifecycle,
/// learn.microsoft.com/rest/api/aifoundry/modelinference, read 2026-11-21.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzurePath {
    /// `/openai/deployments/MODEL_ID/chat/completions?api-version=…`
    Deployment,
    /// `/models/chat/completions?api-version=…`, the model in the body.
    Models,
    /// `openai_endpoint` as `Deployment` for publisher OpenAI, else `project_endpoint` as `Models`.
    ByPublisher,
}

/// Keys that only some vendors read; written for another they are warned about.
pub const OWN_KEYS: [&str; 10] = [
    "region",
    "project_id",
    "project",
    "azure_endpoint",
    "openai_endpoint",
    "project_endpoint",
    "api_version",
    "foundation_model",
    "deployment_type",
    "publisher",
];

const KEY: &[AuthKind] = &[AuthKind::ApiKey, AuthKind::BearerAuth];
const AZURE: &[AuthKind] =
    &[AuthKind::ApiKey, AuthKind::Certificate, AuthKind::ClientSecret, AuthKind::WorkloadIdentity];

/// A vendor with OpenAI's API and a key, of which no more is to be said than that it is not OpenAI.
const fn plain(slug: &'static str, base_url: &'static str) -> Vendor {
    Vendor {
        account_type: slug,
        model_type: slug,
        home: Home::At(base_url),
        dialect: Dialect::OpenAiChat,
        proofs: KEY,
        wants_proof: true,
        key_header: None,
        own_keys: &[],
        rejects_stream_options: false,
        fit: fit::PLAIN,
        has_openai_models: false,
        has_responses: false,
        aws_service: "",
        claude_version: None,
        invokes: false,
        model_path: ModelPath::None,
        may_lack_models: false,
        says_max_tokens: true,
        keeps_reasoning: false,
        has_developer: false,
    }
}

/// A vendor with a key and a language of its own.
const fn speaking(dialect: Dialect, slug: &'static str, base_url: &'static str) -> Vendor {
    Vendor { dialect, fit: Fit::AS_IT_IS, ..plain(slug, base_url) }
}

/// A server that the operator runs or knows, of any maker: it judges its own language by itself.
const fn hosted(slug: &'static str) -> Vendor {
    Vendor {
        home: Home::Written,
        proofs: &[AuthKind::ApiKey, AuthKind::BearerAuth, AuthKind::BasicAuth],
        wants_proof: false,
        fit: Fit::AS_IT_IS,
        keeps_reasoning: true,
        ..plain(slug, "")
    }
}

const fn azure(slug: &'static str, path: AzurePath, own_keys: &'static [&'static str]) -> Vendor {
    Vendor {
        home: Home::Azure(path),
        proofs: AZURE,
        key_header: Some("api-key"),
        has_openai_models: true,
        has_responses: true,
        says_max_tokens: false,
        has_developer: true,
        own_keys,
        ..plain(slug, "")
    }
}

/// The account types that are obeyed.
///
/// Source: base URLs from the vendors' API references, read 2026-11-21; quirks as each row says.
pub const VENDORS: [Vendor; 25] = [
    Vendor {
        proofs: &[AuthKind::ApiKey, AuthKind::BearerAuth, AuthKind::BasicAuth],
        has_openai_models: true,
        has_responses: true,
        says_max_tokens: false,
        has_developer: true,
        ..plain("openai", "https://api.openai.com/v1")
    },
    hosted("self-hosted-model"),
    hosted("custom"),
    // Source: docs.claude.com/en/api/overview, read 2026-11-21.
    Vendor {
        proofs: &[AuthKind::ApiKey],
        key_header: Some("x-api-key"),
        ..speaking(Dialect::Anthropic, "anthropic", "https://api.anthropic.com/v1")
    },
    // Source: ai.google.dev/api, read 2026-11-21.
    Vendor {
        model_type: "gemini",
        proofs: &[AuthKind::ApiKey],
        key_header: Some("x-goog-api-key"),
        model_path: ModelPath::Gemini,
        ..speaking(
            Dialect::Gemini,
            "google-gemini",
            "https://generativelanguage.googleapis.com/v1beta",
        )
    },
    // Source: docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference and
    // docs.claude.com/en/api/claude-on-vertex-ai, read 2026-11-21.
    Vendor {
        model_type: "vertex",
        home: Home::Vertex,
        proofs: &[
            AuthKind::KeyFile,
            AuthKind::WorkloadIdentityFederationFile,
            AuthKind::GcpServiceAccountAuth,
        ],
        own_keys: &["region", "project_id"],
        claude_version: Some("vertex-2023-10-16"),
        model_path: ModelPath::Vertex,
        ..speaking(Dialect::Gemini, "google-vertex", "")
    },
    // Source: docs.cohere.com/reference/chat, read 2026-11-21.
    Vendor {
        may_lack_models: true,
        ..speaking(Dialect::Cohere, "cohere", "https://api.cohere.com/v2")
    },
    azure(
        "azure-openai",
        AzurePath::Deployment,
        &["azure_endpoint", "api_version", "foundation_model", "deployment_type"],
    ),
    // The older spelling: endpoint, key and version in the model's auth_data.
    Vendor { proofs: &[AuthKind::AzureAuth], ..azure("azure", AzurePath::Deployment, &[]) },
    azure("azure-foundry", AzurePath::Models, &["azure_endpoint", "api_version"]),
    azure(
        "microsoft-foundry",
        AzurePath::ByPublisher,
        &[
            "openai_endpoint",
            "project_endpoint",
            "api_version",
            "foundation_model",
            "deployment_type",
            "publisher",
        ],
    ),
    // Source: docs.aws.amazon.com/general/latest/gr/bedrock.html, read 2026-11-21.
    Vendor {
        model_type: "bedrock",
        home: Home::Regional("https://bedrock-runtime.{region}.amazonaws.com/."),
        proofs: &[
            AuthKind::ApiKey,
            AuthKind::AccessKeyBased,
            AuthKind::AssumedRoleBased,
            AuthKind::AwsIrsaAuth,
        ],
        // Without auth_data the machine's own identity counts.
        wants_proof: false,
        own_keys: &["region"],
        invokes: true,
        aws_service: "bedrock",
        ..speaking(Dialect::Bedrock, "aws-bedrock", "")
    },
    Vendor {
        model_type: "bedrock-mantle",
        home: Home::Regional("https://bedrock-mantle.{region}.api.aws/v1"),
        proofs: &[AuthKind::ApiKey, AuthKind::AccessKeyBased, AuthKind::AssumedRoleBased],
        // Without auth_data the machine's own identity counts.
        wants_proof: false,
        own_keys: &["region", "project"],
        has_responses: true,
        // Source: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html.
        says_max_tokens: false,
        aws_service: "bedrock-mantle",
        ..plain("aws-bedrock-mantle", "")
    },
    // Usage comes without being asked for; `stream_options` and what else it does not know is 422.
    Vendor {
        rejects_stream_options: true,
        fit: fit::MISTRAL,
        ..plain("mistral-ai", "https://api.mistral.ai/v1")
    },
    // console.groq.com/docs/openai lists what is answered with 400. That it knows the newer name of
    // the bound is told by its users; the reference itself was not read.
    Vendor {
        fit: fit::GROQ,
        says_max_tokens: false,
        ..plain("groq", "https://api.groq.com/openai/v1")
    },
    // docs.x.ai/docs/guides/responses-api and openrouter.ai/docs/api-reference/responses, read
    // 2026-11-21; the newer name of the bound is told by its users.
    Vendor {
        may_lack_models: true,
        has_responses: true,
        says_max_tokens: false,
        fit: fit::SYSTEM_ALONE,
        ..plain("xai", "https://api.x.ai/v1")
    },
    plain("together-ai", "https://api.together.xyz/v1"),
    // Its API begins at the root.
    Vendor { fit: fit::PERPLEXITY, ..plain("perplexity-ai", "https://api.perplexity.ai/.") },
    // Source: api-docs.deepseek.com/guides/thinking_mode: what it thought before it called a tool
    // must come back with the result; github.com/earendil-works/pi/issues/8018, read 2026-11-21:
    // `max_completion_tokens` is not obeyed.
    Vendor { keeps_reasoning: true, ..plain("deepseek", "https://api.deepseek.com/v1") },
    Vendor { has_responses: true, ..plain("openrouter", "https://openrouter.ai/api/v1") },
    Vendor { may_lack_models: true, ..plain("deepinfra", "https://api.deepinfra.com/v1/openai") },
    // inference-docs.cerebras.ai/resources/openai lists what is answered with 400; the newer name
    // of the bound is told by its users.
    Vendor {
        fit: fit::CEREBRAS,
        may_lack_models: true,
        says_max_tokens: false,
        ..plain("cerebras", "https://api.cerebras.ai/v1")
    },
    plain("sambanova", "https://api.sambanova.ai/v1"),
    Vendor { may_lack_models: true, ..plain("baseten", "https://inference.baseten.co/v1") },
    Vendor { home: Home::OllamaHost, proofs: &[], wants_proof: false, ..plain("ollama", "") },
];

impl Vendor {
    /// What the body of a call of this model says instead of the model.
    #[must_use]
    pub fn claude_version_of(&self, model_id: &str) -> Option<&'static str> {
        self.claude_version.filter(|_| self.is_claude(model_id))
    }

    /// Is this one of its Claudes that speak Anthropic's language?
    #[must_use]
    pub fn is_claude(&self, model_id: &str) -> bool {
        self.claude_version.is_some() && model_id.contains("claude")
    }

    /// How this model of it is invoked in its maker's own words.
    #[must_use]
    pub fn invoking_of(&self, model_id: &str) -> Invoking {
        match self.invokes {
            false => Invoking::Never,
            // An id, an inference profile's or an ARN: `eu.anthropic.claude-…`.
            true if model_id.contains("anthropic.") => Invoking::AsAnthropic,
            true => Invoking::AsItsMaker,
        }
    }

    /// The language that this model of it speaks.
    #[must_use]
    pub fn dialect_of(&self, model_id: &str) -> Dialect {
        if self.is_claude(model_id) { Dialect::Anthropic } else { self.dialect }
    }
}

/// The row of an account type.
#[must_use]
pub fn of(account_type: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.account_type == account_type)
}

#[cfg(test)]
mod tests {
    use super::{Home, OWN_KEYS, VENDORS, of, quick::QUICK};
    use crate::{manifest::kind::OBEYED, provider::base_url::BaseUrl};

    #[test]
    fn every_base_url_of_the_tables_is_one() {
        for vendor in VENDORS {
            let (Home::At(url) | Home::Regional(url)) = vendor.home else { continue };
            let url = url.replace("{region}", "eu-central-1");
            assert!(url.parse::<BaseUrl>().is_ok_and(|url| url.is_tls), "{url}");
        }
    }

    #[test]
    fn every_account_type_that_is_obeyed_has_one_row() {
        let slugs = OBEYED.iter().filter_map(|(kind, _)| kind.strip_prefix("provider-account/"));
        // What is virtual has no vendor.
        let mut slugs: Vec<&str> = slugs.filter(|slug| *slug != "virtual-model").collect();
        let mut rows: Vec<&str> = VENDORS.iter().map(|vendor| vendor.account_type).collect();
        slugs.sort_unstable();
        rows.sort_unstable();

        assert_eq!(slugs, rows);
    }

    #[test]
    fn what_quickstart_writes_is_a_vendor() {
        for quick in QUICK {
            let vendor = of(quick.account_type).expect(quick.name);
            let has_home = matches!(vendor.home, Home::At(_) | Home::Regional(_));
            assert!(has_home || quick.base_url.is_some(), "{}", quick.name);
            assert!(quick.base_url.is_none_or(|url| url.parse::<BaseUrl>().is_ok()));
        }
    }

    #[test]
    fn a_row_reads_only_keys_that_are_in_the_list() {
        for vendor in VENDORS {
            assert!(vendor.own_keys.iter().all(|key| OWN_KEYS.contains(key)));
        }
    }
}
