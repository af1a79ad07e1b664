//! `when`, as written, to a condition.

use crate::{
    manifest::{
        limit::When,
        path::Path,
        read::{Document, describe},
    },
    policy::condition::{Condition, Names, Subjects, Tag},
    snapshot::{findings::Findings, people::People, places::Places},
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
        subjects: Subjects { within, without: None },
        models: Names { within: models, ..Names::default() },
        accounts: Names::default(),
        metadata: when.metadata.iter().flatten().map(tag).collect(),
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
