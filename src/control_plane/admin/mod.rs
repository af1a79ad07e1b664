//! The admin port: is it up, is it ready, what does it count, what is wrong with its configuration.
//!
//! | path | answer | who |
//! |---|---|---|
//! | `/` | 200 | anyone |
//! | `/ready` | 200, or 503 with the reason | anyone |
//! | `/metrics` | Prometheus text | anyone, when the port and the peer are loopback |
//! | `/api/svc/v1/config/problems` | JSON | admins |
//! | `/api/svc/v1/llm-gateway/budgets…` | what is spent: `budgets.rs` | see there |
//! | `/api/svc/v1/llm-gateway/config/budget/usage` | of ordered rules | admins |
//! | `POST /api/svc/v1/llm-gateway/standing` | what is left, for `weir explain` | admins |
//! | `/api/svc/v1/llm-gateway/health` | JSON: how targets fare (`targets.rs`) | admins |
//!
//! Errors have the shape of `OpenAI`. There is no TLS here: an address that is not loopback is
//! refused by [`bind`], so that no token crosses a network in the clear.

mod budgets;

use crate::{
    bridge::lane::Receiver,
    control_plane::{
        edit::Edits,
        targets,
        telemetry::{Sources, Telemetry, exposition},
        usage::{Book, standing},
    },
    lexicon::{ids::SubjectId, refusal::Refusal, time::UnixMillis},
    snapshot::Snapshot,
};
use axum::{
    Json, Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::net::TcpListener;

/// What the admin port answers from.
pub struct AdminState {
    /// None when ready; otherwise why not.
    pub readiness: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// The body of `/api/svc/v1/config/problems`.
    pub config_report: Arc<dyn Fn() -> Value + Send + Sync>,
    pub callers: Callers,
    pub telemetry: Arc<Telemetry>,
    pub sources: Sources,
    pub book: Arc<Book>,
    /// Where budgets are written.
    pub edits: Edits,
}

/// Who may ask.
pub struct Callers {
    /// The lane, and what came last on it.
    snapshots: Mutex<(Receiver<Snapshot>, Option<Arc<Snapshot>>)>,
    /// SHA-256 of a token that is not in any manifest: the one quickstart prints.
    extra_token: Option<[u8; 32]>,
}

/// Binds the admin port.
///
/// **Errors**: the address is not loopback; it cannot be bound.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "the admin address {address} is not loopback, and TLS for the admin port is not \
                 built: use 127.0.0.1 and a tunnel or a proxy that does TLS"
            ),
        ));
    }
    TcpListener::bind(address).await
}

/// Serves until `shutdown` is ready and the answers under way are sent.
///
/// **Errors**: the listener is not on a loopback address.
pub async fn serve(
    listener: TcpListener,
    state: AdminState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let text = format!("the admin address {address} is not loopback");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let state = Arc::new(state);
    let guarded = Router::new()
        .route("/api/svc/v1/config/problems", get(config_problems))
        .route("/api/svc/v1/llm-gateway/budgets", get(budgets::list))
        .route("/api/svc/v1/llm-gateway/budgets/simulate", post(budgets::simulate))
        .route("/api/svc/v1/llm-gateway/budgets/{id}", get(budgets::one))
        .route("/api/svc/v1/llm-gateway/budgets/{id}/leaderboard", get(budgets::leaderboard))
        .route("/api/svc/v1/llm-gateway/config/budget/usage", get(budgets::ordered_usage))
        .route(standing::PATH, post(budgets::standing))
        .route("/api/svc/v1/llm-gateway/health", get(targets_health))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&state), admins_only));
    let router = Router::new()
        .route("/", get(async || Json(json!({"status": "ok"}))))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        // Whoever manages a team writes its budgets; these judge by themselves.
        .route("/api/svc/v1/llm-gateway/budgets", put(budgets::put))
        .route("/api/svc/v1/llm-gateway/budgets/{id}", delete(budgets::delete))
        .route("/api/svc/v1/llm-gateway/budgets/my-usage", get(budgets::my_usage))
        .merge(guarded)
        .fallback(async || refuse(Refusal::RouteUnknown))
        .method_not_allowed_fallback(async || refuse(Refusal::MethodNotAllowed))
        .with_state(state);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}

async fn ready(State(state): State<Arc<AdminState>>) -> Response {
    match (state.readiness)() {
        None => Json(json!({"ready": true})).into_response(),
        Some(reason) => {
            let body = json!({"ready": false, "reason": reason});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn metrics(
    State(state): State<Arc<AdminState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    // The port is loopback, or `serve` had refused it.
    if !peer.ip().is_loopback()
        && let Err(refusal) = state.callers.judge(&headers)
    {
        return refuse(refusal);
    }
    let page = state.telemetry.expose(&state.sources);
    ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], page).into_response()
}

async fn config_problems(State(state): State<Arc<AdminState>>) -> Json<Value> {
    Json((state.config_report)())
}

async fn targets_health(State(state): State<Arc<AdminState>>) -> Json<Value> {
    Json(targets::report(&(state.sources.targets)().0))
}

async fn admins_only(
    State(state): State<Arc<AdminState>>,
    request: Request,
    next: Next,
) -> Response {
    match state.callers.judge(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refuse(refusal),
    }
}

/// A refusal in the shape of `OpenAI`'s errors.
fn refuse(refusal: Refusal) -> Response {
    refuse_with(refusal, "")
}

/// The same, with what makes it particular.
fn refuse_with(refusal: Refusal, detail: &str) -> Response {
    let row = refusal.row();
    let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let sentence = match refusal {
        Refusal::RouteUnknown => "No such path on the admin port.",
        Refusal::ModelForbidden => "This key may not use the admin port; ask an admin.",
        _ => row.sentence,
    };
    let code = match refusal {
        Refusal::ModelForbidden => "admin_access_denied",
        _ => row.code,
    };
    let message = if detail.is_empty() { sentence.to_owned() } else { detail.to_owned() };
    let error = json!({"message": message, "type": row.kind, "param": null, "code": code});
    (status, Json(json!({"error": error}))).into_response()
}

impl Callers {
    #[must_use]
    pub fn new(snapshots: Receiver<Snapshot>, extra_token: Option<[u8; 32]>) -> Self {
        Self { snapshots: Mutex::new((snapshots, None)), extra_token }
    }

    /// Is this request an admin's?
    fn judge(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        // The nearest row: the key is good, the thing asked for is not its own.
        if self.who(headers)?.is_none() { Ok(()) } else { Err(Refusal::ModelForbidden) }
    }

    /// Whose request is this? None is an admin's.
    fn who(&self, headers: &HeaderMap) -> Result<Option<Box<str>>, Refusal> {
        if self.extra_token.is_some() && self.extra_token == token(headers).ok() {
            return Ok(None);
        }
        let (snapshot, subject) = self.whose(headers)?;
        let caller = snapshot.caller(subject);
        Ok((!caller.is_admin).then(|| caller.subject.clone()))
    }

    /// Whose request is this?
    fn whose(&self, headers: &HeaderMap) -> Result<(Arc<Snapshot>, SubjectId), Refusal> {
        let hash = token(headers)?;
        let snapshot = self.newest().ok_or(Refusal::InvalidKey)?;
        let known = snapshot.tokens.get(&hash).ok_or(Refusal::InvalidKey)?;
        if known.expires.is_some_and(|expires| expires <= now()) {
            return Err(Refusal::ExpiredKey);
        }
        let subject = known.subject;
        Ok((snapshot, subject))
    }

    fn newest(&self) -> Option<Arc<Snapshot>> {
        let mut lane = self.snapshots.lock();
        if let Some(newer) = lane.0.changed() {
            lane.1 = Some(newer);
        }
        lane.1.clone()
    }
}

/// The SHA-256 of the token that a request shows.
fn token(headers: &HeaderMap) -> Result<[u8; 32], Refusal> {
    let value = headers.get(header::AUTHORIZATION).ok_or(Refusal::MissingKey)?;
    let text = value.to_str().map_err(|_| Refusal::InvalidKey)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Sha256::digest(token.trim()).into())
        }
        _ => Err(Refusal::MissingKey),
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
