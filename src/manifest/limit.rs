//! Rate limits as written.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Rules of which the first that matches a request limits it.
///
/// **Shape**: `RateLimitConfig` of the reference (A.1); `name` is in its examples.
#[derive(Clone, Debug, Deserialize)]
pub struct RateLimitingConfig {
    pub name: Option<String>,
    pub rules: Vec<RateLimitRule>,
}

/// One rule.
#[derive(Clone, Debug, Deserialize)]
pub struct RateLimitRule {
    pub id: String,
    pub when: Option<When>,
    pub limit_to: u64,
    pub unit: RateLimitUnit,
    pub rate_limit_applies_per: Option<Vec<String>>,
    /// Ours: not one token is spent beyond it. (Requests never are.)
    pub strict: Option<bool>,
}

/// For whom, for what and when: the older spelling, of rate limits, routing and budgets.
/// What is left out or empty holds for everything.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct When {
    pub subjects: Option<Vec<String>>,
    pub models: Option<Vec<String>>,
    pub metadata: Option<BTreeMap<String, String>>,
}

/// What is counted, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitUnit {
    RequestsPerMinute,
    RequestsPerHour,
    RequestsPerDay,
    TokensPerMinute,
    TokensPerHour,
    TokensPerDay,
}
