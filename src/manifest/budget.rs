//! Budgets as written: rules in an order, and documents that each are one budget.
//!
//! Numbers stay as they were written, so that money never is a float.

use crate::manifest::{channel::Alerts, limit::When};
use serde::Deserialize;
use serde_json::Number;
use std::collections::BTreeMap;

/// Rules of which every one that matches a request counts it, and the first decides.
///
/// **Shape**: `BudgetConfig` of the reference (A.1); `name` is in its examples.
#[derive(Clone, Debug, Deserialize)]
pub struct BudgetConfig {
    pub name: Option<String>,
    pub rules: Vec<BudgetRule>,
}

/// One rule.
#[derive(Clone, Debug, Deserialize)]
pub struct BudgetRule {
    pub id: String,
    pub when: Option<When>,
    /// US dollars or tokens.
    pub limit_to: Number,
    pub unit: BudgetUnit,
    pub budget_applies_per: Option<Vec<String>>,
    pub alerts: Option<Alerts>,
    pub audit_mode: Option<bool>,
    /// Ours: not one unit is spent beyond it.
    pub strict: Option<bool>,
}

/// What is counted, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetUnit {
    CostPerDay,
    CostPerWeek,
    CostPerMonth,
    CostPerQuarter,
    TokensPerDay,
    TokensPerMonth,
}

/// One budget of which all that match must allow a request: of everyone, or of one team.
///
/// **Shape**: `TenantBudgetConfig` and `TeamBudgetConfig` of the reference (A.1).
#[derive(Clone, Debug, Deserialize)]
pub struct JointBudget {
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    /// Of team budgets.
    pub team_name: Option<String>,
    pub when: Option<JointWhen>,
    pub limits: CostLimits,
    pub applies_to: AppliesTo,
    pub mode: BudgetMode,
    pub alerts: Option<Alerts>,
    /// Ours: not one unit is spent beyond it.
    pub strict: Option<bool>,
}

/// For whom and for what; what is left out holds for everything.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct JointWhen {
    pub subjects: Option<JointSubjects>,
    pub models: Option<Filter>,
    pub provider_accounts: Option<Filter>,
    pub metadata: Option<BTreeMap<String, Filter>>,
}

/// For whom: whoever is in one of the lists of `in`, and in none of `not_in`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct JointSubjects {
    pub users: Option<Filter>,
    /// Of tenant budgets.
    pub teams: Option<Filter>,
    pub virtual_accounts: Option<Filter>,
}

/// Names that are in, and names that are not.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Filter {
    #[serde(rename = "in")]
    pub within: Option<Vec<String>>,
    #[serde(rename = "not_in")]
    pub without: Option<Vec<String>>,
}

/// US dollars.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CostLimits {
    pub cost_per_day: Option<Number>,
    pub cost_per_week: Option<Number>,
    pub cost_per_month: Option<Number>,
    pub cost_per_quarter: Option<Number>,
    pub cost_per_lifetime: Option<Number>,
}

/// What a budget is told apart by, and what holds for some otherwise.
#[derive(Clone, Debug, Deserialize)]
pub struct AppliesTo {
    #[serde(rename = "type")]
    pub kind: AppliesToKind,
    /// The key, where it is told apart by metadata.
    pub metadata: Option<String>,
    pub overrides: Option<Vec<Override>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppliesToKind {
    Aggregate,
    PerUser,
    PerModel,
    PerVirtualAccount,
    Metadata,
}

/// Other limits for some; which list it has is said by the kind.
#[derive(Clone, Debug, Deserialize)]
pub struct Override {
    pub users: Option<Vec<String>>,
    pub models: Option<Vec<String>>,
    pub virtual_accounts: Option<Vec<String>>,
    pub metadata_values: Option<Vec<String>>,
    pub limits: CostLimits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetMode {
    Enforce,
    Audit,
    SoftEnforce,
}
