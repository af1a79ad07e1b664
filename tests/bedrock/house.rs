//! The house of these tests, and what is asked of it.

use crate::harness::{House, aws_frames, client::Reply, gateway::Gateway, manifest, talk, vendor};
use serde_json::{Value, json};

const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
const CLAUDE: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Accounts `aws`, by a key, and `signed`, by an access key, beside `test` and `claude`.
pub fn house() -> House {
    let vendor = vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["plain", "parallel", "tool", "raw-x"]);
    let models = [
        (NOVA, "nova"),
        (CLAUDE, "sonnet"),
        ("eu.anthropic.claude-sonnet-4-5-think", "think"),
        ("anthropic.claude-overloaded", "overloaded"),
        ("anthropic.claude-e429", "claude-e429"),
        ("amazon.nova-tool", "tool"),
        ("amazon.nova-parallel-tool", "parallel-tool"),
        ("amazon.nova-throttled", "throttled"),
        ("amazon.nova-early", "early"),
        ("amazon.nova-guarded", "guarded"),
        ("amazon.nova-e429", "e429"),
        ("amazon.nova-e404", "e404"),
        ("amazon.nova-cut", "cut"),
        ("raw:b", "raw"),
    ];
    let account = |name: &str, auth: Value| {
        let integration = |(id, name): (&str, &str)| {
            json!({"type": "integration/model/bedrock", "name": name, "model_id": id,
                "model_types": ["chat"]})
        };
        json!({
            "type": "provider-account/aws-bedrock", "name": name, "region": "eu-west-1",
            "base_url": format!("http://{}", vendor.address()), "auth_data": auth,
            "integrations": models.map(integration),
            "collaborators": [{"subject": manifest::OWNER, "role_id": "provider-account-access"}],
        })
    };
    let key = json!({"type": "api-key", "api_key": manifest::VENDOR_KEY});
    manifest::write(folder.path(), "aws", &account("aws", key));
    let keys = json!({"type": "access-key-based", "access_key_id": "AKIATEST",
        "secret_access_key": "secret"});
    manifest::write(folder.path(), "signed", &account("signed", keys));
    let claudes = ["claude-sonnet-4-5", "claude-e429"].map(|name| {
        json!({"type": "integration/model/anthropic", "name": name, "model_id": name,
            "model_types": ["chat"]})
    });
    let base_url = format!("http://{}/v1", vendor.address());
    let claude = talk::account("anthropic", "claude", &base_url, json!(claudes));
    manifest::write(folder.path(), "claude", &claude);
    House { gateway: Gateway::start(folder, &[]), vendor }
}

/// The frames of a reply: what each is, its name and its payload.
pub fn frames(reply: &Reply) -> Vec<(String, String, Value)> {
    assert_eq!(reply.header("content-type"), Some("application/vnd.amazon.eventstream"));
    let lines = aws_frames::to_lines(&reply.body);
    let read = |line: &str| {
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().expect("three words");
        (word(), word(), serde_json::from_str(&word()).expect("JSON"))
    };
    lines.lines().map(read).collect()
}

pub fn tool_config() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let spec = |name: &str| json!({"toolSpec": {"name": name, "inputSchema": {"json": schema}}});
    json!({"tools": [spec("get_weather"), spec("get_time")]})
}
