//! What the book says of budgets, for the admin port.

use crate::{
    control_plane::usage::{Book, Line, Lines},
    lexicon::{ids::SubjectId, meter::MeterKey, time::UnixMillis},
    policy::{
        budget::{Budget, Cap, Kind},
        calendar::Calendar,
        limit::Counts,
        spending::{Entities, Used, amount, entry, label, period},
    },
    snapshot::{Matter, Snapshot},
};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Entities of one budget that are listed.
pub const ENTITIES_MAX: usize = 1_000;

/// Which budgets are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    pub kind: Option<&'a str>,
    pub team: Option<&'a str>,
    pub id: Option<&'a str>,
}

impl Wanted<'_> {
    fn has(&self, budget: &Budget) -> bool {
        let team = match &budget.kind {
            Kind::Team(team) => Some(&**team),
            Kind::Ordered | Kind::Tenant => None,
        };
        self.kind.is_none_or(|kind| kind == budget.kind.label())
            && (self.team.is_none() || self.team == team)
            && self.id.is_none_or(|id| id == &*budget.id)
    }
}

/// Every budget that is wanted, with all that spent from it.
#[must_use]
pub fn all(book: &Book, wanted: Wanted<'_>, now: UnixMillis) -> Vec<Value> {
    let see = |snapshot: &Snapshot, lines: &Lines, now: UnixMillis| {
        let budgets = snapshot.budgets.budgets.iter().filter(|budget| wanted.has(budget));
        budgets.map(|budget| entry(budget, of_book(budget, lines, now))).collect()
    };
    book.look(now, see).unwrap_or_default()
}

/// The budgets that a request would meet, with what is spent of each.
#[must_use]
pub fn matched(
    book: &Book,
    subject: &str,
    model: &str,
    metadata: &[(&str, &str)],
    now: UnixMillis,
) -> Option<Value> {
    book.look(now, |snapshot, lines, now| {
        let found = snapshot.callers.iter().zip(0..).find(|(it, _)| &*it.subject == subject);
        let id = SubjectId(found?.1);
        let matter = snapshot.matter(id, model, metadata);
        let mut entries: Vec<(&Budget, Entities)> = Vec::new();
        for (budget, entity) in snapshot.budgets(&matter) {
            let periods = periods_of(budget, entity, lines, now);
            let name = entity.map(|key| snapshot.entity_name(budget, &matter, key));
            match entries.last_mut() {
                Some((last, entities)) if std::ptr::eq(*last, budget) => {
                    entities.insert(name, periods);
                }
                _ => entries.push((budget, Entities::from([(name, periods)]))),
            }
        }
        let entries = entries.into_iter().map(|(budget, entities)| entry(budget, entities));
        Some(json!({"matched": entries.collect::<Vec<_>>()}))
    })
    .flatten()
}

/// What a caller may know: the budgets that are his, each user's by himself and those of all.
#[must_use]
pub fn own(book: &Book, subject: &str, now: UnixMillis) -> Option<Value> {
    book.look(now, |snapshot, lines, now| {
        let found = snapshot.callers.iter().zip(0..).find(|(it, _)| &*it.subject == subject);
        let id = SubjectId(found?.1);
        let matter: Matter<'_> = snapshot.matter(id, "", &[]);
        let is_his = |budget: &&Budget| budget.is_of(id, &matter.entities);
        let entries = snapshot.budgets.budgets.iter().filter(is_his).filter_map(|budget| {
            let mut entities = Entities::new();
            for entity in matter.entities.each(&budget.applies_per) {
                let name = entity.map(|key| snapshot.entity_name(budget, &matter, key));
                entities.insert(name, periods_of(budget, entity, lines, now));
            }
            (!entities.is_empty()).then(|| entry(budget, entities))
        });
        Some(json!({"matched": entries.collect::<Vec<_>>()}))
    })
    .flatten()
}

/// Who has spent most of a budget; none where there is no such.
#[must_use]
pub fn leaderboard(book: &Book, id: &str, limit: usize, now: UnixMillis) -> Option<Value> {
    book.look(now, |snapshot, lines, _| {
        let budget = snapshot.budgets.budgets.iter().find(|budget| &*budget.id == id)?;
        let mut boards = Map::new();
        for cap in budget.each_period() {
            let mut of_cap: Vec<&Line> = lines.values().filter(|it| it.cap == cap.key).collect();
            of_cap.sort_unstable_by(|one, other| {
                other.units.cmp(&one.units).then(one.entity.cmp(&other.entity))
            });
            let row =
                |line: &&Line| json!({"entity": line.entity, "used": amount(budget, line.units)});
            let rows: Vec<Value> = of_cap.iter().take(limit).map(row).collect();
            boards.insert(label(budget, cap), rows.into());
        }
        Some(json!({"name": budget.id, "leaderboard": boards}))
    })
    .flatten()
}

/// What is spent of a budget in one kind of period by all together.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    pub id: Box<str>,
    /// `cost_per_day`.
    pub period: String,
    /// Dollars or tokens.
    pub amount: Value,
    /// Requests of unknown cost; none where tokens are counted.
    pub unknown: Option<u64>,
}

/// What is spent of each budget and kind of period by all together.
#[must_use]
pub fn totals(book: &Book, now: UnixMillis) -> Vec<Total> {
    let see = |snapshot: &Snapshot, lines: &Lines, _| {
        let mut sums: HashMap<MeterKey, (u64, u64)> = HashMap::new();
        for line in lines.values() {
            let (units, unknown) = sums.entry(line.cap).or_default();
            *units = units.saturating_add(line.units);
            *unknown = unknown.saturating_add(line.unknown);
        }
        let budgets = snapshot.budgets.budgets.iter();
        let caps =
            budgets.flat_map(|budget| budget.each_period().into_iter().map(move |it| (budget, it)));
        caps.map(|(budget, cap)| {
            let (units, unknown) = sums.get(&cap.key).copied().unwrap_or_default();
            Total {
                id: budget.id.clone(),
                period: label(budget, cap),
                amount: amount(budget, units),
                unknown: (budget.counts == Counts::Cost).then_some(unknown),
            }
        })
        .collect()
    };
    book.look(now, see).unwrap_or_default()
}

/// All that spent from a budget; the first by name where there are many.
fn of_book(budget: &Budget, lines: &Lines, now: UnixMillis) -> Entities {
    let mut entities = Entities::new();
    for line in lines.values() {
        let Some(cap) = budget.every_cap().find(|cap| cap.key == line.cap) else { continue };
        let limit = limit_of(budget, line, cap);
        let used = used_of(Some(line));
        let period = period(budget, limit, used, &Calendar::at(now), cap.period);
        let periods = entities.entry(line.entity.clone()).or_default();
        periods.insert(label(budget, cap), period);
    }
    while entities.len() > ENTITIES_MAX {
        entities.pop_last();
    }
    entities
}

/// An override may hold for this one.
pub(crate) fn limit_of(budget: &Budget, line: &Line, cap: &Cap) -> u64 {
    let key = line.entity.as_deref().and_then(|name| budget.override_key(name));
    let caps = budget.caps(key.unwrap_or_default());
    caps.iter().find(|own| own.period == cap.period).map_or(cap.limit, |own| own.limit)
}

fn used_of(line: Option<&Line>) -> Used {
    let (units, unknown) = line.map_or((0, 0), |line| (line.units, line.unknown));
    Used { units, unknown: Some(unknown) }
}

fn periods_of(
    budget: &Budget,
    entity: Option<MeterKey>,
    lines: &Lines,
    now: UnixMillis,
) -> Map<String, Value> {
    let calendar = Calendar::at(now);
    let each = budget.caps(entity.unwrap_or_default()).iter().map(|cap| {
        let key = cap.meter(entity, calendar.span(cap.period));
        let used = used_of(lines.get(&key));
        (label(budget, cap), period(budget, cap.limit, used, &calendar, cap.period))
    });
    each.collect()
}
