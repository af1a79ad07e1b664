//! What the gateway answers by itself: health, readiness, the models a caller may use, what he has
//! spent.

use crate::{
    data_plane::{
        core::Core,
        downlink::Downlink,
        exchange::Stop,
        inbound::Request,
        stage::{parse::Route, respond},
        trail::Trail,
    },
    lexicon::{
        ids::{ModelId, SubjectId},
        refusal::Refusal,
    },
    policy::spending::{Entities, Used, entry, label, period},
    snapshot::{Model, Snapshot},
    wire::json,
};
use serde_json::json;

/// Whose a name is that stands only in rules.
const LOGICAL_OWNER: &str = "routing";

/// Answer a request that no model is needed for.
pub async fn answer(
    core: &Core,
    snapshot: &Snapshot,
    request: &Request<'_>,
    route: Route,
    subject: Option<SubjectId>,
    downlink: &mut Downlink<'_>,
    trail: &mut Trail<'_>,
) -> Result<(), Stop> {
    let (status, body) = match (route, subject) {
        (Route::Models, Some(subject)) => (200, list(snapshot, subject)),
        (Route::MyUsage, Some(subject)) => (200, spending(snapshot, subject, trail)),
        (Route::Model(name), Some(subject)) => {
            let name = percent_decode(name.of(request.bytes));
            (200, describe(snapshot, subject, &name)?)
        }
        (Route::Ready, _) if core.is_draining() => (503, br#"{"status":"draining"}"#.to_vec()),
        (Route::Ready, _) => (200, br#"{"status":"ready"}"#.to_vec()),
        _ => (200, br#"{"status":"ok"}"#.to_vec()),
    };
    let next = downlink.next();
    respond::push_local(&mut downlink.out, status, body.len(), trail.request_id, next);
    if !downlink.is_head {
        downlink.out.extend_from_slice(&body);
        trail.bytes_out = body.len() as u64;
    }
    trail.forgo();
    downlink.send().await
}

/// What counts for this caller: budgets of all, and those told apart by who asks.
///
/// **Shape**: `{"matched":[…]}`, as `policy::spending` writes them.
fn spending(snapshot: &Snapshot, subject: SubjectId, trail: &Trail<'_>) -> Vec<u8> {
    let mut quota = trail.quota();
    let now = quota.now(trail.started(), trail.started_wall());
    let calendar = quota.calendar(now).clone();
    let matter = snapshot.matter(subject, "", &[]);
    let mut matched = Vec::new();
    for budget in snapshot.budgets.budgets.iter().filter(|it| it.is_of(subject, &matter.entities)) {
        let mut entities = Entities::new();
        for entity in matter.entities.each(&budget.applies_per) {
            let name = entity.map(|key| snapshot.entity_name(budget, &matter, key));
            let periods = entities.entry(name).or_default();
            for cap in budget.caps(entity.unwrap_or_default()) {
                let span = calendar.span(cap.period);
                let spec = cap.spec(entity, span, snapshot.version);
                let spent = quota.share().open(&spec, now).ok();
                let units = spent.map_or(0, |meter| quota.share().meter(meter).spent(now.node));
                let used = Used { units, unknown: None };
                let told = period(budget, cap.limit, used, &calendar, cap.period);
                periods.insert(label(budget, cap), told);
            }
        }
        if !entities.is_empty() {
            matched.push(entry(budget, entities));
        }
    }
    json!({ "matched": matched }).to_string().into_bytes()
}

fn list(snapshot: &Snapshot, subject: SubjectId) -> Vec<u8> {
    let mut out = br#"{"object":"list","data":["#.to_vec();
    for (index, (name, owner)) in names(snapshot, subject).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_model(&mut out, name, owner);
    }
    out.extend_from_slice(b"]}");
    out
}

fn describe(snapshot: &Snapshot, subject: SubjectId, name: &[u8]) -> Result<Vec<u8>, Stop> {
    let (name, owner) = names(snapshot, subject)
        .find(|(known, _)| known.as_bytes() == name)
        .ok_or(Refusal::ModelUnknown)?;
    let mut out = Vec::new();
    push_model(&mut out, name, owner);
    Ok(out)
}

/// Every name that the caller may ask, and whose it is: models, virtual models by all their names,
/// and the logical names of rules.
fn names(snapshot: &Snapshot, subject: SubjectId) -> impl Iterator<Item = (&str, &str)> {
    let routes = &snapshot.routes;
    let models = allowed(snapshot, subject).map(|model| (&*model.name, &*model.account));
    let mut virtual_names: Vec<_> = routes.virtual_names.iter().collect();
    virtual_names.sort_unstable();
    let virtual_models = virtual_names.into_iter().filter_map(move |(name, at)| {
        let model = &routes.virtual_models[*at as usize];
        snapshot.allows_virtual(subject, model).then_some((&**name, &*model.group))
    });
    let logical = routes.logical_names.iter().filter(move |logical| {
        let rules = logical.rules.iter().map(|rule| &routes.rules[*rule as usize]);
        rules.flat_map(|rule| &rule.candidates).any(|it| snapshot.allows(subject, it.model))
    });
    models.chain(virtual_models).chain(logical.map(|logical| (&*logical.name, LOGICAL_OWNER)))
}

fn allowed(snapshot: &Snapshot, subject: SubjectId) -> impl Iterator<Item = &Model> {
    let ids = (0_u32..).map(ModelId);
    snapshot
        .models
        .iter()
        .zip(ids)
        .filter_map(move |(model, id)| snapshot.allows(subject, id).then_some(model))
}

/// `created` is part of the shape; vendors' models have no such date here.
fn push_model(out: &mut Vec<u8>, name: &str, owner: &str) {
    out.extend_from_slice(b"{\"id\":");
    json::value::push_json_string(out, name);
    out.extend_from_slice(b",\"object\":\"model\",\"created\":0,\"owned_by\":");
    json::value::push_json_string(out, owner);
    out.push(b'}');
}

/// Clients send the slash of `ACCOUNT/MODEL` as `%2F`.
pub(super) fn percent_decode(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let decoded = match (first, tail) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match decoded {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => out.push(*first),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::percent_decode;

    #[test]
    fn a_slash_may_be_escaped_and_a_broken_escape_stays() {
        assert_eq!(percent_decode(b"openai%2Fgpt-4o"), b"openai/gpt-4o");
        assert_eq!(percent_decode(b"a%2fb%"), b"a/b%");
        assert_eq!(percent_decode(b"%zz%4"), b"%zz%4");
    }
}
