//! AWS's signature of a request, version 4.
//!
//! The canonical form, the keys and the signature are `aws-sigv4`'s; here stands which headers are
//! signed (host, content-type, and AWS's own), and where the lines go. The body is always hashed:
//! neither Bedrock nor STS has an operation whose payload may go unsigned (the service models of
//! botocore 1.44.5, read 2026-11-21, have no `v4-unsigned-body` for them).

use crate::{
    lexicon::{secret::Secret, time::UnixMillis},
    provider::auth::AuthFault,
};
use aws_credential_types::Credentials;
use aws_lc_rs::digest::{SHA256, digest};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use std::{
    fmt::Write as _,
    time::{Duration, UNIX_EPOCH},
};

/// Keys of an AWS principal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsKeys {
    pub access_key_id: Secret,
    pub secret_access_key: Secret,
    /// Temporary keys have one.
    pub session_token: Option<Secret>,
}

/// Signs requests to one service in one region.
#[derive(Clone)]
pub struct Signer {
    identity: Identity,
    region: Box<str>,
    service: &'static str,
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned<'a> {
    pub method: &'a str,
    /// As sent: percent-encoded once, with its query.
    pub target: &'a str,
    /// As in the `host` header.
    pub host: &'a str,
    pub content_type: &'a str,
    pub body: &'a [u8],
}

impl Signer {
    #[must_use]
    pub fn new(keys: &AwsKeys, region: &str, service: &'static str) -> Self {
        let credentials = Credentials::new(
            keys.access_key_id.expose(),
            keys.secret_access_key.expose(),
            keys.session_token.as_ref().map(|token| token.expose().to_owned()),
            None,
            "weir",
        );
        Self { identity: credentials.into(), region: region.into(), service }
    }

    /// Appends the header lines that prove the request, each with its CRLF.
    ///
    /// **Shape**: `x-amz-date: …`, `authorization: AWS4-HMAC-SHA256 …`, for temporary keys
    /// `x-amz-security-token: …`. **Errors**: the request's target is none.
    /// **Cost**: about 11 µs and 77 allocations, nearly all in `aws-sigv4`, and 0.7 ns a byte of
    /// body (2026-11-21, AMD EPYC, release, best of 20 runs of 200).
    pub fn sign(
        &self,
        out: &mut Vec<u8>,
        request: Unsigned<'_>,
        now: UnixMillis,
    ) -> Result<(), AuthFault> {
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(self.service)
            .time(UNIX_EPOCH + Duration::from_millis(now.0))
            .settings(SigningSettings::default())
            .build()
            .map(SigningParams::from)
            .map_err(|_| AuthFault::BadKey("it does not sign"))?;
        let headers = [("host", request.host), ("content-type", request.content_type)];
        let headers = headers.into_iter().filter(|(_, value)| !value.is_empty());
        let body = SignableBody::Precomputed(hash(request.body));
        let bad = |_| AuthFault::BadKey("the request has no target");
        let signable = SignableRequest::new(request.method, request.target, headers, body);
        let signed = sign(signable.map_err(bad)?, &params).map_err(bad)?;
        for (name, value) in signed.output().headers() {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }
}

/// SHA-256 in hex.
fn hash(body: &[u8]) -> String {
    let digest = digest(&SHA256, body);
    digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
