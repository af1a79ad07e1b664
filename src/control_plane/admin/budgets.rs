//! Budgets on the admin port: what is spent of them, what a request would meet, and writing them.
//!
//! | request | answer | who |
//! |---|---|---|
//! | `GET …/budgets?type&team_name` | `{"data": [BUDGET]}` | admins |
//! | `PUT …/budgets` | the budget as it is written; `dryRun` only checks it | admins, managers |
//! | `GET …/budgets/{id}` | the budget and what is spent | admins |
//! | `DELETE …/budgets/{id}` | 204 | admins, managers |
//! | `GET …/budgets/{id}/leaderboard?limit` | who spent most | admins |
//! | `POST …/budgets/simulate` | what a request would meet | admins |
//! | `GET …/budgets/my-usage` | one's own | whoever has a key |
//!
//! A budget's id is its name. What is written here is a file of the configuration's folder
//! (`control_plane/edit.rs`); what people wrote there is shown, and refused to be changed (409).
//! **Source**: the reference, §10.2 and appendix B.

use crate::{
    control_plane::{
        admin::{AdminState, now, refuse, refuse_with},
        edit::{EditFault, Wish, Written},
        usage::{
            report::{self, Wanted},
            standing::{self, Thought},
        },
    },
    lexicon::{ids::SubjectId, problem::Severity, refusal::Refusal},
    snapshot::Snapshot,
};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Who is told of a leaderboard where nobody says how many.
const LEADERS: usize = 10;

/// The query of a list of budgets.
#[derive(Deserialize)]
pub(super) struct BudgetQuery {
    #[serde(rename = "type")]
    kind: Option<String>,
    team_name: Option<String>,
    limit: Option<usize>,
}

/// A request that is only thought of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Simulated {
    user: Option<String>,
    virtual_account: Option<String>,
    team: Option<String>,
    teams: Option<Vec<String>>,
    model: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
}

/// The same, by the subject's whole name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    subject: String,
    model: String,
    metadata: BTreeMap<String, String>,
}

/// A budget to be written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    manifest: Value,
    #[serde(rename = "dryRun", alias = "dry_run")]
    is_dry: Option<bool>,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| {
        let refusal = if error.is_data() { Refusal::InvalidField } else { Refusal::InvalidJson };
        Box::new(refuse_with(refusal, &format!("The body cannot be read: {error}.")))
    })
}

pub(super) async fn list(
    State(state): State<Arc<AdminState>>,
    Query(query): Query<BudgetQuery>,
) -> Response {
    let (kind, team) = (query.kind.as_deref(), query.team_name.as_deref());
    let wanted = Wanted { kind, team, id: None };
    match written(&state).await {
        Ok(written) => {
            let mut found = report::all(&state.book, wanted, now());
            for budget in &mut found {
                add_manifest(budget, &written);
            }
            Json(json!({"data": found})).into_response()
        }
        Err(fault) => tell(fault),
    }
}

pub(super) async fn one(State(state): State<Arc<AdminState>>, Path(id): Path<String>) -> Response {
    let wanted = Wanted { id: Some(&id), ..Wanted::default() };
    let Some(mut budget) = report::all(&state.book, wanted, now()).pop() else {
        return refuse(Refusal::RouteUnknown);
    };
    match written(&state).await {
        Ok(written) => {
            add_manifest(&mut budget, &written);
            Json(budget).into_response()
        }
        Err(fault) => tell(fault),
    }
}

async fn written(state: &AdminState) -> Result<Vec<Written>, EditFault> {
    state.edits.ask(Wish::List, None).await
}

/// Rules of `gateway-budget-config` have none of their own.
fn add_manifest(budget: &mut Value, written: &[Written]) {
    let own = written
        .iter()
        .find(|it| budget["name"] == it.name.as_str() && budget["type"] == it.manifest["type"]);
    if let Some(own) = own {
        budget["manifest"] = own.manifest.clone();
        budget["managed_here"] = own.is_ours.into();
    }
}

/// Writes a budget, or only checks it.
pub(super) async fn put(
    State(state): State<Arc<AdminState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let subject = match state.callers.who(&headers) {
        Ok(subject) => subject,
        Err(refusal) => return refuse(refusal),
    };
    let Put { manifest, is_dry } = match read(&body) {
        Ok(put) => put,
        Err(refused) => return *refused,
    };
    let is_dry = is_dry.unwrap_or(false);
    let wish = Wish::Put { manifest: manifest.clone(), is_dry };
    match state.edits.ask(wish, subject).await {
        Ok(_) => {
            let budget = json!({"id": manifest["name"], "name": manifest["name"],
                "type": manifest["type"], "manifest": manifest, "managed_here": true});
            Json(json!({"data": budget, "dryRun": is_dry})).into_response()
        }
        Err(fault) => tell(fault),
    }
}

pub(super) async fn delete(
    State(state): State<Arc<AdminState>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let subject = match state.callers.who(&headers) {
        Ok(subject) => subject,
        Err(refusal) => return refuse(refusal),
    };
    match state.edits.ask(Wish::Delete { name }, subject).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(fault) => tell(fault),
    }
}

/// Why a budget is not written.
fn tell(fault: EditFault) -> Response {
    let status = |mut response: Response, status: StatusCode| {
        *response.status_mut() = status;
        response
    };
    let refuse_with = |detail: &str| refuse_with(Refusal::InvalidField, detail);
    match fault {
        EditFault::Malformed(words) => refuse_with(words),
        EditFault::Forbidden => refuse(Refusal::ModelForbidden),
        EditFault::Unknown => {
            status(refuse_with("There is no such budget."), StatusCode::NOT_FOUND)
        }
        EditFault::Elsewhere(origin) => {
            let words = format!("That budget stands in {origin}: change it there.");
            status(refuse_with(&words), StatusCode::CONFLICT)
        }
        EditFault::NoFolder => {
            let words = "The configuration is one file: budgets are written into a folder only.";
            status(refuse_with(words), StatusCode::CONFLICT)
        }
        EditFault::Refused(problems) => {
            let errors = problems.iter().filter(|it| it.severity == Severity::Error);
            let errors: Vec<String> = errors.map(ToString::to_string).collect();
            refuse_with(&errors.join("; "))
        }
        EditFault::Disk(error) => {
            tracing::error!(%error, "a budget cannot be written");
            let words = "The folder of the configuration cannot be written.";
            status(refuse_with(words), StatusCode::INTERNAL_SERVER_ERROR)
        }
        EditFault::Gone => {
            status(refuse_with("The gateway is closing."), StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

pub(super) async fn ordered_usage(State(state): State<Arc<AdminState>>) -> Json<Value> {
    let wanted = Wanted { kind: Some("gateway-budget-config"), ..Wanted::default() };
    Json(json!({"data": report::all(&state.book, wanted, now())}))
}

pub(super) async fn leaderboard(
    State(state): State<Arc<AdminState>>,
    Path(id): Path<String>,
    Query(query): Query<BudgetQuery>,
) -> Response {
    let limit = query.limit.unwrap_or(LEADERS).min(report::ENTITIES_MAX);
    match report::leaderboard(&state.book, &id, limit, now()) {
        Some(board) => Json(board).into_response(),
        None => refuse(Refusal::RouteUnknown),
    }
}

pub(super) async fn simulate(State(state): State<Arc<AdminState>>, body: Bytes) -> Response {
    let thought: Simulated = match read(&body) {
        Ok(thought) => thought,
        Err(refused) => return *refused,
    };
    let subject = match (&thought.user, &thought.virtual_account) {
        (Some(user), None) => format!("user:{}", user.trim_start_matches("user:")),
        (None, Some(account)) => {
            format!("virtualaccount:{}", account.trim_start_matches("virtualaccount:"))
        }
        _ => return refuse_with(Refusal::InvalidField, "Name a user or a virtual_account."),
    };
    // Who is in which team is written: what is thought of it must be so.
    for team in thought.teams.iter().flatten().chain(&thought.team) {
        if !is_in(&state, &subject, team) {
            let words = format!("{subject} is not in the team {team:?}.");
            return refuse_with(Refusal::InvalidField, &words);
        }
    }
    let metadata = thought.metadata.unwrap_or_default();
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
    let model = thought.model.unwrap_or_default();
    match report::matched(&state.book, &subject, &model, &metadata, now()) {
        Some(matched) => Json(matched).into_response(),
        // Nobody knows this subject: no rule names it, and it has no key.
        None => Json(json!({"matched": []})).into_response(),
    }
}

fn is_in(state: &AdminState, subject: &str, team: &str) -> bool {
    let Some(snapshot) = state.callers.newest() else { return false };
    let caller = snapshot.callers.iter().find(|caller| &*caller.subject == subject);
    let teams = caller.into_iter().flat_map(|caller| &caller.teams);
    teams.filter_map(|id| snapshot.teams.get(id.0 as usize)).any(|it| &*it.name == team)
}

/// What is left of all that a request would meet.
pub(super) async fn standing(State(state): State<Arc<AdminState>>, body: Bytes) -> Response {
    let Asked { subject, model, metadata } = match read(&body) {
        Ok(asked) => asked,
        Err(refused) => return *refused,
    };
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
    let thought = Thought { subject: &subject, model: &model, metadata: &metadata };
    let known = state.callers.newest().zip(state.sources.quota.as_ref());
    let found =
        known.and_then(|(snapshot, node)| standing::of_node(node, &snapshot, &state.book, thought));
    match found {
        Some(found) => Json(found).into_response(),
        None => refuse_with(Refusal::InvalidField, &format!("Nobody here knows {subject:?}.")),
    }
}

pub(super) async fn my_usage(State(state): State<Arc<AdminState>>, headers: HeaderMap) -> Response {
    let subject = match state.callers.whose(&headers) {
        Ok((snapshot, subject)) => name(&snapshot, subject),
        Err(refusal) => return refuse(refusal),
    };
    match report::own(&state.book, &subject, now()) {
        Some(usage) => Json(usage).into_response(),
        None => Json(json!({"matched": []})).into_response(),
    }
}

fn name(snapshot: &Snapshot, subject: SubjectId) -> Box<str> {
    snapshot.caller(subject).subject.clone()
}
