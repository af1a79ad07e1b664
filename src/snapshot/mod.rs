//! Everything a core obeys, immutable.
//!
//! `compile.rs` makes one from manifests and secrets, or says every reason why not. Its parts:
//! `people.rs` (who there is), `places.rs` (models), `names.rs` (how they are found), `call.rs`,
//! `address.rs`, `proof.rs` and `auth_fields.rs` (how they are called, where, and how we prove
//! ourselves there), `doors.rs` (tokens and what they open), `limits.rs`, `budgets.rs` and
//! `conditions.rs` (what is limited, and when), `asker.rs` (for whom, also those who are gone),
//! `alerts.rs` (who is told), `routes.rs` and `candidates.rs` (which targets answer), `reach.rs`
//! (by which names), `concurrency.rs` (how many calls they get), `classifier.rs` (who says how hard
//! a request is), `prices.rs` (what models cost), `vault.rs` (credentials), `findings.rs`
//! (problems); `verdict.rs` is what they say of one kind of request.
//!
//! **Invariants**: nothing in a snapshot changes after it is made; what must outlive it (pools,
//! health, quota) lives elsewhere, keyed by stable ids. A snapshot holds credentials and therefore
//! has no `Debug`.

mod address;
mod alerts;
pub mod asker;
mod auth_fields;
mod budgets;
mod call;
mod candidates;
mod classifier;
pub mod compile;
mod concurrency;
mod conditions;
pub mod doors;
mod findings;
mod google;
mod limits;
pub mod names;
mod people;
mod places;
mod prices;
mod proof;
mod reach;
mod routes;
mod vault;
pub mod verdict;

use crate::{
    lexicon::{
        ids::{ModelId, SubjectId, TeamId},
        meter::MeterKey,
        operation::ModelTypes,
        time::UnixMillis,
    },
    policy::{
        access::Access,
        alert::Channel,
        budget::{Budget, Budgets},
        condition::Facts,
        limit::{Entities, Entity, Limit, Limits, Team},
        price::Price,
        route::{Concurrency, Routes, Rule, VirtualModel},
    },
    provider::target::{Endpoint, Target},
};
use std::collections::HashMap;

/// What a core obeys.
#[derive(Default)]
pub struct Snapshot {
    /// Grows with each published snapshot of a process, from 1.
    pub version: u64,
    /// When it was compiled: what is new in it is no older.
    pub made: UnixMillis,
    /// By the SHA-256 of the token's text.
    pub tokens: HashMap<[u8; 32], Token>,
    /// By `SubjectId`.
    pub callers: Vec<Caller>,
    /// By `ModelId`.
    pub models: Vec<Model>,
    /// By `ACCOUNT/MODEL`.
    pub model_names: names::Names,
    pub endpoints: Vec<Endpoint>,
    pub limits: Limits,
    pub budgets: Budgets,
    /// By `TeamId`.
    pub teams: Vec<Team>,
    pub routes: Routes,
    /// Whom budgets tell, by name; nothing that a core looks at.
    pub channels: HashMap<Box<str>, Channel>,
}

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub subject: SubjectId,
    /// The first moment at which it no longer works.
    pub expires: Option<UnixMillis>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `user:…` or `virtualaccount:…`.
    pub subject: Box<str>,
    /// What meters know it by.
    pub key: MeterKey,
    /// False for virtual accounts.
    pub is_user: bool,
    pub teams: Box<[TeamId]>,
    /// Names of the teams, joined by commas.
    pub teams_label: Box<str>,
    /// May use every model and the admin port.
    pub is_admin: bool,
    /// What operators decided for this caller: rules of `gateway-metadata-config` in their order,
    /// then the virtual account's tags; later wins.
    pub metadata: Box<[(Box<str>, Box<str>)]>,
}

/// A model as clients know it.
pub struct Model {
    /// `ACCOUNT/MODEL`.
    pub name: Box<str>,
    /// What meters know it by.
    pub key: MeterKey,
    pub account: Box<str>,
    pub types: ModelTypes,
    pub access: Access,
    /// None where nobody knows it: then its cost is unknown, not nothing.
    pub price: Option<Price>,
    /// How many calls it has at once; none is as many as come.
    pub concurrency: Option<Concurrency>,
    pub target: Target,
}

impl Model {
    /// What the board of health knows it by: the same in every snapshot and on every node.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a meter's key is a uniform hash")]
    pub const fn board_key(&self) -> u64 {
        self.key.0 as u64
    }
}

impl AsRef<[TeamId]> for Caller {
    fn as_ref(&self) -> &[TeamId] {
        &self.teams
    }
}

/// What a request is matched and told apart by.
#[derive(Clone, Copy, Debug)]
pub struct Matter<'a> {
    pub facts: Facts<'a>,
    pub entities: Entities<'a>,
    /// What the caller is called: `user:…` or `virtualaccount:…`.
    pub subject: &'a str,
}

/// What a request's name is, and which rule routes it.
#[derive(Clone, Copy, Debug)]
pub struct Routing<'s> {
    /// The model of that name.
    pub model: Option<ModelId>,
    /// The virtual model of that name.
    pub virtual_model: Option<&'s VirtualModel>,
    pub rule: Option<&'s Rule>,
    /// The rule is the virtual model's own, so that whoever may use it may use its targets.
    pub is_own: bool,
}

impl Snapshot {
    /// Is there a rule, a limit or a budget that could concern a request?
    #[must_use]
    pub fn has_rules(&self) -> bool {
        let (routes, limits) = (&self.routes.rules, &self.limits.limits);
        !(routes.is_empty() && limits.is_empty() && self.budgets.budgets.is_empty())
    }

    /// A name that no rule concerns.
    #[must_use]
    pub fn named(&self, model: &str) -> Routing<'_> {
        let model = self.model_names.get(model).copied();
        Routing { model, virtual_model: None, rule: None, is_own: false }
    }

    /// What rules see of this caller's request for this model.
    ///
    /// **Cost**: no allocation.
    #[must_use]
    pub fn matter<'a>(
        &'a self,
        subject: SubjectId,
        model: &'a str,
        metadata: &'a [(&'a str, &'a str)],
    ) -> Matter<'a> {
        let Caller { key, is_user, teams, subject: name, .. } = self.caller(subject);
        let model_id = self.model_names.get(model).copied();
        let named = || MeterKey::of(&["model", model]);
        let model_key = model_id.map_or_else(named, |id| self.model(id).key);
        let entities = Entities {
            caller: *key,
            is_user: *is_user,
            model: model_key,
            metadata,
            teams: &self.teams,
            caller_teams: teams,
        };
        let facts = Facts { subject, absent: None, model, model_id, metadata };
        Matter { facts, entities, subject: name }
    }

    /// The rate limit that holds for a request, and its meter.
    ///
    /// **Cost**: no allocation.
    #[must_use]
    pub fn limit(&self, matter: &Matter<'_>) -> Option<(&Limit, MeterKey)> {
        let limits = &self.limits;
        limits.index.matches(matter.facts).find_map(|rule| {
            let limit = &limits.limits[rule];
            Some((limit, matter.entities.meter(limit.key, &limit.applies_per)?))
        })
    }

    /// The budgets that match a request, in their order, each with what it is told apart by.
    ///
    /// **Cost**: no allocation.
    pub fn budgets<'s: 'm, 'm>(
        &'s self,
        matter: &'m Matter<'m>,
    ) -> impl Iterator<Item = (&'s Budget, Option<MeterKey>)> + use<'s, 'm> {
        let budgets = &self.budgets;
        budgets.index.matches(matter.facts).flat_map(|at| {
            let budget = &budgets.budgets[at];
            matter.entities.each(&budget.applies_per).map(move |entity| (budget, entity))
        })
    }

    /// What people call that which a budget is told apart by.
    #[must_use]
    pub fn entity_name(&self, budget: &Budget, matter: &Matter<'_>, key: MeterKey) -> Box<str> {
        let subject = matter.subject;
        let bare = subject.split_once(':').map_or(subject, |(_, name)| name);
        let of = |entity: &Entity| match entity {
            Entity::User | Entity::VirtualAccount => bare,
            Entity::Model => matter.facts.model,
            Entity::Team => {
                self.teams.iter().find(|team| team.key == key).map_or("", |team| &team.name)
            }
            Entity::Metadata(key) => {
                let found = matter.facts.metadata.iter().find(|(name, _)| *name == &**key);
                found.map_or("", |(_, value)| value)
            }
        };
        budget.applies_per.iter().map(of).collect::<Vec<_>>().join(", ").into()
    }

    /// Which rule routes this caller's request.
    ///
    /// **Cost**: no allocation; nothing where there are no rules.
    #[must_use]
    pub fn routing(
        &self,
        subject: SubjectId,
        model: &str,
        metadata: &[(&str, &str)],
    ) -> Routing<'_> {
        let routes = &self.routes;
        let model_id = self.model_names.get(model).copied();
        let virtual_model = if routes.virtual_names.is_empty() || model_id.is_some() {
            None
        } else {
            routes.virtual_model(model)
        };
        let facts = Facts { subject, absent: None, model, model_id, metadata };
        let mut matching = routes.index.matches(facts);
        let first = matching.next().map(|rule| &routes.rules[rule]);
        let own = virtual_model.map(|it| &routes.rules[it.rule as usize]);
        Routing { model: model_id, virtual_model, rule: first.or(own), is_own: first.is_none() }
    }

    /// May this subject use this virtual model?
    #[must_use]
    pub fn allows_virtual(&self, subject: SubjectId, model: &VirtualModel) -> bool {
        let caller = self.caller(subject);
        caller.is_admin || model.granted.includes(subject, &caller.teams)
    }

    #[must_use]
    pub fn caller(&self, id: SubjectId) -> &Caller {
        &self.callers[id.0 as usize]
    }

    #[must_use]
    pub fn model(&self, id: ModelId) -> &Model {
        &self.models[id.0 as usize]
    }

    /// May this subject use this model?
    #[must_use]
    pub fn allows(&self, subject: SubjectId, model: ModelId) -> bool {
        let caller = self.caller(subject);
        caller.is_admin || self.model(model).access.allows(subject, &caller.teams)
    }
}
