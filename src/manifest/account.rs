//! Provider accounts: a credential and the models it opens.
//!
//! One twin serves `provider-account/openai`, `…/self-hosted-model` and `…/custom`, in the older
//! spelling (the credential at the model, no `model_id`) and the newest (at the account): where a
//! vendor's row and the spelling differ, the field is optional here and judged in `snapshot`.

use crate::lexicon::operation::ModelType;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One account at one vendor.
///
/// **Shape**: `OpenaiProviderAccount`, `SelfHostedModelProviderAccount` of the reference (A.2).
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
    pub integrations: Vec<ModelIntegration>,
    pub collaborators: Option<Vec<Collaborator>>,
    #[serde(rename = "ownedBy")]
    pub owned_by: Option<serde_json::Value>,
    /// Off the list price, 0 to 100; read as text, so that money never is a float.
    pub discount_percent: Option<serde_json::Number>,
}

/// One model of an account.
///
/// **Shape**: `OpenAiModel`, `SelfHostedModel` of the reference (A.2), and its older
/// `integration/model/custom`.
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
    #[serde(rename = "type")]
    pub kind: AuthKind,
    pub bearer_token: Option<String>,
    pub api_key: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// The ways to prove ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthKind {
    ApiKey,
    BearerAuth,
    BasicAuth,
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
