//! Which models may answer, in the order in which they are asked.

use crate::{
    dialect::openai_chat::request::Ask,
    lexicon::{
        ids::{ModelId, SubjectId},
        refusal::{Refusal, Refused},
    },
    snapshot::{Model, Snapshot},
};

/// How many near names a 404 suggests.
const SUGGESTIONS: usize = 3;
/// Names less alike than this are not suggested.
const LIKENESS_MIN: f64 = 0.6;

/// The plan for an Ask: the model it names.
///
/// # Errors
/// `ModelUnknown` with the nearest names the caller may use, `ModelForbidden`,
/// `OperationUnsupported`.
pub fn plan<'s>(
    snapshot: &'s Snapshot,
    subject: SubjectId,
    ask: &Ask<'_>,
) -> Result<impl Iterator<Item = &'s Model> + use<'s>, Refused> {
    let id = *snapshot
        .model_names
        .get(&*ask.model)
        .ok_or_else(|| unknown(snapshot, subject, &ask.model))?;
    if !snapshot.allows(subject, id) {
        return Err(Refusal::ModelForbidden.about("model", ""));
    }
    let model = snapshot.model(id);
    if !model.types.serves(ask.operation) {
        let detail =
            format!("It would need the model type {:?}.", ask.operation.model_type().label());
        return Err(Refusal::OperationUnsupported.about("model", detail));
    }
    Ok(std::iter::once(model))
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
