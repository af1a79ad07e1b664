//! Each vendor's row over real sockets: the path, the proof and the body that the vendor sees, and
//! what it really answered once, replayed.

mod harness;
mod vendors {
    mod terms;
}

use harness::{
    House, answer,
    client::{Ask, KEY, Reply},
    fixture,
    gateway::Gateway,
    manifest::{self, OWNER},
};
use serde_json::{Value, json};
use weir::{
    provider::vendor::{Home, VENDORS, Vendor},
    rehearsal::seen::Seen,
};

/// The vendors of the table that are called as OpenAI is, at an address of their own.
fn plain() -> impl Iterator<Item = &'static str> {
    let is_plain = |vendor: &&Vendor| {
        matches!(vendor.home, Home::At(_)) && vendor.has_chats() && vendor.key_header.is_none()
    };
    VENDORS.iter().filter(is_plain).map(|vendor| vendor.account_type)
}

/// A house with this account only; `{vendor}` in it is where the scripted vendor listens.
fn house(account: &Value) -> House {
    house_in(account, &[])
}

fn house_in(account: &Value, environment: &[(&str, &str)]) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    let text = account.to_string().replace("{vendor}", &vendor.address().to_string());
    let mut account: Value = serde_json::from_str(&text).expect("it was JSON");
    account["collaborators"] = json!([{"subject": OWNER, "role_id": "provider-account-access"}]);
    manifest::write(folder.path(), "account", &account);
    manifest::write(folder.path(), "owner", &manifest::token("owner", OWNER, KEY));
    House { gateway: Gateway::start_in(folder, environment), vendor }
}

fn chat(more: &str) -> Ask {
    let body =
        format!(r#"{{"model":"acct/m","messages":[{{"role":"user","content":"Hi"}}]{more}}}"#);
    Ask::post("/v1/chat/completions", body)
}

/// Asks once; the reply and what the vendor saw.
fn ask(house: &House, ask: &Ask) -> (Reply, Seen) {
    let reply = house.ask(ask);
    assert_eq!(reply.status, 200, "{}", reply.text());
    (reply, house.vendor.log().pop().expect("the vendor was asked"))
}

fn body(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.body).expect("the vendor gets JSON")
}

/// The newest spelling: the key at the account.
fn newest(kind: &str) -> Value {
    json!({
        "type": format!("provider-account/{kind}"), "name": "acct",
        "base_url": "http://{vendor}/base",
        "auth_data": {"type": "api-key", "api_key": "the-key"},
        "integrations": [{"name": "m", "model_id": "the/model",
            "type": format!("integration/model/{kind}"), "model_types": ["chat"]}],
    })
}

#[test]
fn each_plain_vendor_is_called_with_its_key_and_the_clients_bytes() {
    let kinds: Vec<&str> = plain().collect();
    assert!(kinds.len() > 10 && kinds.contains(&"deepseek"), "{kinds:?}");
    for kind in kinds {
        let house = house(&newest(kind));

        let (_, seen) = ask(&house, &chat(r#", "temperature" : 0.5 "#));

        assert_eq!(seen.path, "/base/chat/completions", "{kind}");
        assert_eq!(seen.header("authorization"), Some("Bearer the-key"), "{kind}");
        let sent = String::from_utf8_lossy(&chat(r#", "temperature" : 0.5 "#).body)
            .replace("acct/m", "the/model");
        assert_eq!(String::from_utf8_lossy(&seen.body), sent, "{kind}");
    }
}

#[test]
fn the_older_spelling_has_a_bearer_token_at_the_model_and_no_model_id() {
    for kind in ["groq", "together-ai"] {
        let mut account = newest(kind);
        account.as_object_mut().expect("a mapping").remove("auth_data");
        let model = &mut account["integrations"][0];
        model["auth_data"] = json!({"type": "bearer-auth", "bearer_token": "older"});
        model.as_object_mut().expect("a mapping").remove("model_id");
        let house = house(&account);

        let (_, seen) = ask(&house, &chat(""));

        assert_eq!(seen.header("authorization"), Some("Bearer older"), "{kind}");
        assert_eq!(body(&seen)["model"], "m", "{kind}");
    }
}

#[test]
fn what_mistral_answers_422_to_is_left_out_and_named_and_bounds_keep_their_sense() {
    let house = house(&newest("mistral-ai"));
    let more = r#","max_completion_tokens":9,"seed":4,"user":"u","stream":true,
        "stream_options":{"include_usage":true}"#;

    let (reply, seen) = ask(&house, &chat(more));

    let sent = body(&seen);
    assert_eq!((&sent["max_tokens"], &sent["random_seed"]), (&json!(9), &json!(4)));
    for gone in ["max_completion_tokens", "seed", "user", "stream_options"] {
        assert!(sent.get(gone).is_none(), "{gone} in {sent}");
    }
    assert_eq!(reply.header("x-weir-dropped"), Some("stream_options, user"));
}

#[test]
fn t040_a_vendor_that_rejects_stream_options_is_never_asked_for_usage() {
    let house = house(&newest("mistral-ai"));

    let (reply, seen) = ask(&house, &chat(r#","stream":true"#));

    assert!(body(&seen).get("stream_options").is_none());
    assert_eq!(reply.header("x-weir-dropped"), None, "the client lost nothing");
}

#[test]
fn what_groq_and_cerebras_answer_400_to_is_left_out_and_named() {
    let more = r#","logprobs":true,"logit_bias":{},"presence_penalty":1"#;
    for (kind, dropped) in
        [("groq", "logprobs, logit_bias"), ("cerebras", "logit_bias, presence_penalty")]
    {
        let house = house(&newest(kind));

        let (reply, seen) = ask(&house, &chat(more));

        assert_eq!(reply.header("x-weir-dropped"), Some(dropped), "{kind}");
        for name in dropped.split(", ") {
            assert!(body(&seen).get(name).is_none(), "{kind}: {name}");
        }
    }
}

#[test]
fn a_client_that_wants_strictness_is_refused_rather_than_served_less() {
    let house = house(&newest("groq"));
    let strict = |more: &str| chat(more).header("x-weir-strict-translation", "true");

    let refused = house.ask(&strict(r#","top_logprobs":2"#));
    let (_, seen) = ask(&house, &strict(""));

    assert_eq!((refused.status, refused.refusal().as_str()), (400, "invalid_field"));
    assert_eq!(refused.json()["error"]["param"], "top_logprobs");
    assert_eq!(house.vendor.log().len(), 1, "only the other was sent: {}", seen.path);
    let odd = house.ask(&chat("").header("x-weir-strict-translation", "maybe"));
    assert_eq!((odd.status, odd.refusal().as_str()), (400, "invalid_header"));
}

#[test]
fn openais_reasoning_models_get_their_bound_by_its_new_name_and_no_sampling() {
    let mut account = newest("openai");
    account["integrations"][0]["model_id"] = "o3-mini".into();
    let house = house(&account);

    let (reply, seen) = ask(&house, &chat(r#","max_tokens":7,"temperature":0.2,"seed":1"#));

    let sent = body(&seen);
    assert_eq!((&sent["max_completion_tokens"], &sent["seed"]), (&json!(7), &json!(1)));
    assert!(sent.get("max_tokens").is_none() && sent.get("temperature").is_none());
    assert_eq!(reply.header("x-weir-dropped"), Some("temperature"));
}

fn azure(version: &str, endpoint: &str) -> Value {
    json!({
        "type": "provider-account/azure-openai", "name": "acct", "azure_endpoint": endpoint,
        "auth_data": {"type": "api-key", "api_key": "the-key"},
        "integrations": [{"name": "m", "model_id": "my deployment/1", "api_version": version,
            "foundation_model": "gpt-4o", "deployment_type": "global",
            "type": "integration/model/azure-openai", "model_types": ["chat", "embedding"]}],
    })
}

#[test]
fn azure_openai_is_called_by_deployment_and_version_with_its_own_header() {
    let house = house(&azure("2024-10-21", "http://{vendor}"));

    let (_, seen) = ask(&house, &chat(r#","stream":true"#));
    let embed = Ask::post("/v1/embeddings", r#"{"model":"acct/m","input":"a"}"#);
    let (_, embedded) = ask(&house, &embed);

    let base = "/openai/deployments/my%20deployment%2F1";
    assert_eq!(seen.path, format!("{base}/chat/completions?api-version=2024-10-21"));
    assert_eq!(embedded.path, format!("{base}/embeddings?api-version=2024-10-21"));
    assert_eq!(seen.header("api-key"), Some("the-key"));
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(body(&seen)["stream_options"], json!({"include_usage": true}));
}

#[test]
fn azures_older_versions_are_not_asked_for_what_they_do_not_know() {
    let house = house(&azure("2024-02-01", "http://{vendor}/"));

    let (_, seen) = ask(&house, &chat(r#","stream":true"#));

    assert!(body(&seen).get("stream_options").is_none());
}

#[test]
fn azures_newest_api_is_called_as_openai_is() {
    let mut account = azure("preview", "http://{vendor}/openai/v1/");
    account["integrations"][0]["model_id"] = "gpt-4o".into();
    let house = house(&account);

    let (_, seen) = ask(&house, &chat(""));

    assert_eq!(seen.path, "/openai/v1/chat/completions?api-version=preview");
    assert_eq!(body(&seen)["model"], "gpt-4o");
}

#[test]
fn azures_older_spelling_names_all_in_the_models_credential() {
    let house = house(&json!({
        "type": "provider-account/azure", "name": "acct",
        "integrations": [{"name": "m", "type": "integration/model/azure", "model_types": ["chat"],
            "auth_data": {"type": "azure-auth", "api_key": "older", "api_base": "http://{vendor}",
                "api_version": "2024-02-01"}}],
    }));

    let (_, seen) = ask(&house, &chat(""));

    assert_eq!(seen.path, "/openai/deployments/m/chat/completions?api-version=2024-02-01");
    assert_eq!(seen.header("api-key"), Some("older"));
}

#[test]
fn azure_ai_foundry_has_the_endpoint_at_the_model_and_the_model_in_the_body() {
    let house = house(&json!({
        "type": "provider-account/azure-foundry", "name": "acct",
        "integrations": [{"name": "m", "type": "integration/model/azure-foundry",
            "model_id": "grok-4-1-fast", "model_types": ["chat"],
            "azure_endpoint": "http://{vendor}/models",
            "auth_data": {"type": "api-key", "api_key": "k"}}],
    }));

    let (_, seen) = ask(&house, &chat(""));

    assert_eq!(seen.path, "/models/chat/completions?api-version=2024-05-01-preview");
    assert_eq!(body(&seen)["model"], "grok-4-1-fast");
}

#[test]
fn microsoft_foundry_is_called_by_the_publisher_of_the_model() {
    let account = |publisher: &str, version: Option<&str>| {
        let mut account = json!({
            "type": "provider-account/microsoft-foundry", "name": "acct",
            "openai_endpoint": "http://{vendor}",
            "project_endpoint": "http://{vendor}/api/projects/p",
            "auth_data": {"type": "api-key", "api_key": "k"},
            "integrations": [{"name": "m", "type": "integration/model/microsoft-foundry",
                "model_id": "d", "publisher": publisher, "model_types": ["chat"]}],
        });
        if let Some(version) = version {
            account["integrations"][0]["api_version"] = version.into();
        }
        account
    };
    for (publisher, version, path) in [
        (
            "OpenAI",
            Some("2024-10-21"),
            "/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
        ("OpenAI", None, "/openai/v1/chat/completions"),
        ("Other", None, "/api/projects/p/openai/v1/chat/completions"),
    ] {
        let house = house(&account(publisher, version));
        assert_eq!(ask(&house, &chat("")).1.path, path, "{publisher}");
    }
}

#[test]
fn ollama_lives_where_its_credential_says_and_has_no_key() {
    let house = house(&json!({
        "type": "provider-account/ollama", "name": "acct",
        "auth_data": {"custom_host": "http://{vendor}"},
        "integrations": [{"name": "m", "model_id": "qwen3:8b",
            "type": "integration/model/ollama", "model_types": ["chat"]}],
    }));

    let (_, seen) = ask(&house, &chat(""));

    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(seen.header("authorization"), None);
}

fn mantle(auth: Value) -> Value {
    let mut account = newest("aws-bedrock-mantle");
    account["region"] = "eu-central-1".into();
    account["project"] = "proj_1".into();
    account["auth_data"] = auth;
    account["integrations"][0]["type"] = "integration/model/bedrock-mantle".into();
    account
}

#[test]
fn bedrock_mantle_takes_an_api_key() {
    let house = house(&mantle(json!({"type": "api-key", "api_key": "bedrock-key"})));

    let (_, seen) = ask(&house, &chat(""));

    assert_eq!(seen.header("authorization"), Some("Bearer bedrock-key"));
    assert_eq!(seen.header("openai-project"), Some("proj_1"));
}

#[test]
fn bedrock_mantle_is_signed_for_by_access_keys_also_by_the_machines_own() {
    let keys = json!({"type": "access-key-based", "access_key_id": "AKIDEXAMPLE",
        "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"});
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKIDOFTHEMACHINE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "session"),
    ];
    for (auth, id, token) in
        [(keys, "AKIDEXAMPLE", None), (Value::Null, "AKIDOFTHEMACHINE", Some("session"))]
    {
        let house = house_in(&mantle(auth), &environment);

        let (_, seen) = ask(&house, &chat(r#","stream":true"#));

        let proof = seen.header("authorization").expect("it is signed").to_owned();
        let day = &seen.header("x-amz-date").expect("it is dated")[..8];
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential={id}/{day}/eu-central-1/bedrock-mantle/aws4_request, "
        );
        assert!(proof.starts_with(&scope), "{proof}");
        assert_eq!(seen.header("x-amz-security-token"), token);
        assert!(String::from_utf8_lossy(&seen.head).ends_with("\r\n\r\n"));
    }
}

#[test]
fn a_key_that_only_another_vendor_reads_is_warned_about() {
    let mut account = newest("groq");
    account["region"] = "eu".into();
    account["integrations"][0]["api_version"] = "1".into();
    let mut house = house(&account);

    let first = house.gateway.wait_for_line("region");
    let second = house.gateway.wait_for_line("api_version");

    for line in [first, second] {
        let line = line.expect("it is said");
        assert!(line.contains("a key that groq does not have"), "{line}");
    }
}

/// What each vendor really answered, through its own row.
#[test]
fn each_vendors_recorded_answers_pass_its_row_byte_for_byte() {
    let Some(root) = fixture::root() else { return };
    for (folder, kind) in [
        ("mistral", "mistral-ai"),
        ("groq", "groq"),
        ("xai", "xai"),
        ("together", "together-ai"),
        ("perplexity", "perplexity-ai"),
        ("deepseek", "deepseek"),
        ("azure", "azure-openai"),
    ] {
        let account = match kind {
            "azure-openai" => azure("2024-10-21", "http://{vendor}"),
            kind => newest(kind),
        };
        let mut account = account;
        account["headers"] = json!({"x-rehearsal-raw": "recorded"});
        let house = house(&account);
        let mut replayed = 0;
        let mut folders: Vec<_> = std::fs::read_dir(root.join(folder))
            .expect("a folder of recordings")
            .map(|entry| entry.expect("readable").path())
            .collect();
        folders.sort();
        for recording in folders {
            let Ok(bytes) = std::fs::read(recording.join("response.json")) else { continue };
            let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { continue };
            if value["object"] != "chat.completion" {
                continue;
            }
            house.teach("recorded", answer(200, "application/json", &bytes));
            let reply = house.ask(&chat(""));
            assert_eq!(reply.status, 200, "{}", recording.display());
            assert!(reply.body == bytes, "{}", recording.display());
            replayed += 1;
        }
        assert!(replayed > 0, "{folder}: nothing was replayed");
    }
}

/// Their streams too: every event, and the tokens that the vendor said.
#[test]
fn each_vendors_recorded_streams_pass_its_row_event_for_event() {
    let Some(root) = fixture::root() else { return };
    for (folder, kind) in [
        ("mistral", "mistral-ai"),
        ("groq", "groq"),
        ("xai", "xai"),
        ("perplexity", "perplexity-ai"),
        ("openrouter", "openrouter"),
    ] {
        let mut account = newest(kind);
        account["headers"] = json!({"x-rehearsal-raw": "recorded"});
        let house = house(&account);
        let mut replayed = 0;
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder of recordings") {
            let recording = entry.expect("readable").path();
            let Ok(bytes) = std::fs::read(recording.join("response.sse")) else { continue };
            let text = String::from_utf8_lossy(&bytes).replace("\": \"", "\":\"");
            if !text.contains("\"object\":\"chat.completion.chunk\"") || text.contains("\"error\"")
            {
                continue;
            }
            house.teach("recorded", harness::stream(&bytes, 700, 333));
            let wants = r#","stream":true,"stream_options":{"include_usage":true}"#;
            let reply = house.ask(&chat(wants));
            assert_eq!(reply.status, 200, "{}", recording.display());
            let mut events = reply.events();
            events.retain(|event| event != "[DONE]");
            let mut said = harness::client::events(&bytes);
            said.retain(|event| event != "[DONE]");
            assert_eq!(events, said, "{}", recording.display());
            replayed += 1;
        }
        assert!(replayed > 0, "{folder}: nothing was replayed");
    }
}

#[test]
fn an_upstream_401_is_the_vendors_affair() {
    let mut account = newest("groq");
    account["headers"] = json!({"x-rehearsal-raw": "no"});
    let house = house(&account);
    let body = br#"{"error":{"message":"bad key the-key"}}"#;
    house.teach("no", answer(401, "application/json", body));

    let reply = house.ask(&chat(""));

    assert_eq!((reply.status, reply.refusal().as_str()), (502, "upstream_auth"));
    assert!(!reply.text().contains("the-key"));
}
