//! Which models may answer, in the order in which they are asked.

use crate::{
    data_plane::{core::Core, inbound::Request, stage::classify, verdicts::Known},
    dialect::openai_chat::request::Ask,
    lexicon::{
        ids::{ModelId, SubjectId},
        operation::ModelTypes,
        refusal::{Refusal, Refused},
    },
    policy::{
        metadata::Pairs,
        route::{
            self, Asked, Classifier, Identifier, Strategy,
            complexity::Tier,
            order::{self, Moment},
        },
    },
    snapshot::{Model, Routing, Snapshot},
};

/// How many near names a 404 suggests.
const SUGGESTIONS: usize = 3;
/// Names less alike than this are not suggested.
const LIKENESS_MIN: f64 = 0.6;

/// Who may answer.
#[derive(Clone, Copy)]
pub enum Plan<'s> {
    /// The model that was named, and no other.
    Lone(&'s Model),
    /// What a rule says.
    Ruled(order::Plan<'s>),
}

/// What a request is routed by.
#[derive(Clone, Copy)]
pub struct Routed<'a> {
    pub subject: SubjectId,
    pub ask: &'a Ask<'a>,
    pub from: &'a Request<'a>,
    /// None where no rule could concern it.
    pub known: Option<&'a Known>,
    /// How hard it is, where that was said.
    pub tier: Option<Tier>,
}

impl<'s> Plan<'s> {
    /// The model whose word on the request the rule wants.
    pub fn classifier(&self) -> Option<&'s Classifier> {
        match self {
            Plan::Ruled(order::Plan {
                rule: route::Rule { strategy: Strategy::Complexity { classifier }, .. },
                ..
            }) => classifier.as_ref(),
            _ => None,
        }
    }
}

/// The plan for an Ask: the model it names, or the targets of the first rule that matches.
///
/// # Errors
/// `ModelUnknown` with the nearest names the caller may use, `ModelForbidden`,
/// `OperationUnsupported`, `TargetsUnfit`.
///
/// **Cost**: of the model itself next to nothing; of a rule, no allocation.
pub fn plan<'s>(
    core: &Core,
    snapshot: &'s Snapshot,
    request: &Routed<'_>,
) -> Result<Plan<'s>, Refused> {
    let Routed { subject, ask, known, .. } = *request;
    let named = || snapshot.named(&ask.model);
    let routing = known.map_or_else(named, |known| known.verdict.routing(snapshot));
    if let Some(rule) = routing.rule {
        return ruled(core, snapshot, request, &routing, rule).map(Plan::Ruled);
    }
    let id = routing.model.ok_or_else(|| unknown(snapshot, subject, &ask.model))?;
    if !snapshot.allows(subject, id) {
        return Err(Refusal::ModelForbidden.about("model", ""));
    }
    let model = snapshot.model(id);
    if !model.types.serves(ask.operation) {
        return Err(unsupported(ask));
    }
    Ok(Plan::Lone(model))
}

#[cold]
fn unsupported(ask: &Ask<'_>) -> Refused {
    let detail = format!("It would need the model type {:?}.", ask.operation.model_type().label());
    Refusal::OperationUnsupported.about("model", detail)
}

fn ruled<'s>(
    core: &Core,
    snapshot: &'s Snapshot,
    request: &Routed<'_>,
    routing: &Routing<'s>,
    rule: &'s route::Rule,
) -> Result<order::Plan<'s>, Refused> {
    let Routed { subject, ask, from, tier: said, .. } = *request;
    let forbidden = || Refusal::ModelForbidden.about("model", "");
    let kind = ask.operation.model_type();
    if routing.model.is_some_and(|id| !snapshot.allows(subject, id)) {
        return Err(forbidden());
    }
    if let Some(model) = routing.virtual_model {
        if !snapshot.allows_virtual(subject, model) {
            return Err(forbidden());
        }
        if !model.types.has(kind) {
            return Err(unsupported(ask));
        }
    }
    let may_use =
        |candidate: &route::Candidate| routing.is_own || snapshot.allows(subject, candidate.model);
    let is_fit = |candidate: &route::Candidate| snapshot.model(candidate.model).types.has(kind);
    let session = match &rule.strategy {
        Strategy::Weight { sticky: Some(sticky) } => session(&sticky.identifiers, request),
        _ => None,
    };
    let tier = match (&rule.strategy, said) {
        (Strategy::Complexity { .. }, None) => classify::tier(ask.operation, from.body),
        (_, said) => said.unwrap_or_default(),
    };
    let caller = snapshot.caller(subject).key;
    // What holds by metadata is in what is known.
    let asked = Asked { subject, caller, metadata: &[], session, tier };
    let node_ms = core.node_ms();
    let health = core.targets.look(snapshot, node_ms);
    let moment = Moment {
        health: &health,
        node_ms,
        wall_ms: core.clock.wall().0,
        random: core.targets.random(),
    };
    let (usable, types) =
        request.known.map_or((0, ModelTypes::ALL), |it| (it.verdict.usable, it.verdict.types));
    let eligible = if types.has(kind) {
        usable
    } else {
        let fit = route::places(usable).filter(|at| is_fit(&rule.candidates[usize::from(*at)]));
        fit.fold(0, |fit, at| fit | 1 << at)
    };
    let plan = order::plan_among(rule, &asked, &moment, eligible);
    if !plan.is_empty() {
        return Ok(plan);
    }
    if !rule.candidates.iter().any(may_use) {
        return Err(if routing.model.is_none() && routing.virtual_model.is_none() {
            // What is made of models that one may not use is not there.
            unknown(snapshot, subject, &ask.model)
        } else {
            forbidden()
        });
    }
    if rule.candidates.iter().any(is_fit) {
        let detail = format!("It is the rule {:?}.", rule.id);
        return Err(Refusal::TargetsUnfit.about("model", detail));
    }
    Err(unsupported(ask))
}

/// The hash of what a session is known by; none where a part of it is missing.
fn session(identifiers: &[Identifier], request: &Routed<'_>) -> Option<u64> {
    let metadata = request.known.map_or_else(Pairs::new, Known::metadata);
    identifiers.iter().try_fold(0, |session, identifier| {
        let value = match identifier {
            Identifier::Header(name) => request.from.header(name)?,
            Identifier::Metadata(key) => {
                let found = metadata.iter().find(|(name, _)| *name == &**key)?;
                found.1.as_bytes()
            }
        };
        Some(route::mix(session, route::hash(value)))
    })
}

/// Only names that this caller may use are told: a name is knowledge too.
#[cold]
fn unknown(snapshot: &Snapshot, subject: SubjectId, name: &str) -> Refused {
    let wanted = name.to_lowercase();
    let ids = (0_u32..).map(ModelId);
    let mut near: Vec<(f64, &str)> = snapshot
        .models
        .iter()
        .zip(ids)
        .filter(|(_, id)| snapshot.allows(subject, *id))
        .map(|(model, _)| (likeness(&wanted, &model.name), &*model.name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    let names: Vec<&str> = near.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect();
    let detail = match &names[..] {
        [] => String::new(),
        names => format!("Did you mean {}?", names.join(" or ")),
    };
    Refusal::ModelUnknown.about("model", detail)
}

/// A bare model name is as like as its likeness to the part behind the account.
fn likeness(wanted: &str, name: &str) -> f64 {
    let name = name.to_lowercase();
    let bare = name.split_once('/').map_or(&*name, |(_, bare)| bare);
    strsim::jaro_winkler(wanted, &name).max(strsim::jaro_winkler(wanted, bare))
}
