//! What `weir quickstart` adds for a key in the environment.

/// A vendor that a key in the environment is enough to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quick {
    /// The account's name.
    pub name: &'static str,
    /// The environment variable that holds a key.
    pub env: &'static str,
    /// The account type behind `provider-account/`.
    pub account_type: &'static str,
    /// Where the vendor has no account type of its own.
    pub base_url: Option<&'static str>,
    pub chat_models: &'static [&'static str],
    pub embedding_models: &'static [&'static str],
}

/// Vendors that quickstart looks for.
///
/// **Source**: model ids, except those marked, from a public model catalogue of 2026-02-06 (MIT),
/// entries that it does not call deprecated.
pub const QUICK: [Quick; 17] = [
    Quick {
        name: "anthropic",
        env: "ANTHROPIC_API_KEY",
        account_type: "anthropic",
        base_url: None,
        chat_models: &[
            "claude-opus-4-6",
            "claude-sonnet-4-5",
            "claude-haiku-4-5",
            "claude-opus-4-5",
        ],
        embedding_models: &[],
    },
    Quick { name: "gemini", env: "GEMINI_API_KEY", ..GEMINI },
    // The other name under which Google's own clients look for the key.
    Quick { name: "google", env: "GOOGLE_API_KEY", ..GEMINI },
    Quick {
        name: "openai",
        env: "OPENAI_API_KEY",
        account_type: "openai",
        base_url: None,
        chat_models: &["gpt-5.2", "gpt-5-mini", "gpt-5-nano", "gpt-4.1", "gpt-4o", "gpt-4o-mini"],
        embedding_models: &["text-embedding-3-small", "text-embedding-3-large"],
    },
    Quick {
        name: "groq",
        env: "GROQ_API_KEY",
        account_type: "groq",
        base_url: None,
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
        account_type: "together-ai",
        base_url: None,
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
        account_type: "mistral-ai",
        base_url: None,
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
        account_type: "xai",
        base_url: None,
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
        account_type: "deepseek",
        base_url: None,
        // Not in the catalogue: api-docs.deepseek.com/quick_start/pricing, read 2026-11-21; the
        // names deepseek-chat and deepseek-reasoner went on 2026-07-24.
        chat_models: &["deepseek-v4-flash", "deepseek-v4-pro"],
        embedding_models: &[],
    },
    Quick {
        name: "openrouter",
        env: "OPENROUTER_API_KEY",
        account_type: "openrouter",
        base_url: None,
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
        account_type: "perplexity-ai",
        base_url: None,
        chat_models: &["sonar", "sonar-pro", "sonar-reasoning-pro", "sonar-deep-research"],
        embedding_models: &[],
    },
    Quick {
        name: "cerebras",
        env: "CEREBRAS_API_KEY",
        account_type: "cerebras",
        base_url: None,
        chat_models: &["llama-3.3-70b", "llama3.1-8b", "gpt-oss-120b", "qwen-3-32b", "zai-glm-4.7"],
        embedding_models: &[],
    },
    Quick {
        name: "fireworks",
        env: "FIREWORKS_API_KEY",
        account_type: "openai",
        base_url: Some("https://api.fireworks.ai/inference/v1"),
        // Not in the catalogue: mastra.ai/models/providers/fireworks-ai and the documents of
        // Docker's agent, both read 2026-11-21.
        chat_models: &[
            "accounts/fireworks/models/gpt-oss-120b",
            "accounts/fireworks/models/deepseek-v4-flash",
            "accounts/fireworks/models/kimi-k3",
        ],
        embedding_models: &[],
    },
    Quick {
        name: "deepinfra",
        env: "DEEPINFRA_API_KEY",
        account_type: "deepinfra",
        base_url: None,
        chat_models: &[
            "deepseek-ai/DeepSeek-V3.1",
            "Qwen/Qwen3-32B",
            "openai/gpt-oss-120b",
            "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        ],
        embedding_models: &[],
    },
    BEDROCK,
    Quick {
        name: "cohere",
        env: "CO_API_KEY",
        account_type: "cohere",
        base_url: None,
        // Not in the catalogue: docs.cohere.com/v2/docs/models, read 2026-11-21, and recorded
        // traffic.
        chat_models: &["command-a-03-2025", "command-a-reasoning-08-2025", "command-r7b-12-2024"],
        embedding_models: &[],
    },
    Quick {
        name: "sambanova",
        env: "SAMBANOVA_API_KEY",
        account_type: "sambanova",
        base_url: None,
        chat_models: &["Meta-Llama-3.3-70B-Instruct", "DeepSeek-V3.1", "gpt-oss-120b"],
        embedding_models: &[],
    },
];

/// A region is asked of AWS's own variables: see `gateway/surroundings.rs`.
const BEDROCK: Quick = Quick {
    name: "bedrock",
    env: "AWS_BEARER_TOKEN_BEDROCK",
    account_type: "aws-bedrock",
    base_url: None,
    chat_models: &[
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        "openai.gpt-oss-120b-1:0",
        "amazon.nova-lite-v1:0",
        "amazon.nova-micro-v1:0",
    ],
    embedding_models: &[],
};

/// The same for a machine whose identity AWS's own variables tell; the account has no credential.
pub const BEDROCK_OF_MACHINES: [Quick; 4] = [
    Quick { env: "AWS_ACCESS_KEY_ID", ..BEDROCK },
    Quick { env: "AWS_WEB_IDENTITY_TOKEN_FILE", ..BEDROCK },
    Quick { env: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ..BEDROCK },
    Quick { env: "AWS_CONTAINER_CREDENTIALS_FULL_URI", ..BEDROCK },
];

/// Azure OpenAI, where its endpoint is told too. A deployment that none of the variables names is
/// called as its model is, as Azure's own pages propose.
///
/// **Source** of the variables: the clients of OpenAI, LangChain and Microsoft's samples.
pub const AZURE: Quick = Quick {
    name: "azure",
    env: "AZURE_OPENAI_API_KEY",
    account_type: "azure-openai",
    base_url: None,
    chat_models: &["gpt-5.2", "gpt-5-mini", "gpt-4.1", "gpt-4o", "gpt-4o-mini"],
    embedding_models: &["text-embedding-3-small", "text-embedding-3-large"],
};

/// A server that is known by where it is: it is asked which models it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// The account's name.
    pub name: &'static str,
    /// The environment variable that says where it is.
    pub env: &'static str,
    /// The one that names its models, with commas between them, before it is asked.
    pub models_env: &'static str,
    /// The one that holds a key, if it wants one.
    pub key_env: Option<&'static str>,
    pub account_type: &'static str,
    /// What serves its models, where that is to be said.
    pub model_server: Option<&'static str>,
}

/// Servers that quickstart looks for.
///
/// **Source**: `OPENAI_BASE_URL` is read by OpenAI's own clients, `OLLAMA_HOST` by Ollama's; the
/// others have no variable of their makers', and these are what their users write.
pub const SERVERS: [Server; 4] = [
    Server {
        name: "vllm",
        env: "VLLM_BASE_URL",
        models_env: "VLLM_MODEL",
        key_env: Some("VLLM_API_KEY"),
        account_type: "self-hosted-model",
        model_server: Some("openai-compatible"),
    },
    Server {
        name: "tgi",
        env: "TGI_BASE_URL",
        models_env: "TGI_MODEL",
        key_env: None,
        account_type: "self-hosted-model",
        model_server: Some("openai-compatible"),
    },
    CUSTOM,
    Server {
        name: "ollama",
        env: "OLLAMA_HOST",
        models_env: "OLLAMA_MODEL",
        key_env: None,
        account_type: "ollama",
        model_server: None,
    },
];

/// Where OpenAI's clients are sent elsewhere: the key is then that server's, and none of OpenAI's.
pub const CUSTOM: Server = Server {
    name: "custom",
    env: "OPENAI_BASE_URL",
    models_env: "OPENAI_MODEL",
    key_env: Some("OPENAI_API_KEY"),
    account_type: "custom",
    model_server: Some("openai-compatible"),
};

/// AI Studio. Model ids: ai.google.dev/gemini-api/docs/models, read 2026-11-21.
const GEMINI: Quick = Quick {
    name: "gemini",
    env: "GEMINI_API_KEY",
    account_type: "google-gemini",
    base_url: None,
    chat_models: &GEMINI_MODELS,
    embedding_models: &[],
};

const GEMINI_MODELS: [&str; 6] = [
    "gemini-3.5-flash",
    "gemini-3-flash-preview",
    "gemini-3-pro-preview",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
];

/// Vertex, by what Google's own clients read: a key file, the project, and the location, which is
/// `global` where none is said.
pub const VERTEX: Quick = Quick {
    name: "vertex",
    env: "GOOGLE_APPLICATION_CREDENTIALS",
    account_type: "google-vertex",
    base_url: None,
    chat_models: &[
        "gemini-3-flash-preview",
        "gemini-2.5-pro",
        "gemini-2.5-flash",
        "claude-opus-4-6",
        "claude-sonnet-4-5@20250929",
        "claude-haiku-4-5@20251001",
    ],
    embedding_models: &[],
};
