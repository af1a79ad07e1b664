//! What the rules say of a kind of request, worked out once for all that are alike.
//!
//! Whatever depends on more than who asks, for which name, with which metadata (how large a request
//! is, what is spent, how targets fare) is not in it.

use crate::{
    lexicon::{
        ids::ModelId,
        meter::{MeterKey, MeterSpec},
        operation::ModelTypes,
    },
    policy::{
        budget::{Budget, Cap, Kind, Mode},
        calendar::Calendar,
        limit::{Counts, Limit, Lines},
        route::{self, CANDIDATES_MAX},
    },
    snapshot::{Matter, Model, Routing, Snapshot},
};

/// Names of budgets that a client is told: of a head, a small part.
const BUDGETS_BYTES_MAX: usize = 2 << 10;

/// What routing, limits and budgets of one snapshot say. Reuse one: setting it anew allocates
/// nothing once its parts have grown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The model of that name.
    pub model: Option<ModelId>,
    /// What meters know that name by.
    pub model_key: MeterKey,
    virtual_model: Option<u32>,
    rule: Option<u32>,
    is_own: bool,
    /// A bit for each candidate of that rule that the caller may use and whose `metadata_match` is
    /// met.
    pub usable: u32,
    /// What all of those can be asked for.
    pub types: ModelTypes,
    limit: Option<(u32, MeterKey)>,
    /// How clients are told of that limit.
    pub lines: Lines,
    /// The meters of the budgets that hold, in their order.
    pub caps: Vec<Held>,
    /// A strict limit holds.
    pub is_strict: bool,
    /// What clients are told of the limit and the budgets: members of an object, in ASCII; none
    /// where none holds.
    pub applied: Vec<u8>,
}

/// A meter of a budget, for what the request is told apart by, in all periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "facts, of which each is asked by itself")]
pub struct Held {
    /// An index into `Budgets::budgets`.
    budget: u32,
    pub cap: Cap,
    key: MeterKey,
    pub counts: Counts,
    pub mode: Mode,
    pub is_strict: bool,
    /// It may refuse; else it only counts.
    pub decides: bool,
    /// Where it has room, so has a request that another budget would refuse softly.
    pub gives_room: bool,
    /// The budget's first.
    pub is_first: bool,
}

impl Verdict {
    /// Make it what `snapshot` says of requests of this matter.
    ///
    /// **Cost**: as matching does; of names that are no models and values of metadata that a rule
    /// is told apart by, a block of SHA-256 each.
    pub fn set(&mut self, snapshot: &Snapshot, matter: &Matter<'_>) {
        let facts = &matter.facts;
        let routing = snapshot.routing(facts.subject, facts.model, facts.metadata);
        let routes = &snapshot.routes;
        self.model = routing.model;
        self.model_key = matter.entities.model;
        self.virtual_model = routing.virtual_model.and_then(|it| place(&routes.virtual_models, it));
        self.rule = routing.rule.and_then(|it| place(&routes.rules, it));
        self.is_own = routing.is_own;
        let candidates = routing.rule.map_or(&[][..], |rule| &rule.candidates);
        self.usable = candidates.iter().zip(0..CANDIDATES_MAX).fold(0, |usable, (it, at)| {
            let is_usable = it.metadata.iter().all(|tag| tag.holds(facts.metadata))
                && (routing.is_own || snapshot.allows(facts.subject, it.model));
            usable | u32::from(is_usable) << at
        });
        let models = route::places(self.usable).map(|at| candidates[usize::from(at)].model);
        self.types = models.fold(ModelTypes::ALL, |all, id| all.and(snapshot.model(id).types));
        let limit = snapshot.limit(matter);
        let limits = &snapshot.limits.limits;
        self.limit = limit.and_then(|(limit, key)| Some((place(limits, limit)?, key)));
        self.is_strict = limit.is_some_and(|(limit, _)| limit.is_strict);
        self.applied.clear();
        self.lines.clear();
        if let Some((limit, _)) = limit {
            self.lines.set(limit);
            let inside = limit.applied.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
            self.applied.extend_from_slice(inside.unwrap_or_default().as_bytes());
        }
        self.set_caps(snapshot, matter);
    }

    fn set_caps(&mut self, snapshot: &Snapshot, matter: &Matter<'_>) {
        self.caps.clear();
        let budgets_at = self.applied.len();
        let mut first_ordered: Option<u32> = None;
        let mut last: Option<u32> = None;
        for (budget, entity) in snapshot.budgets(matter) {
            let Some(at) = place(&snapshot.budgets.budgets, budget) else { continue };
            // Of the ordered ones the first that matches decides.
            let is_turn = budget.kind != Kind::Ordered || *first_ordered.get_or_insert(at) == at;
            // A strict rule is held to wherever it stands.
            let decides = budget.mode != Mode::Audit && (is_turn || budget.is_strict);
            for cap in budget.caps(entity.unwrap_or_default()) {
                let is_first = last.replace(at) != Some(at);
                if is_first {
                    self.name_budget(budget, budgets_at);
                }
                let key = cap.of(entity);
                self.caps.push(Held {
                    budget: at,
                    cap: *cap,
                    key,
                    counts: budget.counts,
                    mode: budget.mode,
                    is_strict: budget.is_strict,
                    decides,
                    gives_room: decides && budget.kind != Kind::Ordered,
                    is_first,
                });
            }
            self.is_strict |= budget.is_strict;
        }
        if self.applied.len() > budgets_at {
            self.applied.extend_from_slice(b"]}");
        }
    }

    fn name_budget(&mut self, budget: &Budget, budgets_at: usize) {
        const BEGINS: &[u8] = b"\"budget\":{\"ruleIds\":[";
        let written = self.applied.len() - budgets_at;
        if written + budget.id_json.len() > BUDGETS_BYTES_MAX {
            return;
        }
        if written == 0 {
            if budgets_at > 0 {
                self.applied.push(b',');
            }
            self.applied.extend_from_slice(BEGINS);
        } else {
            self.applied.push(b',');
        }
        self.applied.extend_from_slice(budget.id_json.as_bytes());
    }

    /// Which rule routes such requests.
    #[must_use]
    pub fn routing<'s>(&self, snapshot: &'s Snapshot) -> Routing<'s> {
        let routes = &snapshot.routes;
        Routing {
            model: self.model,
            virtual_model: self.virtual_model.and_then(|at| routes.virtual_models.get(at as usize)),
            rule: self.rule.and_then(|at| routes.rules.get(at as usize)),
            is_own: self.is_own,
        }
    }

    /// The models that may answer them, to whoever may use them: that of the name, or all that the
    /// rule names.
    pub fn models<'s>(&self, snapshot: &'s Snapshot) -> impl Iterator<Item = &'s Model> + use<'s> {
        let rule = self.routing(snapshot).rule;
        let lone = self.model.filter(|_| rule.is_none());
        let of_rule = rule.into_iter().flat_map(|rule| rule.candidates.iter().map(|it| it.model));
        of_rule.chain(lone).map(|id| snapshot.model(id))
    }

    /// The rate limit that holds for them, and its meter.
    #[must_use]
    pub fn limit<'s>(&self, snapshot: &'s Snapshot) -> Option<(&'s Limit, MeterKey)> {
        let (at, key) = self.limit?;
        Some((snapshot.limits.limits.get(at as usize)?, key))
    }

    /// Is nothing counted?
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.limit.is_none() && self.caps.is_empty()
    }
}

impl Held {
    #[must_use]
    pub fn budget<'s>(&self, snapshot: &'s Snapshot) -> &'s Budget {
        &snapshot.budgets.budgets[self.budget as usize]
    }

    /// Its meter now.
    #[must_use]
    pub fn spec(&self, calendar: &Calendar, version: u64) -> MeterSpec {
        self.cap.spec_of(self.key, calendar.span(self.cap.period), version)
    }
}

/// Where in a list one of its own is.
fn place<T>(list: &[T], own: &T) -> Option<u32> {
    list.element_offset(own).and_then(|at| u32::try_from(at).ok())
}
