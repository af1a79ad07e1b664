//! Routing: `gateway-load-balancing-config` and `provider-account/virtual-model`, compiled.

use crate::{
    lexicon::{ids::ModelId, operation::ModelTypes},
    manifest::{
        path::Path,
        read::{Document, Manifest, describe},
        routing::{
            ClassificationStrategy, RouteTarget, SessionSource, StickyRouting, StrategyKind,
            VirtualModel as Written, VirtualModelAccount,
        },
    },
    policy::{
        condition::{Condition, Index},
        route::{
            self, Identifier, Logical, Routes, Rule, Sticky, Strategy, VirtualModel, order::Reason,
        },
    },
    snapshot::{
        Caller, Model, candidates, classifier,
        concurrency::Caps,
        conditions,
        findings::Findings,
        limits::ascii,
        people::{Draft, People, count, is_name},
        places::{self, Places},
        reach::Reach,
    },
};
use std::collections::{HashMap, HashSet};

/// The longest time that a session stays: a year.
const TTL_SECONDS_MAX: u32 = 366 * 24 * 60 * 60;
/// Parts of a session's name.
const IDENTIFIERS_MAX: usize = 8;

/// Routing in the making.
#[derive(Default)]
pub(super) struct Draught {
    conditions: Vec<Condition>,
    routes: Routes,
    /// By model: its index in `Routes::targets`.
    pub(super) places: HashMap<ModelId, u16>,
    /// By model: how many calls it has at once, and which document says so.
    pub(super) caps: Caps,
}

/// A rule as written, of either carrier.
struct WrittenRule<'a> {
    document: &'a Document,
    path: Path,
    id: &'a str,
    kind: StrategyKind,
    targets: &'a [RouteTarget],
    sticky: Option<&'a StickyRouting>,
    classification: Option<&'a ClassificationStrategy>,
    /// Of a virtual model: its weights sum to 100.
    is_virtual: bool,
}

/// Note every name that requests may use besides those of models.
pub(super) fn names(documents: &[Document], places: &mut Places, findings: &mut Findings) {
    for document in documents {
        match &document.manifest {
            Manifest::VirtualModelAccount(account) => {
                for (index, model) in account.integrations.iter().enumerate() {
                    let path = Path::top().key("integrations").index(index);
                    for (key, name) in names_of(account, model) {
                        let is_new = places.other_names.insert(name.as_str().into());
                        if !is_new || places.names.contains_key(name.as_str()) {
                            let hint = "every model and virtual model has a name of its own";
                            findings.twice(document, &path.key(key), &document.origin, hint);
                        }
                    }
                }
            }
            Manifest::LoadBalancingConfig(config) => {
                let written = config.rules.iter().filter_map(|rule| rule.when.as_ref());
                let names = written.flat_map(|when| when.models.iter().flatten());
                let logical =
                    names.filter(|name| *name != "*" && !places.names.contains_key(name.as_str()));
                let logical: Vec<Box<str>> = logical.map(|name| name.as_str().into()).collect();
                places.logical_names.extend(logical.iter().cloned());
            }
            _ => {}
        }
    }
    // A rule may be about a virtual model: that is no name of its own.
    places.logical_names.retain(|name| !places.other_names.contains(name));
    places.other_names.extend(places.logical_names.iter().cloned());
}

/// What a virtual model is called by, and under which key it stands.
fn names_of(account: &VirtualModelAccount, model: &Written) -> Vec<(&'static str, String)> {
    let mut names = vec![("name", format!("{}/{}", account.name, model.name))];
    names.extend(model.slug.iter().map(|slug| ("slug", slug.clone())));
    names.extend(model.alias.iter().flatten().map(|alias| ("alias", alias.clone())));
    let mut seen = HashSet::new();
    names.retain(|(_, name)| seen.insert(name.clone()));
    names
}

impl Draught {
    /// The routing of all documents, in their order.
    pub(super) fn of(
        documents: &[Document],
        people: &mut People,
        places: &Places,
        findings: &mut Findings,
    ) -> Self {
        let mut draught = Self::default();
        let mut first: HashMap<&str, &Document> = HashMap::new();
        for document in documents {
            match &document.manifest {
                Manifest::LoadBalancingConfig(config) => {
                    for (index, rule) in config.rules.iter().enumerate() {
                        let path = Path::top().key("rules").index(index);
                        if let Some(first) = first.insert(&rule.id, document) {
                            findings.twice(document, &path.key("id"), &first.origin, "");
                        }
                        let (at, when) = (path.key("when"), rule.when.as_ref());
                        let condition =
                            conditions::of(document, &at, when, people, places, findings);
                        let written = WrittenRule {
                            document,
                            path,
                            id: &rule.id,
                            kind: rule.kind,
                            targets: &rule.load_balance_targets,
                            sticky: rule.sticky_routing.as_ref(),
                            classification: rule.classification_strategy.as_ref(),
                            is_virtual: false,
                        };
                        draught.check_reach(&written, &condition, findings);
                        let rule = draught.rule(&written, places, findings);
                        draught.conditions.push(condition);
                        draught.routes.rules.push(rule);
                    }
                }
                Manifest::GlobalSettings(settings) => {
                    let path = Path::top().key("retry_settings");
                    let written = settings.retry_settings.as_ref();
                    draught.routes.retry = written
                        .map(|written| candidates::retry(document, &path, written, findings))
                        .or(draught.routes.retry);
                }
                _ => {}
            }
        }
        draught.find_logical_names(places);
        for document in documents {
            if let Manifest::VirtualModelAccount(account) = &document.manifest {
                draught.add_virtual(document, account, people, places, findings);
            }
        }
        draught
    }

    /// By which names requests reach models.
    pub(super) fn reach(&self) -> Reach {
        let mut reach = Reach::default();
        let conditions = self.conditions.iter().map(|it| it.models.within.clone());
        let of_virtual = |at: usize| {
            let models = &self.routes.virtual_models;
            let is_its = |model: u32| models[model as usize].rule as usize == at;
            let names = self.routes.virtual_names.iter().filter(|(_, model)| is_its(**model));
            Some(names.map(|(name, _)| name.clone()).collect())
        };
        // Rules of documents come first, then one for each virtual model.
        let virtual_ones = (self.conditions.len()..self.routes.rules.len()).map(of_virtual);
        for (rule, names) in self.routes.rules.iter().zip(conditions.chain(virtual_ones)) {
            reach.add(rule, names);
        }
        reach
    }

    /// Tell the models that have a cap.
    pub(super) fn cap(&self, models: &mut [Model]) {
        for (model, (cap, _)) in &self.caps {
            models[model.0 as usize].concurrency = Some(*cap);
        }
    }

    /// The routing, once callers and models are known.
    pub(super) fn finish(self, callers: &[Caller], models: &[Model]) -> Routes {
        let names = models.iter().map(|model| (&*model.name, &*model.account));
        let index = Index::new(self.conditions, callers, names);
        Routes { index, ..self.routes }
    }

    fn rule(
        &mut self,
        written: &WrittenRule<'_>,
        places: &Places,
        findings: &mut Findings,
    ) -> Rule {
        let (document, id) = (written.document, written.id);
        if id.is_empty() || id.contains(char::is_control) {
            let path = written.path.key(if written.is_virtual { "name" } else { "id" });
            let found = describe(&document.tree, &path);
            findings.error(document, &path, found, "a name for the rule", "clients are told it");
        }
        let strategy = strategy(written, places, findings);
        let list = candidates::List {
            document,
            path: written.path.key("load_balance_targets"),
            targets: written.targets,
            is_virtual: written.is_virtual,
        };
        let mut candidates = candidates::of(&list, &strategy, places, self, findings);
        let told = serde_json::json!({"ruleId": id, "type": strategy.label()}).to_string();
        let told = format!("{{\"loadBalancing\":{}", ascii(&told[..told.len() - 1]));
        for candidate in &mut candidates {
            let reason = Reason::usual(&strategy, candidate.tier).label();
            let target = &candidate.told;
            let whole = format!("{told},\"target\":{target},\"reason\":\"{reason}\"}}}}");
            candidate.told = whole.into();
        }
        let key = route::hash(id.as_bytes());
        Rule { id: id.into(), key, strategy, candidates, told: told.into() }
    }

    /// Where a model stands among all targets.
    pub(super) fn place(&mut self, model: ModelId) -> u16 {
        let targets = &mut self.routes.targets;
        *self.places.entry(model).or_insert_with(|| {
            targets.push(model);
            u16::try_from(targets.len() - 1).unwrap_or(u16::MAX)
        })
    }

    /// A rule that an earlier one leaves nothing to is said to be so.
    fn check_reach(
        &self,
        written: &WrittenRule<'_>,
        condition: &Condition,
        findings: &mut Findings,
    ) {
        let earlier = self.conditions.iter().zip(&self.routes.rules);
        let cover = earlier.into_iter().find(|(it, _)| covers(it, condition));
        if let Some((_, before)) = cover {
            let found = format!("a rule behind {:?}, which matches all that it does", before.id);
            let hint = "the first rule that matches is the only one: put this one before it";
            let wanted = "a rule that can be reached";
            findings.warn(written.document, &written.path, found, wanted, hint);
        }
    }

    fn find_logical_names(&mut self, places: &Places) {
        let mut names: Vec<&Box<str>> = places.logical_names.iter().collect();
        names.sort_unstable();
        let names_it = |condition: &Condition, name: &str| {
            condition.models.within.iter().flatten().any(|one| &**one == name)
        };
        let logical = names.into_iter().map(|name| {
            let rules = (0..).zip(&self.conditions).filter(|(_, it)| names_it(it, name));
            Logical { name: name.clone(), rules: rules.map(|(at, _)| at).collect() }
        });
        self.routes.logical_names = logical.collect();
    }

    fn add_virtual(
        &mut self,
        document: &Document,
        account: &VirtualModelAccount,
        people: &mut People,
        places: &Places,
        findings: &mut Findings,
    ) {
        let path = Path::top().key("name");
        if !is_name(&account.name) || account.name.contains(['/', ':']) {
            let found = describe(&document.tree, &path);
            let wanted = "a name without spaces, slashes and colons";
            findings.error(document, &path, found, wanted, "models are called GROUP/NAME");
        }
        if places.accounts.contains_key(account.name.as_str()) {
            let hint = "accounts and groups of virtual models share their names";
            findings.twice(document, &path, "an account", hint);
        }
        let granted = granted(document, account, people, findings).finish();
        if granted == crate::policy::access::Grant::default() {
            let hint = "nobody but admins may use it; `team:everyone` opens it to all";
            let path = Path::top().key("collaborators");
            findings.warn(document, &path, "nobody", "who may use these models", hint);
        }
        for (index, model) in account.integrations.iter().enumerate() {
            let path = Path::top().key("integrations").index(index);
            check_virtual(document, &path, model, findings);
            let name = format!("{}/{}", account.name, model.name);
            let config = &model.routing_config;
            let written = WrittenRule {
                document,
                path: path.key("routing_config"),
                id: &name,
                kind: config.kind,
                targets: &config.load_balance_targets,
                sticky: config.sticky_routing.as_ref(),
                classification: config.classification_strategy.as_ref(),
                is_virtual: true,
            };
            let rule = self.rule(&written, places, findings);
            let kinds = model.model_types.iter();
            let types = kinds.fold(ModelTypes::default(), |set, it| set.with(it.0));
            let at = count(self.routes.virtual_models.len());
            for (_, name) in names_of(account, model) {
                self.routes.virtual_names.entry(name.into()).or_insert(at);
            }
            self.routes.virtual_models.push(VirtualModel {
                name: name.as_str().into(),
                group: account.name.as_str().into(),
                types,
                granted: granted.clone(),
                rule: count(self.routes.rules.len()),
            });
            self.routes.rules.push(rule);
        }
    }
}

fn granted(
    document: &Document,
    account: &VirtualModelAccount,
    people: &mut People,
    findings: &mut Findings,
) -> Draft {
    let mut granted = Draft::default();
    for (index, collaborator) in account.collaborators.iter().flatten().enumerate() {
        let path = Path::top().key("collaborators").index(index);
        let at = path.key("subject");
        let who = people.who(document, &at, &collaborator.subject, false, findings);
        let role = path.key("role_id");
        let may_use = places::check_role(document, &role, &collaborator.role_id, findings);
        if let (Some(who), true) = (who, may_use) {
            granted.add(who);
        }
    }
    granted
}

fn check_virtual(document: &Document, path: &Path, model: &Written, findings: &mut Findings) {
    if model.kind != "integration/model/virtual" {
        let path = path.key("type");
        let found = describe(&document.tree, &path);
        findings.error(document, &path, found, "integration/model/virtual", "");
    }
    if !is_name(&model.name) {
        let path = path.key("name");
        let found = describe(&document.tree, &path);
        findings.error(document, &path, found, "a name without spaces", "");
    }
    if model.model_types.is_empty() {
        let path = path.key("model_types");
        findings.error(document, &path, "an empty list", "at least one, e.g. chat", "");
    }
}

fn strategy(written: &WrittenRule<'_>, places: &Places, findings: &mut Findings) -> Strategy {
    let (document, path) = (written.document, &written.path);
    let sticky = written.sticky.map(|it| sticky(document, path, it, findings));
    if sticky.is_some() && written.kind != StrategyKind::Weight {
        let path = path.key("sticky_routing");
        let wanted = "weight-based-routing beside it";
        findings.warn(document, &path, "sticky_routing", wanted, "it does nothing here");
    }
    let at = path.key("classification_strategy");
    let mut classifier = None;
    match written.classification {
        Some(_) if written.kind != StrategyKind::Complexity => {
            let wanted = "complexity-based-routing beside it";
            let found = "classification_strategy";
            findings.warn(document, &at, found, wanted, "it does nothing here");
        }
        Some(it) => classifier = classifier::of(document, &at, it, places, findings),
        None => {}
    }
    match written.kind {
        StrategyKind::Weight => Strategy::Weight { sticky },
        StrategyKind::Latency => Strategy::Latency,
        StrategyKind::Priority => Strategy::Priority,
        StrategyKind::Complexity => Strategy::Complexity { classifier },
    }
}

fn sticky(
    document: &Document,
    path: &Path,
    written: &StickyRouting,
    findings: &mut Findings,
) -> Sticky {
    let path = path.key("sticky_routing");
    if !(1..=TTL_SECONDS_MAX).contains(&written.ttl_seconds) {
        let path = path.key("ttl_seconds");
        let found = describe(&document.tree, &path);
        findings.error(document, &path, found, format!("1 to {TTL_SECONDS_MAX}"), "");
    }
    let identifiers = &written.session_identifiers;
    if identifiers.is_empty() || identifiers.len() > IDENTIFIERS_MAX {
        let path = path.key("session_identifiers");
        let found = format!("{} of them", identifiers.len());
        findings.error(document, &path, found, format!("1 to {IDENTIFIERS_MAX}"), "");
    }
    let identifier = |it: &crate::manifest::routing::SessionIdentifier| match it.source {
        SessionSource::Headers => Identifier::Header(it.key.to_ascii_lowercase().into()),
        SessionSource::Metadata => Identifier::Metadata(it.key.as_str().into()),
    };
    Sticky {
        ttl_ms: u64::from(written.ttl_seconds) * 1_000,
        identifiers: identifiers.iter().map(identifier).collect(),
    }
}

/// Does one condition hold wherever the other does, as far as names say?
pub(super) fn covers(one: &Condition, other: &Condition) -> bool {
    let subjects = match (&one.subjects.within, &other.subjects.within) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(other)) => {
            one.everyone
                || !other.everyone
                    && other.subjects.iter().all(|it| one.subjects.binary_search(it).is_ok())
                    && other.teams.iter().all(|it| one.teams.binary_search(it).is_ok())
        }
    };
    let models = match (&one.models.within, &other.models.within) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(other)) => other.iter().all(|it| one.contains(it)),
    };
    subjects && models && one.metadata.iter().all(|tag| other.metadata.contains(tag))
}
