//! Microsoft Entra: an application that proves itself by a secret, a certificate or an identity
//! that its pod was given.
//!
//! ```text
//! POST AUTHORITY/TENANT/oauth2/v2.0/token
//! grant_type=client_credentials&client_id=…&scope=…&(client_secret=… | client_assertion=JWT)
//! ```
//!
//! Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow and
//! …/certificate-credentials, read 2026-11-21.

use crate::{
    lexicon::{secret::Secret, time::UnixMillis},
    provider::{
        auth::{AuthFault, Call, Minted, Step, jwt, read_oauth},
        base_url::push_encoded,
        head::Credential,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::{fmt::Write as _, path::PathBuf};

/// Where tokens of the public cloud are made.
pub const AUTHORITY: &str = "https://login.microsoftonline.com";
/// What a token for Azure's AI services is asked for.
pub const SCOPE: &str = "https://cognitiveservices.azure.com/.default";
/// The same for a project of Microsoft Foundry.
pub const SCOPE_FOUNDRY: &str = "https://ai.azure.com/.default";
/// An assertion is used at once; five minutes forgive clocks that differ.
const ASSERTION_LIFETIME_S: u64 = 300;

/// An application of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Application {
    /// Where tokens are made, without a slash at its end.
    pub authority: Box<str>,
    pub tenant_id: Box<str>,
    pub client_id: Box<str>,
    pub scope: &'static str,
    pub proof: Proof,
}

/// How it proves itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    Secret(Secret),
    Certificate {
        key: Secret,
        thumbprint: Thumbprint,
    },
    /// A token of the cluster, in a file that it keeps fresh.
    Federated(PathBuf),
}

/// Which certificate of the application a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Thumbprint {
    /// `x5t` (SHA-1) or `x5t#S256`.
    name: &'static str,
    value: Box<str>,
}

impl Proof {
    /// The proof by a certificate: its private key in PEM, and its thumbprint in hex.
    ///
    /// **Errors**: what is wrong with either.
    pub fn certificate(key: Secret, thumbprint: &str) -> Result<Self, &'static str> {
        jwt::check(&key).map_err(|_| "no RSA private key in PEM")?;
        let digits: String = thumbprint.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        let name = match digits.len() {
            40 => "x5t",
            64 => "x5t#S256",
            _ => return Err("a thumbprint that is neither SHA-1 nor SHA-256 in hex"),
        };
        let bytes: Option<Vec<u8>> = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let bytes = bytes.ok_or("a thumbprint that is not in hex")?;
        let value = URL_SAFE_NO_PAD.encode(bytes).into();
        Ok(Self::Certificate { key, thumbprint: Thumbprint { name, value } })
    }
}

impl Application {
    pub(super) fn step(&self, fetched: &[Secret], now: UnixMillis) -> Result<Step, AuthFault> {
        let (answer, assertion) = match (&self.proof, fetched) {
            (Proof::Federated(path), []) => return Ok(Step::Read(path.clone())),
            (Proof::Federated(_), [token, answer @ ..]) => {
                (answer.first(), Some(Secret::new(token.expose().trim())))
            }
            (Proof::Secret(_) | Proof::Certificate { .. }, answer) => (answer.first(), None),
        };
        if let Some(answer) = answer {
            let (token, expires) = read_oauth(answer, now)?;
            return Ok(Step::Done(Minted { credential: Credential::Bearer(token), expires }));
        }
        let url = self.token_url();
        let assertion = match &self.proof {
            Proof::Certificate { key, thumbprint } => Some(self.assert(key, thumbprint, now)?),
            Proof::Secret(_) | Proof::Federated(_) => assertion,
        };
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", &*self.client_id),
            ("scope", self.scope),
        ];
        if let Proof::Secret(secret) = &self.proof {
            fields.push(("client_secret", secret.expose()));
        }
        if let Some(assertion) = &assertion {
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            fields.push(("client_assertion_type", kind));
            fields.push(("client_assertion", assertion.expose()));
        }
        Ok(Step::Ask(Call::form(&url, &fields)))
    }

    fn token_url(&self) -> String {
        let mut url = format!("{}/", self.authority);
        push_encoded(&mut url, &self.tenant_id);
        url.push_str("/oauth2/v2.0/token");
        url
    }

    fn assert(
        &self,
        key: &Secret,
        thumbprint: &Thumbprint,
        now: UnixMillis,
    ) -> Result<Secret, AuthFault> {
        let now_s = now.0 / 1_000;
        // Unlike any other of this application: one is made at a moment.
        let digest = Sha256::digest(format!("{} {}", self.client_id, now.0));
        let id = digest[..16].iter().fold(String::new(), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        });
        let claims = json!({
            "aud": self.token_url(),
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": id,
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + ASSERTION_LIFETIME_S,
        });
        jwt::sign(key, Some((thumbprint.name, &thumbprint.value)), &claims)
    }
}
