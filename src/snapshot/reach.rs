//! By which names requests reach a model, besides its own: a rule's logical names, a virtual model,
//! or another model that a rule sends on.
//!
//! Limits and budgets see the model that a request *asks for*, whoever answers. So a rule that
//! names a model does not see what reaches it by another name, and that is worth a warning.

use crate::{
    lexicon::ids::ModelId,
    manifest::{path::Path, read::Document},
    policy::{condition::Condition, route::Rule},
    snapshot::{findings::Findings, places::Places},
};
use std::collections::{BTreeSet, HashMap};

/// Names that one warning tells.
const NAMES_MAX: usize = 3;

/// Which requests reach which models through routing.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// By rule.
    routes: Vec<Route>,
    /// By model: the rules that may choose it.
    by_model: HashMap<ModelId, Vec<usize>>,
}

/// One rule.
#[derive(Debug)]
struct Route {
    id: Box<str>,
    /// The names whose requests it routes; none is every name.
    names: Option<Box<[Box<str>]>>,
    models: Box<[ModelId]>,
}

impl Reach {
    /// A rule that routes requests for these names; none is for every name.
    pub(super) fn add(&mut self, rule: &Rule, names: Option<Box<[Box<str>]>>) {
        let at = self.routes.len();
        for candidate in &rule.candidates {
            self.by_model.entry(candidate.model).or_default().push(at);
        }
        let models = rule.candidates.iter().map(|candidate| candidate.model).collect();
        self.routes.push(Route { id: rule.id.clone(), names, models });
    }

    /// The names of requests that a condition holds for, of those that reach this model by another
    /// name; the first of them.
    pub(super) fn held_name<'a>(
        &'a self,
        model: ModelId,
        condition: &Condition,
        places: &'a Places,
    ) -> Option<&'a str> {
        let routes = self.by_model.get(&model)?.iter().map(|at| &self.routes[*at]);
        let mut names = routes.flat_map(|route| route.names(places));
        names.find(|name| holds(condition, name, places))
    }

    /// Warn of a rule that names a model, where requests reach that by names which it does not hold
    /// for.
    pub(super) fn warn(
        &self,
        document: &Document,
        path: &Path,
        condition: &Condition,
        places: &Places,
        findings: &mut Findings,
    ) {
        if condition.models.within.is_none() && condition.accounts.within.is_none() {
            return;
        }
        for route in &self.routes {
            let own = |id: &&ModelId| holds(condition, &places.models[id.0 as usize].name, places);
            let Some(model) = route.models.iter().find(own) else { continue };
            let missed = route.names(places).filter(|name| !holds(condition, name, places));
            let missed: BTreeSet<&str> = missed.collect();
            if missed.is_empty() {
                continue;
            }
            let told: Vec<String> =
                missed.iter().take(NAMES_MAX).map(|name| format!("{name:?}")).collect();
            let more = if missed.len() > NAMES_MAX { " and others" } else { "" };
            let found = format!(
                "{:?}, which the rule {:?} gives to requests for {}{more}",
                places.models[model.0 as usize].name,
                route.id,
                told.join(", "),
            );
            let hint = "a rule sees the model that is asked for, not the one that answers";
            findings.warn(document, path, found, "those names too", hint);
            return;
        }
    }
}

impl Route {
    fn names<'a>(&'a self, places: &'a Places) -> Box<dyn Iterator<Item = &'a str> + 'a> {
        if let Some(names) = &self.names {
            return Box::new(names.iter().map(|name| &**name));
        }
        let models = places.models.iter().map(|model| &*model.name);
        Box::new(models.chain(places.other_names.iter().map(|name| &**name)))
    }
}

fn holds(condition: &Condition, name: &str, places: &Places) -> bool {
    let model = places.names.get(name).map(|id| &places.models[id.0 as usize]);
    condition.models.hold(Some(name)) && condition.accounts.hold(model.map(|model| &*model.account))
}
