//! Documents and secrets to a snapshot, or every reason why not.
//!
//! Total: whatever the documents say, the answer is a snapshot or a list of problems. All names
//! become small integers, keys are hashed, heads are written; publishing what came of it cannot
//! fail.

use crate::{
    lexicon::{
        ids::{SubjectId, TeamId},
        problem::{Problem, Severity},
        secret::Secret,
        time::UnixMillis,
    },
    manifest::{
        path::Path,
        read::{Document, Manifest, describe},
        secret_ref::SecretRef,
    },
    policy::{
        access::Grant,
        budget::{Budget, Budgets},
        condition::Index,
        limit::Limits,
        metadata::VALUE_CHARS_MAX,
    },
    provider::auth::{Credentials, TokenSource, surroundings::Surroundings},
    snapshot::{
        Snapshot, alerts, budgets,
        doors::Doors,
        findings::Findings,
        limits,
        people::{Draft, People},
        places::Places,
        prices, routes,
        vault::Vault,
    },
};
use std::collections::{HashMap, HashSet};

/// What a compilation depends on besides documents and secrets.
pub struct CompileOptions<'a> {
    /// A token that expired before is warned about.
    pub now: UnixMillis,
    pub version: u64,
    /// Secrets that the running snapshot's documents name. When one of these is missing, its
    /// targets and tokens are refused and the rest serves on; any other missing secret is an error.
    pub known_secrets: &'a HashSet<SecretRef>,
    /// Tokens that were fetched and still work; a target whose token is not here is refused.
    pub tokens: &'a Credentials,
    pub surroundings: &'a Surroundings,
}

/// What came of a compilation.
pub struct Compiled {
    pub snapshot: Snapshot,
    pub warnings: Vec<Problem>,
    /// Every token that its targets need.
    pub sources: HashSet<TokenSource>,
}

type Pairs = Vec<(Box<str>, Box<str>)>;

/// Compiles.
///
/// **Errors**: every problem, warnings among them, when one at least is an error.
#[expect(clippy::implicit_hasher, reason = "one caller, one hasher")]
pub fn compile(
    documents: &[Document],
    secrets: &HashMap<SecretRef, Secret>,
    options: &CompileOptions<'_>,
) -> Result<Compiled, Vec<Problem>> {
    let mut findings = Findings::default();
    let vault = Vault {
        resolved: secrets,
        known: options.known_secrets,
        tokens: options.tokens,
        surroundings: options.surroundings,
    };
    let mut people = People::of(documents, &mut findings);
    let mut places = Places::of(documents, &vault, &mut people, &mut findings);
    prices::set(documents, &mut places, &mut findings);
    let mut doors = Doors::new(&vault, options.now);
    doors.open(documents, &mut people, &mut places, &mut findings);
    let admins = admins(documents, &mut people, &mut findings);
    let rules = metadata_rules(documents, &mut people, &mut findings);
    let tags = tags(documents, &people, &mut findings);
    routes::names(documents, &mut places, &mut findings);
    let routes = routes::Draught::of(documents, &mut people, &places, &mut findings);
    let reach = &routes.reach();
    let limits = limits::of(documents, &mut people, (&places, reach), &mut findings);
    let channels = alerts::channels(documents, &vault, &mut findings);
    let budgets = {
        let (people, places, findings) = (&mut people, &places, &mut findings);
        let channels = &channels;
        budgets::of(documents, &mut budgets::Context { people, places, reach, channels, findings })
    };
    let refuses_as_payment = budget_status(documents, &mut findings) == 402;
    warn_of_closed_accounts(documents, &places, &mut findings);

    let mut problems = findings.problems;
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(problems);
    }
    places.finish();
    let metadata = |id: SubjectId, teams: &[TeamId]| {
        let of_rules = rules.iter().filter(|(grant, _)| grant.includes(id, teams));
        let of_tags = tags.get(&id).into_iter().flatten();
        of_rules.flat_map(|(_, pairs)| pairs).chain(of_tags).cloned().collect()
    };
    let teams = people.teams();
    let callers = people.finish(&admins, metadata);
    let models = || places.models.iter().map(|model| (&*model.name, &*model.account));
    let (conditions, limits) = limits.into_iter().unzip();
    let limits = Limits { index: Index::new(conditions, &callers, models()), limits };
    let (conditions, budgets): (_, Vec<Budget>) = budgets.into_iter().unzip();
    let index = Index::new(conditions, &callers, models());
    let budgets = Budgets::new(index, budgets, refuses_as_payment);
    routes.cap(&mut places.models);
    let routes = routes.finish(&callers, &places.models);
    let snapshot = Snapshot {
        version: options.version,
        made: options.now,
        tokens: doors.tokens,
        callers,
        models: places.models,
        model_names: places.names,
        endpoints: places.endpoints,
        limits,
        budgets,
        teams,
        routes,
        channels: channels.into_iter().map(|(name, known)| (name, known.channel)).collect(),
    };
    problems.shrink_to_fit();
    Ok(Compiled { snapshot, warnings: problems, sources: places.sources })
}

fn admins(documents: &[Document], people: &mut People, findings: &mut Findings) -> Grant {
    let mut draft = Draft::default();
    let mut first: Option<&Document> = None;
    for document in documents {
        let Manifest::GlobalSettings(settings) = &document.manifest else { continue };
        if let Some(first) = first {
            findings.twice(document, &Path::top().key("type"), &first.origin, "");
        }
        first = Some(document);
        if let Some(admins) = &settings.admins {
            let path = Path::top().key("admins");
            draft.extend(&people.draft(document, &path, admins, false, findings));
        }
    }
    draft.finish()
}

/// What a client is told that has spent its budget: 429 unless another status is asked for.
fn budget_status(documents: &[Document], findings: &mut Findings) -> u64 {
    let mut status = 429;
    for document in documents {
        let Manifest::GlobalSettings(settings) = &document.manifest else { continue };
        let Some(written) = settings.budget_exceeded_status else { continue };
        status = written;
        if ![402, 429].contains(&written) {
            let path = Path::top().key("budget_exceeded_status");
            findings.error(document, &path, describe(&document.tree, &path), "429 or 402", "");
        }
    }
    status
}

/// The rules of all `gateway-metadata-config` documents, in their order.
fn metadata_rules(
    documents: &[Document],
    people: &mut People,
    findings: &mut Findings,
) -> Vec<(Grant, Pairs)> {
    let mut rules = Vec::new();
    let mut first: HashMap<&str, &Document> = HashMap::new();
    for document in documents {
        let Manifest::MetadataConfig(config) = &document.manifest else { continue };
        if let Some(first) = first.insert(&config.name, document) {
            findings.twice(document, &Path::top().key("name"), &first.origin, "");
        }
        let mut ids = HashSet::new();
        for (index, rule) in config.rules.iter().enumerate() {
            let path = Path::top().key("rules").index(index);
            if !ids.insert(rule.id.as_str()) {
                findings.twice(document, &path.key("id"), &document.origin, "");
            }
            let subjects = rule.when.subjects.as_deref().unwrap_or_default();
            let grant = if subjects.is_empty() {
                Grant { everyone: true, ..Grant::default() }
            } else {
                let path = path.key("when").key("subjects");
                people.draft(document, &path, subjects, false, findings).finish()
            };
            let path = path.key("metadata_override");
            let pairs = rule.metadata_override.iter().map(|(key, value)| {
                check_value(document, &path.key(key), value, findings);
                (key.as_str().into(), value.as_str().into())
            });
            rules.push((grant, pairs.collect()));
        }
    }
    rules
}

/// The tags of virtual accounts: metadata of each.
fn tags(
    documents: &[Document],
    people: &People,
    findings: &mut Findings,
) -> HashMap<SubjectId, Pairs> {
    let mut tags = HashMap::new();
    for document in documents {
        let Manifest::VirtualAccount(account) = &document.manifest else { continue };
        let Some(id) = people.virtual_account(&account.name) else { continue };
        let mut pairs = Pairs::new();
        for (key, value) in account.tags.iter().flatten() {
            let path = Path::top().key("tags").key(key);
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Bool(_) | serde_json::Value::Number(_) => value.to_string(),
                serde_json::Value::Null => continue,
                serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                    let found = describe(&document.tree, &path);
                    findings.warn(document, &path, found, "text", "it is no metadata");
                    continue;
                }
            };
            check_value(document, &path, &text, findings);
            pairs.push((key.as_str().into(), text.into()));
        }
        tags.insert(id, pairs);
    }
    tags
}

fn check_value(document: &Document, path: &Path, value: &str, findings: &mut Findings) {
    if value.chars().count() > VALUE_CHARS_MAX {
        let wanted = format!("at most {VALUE_CHARS_MAX} characters");
        findings.error(document, path, "longer text", wanted, "");
    }
}

fn warn_of_closed_accounts(documents: &[Document], places: &Places, findings: &mut Findings) {
    for document in documents {
        let Manifest::Account(account) = &document.manifest else { continue };
        let models = places.accounts.get(account.name.as_str()).into_iter().flatten();
        let is_closed = models.clone().next().is_some()
            && models.clone().all(|model| places.granted[model.0 as usize].is_empty());
        if is_closed {
            let hint = "nobody but admins may use it; `team:everyone` opens it to all";
            let path = Path::top().key("collaborators");
            findings.warn(document, &path, "nobody", "who may use this account", hint);
        }
    }
}
