//! The vendors: how each is configured, and what of its traffic was recorded.

use super::clients::{self, Client};
use crate::{
    dialects::answer::{Answer, Tool},
    harness::{
        House, STREAM_HEAD, aws_frames, chunk,
        client::KEY,
        cloud::Cloud,
        fixture,
        gateway::Gateway,
        manifest::{self, OWNER, VENDOR_KEY},
        vendor,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use weir::rehearsal::script::Step;

/// A vendor in the table.
pub struct Row {
    /// The account's name.
    pub name: &'static str,
    /// The account's type, its models' type, and what models are for.
    kind: (&'static str, &'static str, &'static str),
    /// What the vendor calls the model that calls tools, and what the name of a taught one begins
    /// with.
    ids: (&'static str, &'static str),
    /// What else the account says; `{vendor}` is where the vendor listens.
    account: Value,
    pub recorded: fn(Client) -> Recorded,
}

impl Row {
    /// Does this client speak the vendor's own language, so that what it says passes as it is?
    pub fn is_native(&self, client: Client) -> bool {
        match self.kind {
            (_, _, "responses") => client == Client::Responses,
            ("anthropic", ..) => client == Client::Anthropic,
            ("google-vertex" | "aws-bedrock", ..) => {
                client == Client::Anthropic && self.name.ends_with("claude")
            }
            ("cohere" | "google-gemini", ..) => false,
            _ => client == Client::OpenAi,
        }
    }
}

/// What was recorded of a conversation: folder and name of each turn.
pub struct Recorded {
    pub called: Option<(&'static str, &'static str)>,
    pub told: Option<(&'static str, &'static str)>,
    pub framing: Framing,
}

/// How a recorded stream is framed on the wire.
#[derive(Clone, Copy)]
pub enum Framing {
    Events,
    /// AWS's, as recorded.
    Frames,
    /// Anthropic's events, each in a chunk of AWS's frames.
    Chunks,
}

/// A recorded stream, and what it means.
pub struct Stream {
    pub body: Vec<u8>,
    pub said: Answer,
}

const fn events(folder: &'static str, called: &'static str, told: &'static str) -> Recorded {
    let framing = Framing::Events;
    Recorded { called: Some((folder, called)), told: Some((folder, told)), framing }
}

const fn words_of(folder: &'static str, told: &'static str) -> Recorded {
    Recorded { called: None, told: Some((folder, told)), framing: Framing::Events }
}

const NOTHING: Recorded = Recorded { called: None, told: None, framing: Framing::Events };

const ANTHROPIC: Recorded = events(
    "anthropic",
    "test-anthropic-tools-streaming-legacy.0.8f18",
    "de-haiku-4-5-reports-consistent-token-counts-compared-to-non-streaming.0.092d",
);

const fn converse(called: &'static str, told: &'static str) -> Recorded {
    let folder = "bedrock-converse";
    Recorded { framing: Framing::Frames, ..events(folder, called, told) }
}

fn key() -> Value {
    json!({"type": "api-key", "api_key": VENDOR_KEY})
}

/// A vendor with a key that is called at a base URL.
fn plain(
    name: &'static str,
    kind: (&'static str, &'static str),
    recorded: fn(Client) -> Recorded,
) -> Row {
    Row {
        name,
        kind: (kind.0, kind.0, kind.1),
        ids: ("some-tool", "raw:"),
        account: json!({"base_url": "http://{vendor}/v1", "auth_data": key()}),
        recorded,
    }
}

/// A server of the operator's own; of its maker only its words were recorded, or nothing.
fn hosted(name: &'static str, server: &str, recorded: fn(Client) -> Recorded) -> Row {
    let account = json!({"{model}": {"model_server": server, "url": "http://{vendor}/v1"}});
    Row { account, ..plain(name, ("self-hosted-model", "chat"), recorded) }
}

fn bedrock(
    name: &'static str,
    ids: (&'static str, &'static str),
    recorded: fn(Client) -> Recorded,
) -> Row {
    let account = json!({"base_url": "http://{vendor}", "auth_data": key(), "region": "eu-west-1"});
    Row { name, kind: ("aws-bedrock", "bedrock", "chat"), ids, account, recorded }
}

fn vertex(
    name: &'static str,
    ids: (&'static str, &'static str),
    recorded: fn(Client) -> Recorded,
) -> Row {
    let account = json!({"base_url": "http://{vendor}/v1", "project_id": "my-project",
        "region": "us-central1", "auth_data": {"type": "key-file", "key_file_content": "{cloud}"}});
    Row { name, kind: ("google-vertex", "vertex", "chat"), ids, account, recorded }
}

/// Every vendor that the gateway is made for.
pub fn rows() -> Vec<Row> {
    let mut rows = named();
    rows.extend(of_openais_shape());
    rows.extend(clouds());
    rows.extend(azures());
    rows
}

/// Those whose language has their name.
fn named() -> Vec<Row> {
    vec![
        plain("openai", ("openai", "chat"), |_| {
            events(
                "openai-chat",
                "test-open-ai-function-calls-tools-streaming-parallel.0.9979",
                "test-agent-arun-streaming-with-tools.1.4122",
            )
        }),
        plain("openai-responses", ("openai", "responses"), |_| {
            events(
                "openai-responses",
                "penai-gpt-5-nano-can-use-tools-with-multi-turn-streaming-conversations.0.f927",
                "test-openai-responses-phase-streamed-on-part-start.1.2c2f",
            )
        }),
        plain("anthropic", ("anthropic", "chat"), |_| ANTHROPIC),
        Row {
            ids: ("command-tool", "raw:"),
            account: json!({"base_url": "http://{vendor}/v2", "auth_data": key()}),
            ..plain("cohere", ("cohere", "chat"), |_| {
                events(
                    "cohere",
                    "can-use-tools-without-parameters-in-multi-turn-streaming-conversations.0.e6a8",
                    "vercel-cohere-text-chunks.db9e",
                )
            })
        },
        Row {
            name: "gemini",
            kind: ("google-gemini", "gemini", "chat"),
            ids: ("gemini-tool", "raw:"),
            account: json!({"base_url": "http://{vendor}/v1beta", "auth_data": key()}),
            recorded: |_| {
                events(
                    "gemini",
                    "gemini-2-5-flash-can-use-tools-with-multi-turn-streaming-conversations.2.fe79",
                    "gemini-2-5-flash-can-use-tools-with-multi-turn-streaming-conversations.3.8f00",
                )
            },
        },
    ]
}

/// Those whose language is OpenAI's.
fn of_openais_shape() -> Vec<Row> {
    vec![
        plain("mistral", ("mistral-ai", "chat"), |_| {
            events(
                "mistral",
                "vercel-mistral-incremental-tool-call-chunks.83c0",
                "ng-responses-mistral-mistral-small-latest-supports-streaming-responses.0.a9c5",
            )
        }),
        plain("groq", ("groq", "chat"), |_| {
            events("groq", "vercel-groq-tool-call-chunks.2c19", "test-chat-streaming-legacy.0.e660")
        }),
        plain("xai", ("xai", "chat"), |_| {
            let folder = "openai-compatible";
            events(folder, "vercel-xai-tool-call-chunks.9126", "vercel-xai-text-chunks.fded")
        }),
        plain("xai-responses", ("xai", "responses"), |_| Recorded {
            told: Some((
                "openai-responses",
                "test-openai-responses-phase-streamed-on-part-start.1.2c2f",
            )),
            ..events(
                "xai",
                "can-use-tools-without-parameters-in-multi-turn-streaming-conversations.0.fffd",
                "",
            )
        }),
        // No stream of it was recorded.
        plain("together", ("together-ai", "chat"), |_| NOTHING),
        // It has no tools of the client's: what was recorded are words.
        plain("perplexity", ("perplexity-ai", "chat"), |_| {
            words_of("perplexity", "vercel-perplexity-text-chunks.d56d")
        }),
        hosted("vllm", "vllm-openai", |_| {
            words_of("vllm", "test-trace-propagation-stream-chatopenai.0.772f")
        }),
        hosted("tgi", "openai-compatible", |_| NOTHING),
        plain("custom", ("custom", "chat"), |_| {
            events(
                "deepseek",
                "can-use-tools-without-parameters-in-multi-turn-streaming-conversations.0.baca",
                "ek-deepseek-chat-can-use-tools-with-multi-turn-streaming-conversations.1.da46",
            )
        }),
    ]
}

fn clouds() -> [Row; 4] {
    [
        bedrock("bedrock", ("amazon.nova-tool", "raw:"), |_| {
            converse(
                "test-converse-stream-no-content-tool-call.0.3da3",
                "test-converse-stream-with-content-different-events.0.9ca0",
            )
        }),
        // A client of Anthropic's language is answered by `InvokeModel`, others by `Converse`.
        bedrock("bedrock-claude", ("anthropic.claude-tool", "raw:anthropic."), |client| {
            let frames = converse(
                "vercel-amazon-bedrock-json-tool-3-chunks.b6bf",
                "test-bedrock-model-iter-stream.1.815d",
            );
            let chunks = Recorded { framing: Framing::Chunks, ..ANTHROPIC };
            if client == Client::Anthropic { chunks } else { frames }
        }),
        vertex("vertex", ("gemini-tool", "raw:"), |_| {
            events(
                "vertex-gemini",
                "gemini-2-5-flash-can-use-tools-with-multi-turn-streaming-conversations.3.6d46",
                "gemini-2-5-flash-can-use-tools-with-multi-turn-streaming-conversations.2.9f6a",
            )
        }),
        vertex("vertex-claude", ("claude-tool", "anthropic/raw:claude-"), |_| ANTHROPIC),
    ]
}

/// By deployment, by the newest API, and at a foundry.
fn azures() -> [Row; 3] {
    [
        Row {
            account: json!({"azure_endpoint": "http://{vendor}", "auth_data": key(),
                "{model}": {"api_version": "2024-10-21"}}),
            ..plain("azure", ("azure-openai", "chat"), |_| {
                words_of("azure", "test-chat-streaming-with-events-with-content.1.c499")
            })
        },
        Row {
            account: json!({"azure_endpoint": "http://{vendor}/openai/v1", "auth_data": key(),
                "{model}": {"api_version": "preview"}}),
            ..plain("azure-responses", ("azure-openai", "responses"), |_| {
                let called = "vercel-azure-tool-call-1-chunks.98de";
                events("azure", called, "vercel-azure-text-1-chunks.8d11")
            })
        },
        Row {
            account: json!({"{model}": {"azure_endpoint": "http://{vendor}/models",
                "auth_data": key()}}),
            ..plain("azure-foundry", ("azure-foundry", "chat"), |_| {
                events(
                    "azure",
                    "can-use-tools-without-parameters-in-multi-turn-streaming-conversations.0.2da8",
                    "sponses-azure-grok-4-1-fast-non-reasoning-supports-streaming-responses.0.fc66",
                )
            })
        },
    ]
}

/// The name under which a row's model is taught what was recorded.
pub fn taught(name: &str) -> String {
    let row = rows().into_iter().find(|row| row.name == name).expect("a row");
    let id = raw_id(&row);
    id.split_once("raw:").expect("it says so").1.to_owned()
}

fn raw_id(row: &Row) -> String {
    format!("{}{}", row.ids.1, row.name)
}

/// A house with an account of each row, each with a model `tool` that calls tools and a model `raw`
/// that is taught; and the cloud that hands out its tokens.
pub fn house() -> (House, Cloud) {
    let token = json!({"access_token": "ya29.first", "expires_in": 3_600, "token_type": "Bearer"});
    let cloud = Cloud::open(move |_, _| (200, token.to_string()));
    let vendor = vendor();
    let folder = manifest::folder();
    manifest::write(folder.path(), "owner", &manifest::token("owner", OWNER, KEY));
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    let file = json!({"type": "service_account", "client_email": "svc@p.iam",
        "private_key": pair.serialize_pem(), "token_uri": format!("{}/token", cloud.url())});
    for row in rows() {
        let text = account(&row).to_string().replace("{vendor}", &vendor.address().to_string());
        let text = text.replace("\"{cloud}\"", &file.to_string());
        let document: Value = serde_json::from_str(&text).expect("it was JSON");
        manifest::write(folder.path(), row.name, &document);
    }
    (House { gateway: Gateway::start_in(folder, &[]), vendor }, cloud)
}

fn account(row: &Row) -> Value {
    let mut account = row.account.clone();
    let own = account.as_object_mut().expect("a mapping").remove("{model}");
    let raw = raw_id(row);
    let integrations = [("tool", row.ids.0), ("raw", &raw)].map(|(name, id)| {
        let of = format!("integration/model/{}", row.kind.1);
        let mut model = json!({"type": of, "name": name, "model_types": [row.kind.2]});
        let id_key =
            if row.kind.0 == "self-hosted-model" { "hosted_model_name" } else { "model_id" };
        model[id_key] = id.into();
        let more = own.iter().filter_map(Value::as_object).flatten();
        model.as_object_mut().expect("a mapping").extend(more.map(|(k, v)| (k.clone(), v.clone())));
        model
    });
    account["type"] = format!("provider-account/{}", row.kind.0).into();
    account["name"] = row.name.into();
    account["integrations"] = integrations.into_iter().collect();
    account["collaborators"] = json!([{"subject": OWNER, "role_id": "provider-account-access"}]);
    account
}

impl Framing {
    /// What the vendor sends of a recorded body.
    pub fn steps(self, body: &[u8]) -> Vec<Step> {
        let (head, body) = match self {
            Self::Events => (STREAM_HEAD.to_vec(), body.to_vec()),
            Self::Frames => (framed_head(), body.to_vec()),
            Self::Chunks => (framed_head(), chunks(body)),
        };
        // Cut anywhere: where does not matter, as others prove.
        let mut bytes = head;
        body.chunks(1_000).for_each(|piece| bytes.extend(chunk(piece)));
        bytes.extend_from_slice(b"0\r\n\r\n");
        vec![Step::Split(bytes, 700)]
    }
}

fn framed_head() -> Vec<u8> {
    let head = String::from_utf8_lossy(STREAM_HEAD);
    head.replace("text/event-stream", "application/vnd.amazon.eventstream").into_bytes()
}

/// The data of each event in a chunk, as Bedrock's `InvokeModel` sends Anthropic's.
fn chunks(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let line =
        |data: &str| format!("event chunk {{\"bytes\":\"{}\"}}\n", STANDARD.encode(data.trim()));
    aws_frames::of_lines(&data.map(line).collect::<String>())
}

/// A recorded stream; it must be there where any is.
pub fn recording(folder: &str, name: &str) -> Stream {
    let found =
        fixture::one(folder, name).unwrap_or_else(|| panic!("no recording {folder}/{name}"));
    let said = match &found.expected {
        Some(expected) => of_expected(expected),
        None => clients::of_response(&found.body),
    };
    Stream { body: found.body, said }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn of_expected(expected: &Value) -> Answer {
    let tool = |tool: &Value| {
        // Some APIs say no words for a tool without arguments.
        let arguments = if tool["args"].is_null() { json!({}) } else { tool["args"].clone() };
        Tool { id: text(&tool["id"]), name: text(&tool["name"]), arguments: arguments.to_string() }
    };
    Answer {
        text: text(&expected["text"]),
        tools: expected["tools"].as_array().into_iter().flatten().map(tool).collect(),
        ..Answer::default()
    }
}
