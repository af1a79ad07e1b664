//! What is left of the limits and budgets that a request would meet: by a running gateway's own
//! meters, or by what a gateway has stored.
//!
//! **Shape**: `{"limits": [LIMIT], "budgets": [BudgetUsageEntry]}`, each limit
//! `{"id", "unit", "limit", "holds", "used", "left"}`; those of budgets are `policy/spending.rs`'s.

use crate::{
    bridge::{
        lane,
        quota::node::{Node, ORIGIN_MS},
    },
    control_plane::{
        clocks::{Marks, Reading},
        load::now,
        quota::Recall,
        tokens::fetch::Client,
        usage::{Book, births::Births, report},
    },
    lexicon::{
        ids::SubjectId,
        meter::{MeterKey, MeterSpec, NodeMillis},
    },
    policy::limit::Limit,
    snapshot::Snapshot,
};
use http::{Request, header};
use serde_json::{Value, json};
use std::{collections::HashMap, io, path::Path, sync::Arc, time::Duration};
use tokio::time::timeout;

/// Where a running gateway is asked.
pub const PATH: &str = "/api/svc/v1/llm-gateway/standing";
/// How long it may take to answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// A request that is only thought of.
#[derive(Clone, Copy, Debug)]
pub struct Thought<'a> {
    /// `user:…` or `virtualaccount:…`.
    pub subject: &'a str,
    pub model: &'a str,
    pub metadata: &'a [(&'a str, &'a str)],
}

/// By the meters of this process; none where nobody knows the subject.
#[must_use]
pub fn of_node(
    node: &Node,
    snapshot: &Snapshot,
    book: &Book,
    thought: Thought<'_>,
) -> Option<Value> {
    let at = NodeMillis(node.now_ns() / 1_000_000);
    let limits = limits(snapshot, thought, |spec| node.look(spec, at))?;
    Some(both(limits, book, thought))
}

/// By the receipts under `data_dir`, which a gateway may hold; none where nobody knows the subject.
///
/// # Errors
/// The disk's.
pub fn of_store(
    data_dir: &Path,
    snapshot: &Arc<Snapshot>,
    thought: Thought<'_>,
) -> io::Result<Option<Value>> {
    let (marks, births, reading) = (Marks::read(data_dir), Births::read(data_dir)?, Reading::now());
    let recall = Recall { snapshot, marks: &marks, births: &births, now: &reading };
    let pasts = recall.read(data_dir)?;
    let (_sender, snapshots) = lane::lane(Arc::clone(snapshot));
    let book = Book::new(data_dir, snapshots);
    book.peek(now())?;
    let node = Node::new(1, pasts.len(), pasts);
    let limits = limits(snapshot, thought, |spec| node.look(spec, NodeMillis(ORIGIN_MS)));
    Ok(limits.map(|limits| both(limits, &book, thought)))
}

/// By the gateway whose admin port is at `url`.
///
/// # Errors
/// Words for a person.
pub fn of_gateway(url: &str, token: Option<&str>, thought: Thought<'_>) -> Result<Value, String> {
    let Thought { subject, model, metadata } = thought;
    let metadata: HashMap<_, _> = metadata.iter().copied().collect();
    let body = json!({"subject": subject, "model": model, "metadata": metadata}).to_string();
    let request = Request::post(format!("{}{PATH}", url.trim_end_matches('/')))
        .header(header::CONTENT_TYPE, "application/json");
    let request = match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    };
    let request = request.body(body).map_err(|_| format!("{url:?} is no address"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let answer = runtime.block_on(async {
        let client = Client::new();
        timeout(ASK_TIMEOUT, client.ask(request)).await
    });
    let answer = answer.map_err(|_| format!("{url} does not answer"))?;
    let (status, text) = answer.map_err(|fault| format!("{url}: {fault}"))?;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if status.is_success() {
        return Ok(answer);
    }
    let words = answer["error"]["message"].as_str().unwrap_or_default();
    Err(format!("{url}: status {}: {words}", status.as_u16()))
}

fn both(
    limits: Vec<Value>,
    book: &Book,
    Thought { subject, model, metadata }: Thought<'_>,
) -> Value {
    let budgets = report::matched(book, subject, model, metadata, now());
    let budgets = budgets.map_or(Value::Null, |mut found| found["matched"].take());
    json!({"limits": limits, "budgets": budgets})
}

/// Every limit that matches, the first of which holds; `look` says what is spent and what is left.
fn limits(
    snapshot: &Snapshot,
    Thought { subject, model, metadata }: Thought<'_>,
    look: impl Fn(&MeterSpec) -> (u64, i64),
) -> Option<Vec<Value>> {
    let found = snapshot.callers.iter().zip(0..).find(|(it, _)| &*it.subject == subject);
    let matter = snapshot.matter(SubjectId(found?.1), model, metadata);
    let matching = snapshot.limits.index.matches(matter.facts);
    let rules = matching.map(|at| &snapshot.limits.limits[at]);
    let metered = rules
        .filter_map(|limit| Some((limit, matter.entities.meter(limit.key, &limit.applies_per)?)));
    let row = |(at, (limit, key)): (usize, (&Limit, MeterKey))| {
        let (window, limit_to) = (limit.window, limit.limit_to);
        let spec = MeterSpec { key, window, limit: limit_to, until: None, version: 0 };
        let (used, left) = look(&spec);
        let left = u64::try_from(left).unwrap_or(0).min(limit_to);
        json!({"id": limit.id, "unit": limit.unit(), "limit": limit_to, "holds": at == 0,
            "used": used, "left": left})
    };
    Some(metered.enumerate().map(row).collect())
}
