//! What operators write about vendors: every field of every kind, and what is said where it is
//! wrong.

use std::fs;
use weir::{
    control_plane::{load::load, secrets::SecretSource},
    lexicon::time::UnixMillis,
    manifest::account::{AuthKind, DeploymentType, ProviderAccount, Publisher},
};

fn account(yaml: &str) -> ProviderAccount {
    let value: serde_json::Value = serde_json::from_str(yaml).expect("JSON");
    serde_json::from_value(value).expect("the twin takes it")
}

/// What is said of one file, without what is said of everyone who may not use it.
fn said(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("m.yaml"), text).expect("a file");
    let secrets = SecretSource { folder: None };
    let problems = match load(folder.path(), &secrets, UnixMillis(1_795_219_200_000)) {
        Ok(loaded) => loaded.compiled.warnings,
        Err(problems) => problems,
    };
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// An account whose models everyone may use.
fn document(kind: &str, account: &str, model: &str) -> String {
    format!(
        "type: provider-account/{kind}\nname: acct\n{account}\
         collaborators: [{{subject: \"team:everyone\", role_id: provider-account-access}}]\n\
         integrations:\n  - {{name: m, model_types: [chat], {model}}}\n"
    )
}

#[track_caller]
fn complains(text: &str, parts: &[&str]) {
    let said = said(text);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}\n{text}");
    }
}

const AZURE: &str = "type: integration/model/azure-openai, model_id: d";

#[test]
fn every_field_of_azures_three_kinds_is_read() {
    let openai = account(
        r#"{"type":"provider-account/azure-openai","name":"a","azure_endpoint":"https://x",
        "auth_data":{"type":"certificate","tenant_id":"t","client_id":"c","certificate":"p",
        "certificate_thumbprint":"f"},"integrations":[{"name":"m","model_id":"d",
        "type":"integration/model/azure-openai","api_version":"v","foundation_model":"gpt-4o",
        "deployment_type":"datazone_eu","model_types":["chat"]}]}"#,
    );
    let auth = openai.auth_data.expect("it is there");
    assert_eq!(
        (openai.azure_endpoint.as_deref(), auth.kind),
        (Some("https://x"), Some(AuthKind::Certificate))
    );
    assert_eq!((auth.tenant_id.as_deref(), auth.client_id.as_deref()), (Some("t"), Some("c")));
    assert_eq!(auth.certificate_thumbprint.as_deref(), Some("f"));
    let model = &openai.integrations[0];
    assert_eq!(model.deployment_type, Some(DeploymentType::DatazoneEu));
    assert_eq!(model.foundation_model.as_deref(), Some("gpt-4o"));
    let foundry = account(
        r#"{"type":"provider-account/microsoft-foundry","name":"a","openai_endpoint":"https://o",
        "project_endpoint":"https://p","auth_data":{"type":"client-secret","tenant_id":"t",
        "client_id":"c","client_secret":"s"},"integrations":[{"name":"m","model_id":"d",
        "type":"integration/model/microsoft-foundry","publisher":"OpenAI","model_types":["chat"]}]}"#,
    );
    assert_eq!(foundry.openai_endpoint.as_deref(), Some("https://o"));
    assert_eq!(foundry.project_endpoint.as_deref(), Some("https://p"));
    assert_eq!(foundry.integrations[0].publisher, Some(Publisher::OpenAi));
}

#[test]
fn every_field_of_awss_and_googles_kinds_is_read_in_both_spellings() {
    let bedrock = account(
        r#"{"type":"provider-account/aws-bedrock","name":"a","region":"us-east-1",
        "auth_data":{"type":"assumed-role-based","assumed_role_arn":"r","external_id":"e"},
        "integrations":[{"name":"m","model_id":"i","type":"integration/model/bedrock",
        "region":"eu-west-1","model_types":["chat"]}]}"#,
    );
    let auth = bedrock.auth_data.expect("it is there");
    assert_eq!(
        (auth.assumed_role_arn.as_deref(), auth.external_id.as_deref()),
        (Some("r"), Some("e"))
    );
    assert_eq!(bedrock.integrations[0].region.as_deref(), Some("eu-west-1"));
    let older = account(
        r#"{"type":"provider-account/aws-bedrock","name":"a","integrations":[{"name":"m",
        "type":"integration/model/aws-bedrock","model_types":["chat"],"auth_data":{
        "type":"aws-irsa-auth","aws_region":"us-east-1","aws_access_key_id":"i",
        "aws_secret_access_key":"s"}}]}"#,
    );
    let auth = older.integrations[0].auth_data.as_ref().expect("it is there");
    assert_eq!(
        (auth.kind, auth.aws_region.as_deref()),
        (Some(AuthKind::AwsIrsaAuth), Some("us-east-1"))
    );
    let vertex = account(
        r#"{"type":"provider-account/google-vertex","name":"a","project_id":"p","region":"global",
        "auth_data":{"type":"workload-identity-federation-file","key_file_content":{"a":1}},
        "integrations":[{"name":"m","model_id":"i","type":"integration/model/vertex",
        "model_types":["chat"]}]}"#,
    );
    assert_eq!(vertex.project_id.as_deref(), Some("p"));
    assert!(vertex.auth_data.is_some_and(|auth| auth.key_file_content.is_some()));
    let older = account(
        r#"{"type":"provider-account/google-vertex","name":"a","integrations":[{"name":"m",
        "type":"integration/model/google-vertex","model_types":["chat"],"auth_data":{
        "type":"gcp-service-account-auth","gcp_service_account_key":"k","gcp_project_id":"p",
        "gcp_region":"us-central1"}}]}"#,
    );
    let auth = older.integrations[0].auth_data.as_ref().expect("it is there");
    assert_eq!(
        (auth.gcp_project_id.as_deref(), auth.gcp_region.as_deref()),
        (Some("p"), Some("us-central1"))
    );
    let gemini = account(
        r#"{"type":"provider-account/google-gemini","name":"a","auth_data":{"type":"api-key",
        "apiKey":"k"},"integrations":[]}"#,
    );
    assert_eq!(gemini.auth_data.and_then(|auth| auth.api_key).as_deref(), Some("k"));
}

/// Their dialects are not spoken yet: they are refused in words, never taken and ignored.
#[test]
fn kinds_that_cannot_be_served_are_refused_by_name() {
    for kind in ["ai21", "databricks"] {
        let text = document(kind, "", &format!("type: integration/model/{kind}, model_id: x"));
        complains(&text, &["error: type: found", "this build does not obey that type yet"]);
    }
}

#[test]
fn googles_accounts_say_what_they_lack() {
    let gemini = "type: integration/model/gemini, model_id: gemini-2.5-flash";
    let wanted = "wanted auth_data for generativelanguage.googleapis.com";
    complains(&document("google-gemini", "", gemini), &[wanted]);
    let vertex = "type: integration/model/vertex, model_id: gemini-2.5-flash";
    let wanted =
        ["region: found nothing, wanted this key", "project_id: found nothing, wanted this key"];
    complains(&document("google-vertex", "", vertex), &wanted);
    let place = "region: global\nproject_id: \"my project\"\n";
    let wanted = "project_id: found text, wanted a project such as my-project-123";
    complains(&document("google-vertex", place, vertex), &[wanted]);
    let place = "region: global\nproject_id: p\n";
    let llama = "type: integration/model/vertex, model_id: meta/llama-4";
    let wanted = "wanted a model of google or anthropic";
    complains(&document("google-vertex", place, llama), &[wanted]);
}

#[test]
fn a_vendor_without_a_key_or_with_a_proof_it_does_not_know_is_refused() {
    let groq = "type: integration/model/groq, model_id: x";
    complains(&document("groq", "", groq), &["found nothing, wanted auth_data for api.groq.com"]);
    let basic = "auth_data: {type: basic-auth, username: a, password: b}\n";
    let wanted = "auth_data.type: found \"basic-auth\", wanted api-key or bearer-auth";
    complains(&document("groq", basic, groq), &[wanted]);
    let key = "azure_endpoint: https://x.openai.azure.com\nauth_data: {type: bearer-auth, bearer_token: k}\n";
    let wanted = "wanted api-key or certificate or client-secret or workload-identity";
    complains(&document("azure-openai", key, AZURE), &[wanted]);
    let none = "azure_endpoint: https://x.openai.azure.com\n";
    let versioned = format!("{AZURE}, api_version: 2024-10-21");
    let wanted = "found nothing, wanted auth_data for x.openai.azure.com";
    complains(&document("azure-openai", none, &versioned), &[wanted]);
}

#[test]
fn a_base_url_for_azure_would_lose_its_version_and_is_refused() {
    let account = "azure_endpoint: https://x.openai.azure.com\nbase_url: https://proxy/v1\n\
        auth_data: {type: api-key, api_key: k}\n";
    let model = format!("{AZURE}, api_version: 2024-10-21");
    let wanted = "error: base_url: found a base URL, wanted Azure's own endpoint keys";
    complains(&document("azure-openai", account, &model), &[wanted]);
}

#[test]
fn what_an_address_needs_is_asked_for() {
    let key = "auth_data: {type: api-key, api_key: k}\n";
    complains(&document("azure-openai", key, AZURE), &["error: azure_endpoint: found nothing"]);
    let endpoint = format!("{key}azure_endpoint: https://x.openai.azure.com\n");
    let wanted =
        "error: integrations[0].api_version: found nothing, wanted this key (e.g. 2024-10-21)";
    complains(&document("azure-openai", &endpoint, AZURE), &[wanted]);
    let bad = format!("{AZURE}, api_version: \"1&x=\"");
    complains(&document("azure-openai", &endpoint, &bad), &["wanted a version such as 2024-10-21"]);
    let mantle = "type: integration/model/bedrock-mantle, model_id: x";
    complains(&document("aws-bedrock-mantle", key, mantle), &["error: region: found nothing"]);
    let region = format!("{key}region: evil.example/\n");
    let wanted = "error: region: found text, wanted a region such as eu-central-1";
    complains(&document("aws-bedrock-mantle", &region, mantle), &[wanted]);
    let foundry = "type: integration/model/microsoft-foundry, model_id: x";
    complains(&document("microsoft-foundry", key, foundry), &["integrations[0].publisher"]);
    let ollama = "type: integration/model/ollama, model_id: x";
    complains(&document("ollama", "", ollama), &["error: auth_data.custom_host: found nothing"]);
}

#[test]
fn a_credential_that_cannot_prove_anything_is_refused_when_it_is_read() {
    let auth = |fields: &str| {
        let account =
            format!("azure_endpoint: https://x.openai.azure.com\nauth_data: {{{fields}}}\n");
        document("azure-openai", &account, &format!("{AZURE}, api_version: 2024-10-21"))
    };
    let certificate = "type: certificate, tenant_id: t, client_id: c, certificate: x, \
        certificate_thumbprint: ab";
    complains(&auth(certificate), &["auth_data.certificate: found no RSA private key in PEM"]);
    let missing = "type: client-secret, tenant_id: t";
    complains(
        &auth(missing),
        &["auth_data.client_id: found nothing", "auth_data.client_secret: found nothing"],
    );
    let workload = "type: workload-identity, tenant_id: t, client_id: c";
    complains(&auth(workload), &["no AZURE_FEDERATED_TOKEN_FILE in the environment"]);
    let stray = "type: api-key, api_key: k, client_secret: s";
    complains(&auth(stray), &["auth_data.client_secret: found a key of another auth type"]);
}

#[test]
fn the_older_type_of_a_model_is_the_accounts() {
    let key = "auth_data: {type: api-key, api_key: k}\nregion: us-east-1\n";
    let older = "type: integration/model/aws-bedrock-mantle, model_id: x";
    let other = "type: integration/model/bedrock, model_id: x";

    assert!(!said(&document("aws-bedrock-mantle", key, older)).contains("error"));
    let wanted = "wanted integration/model/bedrock-mantle";
    complains(&document("aws-bedrock-mantle", key, other), &[wanted]);
}

#[test]
fn only_some_kinds_may_have_no_models() {
    let without = |kind: &str| {
        let key = "auth_data: {type: api-key, api_key: k}";
        said(&format!("type: provider-account/{kind}\nname: acct\n{key}\n"))
    };
    assert!(!without("xai").contains("error"), "{}", without("xai"));
    assert!(without("groq").contains("error: integrations: found nothing, wanted this key"));
}
