//! What quickstart finds in the environment: accounts, as a person would write them.

use crate::{
    gateway::quickstart::SUBJECT,
    provider::vendor::{
        self,
        quick::{AZURE, BEDROCK_OF_MACHINES, CUSTOM, QUICK, Quick, SERVERS, Server, VERTEX},
    },
};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

/// An account that the environment is enough for.
#[derive(Debug)]
pub struct Found {
    pub name: &'static str,
    /// The variable that made us add it.
    pub env: &'static str,
    /// The first of its models.
    pub model: String,
    pub manifest: String,
}

/// What a variable says, if it is set.
type Said<'a> = &'a dyn Fn(&str) -> Option<String>;
/// Which models the server there has.
type Ask<'a> = &'a dyn Fn(&str) -> Vec<String>;

/// Accounts, and what to say of those that are not enough.
#[must_use]
pub fn accounts(said: Said<'_>, ask: Ask<'_>) -> (Vec<Found>, Vec<String>) {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    let is_elsewhere = said(CUSTOM.env).is_some_and(|url| !url.contains("//api.openai.com"));
    for quick in QUICK.iter().filter(|quick| said(quick.env).is_some()) {
        // The key is another server's: see below.
        if quick.account_type == "openai" && quick.base_url.is_none() && is_elsewhere {
            continue;
        }
        let key = json!(format!("tfy-secret://local:env:{}", quick.env));
        let mut account = account(quick, json!({"type": "api-key", "api_key": key}));
        if quick.account_type == "aws-bedrock" {
            account["region"] = region(said).into();
        }
        found.push(close(quick, account));
    }
    let has = |found: &[Found], name: &str| found.iter().any(|one| one.name == name);
    let machine = BEDROCK_OF_MACHINES.iter().find(|quick| said(quick.env).is_some());
    if let Some(quick) = machine.filter(|quick| !has(&found, quick.name)) {
        let mut account = account(quick, Value::Null);
        account["region"] = region(said).into();
        found.push(close(quick, account));
    }
    found.extend(vertex(said));
    if said(AZURE.env).is_some() {
        match azure(said) {
            Some(one) => found.push(one),
            None => notes.push(format!("{} is set; set AZURE_OPENAI_ENDPOINT too", AZURE.env)),
        }
    }
    for server in SERVERS.iter().filter(|server| server.name != CUSTOM.name || is_elsewhere) {
        let Some(url) = said(server.env) else { continue };
        match hosted(server, &url, said, ask) {
            Some(one) => found.push(one),
            None => notes.push(format!(
                "{} is set, and no model was found there: name it in {}",
                server.env, server.models_env
            )),
        }
    }
    (found, notes)
}

/// An account of this vendor, with its models; of no proof where that is null.
fn account(quick: &Quick, proof: Value) -> Value {
    let chats = quick.chat_models.iter().map(|model| (*model, "chat"));
    let embeddings = quick.embedding_models.iter().map(|model| (*model, "embedding"));
    let models = chats.chain(embeddings);
    let mut account = head(quick.name, quick.account_type, models);
    if !proof.is_null() {
        account["auth_data"] = proof;
    }
    if let Some(url) = quick.base_url {
        account["base_url"] = url.into();
    }
    account
}

fn head<'m>(
    name: &str,
    account_type: &str,
    models: impl Iterator<Item = (&'m str, &'static str)>,
) -> Value {
    let vendor = vendor::of(account_type);
    let model_type = vendor.map_or("", |vendor| vendor.model_type);
    let models: Vec<Value> = models
        .map(|(model, kind)| {
            let model_type = format!("integration/model/{model_type}");
            json!({"name": model, "type": model_type, "model_id": model, "model_types": [kind]})
        })
        .collect();
    json!({
        "name": name, "type": format!("provider-account/{account_type}"),
        "collaborators": [{"role_id": "provider-account-access", "subject": SUBJECT}],
        "integrations": models,
    })
}

fn close(quick: &Quick, account: Value) -> Found {
    let model = quick.chat_models.first().copied().unwrap_or_default().to_owned();
    Found { name: quick.name, env: quick.env, model, manifest: written(&account) }
}

/// A document of its own. JSON is YAML.
fn written(account: &Value) -> String {
    format!("---\n{account}\n")
}

/// Vertex, with the key file that its variable names, where that is one of a service account or a
/// federation.
fn vertex(said: Said<'_>) -> Option<Found> {
    let text = std::fs::read_to_string(said(VERTEX.env)?).ok()?;
    let file: Value = serde_json::from_str(&text).ok()?;
    let kind = match file["type"].as_str()? {
        "service_account" => "key-file",
        "external_account" => "workload-identity-federation-file",
        _ => return None,
    };
    let mut account = account(&VERTEX, json!({"type": kind, "key_file_content": file}));
    account["project_id"] = said("GOOGLE_CLOUD_PROJECT")?.into();
    let region = said("GOOGLE_CLOUD_LOCATION").unwrap_or_else(|| "global".to_owned());
    account["region"] = region.into();
    Some(close(&VERTEX, account))
}

/// Azure OpenAI: its deployments, by the version that is said, else by its newest API.
fn azure(said: Said<'_>) -> Option<Found> {
    let endpoint = said("AZURE_OPENAI_ENDPOINT").filter(|url| is_url(url))?;
    let endpoint = endpoint.trim_end_matches('/');
    let deployments = [
        "AZURE_OPENAI_DEPLOYMENT",
        "AZURE_OPENAI_DEPLOYMENT_NAME",
        "AZURE_OPENAI_CHAT_DEPLOYMENT_NAME",
    ];
    let version = ["OPENAI_API_VERSION", "AZURE_OPENAI_API_VERSION"].into_iter().find_map(said);
    let key = json!(format!("tfy-secret://local:env:{}", AZURE.env));
    let mut account = account(&AZURE, json!({"type": "api-key", "api_key": key}));
    let mut model = AZURE.chat_models.first().copied().unwrap_or_default().to_owned();
    if let Some(named) = deployments.into_iter().find_map(said).filter(|name| is_name(name)) {
        let models = [(named.as_str(), "chat")].into_iter();
        account["integrations"] =
            head(AZURE.name, AZURE.account_type, models)["integrations"].take();
        model = named;
    }
    match version {
        Some(version) => {
            account["azure_endpoint"] = endpoint.into();
            for integration in account["integrations"].as_array_mut().into_iter().flatten() {
                integration["api_version"] = version.as_str().into();
            }
        }
        None if endpoint.ends_with("/openai/v1") => account["azure_endpoint"] = endpoint.into(),
        None => account["azure_endpoint"] = format!("{endpoint}/openai/v1").into(),
    }
    Some(Found { model, ..close(&AZURE, account) })
}

/// A server at that place, with the models that are named, else those that it tells.
fn hosted(server: &Server, url: &str, said: Said<'_>, ask: Ask<'_>) -> Option<Found> {
    let is_ollama = server.account_type == "ollama";
    let url = if is_ollama { ollama(url) } else { url.to_owned() };
    if !is_url(&url) {
        return None;
    }
    let named = said(server.models_env);
    let named = named.iter().flat_map(|names| names.split(',')).map(|it| it.trim().to_owned());
    let mut models: Vec<String> = named.collect();
    if models.is_empty() {
        models = ask(&url);
    }
    models.retain(|name| is_name(name));
    models.truncate(MODELS_MAX);
    let model = models.first()?.clone();
    let written_models = models.iter().map(|model| (model.as_str(), "chat"));
    let mut account = head(server.name, server.account_type, written_models);
    if is_ollama {
        account["auth_data"] = json!({"custom_host": url});
    } else {
        account["base_url"] = url.into();
    }
    if let Some(key) = server.key_env.filter(|key| said(key).is_some()) {
        let key = format!("tfy-secret://local:env:{key}");
        account["auth_data"] = json!({"type": "api-key", "api_key": key});
    }
    if let Some(kind) = server.model_server {
        for integration in account["integrations"].as_array_mut().into_iter().flatten() {
            integration["model_server"] = kind.into();
        }
    }
    Some(Found { name: server.name, env: server.env, model, manifest: written(&account) })
}

/// `OLLAMA_HOST` as a URL: what Ollama listens on may be every address, and need not say a port.
fn ollama(host: &str) -> String {
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let rest = rest.trim_end_matches('/').replacen("0.0.0.0", "127.0.0.1", 1);
    let has_port = rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port || rest.contains('/') {
        format!("{scheme}://{rest}")
    } else {
        // Ollama's own port.
        format!("{scheme}://{}:11434", rest.trim_end_matches(':'))
    }
}

/// Would a manifest take it?
fn is_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_graphic() && !b"?#@".contains(&it))
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// More than anybody serves from one place to try things out.
const MODELS_MAX: usize = 32;
/// A list of models is some kilobytes.
const LIST_BYTES_MAX: u64 = 1 << 20;
/// A server that is there answers at once; one that is not shall not keep anybody waiting.
const PATIENCE: Duration = Duration::from_secs(1);

/// The models that a server without TLS tells at `/models`; none where it does not.
#[must_use]
pub fn models_at(url: &str) -> Vec<String> {
    list(url).unwrap_or_default()
}

fn list(url: &str) -> Option<Vec<String>> {
    let rest = url.strip_prefix("http://")?.trim_end_matches('/');
    let (host, path) = rest.split_once('/').unwrap_or((rest, "v1"));
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let address = address.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    // By HTTP/1.0 an answer ends with its connection, and is in no pieces.
    write!(stream, "GET /{path}/models HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.take(LIST_BYTES_MAX).read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if head.split(' ').nth(1)? != "200" {
        return None;
    }
    let body: Value = serde_json::from_str(body).ok()?;
    let ids = body["data"].as_array()?.iter().filter_map(|one| one["id"].as_str());
    Some(ids.map(ToOwned::to_owned).collect())
}

/// Where AWS's own tools would call, and else where everything is there first.
fn region(said: Said<'_>) -> String {
    let is_region = |text: &String| {
        let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        text.bytes().all(is_fit)
    };
    let mut named = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().filter_map(said);
    named.find(is_region).unwrap_or_else(|| "us-east-1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{accounts, models_at, ollama};
    use serde_json::Value;
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    /// The accounts that these variables make: name, type and first model; and the notes.
    fn found(variables: &[(&str, &str)]) -> (Vec<(String, String, String)>, Vec<String>) {
        let said = |name: &str| {
            let pair = variables.iter().find(|(variable, _)| *variable == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        let (found, notes) = accounts(&said, &|_| vec![]);
        let read = |manifest: &str| -> Value {
            serde_json::from_str(manifest.trim_start_matches("---\n")).expect("JSON")
        };
        let found = found.into_iter().map(|one| {
            let manifest = read(&one.manifest);
            assert_eq!(manifest["integrations"][0]["name"], one.model);
            (one.name.to_owned(), manifest["type"].as_str().expect("a type").to_owned(), one.model)
        });
        (found.collect(), notes)
    }

    #[test]
    fn each_vendor_is_added_by_its_usual_variables_and_by_nothing_less() {
        for (variables, kind) in [
            (&[("OPENAI_API_KEY", "k")][..], "openai"),
            (&[("ANTHROPIC_API_KEY", "k")], "anthropic"),
            (&[("AWS_BEARER_TOKEN_BEDROCK", "k")], "aws-bedrock"),
            (&[("AWS_ACCESS_KEY_ID", "k")], "aws-bedrock"),
            (&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/f")], "aws-bedrock"),
            (&[("GEMINI_API_KEY", "k")], "google-gemini"),
            (
                &[("AZURE_OPENAI_API_KEY", "k"), ("AZURE_OPENAI_ENDPOINT", "https://a.example/")],
                "azure-openai",
            ),
            (&[("MISTRAL_API_KEY", "k")], "mistral-ai"),
            (&[("GROQ_API_KEY", "k")], "groq"),
            (&[("XAI_API_KEY", "k")], "xai"),
            (&[("CO_API_KEY", "k")], "cohere"),
            (&[("TOGETHER_API_KEY", "k")], "together-ai"),
            (&[("PERPLEXITY_API_KEY", "k")], "perplexity-ai"),
            (&[("DEEPSEEK_API_KEY", "k")], "deepseek"),
            (&[("VLLM_BASE_URL", "http://a:8000/v1"), ("VLLM_MODEL", "m")], "self-hosted-model"),
            (&[("TGI_BASE_URL", "http://a:8080"), ("TGI_MODEL", "m")], "self-hosted-model"),
            (&[("OLLAMA_HOST", "0.0.0.0"), ("OLLAMA_MODEL", "m:8b,n")], "ollama"),
            (
                &[
                    ("OPENAI_BASE_URL", "https://a.example/v1"),
                    ("OPENAI_API_KEY", "k"),
                    ("OPENAI_MODEL", "m"),
                ],
                "custom",
            ),
        ] {
            let (found, notes) = found(variables);
            let kinds: Vec<&str> = found.iter().map(|(_, kind, _)| kind.as_str()).collect();
            assert_eq!(kinds, [format!("provider-account/{kind}")], "{variables:?}");
            assert_eq!(notes, [""; 0], "{variables:?}");
        }
        let (none, notes) = found(&[
            ("AZURE_OPENAI_API_KEY", "k"),
            ("VLLM_BASE_URL", "http://127.0.0.1:1"),
            ("OLLAMA_HOST", "not a host"),
        ]);
        assert!(none.is_empty() && notes.len() == 3, "{none:?} {notes:?}");
    }

    #[test]
    fn a_deployment_and_a_version_of_azures_are_what_its_variables_say() {
        let said = |name: &str| {
            let value = match name {
                "AZURE_OPENAI_API_KEY" => "k",
                "AZURE_OPENAI_ENDPOINT" => "https://a.example/",
                "OPENAI_API_VERSION" => "2024-10-21",
                "AZURE_OPENAI_DEPLOYMENT" => "mine",
                _ => return None,
            };
            Some(value.to_owned())
        };

        let (found, _) = accounts(&said, &|_| vec![]);

        let manifest = found[0].manifest.as_str();
        assert!(manifest.contains(r#""azure_endpoint":"https://a.example""#), "{manifest}");
        assert!(manifest.contains(r#""api_version":"2024-10-21""#), "{manifest}");
        assert_eq!(found[0].model, "mine");
        assert!(!manifest.contains("gpt-"), "{manifest}");
    }

    #[test]
    fn a_server_is_asked_which_models_it_has() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut asked = [0; 1_024];
            let count = stream.read(&mut asked).expect("a request");
            let body = r#"{"object":"list","data":[{"id":"a/b"},{"id":"c"}]}"#;
            let head = format!("HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).expect("written");
            stream.write_all(body.as_bytes()).expect("written");
            String::from_utf8_lossy(&asked[..count]).into_owned()
        });

        let models = models_at(&format!("http://{address}/api/v1/"));

        assert_eq!(models, ["a/b", "c"]);
        let asked = server.join().expect("it served");
        assert!(asked.starts_with("GET /api/v1/models HTTP/1.0\r\n"), "{asked}");
        assert!(models_at("https://127.0.0.1:1/v1").is_empty());
    }

    #[test]
    fn where_ollama_listens_is_where_it_is_asked() {
        assert_eq!(ollama("0.0.0.0"), "http://127.0.0.1:11434");
        assert_eq!(ollama("0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(ollama("gpu"), "http://gpu:11434");
        assert_eq!(ollama("https://gpu.example/"), "https://gpu.example:11434");
        assert_eq!(ollama("https://gpu.example:443"), "https://gpu.example:443");
    }
}
