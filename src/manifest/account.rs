//! Provider accounts: a credential and the models it opens.
//!
//! One twin serves all accounts of model vendors, in the older spelling (the credential at the
//! model, no `model_id`) and the newest (at the account): where a vendor's row and the spelling
//! differ, the field is optional here and judged in `snapshot`.

use crate::lexicon::operation::ModelType;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One account at one vendor.
///
/// **Shape**: the model accounts of the reference (A.2), such as `OpenaiProviderAccount`,
/// `AzureOpenAiProviderAccount`, `AwsBedrockProviderAccount`, `GoogleVertexProviderAccount`.
#[derive(Clone, Deserialize)]
pub struct ProviderAccount {
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    pub auth_data: Option<AuthData>,
    #[serde(alias = "url")]
    pub base_url: Option<String>,
    pub headers: Option<BTreeMap<String, String>>,
    pub tls_settings: Option<TlsSettings>,
    /// Ours: the reference has no word for it.
    pub http_version: Option<HttpVersion>,
    /// AWS, Google Vertex.
    pub region: Option<String>,
    /// Google Vertex.
    pub project_id: Option<String>,
    /// Bedrock Mantle.
    pub project: Option<String>,
    /// Azure OpenAI.
    pub azure_endpoint: Option<String>,
    /// Microsoft Foundry.
    pub openai_endpoint: Option<String>,
    /// Microsoft Foundry.
    pub project_endpoint: Option<String>,
    /// Some kinds may have none yet.
    #[serde(default)]
    pub integrations: Vec<ModelIntegration>,
    pub collaborators: Option<Vec<Collaborator>>,
    #[serde(rename = "ownedBy")]
    pub owned_by: Option<serde_json::Value>,
    /// Off the list price, 0 to 100; read as text, so that money never is a float.
    pub discount_percent: Option<serde_json::Number>,
}

/// One model of an account.
///
/// **Shape**: `OpenAiModel`, `SelfHostedModel`, `AzureOpenAiModel`, `BedrockModel`, … of the
/// reference (A.2), and their older spellings (§25).
#[derive(Clone, Deserialize)]
pub struct ModelIntegration {
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    /// What the vendor calls it; the name where absent.
    #[serde(alias = "hosted_model_name")]
    pub model_id: Option<String>,
    pub model_types: Vec<WrittenModelType>,
    pub auth_data: Option<AuthData>,
    #[serde(alias = "base_url")]
    pub url: Option<String>,
    pub model_server: Option<ModelServer>,
    pub headers: Option<BTreeMap<String, String>>,
    pub tls_settings: Option<TlsSettings>,
    pub http_version: Option<HttpVersion>,
    /// AWS, Google Vertex: holds over the account's.
    pub region: Option<String>,
    /// Bedrock Mantle: holds over the account's.
    pub project: Option<String>,
    /// Azure AI Foundry.
    pub azure_endpoint: Option<String>,
    /// Azure's.
    pub api_version: Option<String>,
    /// Azure's: which model a deployment has.
    pub foundation_model: Option<String>,
    /// Azure's: where it may be computed; it decides the price.
    pub deployment_type: Option<DeploymentType>,
    /// Microsoft Foundry: whose API the model has.
    pub publisher: Option<Publisher>,
    pub authorized_subjects: Option<Vec<String>>,
    pub cost: Option<Cost>,
    pub tfy_application_id: Option<serde_json::Value>,
}

/// What a model costs.
///
/// **Shape**: `ModelCostMetric` of the reference (A.2). Of its metrics `public_cost`,
/// `per_1000_tokens` and `per_1000_embedding_tokens` are obeyed; `snapshot` refuses the others.
#[derive(Clone, Debug, Deserialize)]
pub struct Cost {
    pub metric: String,
    pub value: Option<serde_json::Value>,
}

/// How we prove ourselves. Which fields belong to which `type` is judged in `snapshot`.
#[derive(Clone, Deserialize)]
pub struct AuthData {
    /// Only Ollama's has none.
    #[serde(rename = "type")]
    pub kind: Option<AuthKind>,
    pub bearer_token: Option<String>,
    #[serde(alias = "apiKey")]
    pub api_key: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub tenant_id: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
    /// PEM, its private key with it.
    pub certificate: Option<String>,
    /// SHA-1 or SHA-256 in hex.
    pub certificate_thumbprint: Option<String>,
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<String>,
    pub assumed_role_arn: Option<String>,
    pub external_id: Option<String>,
    /// JSON, as text or as a mapping.
    pub key_file_content: Option<serde_json::Value>,
    pub custom_host: Option<String>,
    pub aws_region: Option<String>,
    pub aws_access_key_id: Option<String>,
    pub aws_secret_access_key: Option<String>,
    /// JSON, as text or as a mapping.
    pub gcp_service_account_key: Option<serde_json::Value>,
    pub gcp_project_id: Option<String>,
    pub gcp_region: Option<String>,
    pub api_base: Option<String>,
    pub api_version: Option<String>,
}

/// The ways to prove ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthKind {
    ApiKey,
    BearerAuth,
    BasicAuth,
    Certificate,
    ClientSecret,
    WorkloadIdentity,
    AccessKeyBased,
    AssumedRoleBased,
    KeyFile,
    WorkloadIdentityFederationFile,
    /// Older: of Bedrock.
    AwsIrsaAuth,
    /// Older: of Vertex.
    GcpServiceAccountAuth,
    /// Older: of Azure OpenAI.
    AzureAuth,
}

impl AuthKind {
    /// The name in manifests.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::BearerAuth => "bearer-auth",
            Self::BasicAuth => "basic-auth",
            Self::Certificate => "certificate",
            Self::ClientSecret => "client-secret",
            Self::WorkloadIdentity => "workload-identity",
            Self::AccessKeyBased => "access-key-based",
            Self::AssumedRoleBased => "assumed-role-based",
            Self::KeyFile => "key-file",
            Self::WorkloadIdentityFederationFile => "workload-identity-federation-file",
            Self::AwsIrsaAuth => "aws-irsa-auth",
            Self::GcpServiceAccountAuth => "gcp-service-account-auth",
            Self::AzureAuth => "azure-auth",
        }
    }
}

/// Where a deployment of Azure's may be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentType {
    Standard,
    DatazoneUs,
    DatazoneEu,
    Global,
}

/// Whose API a model of Microsoft Foundry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Publisher {
    #[serde(rename = "OpenAI")]
    OpenAi,
    Other,
}

/// What serves a self-hosted model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelServer {
    OpenaiCompatible,
    VllmOpenai,
    Tei,
    Infinity,
    NemoRetriever,
    #[serde(rename = "cohere-rerank-v2")]
    CohereRerank,
}

/// What to speak to a vendor: `"1.1"` or `"2"`, also as a number.
///
/// With `https://` the newer one is offered and the vendor chooses; with `http://` it is spoken at
/// once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    One,
    Two,
}

/// How the other side's certificate is judged.
#[derive(Clone, Debug, Deserialize)]
pub struct TlsSettings {
    pub reject_unauthorized: Option<bool>,
    /// PEM.
    pub ca_cert: Option<String>,
}

/// Who may do what with an account.
#[derive(Clone, Debug, Deserialize)]
pub struct Collaborator {
    pub subject: String,
    pub role_id: String,
}

/// A model type by its name in manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenModelType(pub ModelType);

impl<'de> Deserialize<'de> for HttpVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = serde_json::Value::deserialize(deserializer)?;
        // Whoever leaves the quotes out has written a number.
        match written.as_str().map_or_else(|| written.to_string(), ToOwned::to_owned).as_str() {
            "1.1" => Ok(Self::One),
            "2" | "2.0" => Ok(Self::Two),
            other => Err(serde::de::Error::unknown_variant(other, &["1.1", "2"])),
        }
    }
}

const MODEL_TYPES: [&str; ModelType::ALL.len()] = {
    let mut labels = [""; ModelType::ALL.len()];
    let mut i = 0;
    while i < labels.len() {
        labels[i] = ModelType::ALL[i].label();
        i += 1;
    }
    labels
};

impl<'de> Deserialize<'de> for WrittenModelType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = ModelType::ALL.into_iter().find(|kind| kind.label() == text);
        known.map(Self).ok_or_else(|| serde::de::Error::unknown_variant(&text, &MODEL_TYPES))
    }
}

/// Holds what may be a raw key: nothing of it is printed.
impl std::fmt::Debug for AuthData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuthData({:?})", self.kind)
    }
}
