//! A tree to a document: the twin of its type, or every problem with it.

use crate::{
    lexicon::problem::{Problem, Severity},
    manifest::{
        account::ProviderAccount,
        budget::{BudgetConfig, JointBudget},
        channel::NotificationChannel,
        identity::{AuthzRules, PersonalAccessToken, Team, VirtualAccount},
        kind::{self, Twin},
        limit::RateLimitingConfig,
        path::{Path, Step},
        price::PriceTable,
        repair::{self, Misfit, MisfitKind, Reading},
        routing::{LoadBalancingConfig, VirtualModelAccount},
        settings::{GlobalSettings, MetadataConfig},
        tree::{Node, Value},
        yaml::Source,
    },
};
use serde::de::DeserializeOwned;

/// One document, understood.
pub struct Document {
    /// File name, and `#N` (from 1) where the file holds several documents.
    pub origin: String,
    /// As written, unknown keys and all.
    pub tree: Node,
    pub manifest: Manifest,
    /// Where something did not fit: the twin holds a placeholder there.
    pub repaired: Vec<Path>,
}

/// What operators write.
pub enum Manifest {
    Account(Box<ProviderAccount>),
    VirtualAccount(Box<VirtualAccount>),
    PersonalAccessToken(Box<PersonalAccessToken>),
    Team(Box<Team>),
    AuthzRules(AuthzRules),
    GlobalSettings(Box<GlobalSettings>),
    MetadataConfig(MetadataConfig),
    RateLimitingConfig(RateLimitingConfig),
    BudgetConfig(BudgetConfig),
    JointBudget(Box<JointBudget>),
    PriceTable(PriceTable),
    NotificationChannel(Box<NotificationChannel>),
    LoadBalancingConfig(LoadBalancingConfig),
    VirtualModelAccount(Box<VirtualModelAccount>),
}

impl Document {
    /// Does the twin hold a placeholder at `path`?
    #[must_use]
    pub fn is_repaired(&self, path: &Path) -> bool {
        self.repaired.iter().any(|repaired| path.is_within(repaired))
    }

    /// A problem at `path` of this document.
    #[must_use]
    pub fn problem(
        &self,
        severity: Severity,
        path: &Path,
        found: impl Into<String>,
        wanted: impl Into<String>,
        hint: impl Into<String>,
    ) -> Problem {
        Problem {
            severity,
            document: self.origin.clone(),
            line: self.tree.line_of(path),
            path: path.to_string(),
            found: found.into(),
            wanted: wanted.into(),
            hint: hint.into(),
        }
    }
}

/// Reads one document.
///
/// **Errors**: problems of severity error; with any of them, the document (if it could be repaired
/// at all) is only good for finding more problems.
#[must_use]
pub fn read(source: Source) -> (Option<Document>, Vec<Problem>) {
    let twin = match twin_of(&source) {
        Ok(twin) => twin,
        Err(problem) => return (None, vec![*problem]),
    };
    match twin {
        Twin::Account => fit(source, twin, |it| Manifest::Account(Box::new(it))),
        Twin::VirtualAccount => fit(source, twin, |it| Manifest::VirtualAccount(Box::new(it))),
        Twin::PersonalAccessToken => {
            fit(source, twin, |it| Manifest::PersonalAccessToken(Box::new(it)))
        }
        Twin::Team => fit(source, twin, |it| Manifest::Team(Box::new(it))),
        Twin::AuthzRules => fit(source, twin, Manifest::AuthzRules),
        Twin::GlobalSettings => fit(source, twin, |it| Manifest::GlobalSettings(Box::new(it))),
        Twin::MetadataConfig => fit(source, twin, Manifest::MetadataConfig),
        Twin::RateLimitingConfig => fit(source, twin, Manifest::RateLimitingConfig),
        Twin::BudgetConfig => fit(source, twin, Manifest::BudgetConfig),
        Twin::PriceTable => fit(source, twin, Manifest::PriceTable),
        Twin::JointBudget => fit(source, twin, |it| Manifest::JointBudget(Box::new(it))),
        Twin::NotificationChannel => {
            fit(source, twin, |it| Manifest::NotificationChannel(Box::new(it)))
        }
        Twin::LoadBalancingConfig => fit(source, twin, Manifest::LoadBalancingConfig),
        Twin::VirtualModelAccount => {
            fit(source, twin, |it| Manifest::VirtualModelAccount(Box::new(it)))
        }
    }
}

fn twin_of(source: &Source) -> Result<Twin, Box<Problem>> {
    let bad = |path: &Path, found: String, wanted: String, hint: &str| {
        Box::new(Problem {
            severity: Severity::Error,
            document: source.origin.clone(),
            line: source.tree.line_of(path),
            path: path.to_string(),
            found,
            wanted,
            hint: hint.to_owned(),
        })
    };
    if !matches!(source.tree.value, Value::Map(_)) {
        let found = describe(&source.tree, &Path::top());
        return Err(bad(&Path::top(), found, "a mapping with a type".to_owned(), ""));
    }
    let path = Path::top().key("type");
    let obeyed = || list(kind::OBEYED.iter().map(|(name, _)| *name));
    let Some(node) = source.tree.get("type") else {
        if source.tree.get("authz_rules").is_some() {
            return Ok(Twin::AuthzRules);
        }
        return Err(bad(&path, "nothing".to_owned(), obeyed(), ""));
    };
    let Some(name) = node.text() else {
        return Err(bad(&path, describe(&source.tree, &path), obeyed(), ""));
    };
    if let Some((_, twin)) = kind::OBEYED.iter().find(|(known, _)| *known == name) {
        return Ok(*twin);
    }
    let found = describe(&source.tree, &path);
    if let Some((_, instead)) = kind::REPLACED.iter().find(|(known, _)| *known == name) {
        return Err(bad(&path, found, "a type that exists here".to_owned(), instead));
    }
    if kind::UNBUILT.contains(&name) {
        let hint = "this build does not obey that type yet";
        return Err(bad(&path, found, obeyed(), hint));
    }
    let obeyed_names = kind::OBEYED.iter().map(|(name, _)| *name);
    let nearest = nearest(name, obeyed_names.chain(kind::UNBUILT.iter().copied()));
    let hint = nearest.map_or_else(String::new, |near| format!("did you mean {near}?"));
    Err(bad(&path, found, obeyed(), &hint))
}

fn fit<T: DeserializeOwned>(
    source: Source,
    twin: Twin,
    wrap: impl FnOnce(T) -> Manifest,
) -> (Option<Document>, Vec<Problem>) {
    let Reading { twin: read, misfits, unknown } = repair::deserialize::<T>(source.tree.to_json());
    let mut problems: Vec<Problem> =
        misfits.iter().map(|misfit| misfit_problem(&source, misfit)).collect();
    let fields = kind::fields(twin);
    let is_unknown = |path: &&Path| !matches!(path.pattern().as_str(), "type" | "name");
    problems.extend(
        unknown.iter().filter(is_unknown).map(|path| unknown_problem(&source, path, &fields)),
    );
    for pattern in kind::unobeyed(twin) {
        let mut places = Vec::new();
        find(&source.tree, &Path::top(), pattern, &mut places);
        problems.extend(places.iter().map(|path| Problem {
            hint: "it is kept and does nothing in this build".to_owned(),
            ..problem(&source, Severity::Warning, path, "a setting not obeyed yet", "none")
        }));
    }
    problems.sort_by_key(|problem| problem.line);
    let repaired = misfits.into_iter().map(|misfit| misfit.path).collect();
    let document = read.map(|it| Document {
        origin: source.origin,
        tree: source.tree,
        manifest: wrap(it),
        repaired,
    });
    (document, problems)
}

fn misfit_problem(source: &Source, misfit: &Misfit) -> Problem {
    let path = &misfit.path;
    match misfit.kind {
        MisfitKind::Missing => problem(source, Severity::Error, path, "nothing", "this key"),
        MisfitKind::Twice => {
            let found = "the same thing under two names";
            problem(source, Severity::Error, path, found, "one of them")
        }
        MisfitKind::Wrong => {
            let variants = repair::variants(&misfit.wanted);
            let text = source.tree.at(path).and_then(Node::text);
            let near = text.and_then(|text| nearest(text, variants.iter().copied()));
            let wanted = match misfit.wanted.as_str() {
                "a string" | "string or map" => "text",
                "a sequence" => "a list",
                "a boolean" => "true or false",
                "a map" => "a mapping",
                other if other.starts_with("struct ") => "a mapping",
                other => other,
            };
            Problem {
                hint: near.map_or_else(String::new, |near| format!("did you mean {near}?")),
                ..problem(source, Severity::Error, path, &describe(&source.tree, path), wanted)
            }
        }
    }
}

fn unknown_problem(
    source: &Source,
    path: &Path,
    fields: &[(&str, &'static [&'static str])],
) -> Problem {
    let place = path.parent().pattern();
    let known = fields.iter().find(|(pattern, _)| *pattern == place).map_or(&[][..], |(_, it)| *it);
    let near = match path.steps().last() {
        Some(Step::Key(key)) => nearest(key, known.iter().copied()),
        _ => None,
    };
    let wanted = match near {
        None if !known.is_empty() => list(known.iter().copied()),
        _ => "a known key".to_owned(),
    };
    Problem {
        hint: near.map_or_else(
            || "it is kept and does nothing".to_owned(),
            |near| format!("did you mean {near}? it does nothing as it stands"),
        ),
        ..problem(source, Severity::Warning, path, "an unknown key", &wanted)
    }
}

fn problem(source: &Source, severity: Severity, path: &Path, found: &str, wanted: &str) -> Problem {
    Problem {
        severity,
        document: source.origin.clone(),
        line: source.tree.line_of(path),
        path: path.to_string(),
        found: found.to_owned(),
        wanted: wanted.to_owned(),
        hint: String::new(),
    }
}

/// The places in `node` that a pattern such as `integrations[].cost` names.
fn find(node: &Node, at: &Path, pattern: &str, places: &mut Vec<Path>) {
    let (head, rest) = pattern.split_once('.').unwrap_or((pattern, ""));
    let (key, is_list) = head.strip_suffix("[]").map_or((head, false), |key| (key, true));
    let Some(child) = node.get(key) else { return };
    let at = at.key(key);
    match (&child.value, is_list) {
        (Value::Null, _) => {}
        (Value::List(nodes), true) => {
            for (index, node) in nodes.iter().enumerate() {
                find(node, &at.index(index), rest, places);
            }
        }
        (_, false) if rest.is_empty() => places.push(at),
        (_, false) => find(child, &at, rest, places),
        (_, true) => {}
    }
}

/// Keys whose values are names or choices, and so may be quoted. All other text may be a
/// credential gone astray.
const QUOTABLE: &[&str] = &[
    "type",
    "name",
    "subject",
    "user_fqn",
    "role_id",
    "resource_fqn",
    "resource_type",
    "model_types",
    "model_server",
    "model_id",
    "hosted_model_name",
    "members",
    "managers",
    "admins",
    "models",
    "users",
    "subjects",
    "authorized_subjects",
    "expiration_date",
    "id",
    "reject_unauthorized",
    "token_type",
    "limit_to",
    "unit",
    "rate_limit_applies_per",
    "budget_applies_per",
    "team_name",
    "mode",
    "in",
    "not_in",
    "budget_exceeded_status",
    "target",
    "model",
    "tier",
    "slug",
    "alias",
    "kind",
    "notification_channel",
    "thresholds",
    "security",
];

/// The longest text that is quoted.
const QUOTED_CHARS_MAX: usize = 60;

/// What stands at `path`, in words that never hold a credential.
#[must_use]
pub fn describe(tree: &Node, path: &Path) -> String {
    let key = path.steps().iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    let is_quotable = key.is_some_and(|key| QUOTABLE.contains(&key));
    match tree.at(path).map(|node| &node.value) {
        None => "nothing".to_owned(),
        Some(Value::Null) => "an empty value".to_owned(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Integer(value)) if is_quotable => format!("the number {value}"),
        Some(Value::Float(value)) if is_quotable => format!("the number {value}"),
        Some(Value::Integer(_) | Value::Float(_)) => "a number".to_owned(),
        Some(Value::Text(text)) if is_quotable && text.chars().count() <= QUOTED_CHARS_MAX => {
            format!("{text:?}")
        }
        Some(Value::Text(_)) => "text".to_owned(),
        Some(Value::List(_)) => "a list".to_owned(),
        Some(Value::Map(_)) => "a mapping".to_owned(),
    }
}

/// The candidate that was probably meant.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this, two words have little to do with each other.
    const LIKENESS_MIN: f64 = 0.8;
    candidates
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
