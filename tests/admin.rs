//! The admin port over a real socket, and what Prometheus reads there.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use weir::{
    bridge::{lane, pulse::Pulse, receipts::record},
    control_plane::{
        admin::{self, AdminState, Callers},
        alerts::counts::Counts,
        edit,
        journal::Health,
        telemetry::{self, ConfigNumbers, Sources, Telemetry},
        usage::Book,
    },
    lexicon::{
        ids::{ReceiptId, SubjectId},
        meter::MeterKey,
        operation::Operation,
        receipt::{Ending, Opening, Outcome},
        time::UnixMillis,
        usage::Usage,
    },
    snapshot::{Caller, Snapshot, Token},
};

fn sources() -> Sources {
    let pulse = Arc::new(Pulse::default());
    pulse.driver.set(1);
    pulse.connections.set(3);
    Sources {
        targets: Arc::new(|| (Vec::new(), 0)),
        pulses: vec![pulse],
        journal: Arc::new(Health::default()),
        access_log_dropped: Some(Arc::new(AtomicU64::new(2))),
        config: Arc::new(|| ConfigNumbers { version: 4, failures_total: 1 }),
        quota: None,
        alerts: Counts::new(),
        book: Book::new(Path::new(""), lane::lane(Arc::default()).1),
    }
}

fn count(
    telemetry: &Arc<Telemetry>,
    subject: &str,
    metadata: &[(&str, &str)],
    outcome: &Outcome<'_>,
) {
    let id = ReceiptId { epoch: 1, core: 0, sequence: 0 };
    let opening = Opening {
        started: UnixMillis(0),
        days_ahead: 0,
        operation: Some(Operation::ChatCompletions),
        is_streaming: false,
        request_id: "r",
        client_address: "203.0.113.7",
        client_certificate: "CN=ci",
        subject,
        teams: "",
        metadata,
        requested_model: "openai/asked",
    };
    let record = record::encode(id, &opening, outcome);
    telemetry.observer().see(&record::decode(&record).unwrap());
}

fn outcome(status: u16, model: &'static str) -> Outcome<'static> {
    Outcome {
        ending: Ending::Complete,
        status,
        resolved_model: model,
        usage: Usage { input_tokens: 10, output_tokens: 4, ..Usage::default() },
        usage_is_reported: true,
        was_sent: true,
        cost_nanodollars: Some(7_250),
        ttft_us: 2_500,
        total_us: 7_250,
        ..Outcome::UNKNOWN
    }
}

#[test]
fn receipts_are_counted_in_the_words_of_prometheus() {
    let telemetry = Telemetry::new(vec!["cost-center".to_owned()]);
    let odd = [("cost-center", "a\"b\\c\nd")];
    count(&telemetry, "user:ada@example.com", &odd, &outcome(200, "openai/gpt-5"));
    count(&telemetry, "user:ada@example.com", &odd, &outcome(200, "openai/gpt-5"));
    let failed = Outcome {
        ending: Ending::Refused,
        status: 504,
        fault: "idle_timeout",
        total_us: 0,
        ttft_us: 0,
        usage_is_reported: false,
        was_sent: true,
        cost_nanodollars: Some(7_250),
        ..outcome(504, "")
    };
    count(&telemetry, "virtualaccount:ci", &[], &failed);
    let unknown = Outcome { status: 404, fault: "", ..failed };
    count(&telemetry, "virtualaccount:ci", &[], &unknown);

    let page = telemetry.expose(&sources());

    let golden = include_str!("golden/metrics.txt");
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write("tests/golden/metrics.txt", &page).unwrap();
    } else {
        assert_eq!(page, golden);
    }
}

#[test]
fn series_beyond_the_bound_are_counted_as_other() {
    let telemetry = Telemetry::bounded(Vec::new(), 3);
    for nth in 0..10 {
        count(&telemetry, &format!("user:u{nth}"), &[], &outcome(200, "openai/gpt-5"));
    }

    let page = telemetry.expose(&sources());

    let requests: Vec<&str> =
        page.lines().filter(|line| line.starts_with("ai_gateway_requests_total{")).collect();
    assert_eq!(requests.len(), 4);
    let other = r#"{model_name="other",username="other",tenant_name="other",status="200"} 7"#;
    assert!(requests.iter().any(|line| line.ends_with(other)), "{requests:?}");
}

#[test]
fn metadata_keys_are_a_list_of_strings_or_a_reason_not_to_start() {
    assert_eq!(telemetry::metadata_keys(r#"["a","b"]"#), Ok(vec!["a".into(), "b".into()]));
    assert!(telemetry::metadata_keys("a,b").unwrap_err().contains("METADATA_LOGGING_KEYS"));
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn snapshot() -> Snapshot {
    let caller = |subject: &str, is_admin| Caller {
        key: MeterKey::of(&[subject]),
        is_user: true,
        subject: subject.into(),
        teams: Box::default(),
        teams_label: "".into(),
        is_admin,
        metadata: Box::default(),
    };
    let mut snapshot = Snapshot {
        callers: vec![caller("user:root", true), caller("user:ada", false)],
        ..Snapshot::default()
    };
    let token = |subject, expires| Token { subject: SubjectId(subject), expires };
    snapshot.tokens.insert(hash("root-key"), token(0, None));
    snapshot.tokens.insert(hash("old-key"), token(0, Some(UnixMillis(1))));
    snapshot.tokens.insert(hash("ada-key"), token(1, None));
    snapshot
}

/// A served admin port and what changes its answers.
struct Port {
    address: SocketAddr,
    is_ready: Arc<AtomicBool>,
    snapshots: lane::Sender<Snapshot>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

fn port() -> Port {
    let (snapshots, receiver) = lane::lane(Arc::new(snapshot()));
    let is_ready = Arc::new(AtomicBool::new(false));
    let ready = Arc::clone(&is_ready);
    let state = AdminState {
        readiness: Arc::new(move || {
            (!ready.load(Ordering::SeqCst)).then(|| "no snapshot yet".to_owned())
        }),
        config_report: Arc::new(|| json!({"version": 4, "problems": []})),
        callers: Callers::new(receiver, Some(hash("printed-key"))),
        book: Book::new(Path::new(""), snapshots.subscribe()),
        telemetry: Telemetry::new(Vec::new()),
        sources: sources(),
        edits: edit::lane().0,
    };
    let (told, address) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = admin::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            let shutdown = async { drop(stopped.await) };
            admin::serve(listener, state, shutdown).await.unwrap();
        });
    });
    Port { address: address.recv().unwrap(), is_ready, snapshots, _stop: stop }
}

impl Port {
    fn get(&self, path: &str, key: Option<&str>) -> (u16, String) {
        self.ask("GET", path, key)
    }

    fn ask(&self, method: &str, path: &str, key: Option<&str>) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{key}\r\n")
            .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    fn code(&self, path: &str, key: Option<&str>) -> (u16, String) {
        let (status, body) = self.get(path, key);
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(body["error"]["message"].is_string() && body["error"]["type"].is_string());
        (status, body["error"]["code"].as_str().unwrap().to_owned())
    }
}

#[test]
fn anyone_may_ask_whether_it_is_up_and_ready_and_what_it_counts() {
    let port = port();
    assert_eq!(port.get("/", None).0, 200);
    let (status, body) = port.get("/ready", None);
    assert_eq!((status, body.as_str()), (503, r#"{"ready":false,"reason":"no snapshot yet"}"#));

    port.is_ready.store(true, Ordering::SeqCst);

    assert_eq!(port.get("/ready", None), (200, r#"{"ready":true}"#.to_owned()));
    let (status, page) = port.get("/metrics", None);
    assert_eq!(status, 200);
    assert!(page.contains("weir_connections{core=\"0\"} 3\n"));
}

#[test]
fn only_admins_see_the_problems_of_the_configuration() {
    const PATH: &str = "/api/svc/v1/config/problems";
    let port = port();
    for key in ["root-key", "printed-key"] {
        assert_eq!(port.get(PATH, Some(key)), (200, r#"{"version":4,"problems":[]}"#.to_owned()));
    }
    for (key, status, code) in [
        (None, 401, "missing_api_key"),
        (Some("nobody"), 401, "invalid_api_key"),
        (Some("old-key"), 401, "expired_api_key"),
        (Some("ada-key"), 403, "admin_access_denied"),
    ] {
        assert_eq!(port.code(PATH, key), (status, code.to_owned()));
    }

    port.snapshots.publish(Arc::new(Snapshot::default()));

    assert_eq!(port.code(PATH, Some("root-key")), (401, "invalid_api_key".to_owned()));
}

#[test]
fn other_paths_and_methods_are_refused_in_the_known_shape() {
    let port = port();
    assert_eq!(port.code("/v1/models", None), (404, "route_not_found".to_owned()));
    let (status, body) = port.ask("POST", "/metrics", None);
    assert!(status == 405 && body.contains("method_not_allowed"), "{status} {body}");
}

#[test]
fn an_address_that_others_can_reach_does_not_start() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(admin::bind("0.0.0.0:0".parse().unwrap())).unwrap_err();
    assert!(error.to_string().contains("TLS for the admin port is not built"), "{error}");
}
