//! What has been spent of a budget, as JSON.
//!
//! **Shape**: `BudgetUsageEntry` of the reference (A.8): times are seconds since 1970 in UTC, the
//! end inclusive; amounts are dollars, or tokens. `left` is ours, and so is `unknown`: requests
//! that cost nobody knows what, for want of a price or of a vendor's word (of budgets of money).

use crate::policy::{
    budget::{Budget, Cap, Kind},
    calendar::{Calendar, Period},
    limit::{Counts, Entity},
    price::dollars,
};
use serde_json::{Map, Number, Value, json};
use std::collections::BTreeMap;

/// Periods by entity.
pub type Entities = BTreeMap<Option<Box<str>>, Map<String, Value>>;

/// A budget, with what each of those it is told apart by has spent.
#[must_use]
pub fn entry(budget: &Budget, entities: Entities) -> Value {
    let team = match &budget.kind {
        Kind::Team(team) => Some(team),
        Kind::Ordered | Kind::Tenant => None,
    };
    let entities =
        entities.into_iter().map(|(entity, periods)| json!({"entity": entity, "periods": periods}));
    json!({"id": budget.id, "name": budget.id, "type": budget.kind.label(), "team_name": team,
        "applies_to": applies_to(budget), "mode": budget.mode.label(),
        "strict": budget.is_strict, "entities": entities.collect::<Vec<_>>()})
}

fn applies_to(budget: &Budget) -> String {
    let word = |entity: &Entity| match entity {
        Entity::User => "per-user".to_owned(),
        Entity::VirtualAccount => "per-virtual-account".to_owned(),
        Entity::Model => "per-model".to_owned(),
        Entity::Team => "per-team".to_owned(),
        Entity::Metadata(key) => format!("metadata.{key}"),
    };
    if budget.applies_per.is_empty() {
        return "aggregate".to_owned();
    }
    budget.applies_per.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// What has been used of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub units: u64,
    /// Requests of unknown cost; none where nobody counted them.
    pub unknown: Option<u64>,
}

/// One period of it.
#[must_use]
pub fn period(
    budget: &Budget,
    limit: u64,
    Used { units: used, unknown }: Used,
    calendar: &Calendar,
    period: Period,
) -> Value {
    let span = calendar.span(period);
    let hundredths = u128::from(used) * 10_000 / u128::from(limit.max(1));
    let percentage = if limit == 0 { 10_000 } else { hundredths.min(10_000) };
    let percentage = format!("{}.{:02}", percentage / 100, percentage % 100);
    let left = limit.saturating_sub(used);
    let mut told = json!({"limit": amount(budget, limit), "used": amount(budget, used),
        "left": amount(budget, left), "percentage": number(&percentage), "start": span.start.0 / 1_000,
        "end": span.end.map(|end| end.0 / 1_000 - 1)});
    if let (Counts::Cost, Some(unknown)) = (budget.counts, unknown) {
        told["unknown"] = unknown.into();
    }
    told
}

/// `cost_per_day`.
#[must_use]
pub fn label(budget: &Budget, cap: &Cap) -> String {
    let counts = if budget.counts == Counts::Cost { "cost" } else { "tokens" };
    format!("{counts}_per_{}", cap.period.label())
}

/// Dollars as they are, with no float between; or tokens.
#[must_use]
pub fn amount(budget: &Budget, units: u64) -> Value {
    if budget.counts == Counts::Cost { number(&dollars(units)) } else { units.into() }
}

fn number(text: &str) -> Value {
    text.parse::<Number>().map_or(Value::Null, Value::Number)
}
