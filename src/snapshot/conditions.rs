//! `when`, as written, to a condition.

use crate::{
    lexicon::subject::SubjectKind,
    manifest::{
        budget::{Filter, JointBudget, JointSubjects},
        limit::When,
        path::Path,
        read::{Document, describe},
    },
    policy::{
        access::Grant,
        condition::{Condition, Names, Subjects, Tag},
    },
    snapshot::{
        budgets::Context,
        findings::Findings,
        people::{Draft, People, Who},
        places::Places,
    },
};

/// The condition of a rule in the older spelling; nothing said holds for everything.
pub(super) fn of(
    document: &Document,
    path: &Path,
    when: Option<&When>,
    people: &mut People,
    places: &Places,
    findings: &mut Findings,
) -> Condition {
    let Some(when) = when else { return Condition::default() };
    let subjects = when.subjects.as_deref().unwrap_or_default();
    let within = (!subjects.is_empty() && !has_all(subjects))
        .then(|| people.draft(document, &path.key("subjects"), subjects, false, findings).finish());
    let models = when.models.as_deref().unwrap_or_default();
    let models = (!models.is_empty() && !has_all(models)).then(|| {
        check_models(document, &path.key("models"), models, places, findings);
        boxed(models)
    });
    let tag = |(key, value): (&String, &String)| Tag {
        key: key.as_str().into(),
        values: Names { within: Some([value.as_str().into()].into()), ..Names::default() },
    };
    Condition {
        subjects: Subjects { within, ..Subjects::default() },
        models: Names { within: models, ..Names::default() },
        accounts: Names::default(),
        metadata: when.metadata.iter().flatten().map(tag).collect(),
    }
}

/// The condition of a budget that is a document of its own.
pub(super) fn joint(
    document: &Document,
    path: &Path,
    budget: &JointBudget,
    context: &mut Context<'_>,
) -> Condition {
    let none = Filter::default();
    let when = budget.when.clone().unwrap_or_default();
    let mut subjects = when.subjects.as_ref().map_or_else(Subjects::default, |written| {
        joint_subjects(document, &path.key("subjects"), written, context)
    });
    if budget.kind == "team-budget-config" {
        let path = Path::top().key("team_name");
        let name = budget.team_name.as_deref().unwrap_or_default();
        // A team that does not exist has no members.
        subjects.among = Some(match context.people.team(name) {
            Some(team) => Grant::new(false, Vec::new(), vec![team]),
            None => Grant::default(),
        });
        if subjects.among == Some(Grant::default()) {
            let found = describe(&document.tree, &path);
            let findings = &mut *context.findings;
            findings.error(document, &path, found, "a team that has a document", "");
        }
        if when.subjects.is_some_and(|subjects| subjects.teams.is_some()) {
            let path = path.key("subjects").key("teams");
            context.findings.error(document, &path, "a list of teams", "none", "it has one team");
        }
    }
    let models = when.models.as_ref().unwrap_or(&none);
    for (key, list) in [("in", &models.within), ("not_in", &models.without)] {
        let path = path.key("models").key(key);
        let names = list.as_deref().unwrap_or_default();
        check_models(document, &path, names, context.places, context.findings);
    }
    let accounts = when.provider_accounts.as_ref().unwrap_or(&none);
    let tag =
        |(key, filter): (&String, &Filter)| Tag { key: key.as_str().into(), values: names(filter) };
    Condition {
        subjects,
        models: names(models),
        accounts: names(accounts),
        metadata: when.metadata.iter().flatten().map(tag).collect(),
    }
}

fn names(filter: &Filter) -> Names {
    Names {
        within: filter.within.as_deref().map(boxed),
        without: boxed(filter.without.as_deref().unwrap_or_default()),
    }
}

/// Whoever is in one of the lists of `in`, and in none of `not_in`; where no list says `in`, it is
/// everyone.
fn joint_subjects(
    document: &Document,
    path: &Path,
    written: &JointSubjects,
    context: &mut Context<'_>,
) -> Subjects {
    let (mut within, mut without): (Option<Draft>, Option<Draft>) = (None, None);
    for (key, kind, filter) in [
        ("users", SubjectKind::User, &written.users),
        ("teams", SubjectKind::Team, &written.teams),
        ("virtual_accounts", SubjectKind::VirtualAccount, &written.virtual_accounts),
    ] {
        let Some(filter) = filter else { continue };
        for (list, key, draft) in [
            (&filter.within, path.key(key).key("in"), &mut within),
            (&filter.without, path.key(key).key("not_in"), &mut without),
        ] {
            let Some(list) = list else { continue };
            let draft = draft.get_or_insert_default();
            for (index, name) in list.iter().enumerate() {
                let path = key.index(index);
                let subject = named(kind, name);
                let Context { people, findings, .. } = context;
                match people.who(document, &path, &subject, false, findings) {
                    Some(Who::Everyone) => {
                        let found = describe(&document.tree, &path);
                        findings.error(document, &path, found, "a name", "leave the list out");
                    }
                    Some(who) => draft.add(who),
                    None => {}
                }
            }
        }
    }
    let (within, without) = (within.map(Draft::finish), without.map(Draft::finish));
    Subjects { within, without, among: None }
}

/// A bare name in a list of one kind.
fn named(kind: SubjectKind, name: &str) -> String {
    match (kind, name) {
        (_, "*") => name.to_owned(),
        (_, name) if name.contains(':') => name.to_owned(),
        (SubjectKind::User, name) => format!("user:{name}"),
        (SubjectKind::Team, name) => format!("team:{name}"),
        (SubjectKind::VirtualAccount, name) => format!("virtualaccount:{name}"),
    }
}

/// A name that no account has never matches: said, and obeyed.
fn check_models(
    document: &Document,
    path: &Path,
    names: &[String],
    places: &Places,
    findings: &mut Findings,
) {
    for (index, name) in names.iter().enumerate() {
        let is_known = places.names.contains_key(name.as_str());
        if !is_known && !places.other_names.contains(name.as_str()) {
            let path = path.index(index);
            let found = describe(&document.tree, &path);
            findings.warn(document, &path, found, "a model: ACCOUNT/MODEL", "it never matches");
        }
    }
}

fn has_all(names: &[String]) -> bool {
    names.iter().any(|name| name == "*")
}

fn boxed(names: &[String]) -> Box<[Box<str>]> {
    names.iter().map(|name| name.as_str().into()).collect()
}
