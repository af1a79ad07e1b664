//! Budgets, compiled: the ordered rules of `gateway-budget-config` in their order, then each
//! `tenant-budget-config` and `team-budget-config`.

use crate::{
    lexicon::meter::MeterKey,
    manifest::{
        budget::{
            AppliesToKind, BudgetMode, BudgetRule, BudgetUnit, CostLimits, JointBudget, Override,
        },
        path::Path,
        read::{Document, Manifest, describe},
    },
    policy::{
        budget::{Budget, Cap, Kind, Mode},
        calendar::Period,
        condition::{Condition, Subjects},
        limit::{Counts, ENTITIES_MAX, Entity, Team},
        price::scaled,
    },
    snapshot::{
        alerts::{self, Channels},
        conditions,
        findings::Findings,
        limits::{entity, leaves_none, quoted_in_ascii},
        people::{People, user_key, virtual_account_key},
        places::Places,
        reach::Reach,
        routes::covers,
    },
};
use serde_json::Number;
use std::collections::HashMap;

/// Dollars to nano-dollars.
const PER_DOLLAR: i32 = 9;
/// A board counts in 63 bits, and what is owed needs room beside it: two billion dollars.
const UNITS_MAX: u64 = 1 << 61;

/// What all budgets are compiled with.
pub(super) struct Context<'a> {
    pub(super) people: &'a mut People,
    pub(super) places: &'a Places,
    pub(super) reach: &'a Reach,
    pub(super) channels: &'a Channels,
    pub(super) findings: &'a mut Findings,
}

/// The budgets of all documents, each with when it holds.
pub(super) fn of(documents: &[Document], context: &mut Context<'_>) -> Vec<(Condition, Budget)> {
    // Clients, the admin port and the metrics know a budget by it, whatever its kind.
    let mut first: HashMap<&str, &Document> = HashMap::new();
    let mut budgets = ordered(documents, &mut first, context);
    for document in documents {
        let Manifest::JointBudget(written) = &document.manifest else { continue };
        let path = Path::top().key("name");
        if let Some(first) = first.insert(&written.name, document) {
            let hint = "a budget's name is its own among all";
            context.findings.twice(document, &path, &first.origin, hint);
        }
        check_name(document, &path, &written.name, context.findings);
        let at = Path::top().key("when");
        let condition = conditions::joint(document, &at, written, context);
        context.reach.warn(document, &at, &condition, context.places, context.findings);
        let mut budget = joint(document, written, context);
        budget.subjects = condition.subjects.clone();
        budgets.push((condition, budget));
    }
    for document in documents {
        warn_of_unpriced(document, &budgets, context);
    }
    budgets
}

fn ordered<'d>(
    documents: &'d [Document],
    first: &mut HashMap<&'d str, &'d Document>,
    context: &mut Context<'_>,
) -> Vec<(Condition, Budget)> {
    let mut budgets: Vec<(Condition, Budget)> = Vec::new();
    for document in documents {
        let Manifest::BudgetConfig(config) = &document.manifest else { continue };
        for (index, rule) in config.rules.iter().enumerate() {
            let path = Path::top().key("rules").index(index);
            if let Some(first) = first.insert(&rule.id, document) {
                let hint = "a budget's id is its own among all";
                context.findings.twice(document, &path.key("id"), &first.origin, hint);
            }
            check_name(document, &path.key("id"), &rule.id, context.findings);
            let (when, written) = (path.key("when"), rule.when.as_ref());
            let Context { people, places, reach, channels, findings } = context;
            let condition = conditions::of(document, &when, written, people, places, findings);
            reach.warn(document, &when, &condition, places, findings);
            let mut budget = rule_budget(document, &path, rule, channels, findings);
            budget.subjects = condition.subjects.clone();
            let mut earlier = budgets.iter();
            let cover = earlier.find(|(it, before)| {
                covers(it, &condition) && leaves_none(&before.applies_per, &budget.applies_per)
            });
            // What only counts is meant to, and what is strict decides wherever it stands.
            let is_to_decide = budget.mode == Mode::Enforce && !budget.is_strict;
            if let (Some((_, before)), true) = (cover, is_to_decide) {
                let found =
                    format!("a rule behind {:?}, which matches all that it does", before.id);
                let wanted = "a rule that can decide, or audit_mode: true";
                let hint = "it counts and never refuses: the first rule that matches decides";
                context.findings.warn(document, &path, found, wanted, hint);
            }
            budgets.push((condition, budget));
        }
    }
    budgets
}

fn check_name(document: &Document, path: &Path, name: &str, findings: &mut Findings) {
    if name.is_empty() || name.contains(char::is_control) {
        let found = describe(&document.tree, path);
        findings.error(document, path, found, "a name for the budget", "clients are told it");
    }
}

fn rule_budget(
    document: &Document,
    path: &Path,
    rule: &BudgetRule,
    channels: &Channels,
    findings: &mut Findings,
) -> Budget {
    let at = path.key("alerts");
    let alert = alerts::alert(document, &at, rule.alerts.as_ref(), channels, findings);
    let per = path.key("budget_applies_per");
    let written = rule.budget_applies_per.as_deref().unwrap_or_default();
    let mut applies_per = Vec::new();
    for (index, text) in written.iter().enumerate() {
        let path = per.index(index);
        let known = if text == "team" { Some(Entity::Team) } else { entity(text) };
        match known {
            Some(entity) if applies_per.contains(&entity) => {
                findings.twice(document, &path, &document.origin, "");
            }
            Some(entity) => applies_per.push(entity),
            None => {
                let wanted = "user, virtualaccount, team, model or metadata.KEY";
                findings.error(document, &path, describe(&document.tree, &path), wanted, "");
            }
        }
    }
    let (is_by_team, count) = (applies_per.contains(&Entity::Team), applies_per.len());
    if count > ENTITIES_MAX || (is_by_team && count > 1) {
        let wanted = format!("at most {ENTITIES_MAX}, and team alone");
        findings.error(document, &per, format!("{count} of them"), wanted, "");
    }
    if rule.strict == Some(true) && rule.audit_mode == Some(true) {
        let hint = "audit_mode refuses nothing, strict whatever does not fit";
        findings.error(document, &path.key("strict"), "true beside audit_mode", "one", hint);
    }
    let (counts, period) = unit(rule.unit);
    let limit = amount(document, &path.key("limit_to"), &rule.limit_to, counts, findings);
    let unit = match counts {
        Counts::Cost => "cost",
        Counts::Requests | Counts::Tokens => "tokens",
    };
    let mut texts = vec!["budget", "ordered", &rule.id, unit, period.label()];
    texts.extend(written.iter().map(String::as_str));
    Budget {
        id: rule.id.as_str().into(),
        id_json: quoted_in_ascii(&rule.id).into(),
        kind: Kind::Ordered,
        mode: if rule.audit_mode == Some(true) { Mode::Audit } else { Mode::Enforce },
        is_strict: rule.strict.unwrap_or(false),
        counts,
        caps: [Cap { period, key: MeterKey::of(&texts), limit }].into(),
        subjects: Subjects::default(),
        applies_per: applies_per.into(),
        overrides: HashMap::new(),
        alert,
    }
}

const fn unit(unit: BudgetUnit) -> (Counts, Period) {
    match unit {
        BudgetUnit::CostPerDay => (Counts::Cost, Period::Day),
        BudgetUnit::CostPerWeek => (Counts::Cost, Period::Week),
        BudgetUnit::CostPerMonth => (Counts::Cost, Period::Month),
        BudgetUnit::CostPerQuarter => (Counts::Cost, Period::Quarter),
        BudgetUnit::TokensPerDay => (Counts::Tokens, Period::Day),
        BudgetUnit::TokensPerMonth => (Counts::Tokens, Period::Month),
    }
}

/// Dollars as nano-dollars, or whole tokens.
fn amount(
    document: &Document,
    path: &Path,
    written: &Number,
    counts: Counts,
    findings: &mut Findings,
) -> u64 {
    let units = match counts {
        Counts::Cost => scaled(&written.to_string(), PER_DOLLAR),
        Counts::Requests | Counts::Tokens => written.as_u64(),
    };
    let units = units.filter(|units| *units <= UNITS_MAX);
    if units.is_none() {
        let wanted = match counts {
            Counts::Cost => "dollars: 0 or more, at most 2305843009",
            Counts::Requests | Counts::Tokens => "a whole number of tokens, at most 2^61",
        };
        findings.error(document, path, describe(&document.tree, path), wanted, "");
    }
    units.unwrap_or(0)
}

/// One document that is a budget.
fn joint(document: &Document, written: &JointBudget, context: &mut Context<'_>) -> Budget {
    let findings = &mut *context.findings;
    let at = Path::top().key("alerts");
    let alert = alerts::alert(document, &at, written.alerts.as_ref(), context.channels, findings);
    let kind = if written.kind == "team-budget-config" {
        let team = written.team_name.as_deref().unwrap_or_default();
        Kind::Team(team.into())
    } else {
        if written.team_name.is_some() {
            let path = Path::top().key("team_name");
            let hint = "use type: team-budget-config";
            findings.error(document, &path, "a team's name", "none", hint);
        }
        Kind::Tenant
    };
    let team = written.team_name.as_deref().unwrap_or_default();
    let key = MeterKey::of(&["budget", &written.kind, team, &written.name]);
    let at = Path::top().key("limits");
    let caps = caps(document, &at, &written.limits, key, findings);
    let applies_to = &written.applies_to;
    let at = Path::top().key("applies_to");
    if applies_to.metadata.is_some() != (applies_to.kind == AppliesToKind::Metadata) {
        let path = at.key("metadata");
        let found = describe(&document.tree, &path);
        findings.error(document, &path, found, "a key, with type: metadata alone", "");
    }
    let by = match applies_to.kind {
        AppliesToKind::Aggregate => None,
        AppliesToKind::PerUser => Some(Entity::User),
        AppliesToKind::PerModel => Some(Entity::Model),
        AppliesToKind::PerVirtualAccount => Some(Entity::VirtualAccount),
        AppliesToKind::Metadata => {
            Some(Entity::Metadata(applies_to.metadata.as_deref().unwrap_or_default().into()))
        }
    };
    if written.strict == Some(true) && written.mode != BudgetMode::Enforce {
        let path = Path::top().key("strict");
        let hint = "only what is enforced can be held to the last unit";
        findings.error(document, &path, "true", "mode: enforce beside it", hint);
    }
    let mut overrides = HashMap::new();
    for (index, other) in applies_to.overrides.iter().flatten().enumerate() {
        let path = at.key("overrides").index(index);
        let names = overridden(document, &path, applies_to.kind, other, findings);
        let own = self::caps(document, &path.key("limits"), &other.limits, key, findings);
        let merged = merge(&caps, &own);
        for name in names {
            let entity = entity_key(by.as_ref(), name);
            if overrides.insert(entity, merged.clone()).is_some() {
                let found = format!("{name:?} a second time");
                findings.error(document, &path, found, "one override for each", "");
            }
        }
    }
    Budget {
        id: written.name.as_str().into(),
        id_json: quoted_in_ascii(&written.name).into(),
        kind,
        mode: mode(written.mode),
        is_strict: written.strict.unwrap_or(false),
        counts: Counts::Cost,
        caps,
        subjects: Subjects::default(),
        applies_per: by.into_iter().collect(),
        overrides,
        alert,
    }
}

const fn mode(written: BudgetMode) -> Mode {
    match written {
        BudgetMode::Enforce => Mode::Enforce,
        BudgetMode::Audit => Mode::Audit,
        BudgetMode::SoftEnforce => Mode::SoftEnforce,
    }
}

/// The caps that are written; those of a lifetime stand alone.
fn caps(
    document: &Document,
    path: &Path,
    limits: &CostLimits,
    key: MeterKey,
    findings: &mut Findings,
) -> Box<[Cap]> {
    let mut caps = Vec::new();
    for (period, written) in [
        (Period::Day, &limits.cost_per_day),
        (Period::Week, &limits.cost_per_week),
        (Period::Month, &limits.cost_per_month),
        (Period::Quarter, &limits.cost_per_quarter),
        (Period::Lifetime, &limits.cost_per_lifetime),
    ] {
        let Some(written) = written else { continue };
        let path = path.key(&format!("cost_per_{}", period.label()));
        let limit = amount(document, &path, written, Counts::Cost, findings);
        let key = key.with(MeterKey::of(&["cost", period.label()]));
        caps.push(Cap { period, key, limit });
    }
    let has_lifetime = caps.iter().any(|cap| cap.period == Period::Lifetime);
    if caps.is_empty() || (has_lifetime && caps.len() > 1) {
        let wanted = "limits of periods, or cost_per_lifetime alone";
        findings.error(document, path, format!("{} of them", caps.len()), wanted, "");
    }
    caps.into()
}

/// What an override does not name holds as for all others.
fn merge(all: &[Cap], own: &[Cap]) -> Box<[Cap]> {
    let is_own = |cap: &&Cap| own.iter().any(|own| own.period == cap.period);
    let has_lifetime = |caps: &[Cap]| caps.iter().any(|cap| cap.period == Period::Lifetime);
    // A lifetime's limit and those of periods exclude each other.
    let others: &[Cap] = if has_lifetime(all) == has_lifetime(own) { all } else { &[] };
    own.iter().chain(others.iter().filter(|cap| !is_own(cap))).copied().collect()
}

/// The names that an override is for; only those lists that its budget's kind has.
fn overridden<'w>(
    document: &Document,
    path: &Path,
    kind: AppliesToKind,
    written: &'w Override,
    findings: &mut Findings,
) -> &'w [String] {
    let lists = [
        ("users", &written.users, AppliesToKind::PerUser),
        ("models", &written.models, AppliesToKind::PerModel),
        ("virtual_accounts", &written.virtual_accounts, AppliesToKind::PerVirtualAccount),
        ("metadata_values", &written.metadata_values, AppliesToKind::Metadata),
    ];
    let mut names: Option<&[String]> = None;
    for (key, list, of) in lists {
        match list {
            Some(list) if of == kind => names = Some(list),
            Some(_) => {
                let hint = "the list of an override is that of its budget's type";
                findings.error(document, &path.key(key), "a list", "none here", hint);
            }
            None => {}
        }
    }
    if names.is_none() {
        findings.error(document, path, "no list of names", "whom it is for", "");
    }
    names.unwrap_or_default()
}

fn entity_key(by: Option<&Entity>, name: &str) -> MeterKey {
    match by {
        Some(Entity::User) => user_key(name),
        Some(Entity::VirtualAccount) => virtual_account_key(name),
        Some(Entity::Model) => MeterKey::of(&["model", name]),
        Some(Entity::Metadata(key)) => MeterKey::of(&["metadata", key, name]),
        Some(Entity::Team) => Team::new(name).key,
        None => MeterKey::default(),
    }
}

/// A model without a price spends nothing that a budget of money could count.
fn warn_of_unpriced(
    document: &Document,
    budgets: &[(Condition, Budget)],
    context: &mut Context<'_>,
) {
    let Manifest::Account(account) = &document.manifest else { return };
    let models = context.places.accounts.get(account.name.as_str()).into_iter().flatten();
    for (index, id) in models.copied().enumerate() {
        let model = &context.places.models[id.0 as usize];
        if model.price.is_some() {
            continue;
        }
        let holds = |condition: &Condition| {
            condition.models.hold(Some(&model.name)) && condition.accounts.hold(Some(&account.name))
        };
        let of_money = |budget: &Budget| budget.counts == Counts::Cost;
        let name = |condition: &Condition| {
            let (reach, places) = (context.reach, context.places);
            if holds(condition) { Some("") } else { reach.held_name(id, condition, places) }
        };
        let of_money = budgets.iter().filter(|(_, budget)| of_money(budget));
        let mut under = of_money.filter_map(|(condition, budget)| Some((budget, name(condition)?)));
        let Some((budget, name)) = under.next() else { continue };
        let path = Path::top().key("integrations").index(index).key("cost");
        let by = if name.is_empty() { String::new() } else { format!(", by the name {name:?}") };
        let found = format!("no price, under the budget {:?}{by}", budget.id);
        let hint = if budget.is_strict {
            "a strict budget refuses it: give it a cost"
        } else {
            "what it spends is counted as unknown: give it a cost"
        };
        context.findings.warn(document, &path, found, "a price", hint);
    }
}
