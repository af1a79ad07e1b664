//! The admin port: is it up, is it ready, what does it count, what is wrong with its configuration.
//!
//! | path | answer | who |
//! |---|---|---|
//! | `/` | 200 | anyone |
//! | `/ready` | 200, or 503 with the reason | anyone |
//! | `/metrics` | Prometheus text | anyone, when the port and the peer are loopback |
//! | `/api/svc/v1/config/problems` | JSON | admins |
//! | `/api/svc/v1/llm-gateway/health` | JSON: how targets fare (`targets.rs`) | admins |
//!
//! Errors have the shape of `OpenAI`. There is no TLS here: an address that is not loopback is
//! refused by [`bind`], so that no token crosses a network in the clear.

use crate::{
    bridge::lane::Receiver,
    control_plane::{
        targets,
        telemetry::{Sources, Telemetry, exposition},
    },
    lexicon::{refusal::Refusal, time::UnixMillis},
    snapshot::Snapshot,
};
use axum::{
    Json, Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
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
        .route("/api/svc/v1/llm-gateway/health", get(targets_health))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&state), admins_only));
    let router = Router::new()
        .route("/", get(async || Json(json!({"status": "ok"}))))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
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
    Json(targets::report(&(state.sources.targets)()))
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
    let error = json!({"message": sentence, "type": row.kind, "param": null, "code": code});
    (status, Json(json!({"error": error}))).into_response()
}

impl Callers {
    #[must_use]
    pub fn new(snapshots: Receiver<Snapshot>, extra_token: Option<[u8; 32]>) -> Self {
        Self { snapshots: Mutex::new((snapshots, None)), extra_token }
    }

    /// Is this request an admin's?
    fn judge(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let value = headers.get(header::AUTHORIZATION).ok_or(Refusal::MissingKey)?;
        let text = value.to_str().map_err(|_| Refusal::InvalidKey)?;
        let token = match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(Refusal::MissingKey),
        };
        let hash: [u8; 32] = Sha256::digest(token).into();
        if self.extra_token == Some(hash) {
            return Ok(());
        }
        let snapshot = self.newest().ok_or(Refusal::InvalidKey)?;
        let known = snapshot.tokens.get(&hash).ok_or(Refusal::InvalidKey)?;
        if known.expires.is_some_and(|expires| expires <= now()) {
            return Err(Refusal::ExpiredKey);
        }
        // The nearest row: the key is good, the thing asked for is not its own.
        let is_admin = snapshot.caller(known.subject).is_admin;
        if is_admin { Ok(()) } else { Err(Refusal::ModelForbidden) }
    }

    fn newest(&self) -> Option<Arc<Snapshot>> {
        let mut lane = self.snapshots.lock();
        if let Some(newer) = lane.0.changed() {
            lane.1 = Some(newer);
        }
        lane.1.clone()
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
