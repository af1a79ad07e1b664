//! Signatures of AWS, judged by AWS's own vectors and its Python SDK.

use weir::{
    lexicon::{secret::Secret, time::UnixMillis},
    provider::auth::sigv4::{AwsKeys, Signer, Unsigned},
};

/// 2026-11-21T12:00:00Z.
const NOW: UnixMillis = UnixMillis(1_795_262_400_000);

fn keys(id: &str, token: Option<&str>) -> AwsKeys {
    AwsKeys {
        access_key_id: Secret::new(id),
        secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: token.map(Secret::new),
    }
}

fn signature(signer: &Signer, request: Unsigned<'_>, now: UnixMillis) -> String {
    let mut out = Vec::new();
    signer.sign(&mut out, request, now).expect("it signs");
    let text = String::from_utf8(out).expect("header lines");
    assert!(text.ends_with("\r\n"));
    text.rsplit_once("Signature=").expect(&text).1[..64].to_owned()
}

/// The vectors of AWS's own test suite whose signed headers are those that we sign.
///
/// Source: github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4 at v0.9.0 (Apache-2.0);
/// region us-east-1, service `service`, 2015-08-30T12:36:00Z; read 2026-11-21.
#[test]
fn awss_own_vectors_hold() {
    const MOMENT: UnixMillis = UnixMillis(1_440_938_160_000);
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let unreserved = format!("/-._~0123456789{letters}");
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    for (method, target, token, expected) in [
        ("GET", "/", None, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "/",
            Some(token),
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
        ("POST", "/", None, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "POST",
            "/?Param1=value1",
            None,
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
        ),
        (
            "GET",
            "/?Param1=value1",
            None,
            "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
        ),
        (
            "GET",
            &unreserved,
            None,
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "GET",
            "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
            None,
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        ),
    ] {
        let signer = Signer::new(&keys("AKIDEXAMPLE", token), "us-east-1", "service");
        let request =
            Unsigned { method, target, host: "example.amazonaws.com", content_type: "", body: b"" };
        assert_eq!(signature(&signer, request, MOMENT), expected, "{method} {target}");
    }
}

/// What botocore 1.44.5, the signer of AWS's Python SDK, made of the same requests; its
/// `SigV4Auth`, run 2026-11-21 with its clock at `NOW`.
#[test]
fn the_signature_is_the_one_of_awss_python_sdk() {
    let json = "application/json";
    for (service, region, host, target, kind, body, token, expected) in [
        (
            "bedrock-mantle",
            "eu-central-1",
            "bedrock-mantle.eu-central-1.api.aws",
            "/v1/chat/completions",
            json,
            r#"{"model":"openai.gpt-oss-120b","messages":[]}"#,
            None,
            "8927c9ff78474a7ef4acfaaadad8919a995e2d308a1d5ee8b4a7ae47b5986775",
        ),
        (
            "bedrock",
            "us-east-1",
            "bedrock-runtime.us-east-1.amazonaws.com",
            "/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/converse-stream",
            json,
            r#"{"messages":[]}"#,
            Some("SESSION/TOKEN=="),
            "13099ecc4018b9d5c6d94787d943fde62a1eb8fc8685719c2eafbf40d82e42b7",
        ),
        (
            "sts",
            "us-west-2",
            "sts.us-west-2.amazonaws.com",
            "/",
            "application/x-www-form-urlencoded",
            "Action=AssumeRole&Version=2011-06-15",
            None,
            "0c868c1ab6174362b80ba96468df0b017a13546999bb78ccb46e03f46a7c230d",
        ),
    ] {
        let signer = Signer::new(&keys("AKIDEXAMPLE", token), region, service);
        let request =
            Unsigned { method: "POST", target, host, content_type: kind, body: body.as_bytes() };
        assert_eq!(signature(&signer, request, NOW), expected, "{service}");
    }
}
