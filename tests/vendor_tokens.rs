//! Tokens of clouds through the running gateway: fetched before the first request, renewed ahead of
//! their expiry, kept while the cloud is ill, refused when they are gone.

mod harness;

use harness::{
    House,
    client::{Ask, KEY},
    cloud::{Answer, Asked, Cloud},
    gateway::Gateway,
    manifest::{self, OWNER},
};
use serde_json::{Value, json};
use std::cell::Cell;

/// Azure OpenAI with a secret of Entra, beside a model that needs no token.
fn manifests(vendor: std::net::SocketAddr) -> [(&'static str, Value); 3] {
    let access = json!([{"subject": OWNER, "role_id": "provider-account-access"}]);
    let azure = json!({
        "type": "provider-account/azure-openai", "name": "azure",
        "azure_endpoint": format!("http://{vendor}"), "collaborators": access,
        "auth_data": {"type": "client-secret", "tenant_id": "tenant-1", "client_id": "client-1",
            "client_secret": "entra-secret"},
        "integrations": [{"name": "m", "model_id": "d", "api_version": "2024-10-21",
            "type": "integration/model/azure-openai", "model_types": ["chat"]}],
    });
    let plain = json!({
        "type": "provider-account/custom", "name": "plain", "url": format!("http://{vendor}/v1"),
        "collaborators": access,
        "integrations": [{"name": "m", "type": "integration/model/custom",
            "model_types": ["chat"]}],
    });
    [("azure", azure), ("plain", plain), ("owner", manifest::token("owner", OWNER, KEY))]
}

/// A gateway whose Entra is `cloud`.
fn house(cloud: &Cloud) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    for (name, document) in manifests(vendor.address()) {
        manifest::write(folder.path(), name, &document);
    }
    let environment = [("AZURE_AUTHORITY_HOST", &*cloud.url())];
    House { gateway: Gateway::start_in(folder, &environment), vendor }
}

fn chat(model: &str) -> Ask {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
    Ask::post("/v1/chat/completions", body.to_string())
}

fn token(name: &str, seconds: u64) -> Answer {
    let answer = json!({"access_token": name, "expires_in": seconds, "token_type": "Bearer"});
    (200, answer.to_string())
}

/// What the vendor was shown last.
fn shown(house: &House) -> Option<String> {
    house.vendor.log().last()?.header("authorization").map(str::to_owned)
}

#[test]
fn a_token_is_there_before_the_first_request() {
    let cloud = Cloud::open(|_, _| token("first", 3_600));
    let house = house(&cloud);

    let reply = house.ask(&chat("azure/m"));

    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(shown(&house).as_deref(), Some("Bearer first"));
    let asked: Vec<Asked> = cloud.asked();
    assert_eq!(asked.len(), 1, "one token for all its models");
    assert_eq!((&*asked[0].method, &*asked[0].path), ("POST", "/tenant-1/oauth2/v2.0/token"));
    let form = asked[0].form();
    assert_eq!((&*form["client_id"], &*form["client_secret"]), ("client-1", "entra-secret"));
    assert_eq!(form["scope"], "https://cognitiveservices.azure.com/.default");
}

#[test]
fn a_token_is_renewed_ahead_of_its_expiry_without_a_restart() {
    // It lives 10 seconds and is sent for 9; the next is asked for after 7 to 8.
    let cloud =
        Cloud::open(|n, _| if n == 0 { token("first", 10) } else { token("second", 3_600) });
    let house = house(&cloud);
    assert_eq!(house.ask(&chat("azure/m")).status, 200);
    assert_eq!(shown(&house).as_deref(), Some("Bearer first"));

    cloud.wait_for(2);
    let refusals = Cell::new(0);
    house.ask_until(&chat("azure/m"), |reply| {
        refusals.set(refusals.get() + u32::from(reply.status != 200));
        shown(&house).as_deref() == Some("Bearer second")
    });

    assert_eq!(refusals.get(), 0, "nobody was refused in between");
    assert_eq!(cloud.asked().len(), 2);
}

#[test]
fn a_cloud_that_fails_is_asked_again_until_it_hands_out_a_token() {
    let refuse = (401, json!({"error": "invalid_client"}).to_string());
    let cloud = Cloud::open(move |n, _| if n < 2 { refuse.clone() } else { token("late", 3_600) });
    let mut house = house(&cloud);

    let first = house.ask(&chat("azure/m"));
    let plain = house.ask(&chat("plain/m"));
    let last = house.ask_until(&chat("azure/m"), |reply| reply.status == 200);

    assert_eq!((first.status, first.refusal().as_str()), (503, "secret_unavailable"));
    assert_eq!(plain.status, 200, "others serve on");
    assert_eq!(shown(&house).as_deref(), Some("Bearer late"), "{}", last.text());
    let said = house.gateway.log();
    assert!(said.contains("invalid_client") && !said.contains("entra-secret"), "{said}");
}

#[test]
fn an_old_token_serves_while_its_cloud_is_ill_and_is_refused_once_it_has_expired() {
    let cloud =
        Cloud::open(|n, _| if n == 0 { token("only", 5) } else { (500, "<html>".to_owned()) });
    let house = house(&cloud);

    cloud.wait_for(1);
    let served = house.ask(&chat("azure/m"));
    let refused = house.ask_until(&chat("azure/m"), |reply| reply.status != 200);

    assert_eq!(served.status, 200, "{}", served.text());
    assert_eq!((refused.status, refused.refusal().as_str()), (503, "secret_unavailable"));
    assert_eq!(house.ask(&chat("plain/m")).status, 200);
    assert!(cloud.asked().len() >= 2, "it was asked for again before the old one expired");
}

#[test]
fn a_role_of_aws_is_assumed_and_its_keys_sign_each_call() {
    let cloud = Cloud::open(|_, _| {
        let keys = "<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
            <SessionToken>role-session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>";
        (200, format!("<AssumeRoleResponse>{keys}</AssumeRoleResponse>"))
    });
    let vendor = harness::vendor();
    let folder = manifest::folder();
    let account = json!({
        "type": "provider-account/aws-bedrock-mantle", "name": "aws", "region": "eu-west-1",
        "base_url": format!("http://{}/v1", vendor.address()),
        "collaborators": [{"subject": OWNER, "role_id": "provider-account-access"}],
        "auth_data": {"type": "assumed-role-based", "assumed_role_arn": "arn:aws:iam::1:role/r",
            "external_id": "ext"},
        "integrations": [{"name": "m", "model_id": "openai.gpt-oss-120b", "region": "us-east-2",
            "type": "integration/model/bedrock-mantle", "model_types": ["chat"]}],
    });
    manifest::write(folder.path(), "aws", &account);
    manifest::write(folder.path(), "owner", &manifest::token("owner", OWNER, KEY));
    let environment = [
        ("AWS_ENDPOINT_URL_STS", &*cloud.url()),
        ("AWS_ACCESS_KEY_ID", "AKIABASE"),
        ("AWS_SECRET_ACCESS_KEY", "base"),
    ];
    let house = House { gateway: Gateway::start_in(folder, &environment), vendor };

    let reply = house.ask(&chat("aws/m"));

    assert_eq!(reply.status, 200, "{}", reply.text());
    let asked = &cloud.asked()[0];
    let form = asked.form();
    assert_eq!((&*form["RoleArn"], &*form["ExternalId"]), ("arn:aws:iam::1:role/r", "ext"));
    let proof = asked.header("authorization").expect("it is signed");
    assert!(proof.contains("Credential=AKIABASE/") && proof.contains("/us-east-2/sts/"), "{proof}");
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    assert_eq!(seen.header("x-amz-security-token"), Some("role-session"));
    let proof = seen.header("authorization").expect("it is signed");
    assert!(proof.contains("Credential=ASIAROLE/"), "{proof}");
    assert!(proof.contains("/us-east-2/bedrock-mantle/aws4_request"), "{proof}");
}

#[test]
fn a_changed_secret_fetches_another_token() {
    let cloud = Cloud::open(|_, asked| {
        let secret = asked.form().remove("client_secret").unwrap_or_default();
        token(&format!("of-{secret}"), 3_600)
    });
    let house = house(&cloud);
    assert_eq!(house.ask(&chat("azure/m")).status, 200);

    let [(name, mut account), ..] = manifests(house.vendor.address());
    account["auth_data"]["client_secret"] = "rotated".into();
    manifest::write(house.gateway.manifests.path(), name, &account);

    house.ask_until(&chat("azure/m"), |reply| {
        assert_eq!(reply.status, 200, "{}", reply.text());
        shown(&house).as_deref() == Some("Bearer of-rotated")
    });
}
