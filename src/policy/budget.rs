//! A budget: so many tokens or nano-dollars in a period of the calendar, for each of what it is
//! told apart by.
//!
//! There are two kinds. Of the *ordered* ones (`gateway-budget-config`) every one that matches a
//! request counts it, and the first alone decides. Of the *joint* ones (`tenant-budget-config`,
//! `team-budget-config`) every one that matches counts and decides, and all must allow.

use crate::{
    lexicon::{
        ids::SubjectId,
        meter::{MeterKey, MeterSpec, Window},
        receipt::Outcome,
    },
    policy::{
        alert::Alert,
        calendar::{Period, Span},
        condition::{Index, Subjects},
        limit::{Counts, Entities, Entity},
    },
};
use std::collections::HashMap;

/// All budgets: the ordered ones in their order, then the joint ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    pub index: Index,
    pub budgets: Vec<Budget>,
    /// A refused client gets 402 in place of 429.
    pub refuses_as_payment: bool,
    pub has_strict: bool,
}

impl Budgets {
    /// These budgets, by their index.
    #[must_use]
    pub fn new(index: Index, budgets: Vec<Budget>, refuses_as_payment: bool) -> Self {
        let has_strict = budgets.iter().any(|budget| budget.is_strict);
        Self { index, budgets, refuses_as_payment, has_strict }
    }
}

/// One budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// A rule's id, or a joint budget's name.
    pub id: Box<str>,
    /// The same as a JSON string in ASCII: clients are told it.
    pub id_json: Box<str>,
    pub kind: Kind,
    pub mode: Mode,
    /// Not one unit is spent beyond it.
    pub is_strict: bool,
    pub counts: Counts,
    pub caps: Box<[Cap]>,
    /// For whom it is.
    pub subjects: Subjects,
    /// None is one meter for all.
    pub applies_per: Box<[Entity]>,
    /// By the key of what it is told apart by: other caps for these.
    pub overrides: HashMap<MeterKey, Box<[Cap]>>,
    /// Whom it tells when.
    pub alert: Option<Alert>,
}

/// Where a budget was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `gateway-budget-config`.
    Ordered,
    /// `tenant-budget-config`.
    Tenant,
    /// `team-budget-config`, and the team's name.
    Team(Box<str>),
}

/// What becomes of a request for which a budget has nothing left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    Enforce,
    /// It is counted.
    Audit,
    /// It is refused unless another budget that enforces has room for it.
    SoftEnforce,
}

/// The most that may be spent in one kind of period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    pub period: Period,
    /// Of the budget and the kind of period.
    pub key: MeterKey,
    /// Tokens or nano-dollars.
    pub limit: u64,
}

impl Cap {
    /// The key of this cap, for what it is told apart by: of no period yet.
    #[must_use]
    pub fn of(&self, entity: Option<MeterKey>) -> MeterKey {
        entity.map_or(self.key, |entity| self.key.with(entity))
    }

    /// The key of its meter, for what it is told apart by, in this period.
    #[must_use]
    pub fn meter(&self, entity: Option<MeterKey>, span: &Span) -> MeterKey {
        self.spec(entity, span, 0).key
    }

    /// All that its meter is made from.
    #[must_use]
    pub fn spec(&self, entity: Option<MeterKey>, span: &Span, version: u64) -> MeterSpec {
        self.spec_of(self.of(entity), span, version)
    }

    /// The same, where `own` is the key of this cap for what it is told apart by.
    #[must_use]
    pub fn spec_of(&self, own: MeterKey, span: &Span, version: u64) -> MeterSpec {
        let key = if self.period == Period::Lifetime { own } else { own.with(span.key) };
        MeterSpec { key, window: Window::Whole, limit: self.limit, until: span.end, version }
    }
}

impl Kind {
    /// The type of its document.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Ordered => "gateway-budget-config",
            Self::Tenant => "tenant-budget-config",
            Self::Team(_) => "team-budget-config",
        }
    }
}

impl Mode {
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
            Self::SoftEnforce => "soft_enforce",
        }
    }
}

impl Budget {
    /// What an exchange that was sent counts for.
    #[must_use]
    pub fn units(&self, outcome: &Outcome<'_>) -> u64 {
        match self.counts {
            Counts::Requests => 1,
            Counts::Tokens => {
                outcome.usage.input_tokens.saturating_add(outcome.usage.output_tokens)
            }
            Counts::Cost => outcome.cost_nanodollars.unwrap_or(0),
        }
    }

    /// Has an exchange that was sent spent of it what nobody knows?
    #[must_use]
    pub fn is_unknown(&self, outcome: &Outcome<'_>) -> bool {
        self.counts == Counts::Cost && outcome.cost_nanodollars.is_none()
    }

    /// Its caps, one for each kind of period that it or an override has.
    #[must_use]
    pub fn each_period(&self) -> Vec<&Cap> {
        let mut caps: Vec<&Cap> = Vec::new();
        for cap in self.every_cap() {
            if !caps.iter().any(|known| known.period == cap.period) {
                caps.push(cap);
            }
        }
        // Overrides come in no order.
        caps[self.caps.len()..].sort_unstable_by_key(|cap| cap.period);
        caps
    }

    /// Is it one that this caller may know of: of all, or told apart by who asks? Who spends on a
    /// project or a model is not told.
    #[must_use]
    pub fn is_of(&self, subject: SubjectId, entities: &Entities<'_>) -> bool {
        let by_caller = |entity: &Entity| {
            matches!(entity, Entity::User | Entity::VirtualAccount | Entity::Team)
        };
        self.subjects.hold(subject, entities.caller_teams) && self.applies_per.iter().all(by_caller)
    }

    /// Its caps, and those of all overrides.
    pub fn every_cap(&self) -> impl Iterator<Item = &Cap> {
        self.caps.iter().chain(self.overrides.values().flatten())
    }

    /// What its overrides know one by, of those it is told apart by.
    #[must_use]
    pub fn override_key(&self, name: &str) -> Option<MeterKey> {
        let subject = |kind: &str| MeterKey::of(&["subject", &format!("{kind}:{name}")]);
        match &*self.applies_per {
            [Entity::User] => Some(subject("user")),
            [Entity::VirtualAccount] => Some(subject("virtualaccount")),
            [Entity::Model] => Some(MeterKey::of(&["model", name])),
            [Entity::Metadata(key)] => Some(MeterKey::of(&["metadata", key, name])),
            _ => None,
        }
    }

    /// What holds for this entity of those it is told apart by.
    #[must_use]
    pub fn caps(&self, entity: MeterKey) -> &[Cap] {
        if self.overrides.is_empty() {
            return &self.caps;
        }
        self.overrides.get(&entity).unwrap_or(&self.caps)
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Cap, Kind, Mode};
    use crate::{
        lexicon::meter::MeterKey,
        policy::{
            calendar::Period,
            condition::Subjects,
            limit::{Counts, Entity},
        },
    };

    #[test]
    fn a_period_that_only_an_override_has_is_one_of_the_budgets() {
        let cap = |period, limit| Cap { period, key: MeterKey(period as u128), limit };
        let overridden = [cap(Period::Day, 9), cap(Period::Quarter, 7), cap(Period::Month, 8)];
        let budget = Budget {
            id: "b".into(),
            id_json: "\"b\"".into(),
            kind: Kind::Tenant,
            mode: Mode::Enforce,
            is_strict: false,
            counts: Counts::Cost,
            caps: [cap(Period::Week, 2), cap(Period::Day, 1)].into(),
            subjects: Subjects::default(),
            applies_per: [Entity::User].into(),
            overrides: [(MeterKey(1), overridden.into()), (MeterKey(2), [].into())].into(),
            alert: None,
        };

        let periods: Vec<Period> = budget.each_period().iter().map(|cap| cap.period).collect();

        assert_eq!(periods, [Period::Week, Period::Day, Period::Month, Period::Quarter]);
    }
}
