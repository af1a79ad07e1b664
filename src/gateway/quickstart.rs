//! `weir quickstart`: a scripted vendor, a gateway in front, a key, and lines to paste.

use crate::{
    control_plane::{
        journal::store::Limits,
        token::{fresh, sha256_hex},
    },
    gateway::Options,
    lexicon::{
        listen::Listen,
        settings::{Driver, Settings},
    },
    provider::vendor::{
        self,
        quick::{QUICK, Quick, VERTEX},
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
const SUBJECT: &str = "user:you@example.com";

/// All that a quickstart stands on; dropped with it.
pub struct Scene {
    pub options: Options,
    token: String,
    accounts: Vec<&'static Quick>,
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
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let mut accounts: Vec<_> = QUICK.iter().filter(|quick| is_set(quick.env)).collect();
    let mut written = configuration(vendor.address(), &token, &accounts);
    if is_set(VERTEX.env) && is_set("GOOGLE_CLOUD_PROJECT") && push_vertex(&mut written).is_some() {
        accounts.push(&VERTEX);
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
    Ok(Scene { options, token, accounts, _vendor: vendor, _folder: folder })
}

impl Scene {
    /// Print what a person needs to go on.
    pub fn introduce(&self, listen: &Listen, admin_listen: SocketAddr) {
        let text = introduction(listen, admin_listen, &self.token, &self.accounts);
        // Whoever does not listen needs not be told.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
}

/// **Shape**: the manifests that a person would write, in one file.
fn configuration(vendor: SocketAddr, token: &str, accounts: &[&Quick]) -> String {
    let hash = sha256_hex(token);
    let (account, model) = MODEL.split_once('/').unwrap_or((MODEL, ""));
    let mut out = format!(
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
    );
    for quick in accounts {
        push_account(&mut out, quick);
    }
    out
}

/// An account whose key is the environment variable that made us add it.
fn push_account(out: &mut String, quick: &Quick) {
    let key = format!("{{type: api-key, api_key: \"tfy-secret://local:env:{}\"}}", quick.env);
    push_account_with(out, quick, &key);
}

/// Vertex, with the key file that its variable names; `None`, with nothing written, where that is
/// none of a service account or a federation.
fn push_vertex(out: &mut String) -> Option<()> {
    let text = std::fs::read_to_string(std::env::var(VERTEX.env).ok()?).ok()?;
    let file: serde_json::Value = serde_json::from_str(&text).ok()?;
    let kind = match file["type"].as_str()? {
        "service_account" => "key-file",
        "external_account" => "workload-identity-federation-file",
        _ => return None,
    };
    let location = std::env::var("GOOGLE_CLOUD_LOCATION").ok().filter(|it| !it.is_empty());
    let region = location.as_deref().unwrap_or("global");
    let project = std::env::var("GOOGLE_CLOUD_PROJECT").ok()?;
    // JSON is YAML.
    let (region, project) = (serde_json::json!(region), serde_json::json!(project));
    let auth = format!(
        "{{type: {kind}, key_file_content: {file}}}\nproject_id: {project}\nregion: {region}"
    );
    push_account_with(out, &VERTEX, &auth);
    Some(())
}

fn push_account_with(out: &mut String, quick: &Quick, auth: &str) {
    let vendor = vendor::of(quick.account_type);
    let model_type = vendor.map_or("", |vendor| vendor.model_type);
    let models = quick.chat_models.iter().map(|model| (model, "chat"));
    let models = models.chain(quick.embedding_models.iter().map(|model| (model, "embedding")));
    let _ = write!(
        out,
        "---
name: {}
type: provider-account/{}
auth_data: {auth}
collaborators:
  - {{role_id: provider-account-access, subject: \"{SUBJECT}\"}}
",
        quick.name, quick.account_type,
    );
    if let Some(url) = quick.base_url {
        let _ = writeln!(out, "base_url: {url}");
    }
    if vendor.is_some_and(|vendor| !vendor.aws_service.is_empty()) {
        let _ = writeln!(out, "region: {}", region());
    }
    out.push_str("integrations:\n");
    for (model, kind) in models {
        let _ = writeln!(
            out,
            "  - {{name: \"{model}\", type: integration/model/{model_type}, \
             model_id: \"{model}\", model_types: [{kind}]}}"
        );
    }
}

/// Where AWS's own tools would call, and else where everything is there first.
fn region() -> String {
    let named = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter();
    let mut named = named.filter_map(|name| std::env::var(name).ok());
    let is_region = |text: &String| {
        let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !text.is_empty() && text.bytes().all(is_fit)
    };
    named.find(is_region).unwrap_or_else(|| "us-east-1".to_owned())
}

fn introduction(
    listen: &Listen,
    admin_listen: SocketAddr,
    token: &str,
    accounts: &[&Quick],
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
    for quick in accounts {
        let model = quick.chat_models.first().copied().unwrap_or_default();
        let _ = writeln!(out, "             {}/{model} …   ({} is set)", quick.name, quick.env);
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
