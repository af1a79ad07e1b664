//! Routing as written: rules of the whole gateway, and virtual models.

use crate::manifest::{
    account::{Collaborator, WrittenModelType},
    limit::When,
};
use serde::{Deserialize, de::Error as _};
use std::collections::BTreeMap;

/// Rules of which the first that matches a request routes it.
///
/// **Shape**: `LoadBalancingConfig` of the reference (A.1); `name` is in its examples.
#[derive(Clone, Debug, Deserialize)]
pub struct LoadBalancingConfig {
    pub name: Option<String>,
    pub rules: Vec<RoutingRule>,
}

/// One rule.
#[derive(Clone, Debug, Deserialize)]
pub struct RoutingRule {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: StrategyKind,
    pub when: Option<When>,
    #[serde(alias = "targets")]
    pub load_balance_targets: Vec<RouteTarget>,
    pub sticky_routing: Option<StickyRouting>,
    pub classification_strategy: Option<ClassificationStrategy>,
}

/// Models that stand for others.
///
/// **Shape**: `VirtualModelProviderAccount` of the reference (A.2).
#[derive(Clone, Debug, Deserialize)]
pub struct VirtualModelAccount {
    pub name: String,
    pub integrations: Vec<VirtualModel>,
    pub collaborators: Option<Vec<Collaborator>>,
    #[serde(rename = "ownedBy")]
    pub owned_by: Option<serde_json::Value>,
}

/// One of them.
#[derive(Clone, Debug, Deserialize)]
pub struct VirtualModel {
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    pub model_types: Vec<WrittenModelType>,
    pub slug: Option<String>,
    #[serde(alias = "aliases")]
    pub alias: Option<Vec<String>>,
    pub routing_config: RoutingConfig,
}

/// How a virtual model is routed: a rule without `when`.
#[derive(Clone, Debug, Deserialize)]
pub struct RoutingConfig {
    #[serde(rename = "type")]
    pub kind: StrategyKind,
    #[serde(alias = "targets")]
    pub load_balance_targets: Vec<RouteTarget>,
    pub sticky_routing: Option<StickyRouting>,
    pub classification_strategy: Option<ClassificationStrategy>,
}

/// How a rule chooses among its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum StrategyKind {
    #[serde(rename = "weight-based-routing")]
    Weight,
    #[serde(rename = "latency-based-routing")]
    Latency,
    #[serde(rename = "priority-based-routing")]
    Priority,
    #[serde(rename = "complexity-based-routing")]
    Complexity,
}

/// A target of a rule. Which fields belong to which strategy is judged in `snapshot`.
#[derive(Clone, Debug, Deserialize)]
pub struct RouteTarget {
    #[serde(alias = "model")]
    pub target: String,
    pub weight: Option<u32>,
    pub priority: Option<u32>,
    pub sla_cutoff: Option<SlaCutoff>,
    pub tier: Option<TierName>,
    pub retry_config: Option<RetryConfig>,
    pub fallback_status_codes: Option<Vec<WrittenStatus>>,
    pub fallback_candidate: Option<bool>,
    pub override_params: Option<serde_json::Map<String, serde_json::Value>>,
    pub headers_override: Option<HeadersOverride>,
    pub metadata_match: Option<BTreeMap<String, String>>,
    /// Ours.
    pub hedge: Option<HedgeConfig>,
    /// Ours.
    pub concurrency: Option<ConcurrencyConfig>,
}

/// A second call where the first is not answered soon.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct HedgeConfig {
    /// Milliseconds.
    pub after_ms: Option<u32>,
    /// Of the target's recent times to the first byte, from 0.5 to 0.999.
    pub quantile: Option<f64>,
    /// How many second calls for a hundred first ones.
    pub max_extra_percent: Option<u32>,
}

/// How many calls a target has at once, and who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct ConcurrencyConfig {
    pub max: u32,
    /// Requests that may wait; none where absent.
    pub queue: Option<u32>,
    pub queue_timeout_ms: Option<u32>,
}

/// How often the same target is asked again.
#[derive(Clone, Debug, Deserialize)]
pub struct RetryConfig {
    pub attempts: u32,
    /// Milliseconds.
    pub delay: Option<u32>,
    pub on_status_codes: Option<Vec<WrittenStatus>>,
}

/// Upstream headers of one target.
#[derive(Clone, Debug, Deserialize)]
pub struct HeadersOverride {
    pub set: Option<BTreeMap<String, String>>,
    pub remove: Option<Vec<String>>,
}

/// Beyond which means a target counts as failing. **Units**: milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct SlaCutoff {
    pub time_per_output_token_ms: Option<u32>,
    pub time_to_first_token_ms: Option<u32>,
}

/// What keeps a session at its target.
#[derive(Clone, Debug, Deserialize)]
pub struct StickyRouting {
    pub ttl_seconds: u32,
    pub session_identifiers: Vec<SessionIdentifier>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct SessionIdentifier {
    pub source: SessionSource,
    pub key: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionSource {
    Headers,
    Metadata,
}

/// How hard a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TierName {
    Simple,
    Medium,
    Complex,
}

/// Who says how hard a request is.
#[derive(Clone, Debug, Deserialize)]
pub struct ClassificationStrategy {
    #[serde(rename = "type")]
    pub kind: Classifier,
    pub model: Option<String>,
    pub timeout_ms: Option<u32>,
    pub fallback_strategy: Option<ClassificationFallback>,
}

/// Who says it where the model that is asked does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct ClassificationFallback {
    #[serde(rename = "type")]
    pub kind: ClassificationFallbackKind,
    pub default_tier: Option<TierName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassificationFallbackKind {
    Heuristic,
    Static,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Classifier {
    Heuristic,
    LlmClassifier,
}

/// A status, as text or as a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenStatus(pub String);

impl<'de> Deserialize<'de> for WrittenStatus {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            serde_json::Value::Number(number) => Ok(Self(number.to_string())),
            _ => Err(D::Error::custom("invalid type: something, expected a status such as 429")),
        }
    }
}
