//! `weir quickstart`: a scripted vendor, a gateway in front, a key, and lines to paste.

use crate::{
    control_plane::{
        journal::store::Limits,
        token::{fresh, sha256_hex},
    },
    gateway::{
        Options,
        surroundings::{self, Found},
    },
    lexicon::{
        listen::Listen,
        settings::{Driver, Settings},
    },
    rehearsal::{Vendor, script::Script},
};
use anyhow::Context;
use std::{
    fmt::Write as _,
    io::Write as _,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

/// The scripted vendor's account and model.
const MODEL: &str = "rehearsal/echo-1";
pub(super) const SUBJECT: &str = "user:you@example.com";

/// All that a quickstart stands on; dropped with it.
pub struct Scene {
    pub options: Options,
    token: String,
    accounts: Vec<Found>,
    notes: Vec<String>,
    _vendor: Vendor,
    _folder: tempfile::TempDir,
}

/// Set the scene: start the vendor, make a token, write the configuration.
///
/// # Errors
/// No temporary folder, or no port for the vendor.
pub fn set(listen: SocketAddr, admin_listen: SocketAddr, cores: usize) -> anyhow::Result<Scene> {
    let vendor = Vendor::start(TcpListener::bind(("127.0.0.1", 0))?, Script::human())?;
    let folder = tempfile::Builder::new().prefix("weir-quickstart-").tempdir()?;
    let token = fresh()?;
    // An empty variable is none.
    let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (accounts, notes) = surroundings::accounts(&said, &surroundings::models_at);
    let mut written = configuration(vendor.address(), &token);
    for found in &accounts {
        written.push_str(&found.manifest);
    }
    let config = folder.path().join("weir.yaml");
    std::fs::write(&config, written).with_context(|| config.display().to_string())?;
    let options = Options {
        config,
        secrets_dir: None,
        data_dir: folder.path().join("data"),
        listen: vec![Listen::Tcp(listen)],
        unix_mode: 0o660,
        admin_listen,
        cores,
        driver: Driver::Auto,
        tls: None,
        drain_timeout: Duration::from_secs(2),
        ring_bytes: 8 << 20,
        meters_max: 10_000,
        store: Limits::default(),
        access_log: false,
        settings: Settings::default(),
    };
    Ok(Scene { options, token, accounts, notes, _vendor: vendor, _folder: folder })
}

impl Scene {
    /// Print what a person needs to go on.
    pub fn introduce(&self, listen: &Listen, admin_listen: SocketAddr) {
        let found = (self.accounts.as_slice(), self.notes.as_slice());
        let text = introduction(listen, admin_listen, &self.token, found);
        // Whoever does not listen needs not be told.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
}

/// **Shape**: the manifests that a person would write, in one file.
fn configuration(vendor: SocketAddr, token: &str) -> String {
    let hash = sha256_hex(token);
    let (account, model) = MODEL.split_once('/').unwrap_or((MODEL, ""));
    format!(
        "\
name: {account}
type: provider-account/self-hosted-model
collaborators:
  - {{role_id: provider-account-access, subject: \"{SUBJECT}\"}}
integrations:
  - name: {model}
    type: integration/model/self-hosted-model
    hosted_model_name: {model}
    url: http://{vendor}/v1
    model_server: openai-compatible
    model_types: [chat, completion, embedding]
---
name: quickstart
type: personal-access-token
subject: {SUBJECT}
token_sha256: \"{hash}\"
---
name: settings
type: gateway-global-settings
admins: [\"{SUBJECT}\"]
"
    )
}

fn introduction(
    listen: &Listen,
    admin_listen: SocketAddr,
    token: &str,
    (accounts, notes): (&[Found], &[String]),
) -> String {
    let mut out = format!(
        "\
weir: listening on http://{listen}
weir: admin on http://{admin_listen}

  base URL   http://{listen}/v1
  API key    {token}
  model      {MODEL}   (a scripted vendor inside this process: nothing leaves this machine)
"
    );
    for found in accounts {
        let Found { name, model, env, .. } = found;
        let _ = writeln!(out, "             {name}/{model} …   ({env} is set)");
    }
    for note in notes {
        let _ = writeln!(out, "             {note}");
    }
    // No indentation: Python refuses it when whole lines are pasted.
    let _ = write!(
        out,
        "
curl:

curl -N http://{listen}/v1/chat/completions \\
  -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\
  -d '{{\"model\":\"{MODEL}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'

Python (pip install openai):

from openai import OpenAI
client = OpenAI(base_url=\"http://{listen}/v1\", api_key=\"{token}\")
for chunk in client.chat.completions.create(
    model=\"{MODEL}\", stream=True, messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}]
):
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end=\"\", flush=True)

Metrics: http://{admin_listen}/metrics   Stop: Ctrl-C
"
    );
    out
}
