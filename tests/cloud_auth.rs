//! How tokens are asked for, step by step: pure values, no sockets.
//!
//! What a cloud checks is checked here too: the signature of an assertion with its public key, and
//! the fields of a form.

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use std::{collections::HashMap, path::PathBuf, sync::LazyLock};
use weir::{
    lexicon::{secret::Secret, time::UnixMillis},
    provider::{
        auth::{
            AuthFault, Call, Minted, Step, TokenSource,
            aws::{Base, Role, Source},
            entra::{Application, Proof, SCOPE},
            google::{Federation, KeyFile},
            sigv4::AwsKeys,
            surroundings::Surroundings,
        },
        head::Credential,
    },
};

/// 2026-11-21T12:00:00Z.
const NOW: UnixMillis = UnixMillis(1_795_262_400_000);
const HOUR_MS: u64 = 3_600_000;

/// A key pair of this run, and its PEM.
static PAIR: LazyLock<(KeyPair, String)> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().expect("PKCS #8");
    let text = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    let pem =
        format!("-----BEGIN {0}-----\n{1}\n-----END {0}-----\n", "PRIVATE KEY", lines.join("\n"));
    (pair, pem)
});

fn secret(text: impl Into<String>) -> Secret {
    Secret::new(text.into())
}

fn asked(source: &TokenSource, fetched: &[Secret]) -> Call {
    match source.step(fetched, NOW) {
        Ok(Step::Ask(call)) => call,
        other => panic!("{other:?}"),
    }
}

fn minted(source: &TokenSource, fetched: &[Secret]) -> Minted {
    match source.step(fetched, NOW) {
        Ok(Step::Done(minted)) => minted,
        other => panic!("{other:?}"),
    }
}

fn header<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    let found = call.headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.expose())
}

/// The fields of a form; nothing in these tests has an escape but `%XX`.
fn form(call: &Call) -> HashMap<String, String> {
    assert_eq!(header(call, "content-type"), Some("application/x-www-form-urlencoded"));
    let decode = |text: &str| {
        let mut out = Vec::new();
        let mut parts = text.split('%');
        out.extend(parts.next().unwrap_or_default().bytes());
        for part in parts {
            out.push(u8::from_str_radix(&part[..2], 16).expect("hex"));
            out.extend(part[2..].bytes());
        }
        String::from_utf8(out).expect("UTF-8")
    };
    let pairs = call.body.expose().split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (decode(key), decode(value))).collect()
}

/// Header and claims of a token whose signature holds.
fn open_jwt(token: &str) -> (Value, Value) {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let (first, second) = signed.split_once('.').expect("three parts");
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url without padding");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PAIR.0.public_key());
    public.verify(signed.as_bytes(), &decode(signature)).expect("the signature holds");
    let json = |part: &str| serde_json::from_slice(&decode(part)).expect("JSON");
    (json(first), json(second))
}

fn oauth(token: &str, seconds: u64) -> Secret {
    let answer = json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"});
    secret(answer.to_string())
}

fn bearer(token: &str, millis: u64) -> Minted {
    let credential = Credential::Bearer(secret(token));
    Minted { credential, expires: UnixMillis(NOW.0 + millis) }
}

fn key_file() -> Value {
    json!({"type": "service_account", "project_id": "p", "private_key_id": "kid-1",
        "private_key": PAIR.1, "client_email": "svc@p.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token"})
}

#[test]
fn a_service_account_asks_with_an_assertion_that_its_key_signed() {
    let read = KeyFile::read(&secret(key_file().to_string())).expect("a key file");
    let source = TokenSource::GoogleKey(read);

    let call = asked(&source, &[]);

    assert_eq!((call.method, call.url.as_str()), ("POST", "https://oauth2.googleapis.com/token"));
    let form = form(&call);
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let (first, claims) = open_jwt(&form["assertion"]);
    assert_eq!(first, json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"}));
    assert_eq!(claims["iss"], "svc@p.iam.gserviceaccount.com");
    assert_eq!(claims["aud"], "https://oauth2.googleapis.com/token");
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
    let (issued, expires) = (claims["iat"].as_u64(), claims["exp"].as_u64());
    assert_eq!(issued, Some(NOW.0 / 1_000 - 10));
    assert_eq!(expires, Some(NOW.0 / 1_000 - 10 + 3_600));
    assert_eq!(minted(&source, &[oauth("ya29", 3_599)]), bearer("ya29", 3_599_000));
}

#[test]
fn a_file_that_is_no_key_file_is_said_without_quoting_it() {
    let with = |key: &str, value: Value| {
        let mut file = key_file();
        file[key] = value;
        KeyFile::read(&secret(file.to_string())).expect_err(key)
    };
    assert!(with("type", "authorized_user".into()).contains("service_account"));
    assert!(with("private_key", "sk-live".into()).contains("private_key"));
    assert!(with("client_email", Value::Null).contains("client_email"));
    assert!(with("token_uri", "file:///etc".into()).contains("token_uri"));
    assert!(KeyFile::read(&secret("{")).is_err());
}

fn external(source: Value) -> Value {
    json!({"type": "external_account", "audience": "//iam.googleapis.com/pool/1",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token", "credential_source": source,
        "service_account_impersonation_url": "https://iamcredentials.example/svc:generateAccessToken"})
}

#[test]
fn a_workload_of_another_cloud_exchanges_its_token_and_becomes_a_service_account() {
    let file = external(json!({"file": "/var/run/token"}));
    let read = Federation::read(&secret(file.to_string())).expect("a configuration");
    let source = TokenSource::GoogleFederation(read);

    assert_eq!(source.step(&[], NOW), Ok(Step::Read(PathBuf::from("/var/run/token"))));
    let exchange = form(&asked(&source, &[secret("subject\n")]));
    assert_eq!(exchange["grant_type"], "urn:ietf:params:oauth:grant-type:token-exchange");
    assert_eq!(exchange["subject_token"], "subject");
    assert_eq!(exchange["audience"], "//iam.googleapis.com/pool/1");
    let fetched = [secret("subject"), oauth("federated", 3_600)];
    let call = asked(&source, &fetched);
    assert_eq!(call.url, "https://iamcredentials.example/svc:generateAccessToken");
    assert_eq!(header(&call, "authorization"), Some("Bearer federated"));
    assert!(call.body.expose().contains("\"lifetime\":\"3600s\""));
    let last = json!({"accessToken": "ya29", "expireTime": "2026-11-21T13:00:00Z"});
    let fetched = [&fetched[..], &[secret(last.to_string())]].concat();
    assert_eq!(minted(&source, &fetched), bearer("ya29", HOUR_MS));
}

#[test]
fn a_subject_token_may_come_from_a_url_as_a_field_of_json() {
    let mut file = external(json!({"url": "http://169.254.169.254/token",
        "headers": {"Metadata": "True"},
        "format": {"type": "json", "subject_token_field_name": "access_token"}}));
    file.as_object_mut().expect("a mapping").remove("service_account_impersonation_url");
    let read = Federation::read(&secret(file.to_string())).expect("a configuration");
    let source = TokenSource::GoogleFederation(read);

    let call = asked(&source, &[]);
    let subject = secret(r#"{"access_token":"from-azure"}"#);

    assert_eq!((call.method, header(&call, "metadata")), ("GET", Some("True")));
    let exchange = form(&asked(&source, std::slice::from_ref(&subject)));
    assert_eq!(exchange["subject_token"], "from-azure");
    let fetched = [subject, oauth("direct", 60)];
    assert_eq!(minted(&source, &fetched), bearer("direct", 60_000));
}

#[test]
fn what_is_not_built_of_a_federation_is_refused_by_name() {
    let refused =
        |source| Federation::read(&secret(external(source).to_string())).expect_err("not built");
    assert!(refused(json!({"environment_id": "aws1", "url": "http://x"})).contains("AWS"));
    assert!(refused(json!({"executable": {"command": "/bin/x"}})).contains("file and url"));
    assert!(refused(json!({})).contains("file or url"));
}

fn application(proof: Proof) -> TokenSource {
    TokenSource::Entra(Application {
        authority: "https://login.microsoftonline.com".into(),
        tenant_id: "tenant".into(),
        client_id: "client".into(),
        scope: SCOPE,
        proof,
    })
}

const ENTRA: &str = "https://login.microsoftonline.com/tenant/oauth2/v2.0/token";

#[test]
fn an_application_of_entra_proves_itself_by_its_secret() {
    let source = application(Proof::Secret(secret("s+/=&")));

    let call = asked(&source, &[]);

    let form = form(&call);
    assert_eq!(call.url, ENTRA);
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!((&*form["client_id"], &*form["client_secret"]), ("client", "s+/=&"));
    assert_eq!(form["scope"], "https://cognitiveservices.azure.com/.default");
    // Its older endpoint writes numbers as text.
    let answer = secret(r#"{"access_token":"eyJ","expires_in":"3599"}"#);
    assert_eq!(minted(&source, &[answer]), bearer("eyJ", 3_599_000));
}

#[test]
fn an_application_of_entra_proves_itself_by_its_certificate() {
    let thumbprint = "A1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:90:A1:B2:C3:D4";
    let pem =
        format!("{}{}", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", PAIR.1);
    let proof = Proof::certificate(secret(pem), thumbprint).expect("a certificate");
    let source = application(proof);

    let form = form(&asked(&source, &[]));

    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    assert_eq!(form["client_assertion_type"], kind);
    let (first, claims) = open_jwt(&form["client_assertion"]);
    assert_eq!(first["x5t"], "obLD1OX2BxgpOktcbX6PkKGyw9Q");
    assert_eq!((&claims["aud"], &claims["iss"]), (&json!(ENTRA), &json!("client")));
    assert_eq!((&claims["sub"], &claims["nbf"]), (&json!("client"), &json!(NOW.0 / 1_000)));
    assert_eq!(claims["jti"].as_str().map(str::len), Some(32));
    assert!(Proof::certificate(secret(&*PAIR.1), "12").is_err(), "no thumbprint");
    assert!(Proof::certificate(secret("x"), thumbprint).is_err(), "no key");
}

#[test]
fn an_application_of_entra_proves_itself_by_the_token_of_its_pod() {
    let source = application(Proof::Federated(PathBuf::from("/var/run/azure/token")));

    assert_eq!(source.step(&[], NOW), Ok(Step::Read(PathBuf::from("/var/run/azure/token"))));
    let form = form(&asked(&source, &[secret("pod-token\n")]));

    assert_eq!(form["client_assertion"], "pod-token");
    assert!(!form.contains_key("client_secret"));
    assert_eq!(minted(&source, &[secret("pod"), oauth("eyJ", 60)]), bearer("eyJ", 60_000));
}

fn keys(id: &str, token: Option<&str>) -> AwsKeys {
    AwsKeys {
        access_key_id: secret(id),
        secret_access_key: secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: token.map(secret),
    }
}

/// As STS writes it.
fn sts(id: &str) -> Secret {
    secret(format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n\
         <AssumeRoleResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
         <SecretAccessKey>wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY</SecretAccessKey>\
         <SessionToken>session//+=</SessionToken><Expiration>2026-11-21T13:00:00Z</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ))
}

fn aws(base: Base, role: Option<Role>) -> TokenSource {
    TokenSource::Aws(Source { base, role, region: "us-west-2".into(), sts: None })
}

fn role() -> Role {
    Role { arn: "arn:aws:iam::1:role/r".into(), external_id: Some(secret("ext")) }
}

#[test]
fn a_role_is_assumed_by_a_signed_request_to_the_regions_own_sts() {
    let source = aws(Base::Keys(keys("AKIDEXAMPLE", None)), Some(role()));

    let call = asked(&source, &[]);

    assert_eq!(call.url, "https://sts.us-west-2.amazonaws.com/");
    let form = form(&call);
    assert_eq!((&*form["Action"], &*form["Version"]), ("AssumeRole", "2011-06-15"));
    assert_eq!(form["RoleArn"], "arn:aws:iam::1:role/r");
    assert_eq!(form["ExternalId"], "ext");
    assert_eq!(header(&call, "x-amz-date"), Some("20261121T120000Z"));
    let proof = header(&call, "authorization").expect("it is signed");
    let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-west-2/sts/aws4_request";
    assert!(proof.starts_with(scope), "{proof}");
    let expected = Credential::Aws(AwsKeys {
        session_token: Some(secret("session//+=")),
        ..keys("ASIA", None)
    });
    let minted = minted(&source, &[sts("ASIA")]);
    assert_eq!(minted, Minted { credential: expected, expires: UnixMillis(NOW.0 + HOUR_MS) });
}

#[test]
fn a_pod_becomes_its_role_and_then_the_one_that_the_manifest_names() {
    let base = Base::WebIdentity {
        role_arn: "arn:aws:iam::1:role/pod".into(),
        token_file: PathBuf::from("/var/run/eks/token"),
    };
    let source = aws(base, Some(role()));

    assert_eq!(source.step(&[], NOW), Ok(Step::Read(PathBuf::from("/var/run/eks/token"))));
    let first = asked(&source, &[secret("web")]);
    let second = asked(&source, &[secret("web"), sts("ASIAPOD")]);

    assert_eq!(form(&first)["Action"], "AssumeRoleWithWebIdentity");
    assert_eq!(form(&first)["WebIdentityToken"], "web");
    assert_eq!(header(&first, "authorization"), None, "the token is the proof");
    assert_eq!(form(&second)["RoleArn"], "arn:aws:iam::1:role/r");
    assert!(header(&second, "authorization").is_some_and(|proof| proof.contains("ASIAPOD/")));
    assert_eq!(header(&second, "x-amz-security-token"), Some("session//+="));
    let done = minted(&source, &[secret("web"), sts("ASIAPOD"), sts("ASIAROLE")]);
    assert!(
        matches!(done.credential, Credential::Aws(keys) if keys.access_key_id == secret("ASIAROLE"))
    );
}

#[test]
fn containers_and_instances_find_their_own_keys() {
    let answer = secret(
        r#"{"AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-21T12:30:00Z"}"#,
    );
    let container =
        Base::Container { url: "http://169.254.170.23/v1".into(), token_file: Some("/t".into()) };
    let container = aws(container, None);
    let instance = aws(Base::Instance, None);

    assert_eq!(container.step(&[], NOW), Ok(Step::Read(PathBuf::from("/t"))));
    let call = asked(&container, &[secret("pod\n")]);
    assert_eq!(header(&call, "authorization"), Some("pod"));
    let done = minted(&container, &[secret("pod"), answer.clone()]);
    assert_eq!(done.expires, UnixMillis(NOW.0 + HOUR_MS / 2));
    let call = asked(&instance, &[]);
    assert_eq!((call.method, &*call.url), ("PUT", "http://169.254.169.254/latest/api/token"));
    let call = asked(&instance, &[secret("imds"), secret("my-role\n")]);
    assert!(call.url.ends_with("/iam/security-credentials/my-role"), "{}", call.url);
    assert_eq!(header(&call, "x-aws-ec2-metadata-token"), Some("imds"));
    assert_eq!(minted(&instance, &[secret("imds"), secret("my-role"), answer]), done);
}

#[test]
fn an_answer_that_is_none_is_a_fault_and_never_a_token() {
    let source = application(Proof::Secret(secret("s")));
    for (answer, missing) in [
        ("<html>", "JSON"),
        ("{}", "an access_token"),
        (r#"{"access_token":""}"#, "an access_token"),
        (r#"{"access_token":"t"}"#, "an expires_in"),
        (r#"{"access_token":"t","expires_in":0}"#, "an expires_in"),
        (r#"{"access_token":"t","expires_in":-5}"#, "an expires_in"),
    ] {
        let step = source.step(&[secret(answer)], NOW);
        assert_eq!(step, Err(AuthFault::BadAnswer(missing)), "{answer}");
    }
    let endless = minted(&source, &[oauth("t", u64::MAX)]);
    assert_eq!(endless.expires, UnixMillis(NOW.0 + 24 * HOUR_MS), "no token lives for years");
    let role = aws(Base::Keys(keys("A", None)), Some(role()));
    for (answer, missing) in [
        ("<AccessKeyId>A</AccessKeyId>", "SecretAccessKey"),
        ("", "AccessKeyId"),
        ("<AccessKeyId>A", "AccessKeyId"),
    ] {
        assert_eq!(role.step(&[secret(answer)], NOW), Err(AuthFault::BadAnswer(missing)));
    }
}

#[test]
fn a_machine_is_known_by_its_environment_in_the_order_of_awss_own_libraries() {
    let read = |pairs: &[(&str, &str)]| {
        let map: HashMap<String, String> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Surroundings::read(|name| map.get(name).cloned())
    };
    let web = [("AWS_ROLE_ARN", "arn"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")];
    let both = [&web[..], &[("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "S")]].concat();

    assert_eq!(read(&[]).aws_base, Base::Instance);
    assert!(matches!(read(&web).aws_base, Base::WebIdentity { .. }));
    assert!(matches!(read(&both).aws_base, Base::Keys(_)));
    assert!(matches!(read(&[("AWS_ACCESS_KEY_ID", "")]).aws_base, Base::Instance));
    let relative = read(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")]);
    let url = "http://169.254.170.2/v2/x".into();
    assert_eq!(relative.aws_base, Base::Container { url, token_file: None });
    assert_eq!(&*read(&[]).azure_authority, "https://login.microsoftonline.com");
    let china = read(&[("AZURE_AUTHORITY_HOST", "https://login.partner.microsoftonline.cn/")]);
    assert_eq!(&*china.azure_authority, "https://login.partner.microsoftonline.cn");
}
