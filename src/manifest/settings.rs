//! What holds for the whole gateway.

use crate::manifest::routing::RetryConfig;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Settings of the whole gateway; at most one document.
///
/// **Shape**: `GlobalSettings` of the reference (A.1), and our `admins`: subjects who may use
/// everything and the admin port; and our `budget_exceeded_status`.
#[derive(Clone, Debug, Deserialize)]
pub struct GlobalSettings {
    pub admins: Option<Vec<String>>,
    /// Ours: 429, or 402 for those whose clients tell the two apart.
    pub budget_exceeded_status: Option<u64>,
    pub retry_settings: Option<RetryConfig>,
    pub logging_settings: Option<serde_json::Value>,
    pub semantic_cache_settings: Option<serde_json::Value>,
    pub guardrail_settings: Option<serde_json::Value>,
}

/// Metadata that operators decide over what requests say.
///
/// **Shape**: `GatewayMetadataConfig` of the reference (A.1).
#[derive(Clone, Debug, Deserialize)]
pub struct MetadataConfig {
    pub name: String,
    pub rules: Vec<MetadataRule>,
}

/// For these subjects, this metadata.
#[derive(Clone, Debug, Deserialize)]
pub struct MetadataRule {
    pub id: String,
    pub when: MetadataWhen,
    pub metadata_override: BTreeMap<String, String>,
}

/// Whom a rule is for; nobody named is everyone.
#[derive(Clone, Debug, Deserialize)]
pub struct MetadataWhen {
    pub subjects: Option<Vec<String>>,
}
