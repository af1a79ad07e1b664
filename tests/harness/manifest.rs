//! The folder of manifests that a gateway under test obeys.
//!
//! Documents are written as JSON, which is YAML.

use super::client::{KEY, KEY_BILLING, KEY_EXPIRED, KEY_OUTSIDER};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{net::SocketAddr, path::Path};
use tempfile::TempDir;

pub const OWNER: &str = "user:you@example.com";
pub const OUTSIDER: &str = "user:outsider@example.com";
pub const BILLING: &str = "virtualaccount:billing";

/// What the gateway shows a vendor.
pub const VENDOR_KEY: &str = "vendor-credential";

pub fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

/// Writes `NAME.yaml` whole: into place by rename, so that no reader sees half of it.
pub fn write(folder: &Path, name: &str, document: &Value) {
    let hidden = folder.join(format!(".{name}.new"));
    std::fs::write(&hidden, document.to_string()).expect("the folder is ours");
    std::fs::rename(&hidden, folder.join(format!("{name}.yaml"))).expect("the same folder");
}

/// The usual house: account `test` with `models` at the vendor, and four keys.
pub fn write_usual(folder: &TempDir, vendor: SocketAddr, models: &[&str]) {
    let folder = folder.path();
    write(folder, "account", &account(vendor, models));
    write(folder, "owner", &token("owner-key", OWNER, KEY));
    write(folder, "outsider", &token("outsider-key", OUTSIDER, KEY_OUTSIDER));
    let mut expired = token("expired-key", OWNER, KEY_EXPIRED);
    expired["expiration_date"] = "2020-01-01".into();
    write(folder, "expired", &expired);
    write(folder, "billing", &billing());
    write(folder, "team", &json!({"type": "team", "name": "core", "members": ["you@example.com"]}));
    let overrides = json!({"type": "gateway-metadata-config", "name": "overrides", "rules": [
        {"id": "surface", "when": {"subjects": [OWNER]},
            "metadata_override": {"surface": "decided"}}]});
    write(folder, "metadata", &overrides);
}

/// The account `test`: all models for the owner and billing, `open` for the outsider too.
pub fn account(vendor: SocketAddr, models: &[&str]) -> Value {
    let integration = |name: &&str| {
        let hosted = name.strip_prefix("raw-").map(|raw| format!("raw:{raw}"));
        let mut model = json!({
            "type": "integration/model/self-hosted-model", "name": name,
            "hosted_model_name": hosted.unwrap_or_else(|| (*name).to_owned()),
            "url": format!("http://{vendor}/v1"), "model_server": "openai-compatible",
            "model_types": ["chat", "completion", "embedding"],
            "auth_data": {"type": "bearer-auth", "bearer_token": VENDOR_KEY},
            "headers": {"x-account-header": "from the account"},
            "authorized_subjects": [OWNER, BILLING],
        });
        if *name == "open" {
            model["authorized_subjects"] = json!([OWNER, BILLING, OUTSIDER]);
        }
        if *name == "embed-only" {
            model["model_types"] = json!(["embedding"]);
        }
        model
    };
    let access = |subject| json!({"subject": subject, "role_id": "provider-account-access"});
    json!({
        "type": "provider-account/self-hosted-model", "name": "test",
        "integrations": models.iter().map(integration).collect::<Vec<_>>(),
        "collaborators": [access(OWNER), access(BILLING), access(OUTSIDER)],
    })
}

/// A personal access token.
pub fn token(name: &str, subject: &str, key: &str) -> Value {
    json!({"type": "personal-access-token", "name": name, "subject": subject,
        "token_sha256": sha256(key)})
}

fn billing() -> Value {
    json!({"type": "virtual-account", "name": "billing", "token_sha256": sha256(KEY_BILLING),
        "tags": {"cost_center": "4711"},
        "permissions": [{"resource_fqn": "test", "resource_type": "provider-account",
            "role_id": "provider-account-access"}]})
}

pub fn sha256(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

/// Gives these models of an account a price: $1 a million tokens in, $10 out.
pub fn put_prices(account: &mut Value, models: &[usize]) {
    for model in models {
        let value = json!({"input": 0.001, "output": 0.01});
        account["integrations"][*model]["cost"] =
            json!({"metric": "per_1000_tokens", "value": value});
    }
}

/// Writes each of these documents into a file of its own.
pub fn write_each(folder: &TempDir, documents: &[Value]) {
    for (index, document) in documents.iter().enumerate() {
        write(folder.path(), &format!("more-{index}"), document);
    }
}
