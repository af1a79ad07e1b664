//! A house whose gateway routes by rules.

use super::{House, client::Reply, gateway::Gateway, manifest, vendor};
use serde_json::{Value, json};
use std::net::TcpListener;

/// Models of the account `test`; what the vendor does is said by their names.
pub const MODELS: &[&str] = &[
    "open",
    "plain",
    "second",
    "third",
    "flaky",
    "e400-ctxlen",
    "e401",
    "e418",
    "e429",
    "e429-date",
    "e500",
    "e503",
    "e529",
    "never",
    "drop",
    "html",
    "empty",
    "nocontent",
    "redirect",
    "errforstream",
    "errevent",
    "cut",
    "race",
    "slow2000",
    "raw-x",
    "raw-y",
    "embed-only",
];

/// A house with these rules. Beside the account `test` there are `down/refused` and `down/lost`,
/// at ports where nobody listens, and `claude/raw-x`, which speaks Anthropic's language.
pub fn house(rules: Value) -> House {
    house_with(rules, &[], &[])
}

/// The same with further documents, by name, and arguments.
pub fn house_with(rules: Value, more: &[(&str, Value)], arguments: &[&str]) -> House {
    let vendor = vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), MODELS);
    let access = json!([{"subject": manifest::OWNER, "role_id": "provider-account-access"}]);
    let nobody = |name: &str| {
        json!({"type": "integration/model/self-hosted-model", "name": name,
            "hosted_model_name": name, "model_types": ["chat"],
            "url": format!("http://127.0.0.1:{}/v1", closed_port()),
            "model_server": "openai-compatible",
            "auth_data": {"type": "bearer-auth", "bearer_token": "x"}})
    };
    let nobodies = [nobody("refused"), nobody("lost")];
    let down = json!({"type": "provider-account/self-hosted-model", "name": "down",
        "collaborators": access, "integrations": nobodies});
    manifest::write(folder.path(), "down", &down);
    let claude = json!({"type": "provider-account/anthropic", "name": "claude",
        "base_url": format!("http://{}/v1", vendor.address()), "collaborators": access,
        "auth_data": {"type": "api-key", "api_key": manifest::VENDOR_KEY},
        "integrations": [
            {"type": "integration/model/anthropic", "name": "raw-x", "model_id": "raw:x",
                "model_types": ["chat"]},
            {"type": "integration/model/anthropic", "name": "sonnet", "model_id": "sonnet",
                "model_types": ["chat"]}]});
    manifest::write(folder.path(), "claude", &claude);
    if rules != Value::Null {
        manifest::write(folder.path(), "routing", &document(rules));
    }
    for (name, document) in more {
        manifest::write(folder.path(), name, document);
    }
    House { gateway: Gateway::start(folder, arguments), vendor }
}

/// The document of these rules.
pub fn document(rules: Value) -> Value {
    json!({"type": "gateway-load-balancing-config", "name": "routing", "rules": rules})
}

/// A rule of priority over these targets, for the logical name `prod/MODEL`.
pub fn in_order(name: &str, targets: &[Value]) -> Value {
    let targets: Vec<Value> = (0..)
        .zip(targets)
        .map(|(priority, target)| {
            let mut target = target.clone();
            target["priority"] = priority.into();
            target
        })
        .collect();
    json!({"id": format!("order-{name}"), "type": "priority-based-routing",
        "when": {"models": [format!("prod/{name}")]}, "load_balance_targets": targets})
}

/// A target that is asked once.
pub fn once(target: &str) -> Value {
    json!({"target": target, "retry_config": {"attempts": 0}})
}

/// A port that was free a moment ago: nobody listens there.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

/// What the client is told of routing.
pub fn applied(reply: &Reply) -> Value {
    let text = reply.header("x-tfy-applied-configurations").expect("it is always there");
    assert!(text.is_ascii(), "{text}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl House {
    /// The models that the vendor was asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        let model = |body: String| {
            let body: Value = serde_json::from_str(&body).expect("a request is JSON");
            body["model"].as_str().unwrap_or_default().to_owned()
        };
        self.vendor_bodies().into_iter().map(model).collect()
    }
}
