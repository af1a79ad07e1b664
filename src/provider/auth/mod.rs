//! How we prove ourselves to a cloud: short-lived tokens, and signatures.
//!
//! A `TokenSource` is what a manifest says of a token that must be fetched. It is sans-IO: asked
//! for its next `Step`, given what was fetched so far, it names one thing to fetch, or is done and
//! has `Minted` a credential. The control plane fetches (`control_plane/tokens`) and a new snapshot
//! carries the credential to the cores. `google.rs`, `entra.rs` and `aws.rs` are the three clouds,
//! `jwt.rs` what two of them sign, `sigv4.rs` what the third wants of every request;
//! `surroundings.rs` is what a machine says of itself.

pub mod aws;
pub mod entra;
pub mod google;
mod jwt;
pub mod sigv4;
pub mod surroundings;

use crate::{
    lexicon::{secret::Secret, time::UnixMillis},
    provider::{base_url::push_encoded, head::Credential},
};
use std::{collections::HashMap, path::PathBuf};

/// Where a token comes from; equal sources share one token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TokenSource {
    GoogleKey(google::KeyFile),
    GoogleFederation(google::Federation),
    Entra(entra::Application),
    Aws(aws::Source),
}

/// What was fetched and works.
pub type Credentials = HashMap<TokenSource, Credential>;

/// A credential that does not last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minted {
    pub credential: Credential,
    /// The first moment at which it no longer works.
    pub expires: UnixMillis,
}

/// What is to be done next for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask, and go on with the body of an answer of status 200 to 299.
    Ask(Call),
    /// Read this file, and go on with its text.
    Read(PathBuf),
    Done(Minted),
}

/// A request for a token, or for a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(String, Secret)>,
    pub body: Secret,
}

/// Why no token comes of it. Words quote nothing of what was sent or answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthFault {
    /// The key in the manifest is none.
    BadKey(&'static str),
    /// The answer is not what its protocol says: what is missing in it.
    BadAnswer(&'static str),
}

impl std::fmt::Display for AuthFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadKey(what) => write!(f, "unusable key: {what}"),
            Self::BadAnswer(what) => write!(f, "an answer without {what}"),
        }
    }
}

/// The longest a token is believed to last, whatever its maker says: a mistaken unit must not keep
/// a dead token for years. Service accounts may ask for 12 hours, all else is shorter.
const LIFETIME_MAX_S: u64 = 24 * 3_600;

impl TokenSource {
    /// The next step, given the texts fetched by all steps before it.
    ///
    /// **Errors**: the key or the latest text is unusable; trying again begins anew.
    pub fn step(&self, fetched: &[Secret], now: UnixMillis) -> Result<Step, AuthFault> {
        match self {
            Self::GoogleKey(key) => key.step(fetched, now),
            Self::GoogleFederation(federation) => federation.step(fetched, now),
            Self::Entra(application) => application.step(fetched, now),
            Self::Aws(source) => source.step(fetched, now),
        }
    }

    /// What it is called in logs; holds no secret.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::GoogleKey(key) => format!("google service account {}", key.client_email),
            Self::GoogleFederation(federation) => {
                format!("google workload identity {}", federation.audience)
            }
            Self::Entra(application) => {
                format!("entra application {} of {}", application.client_id, application.tenant_id)
            }
            Self::Aws(source) => source.label(),
        }
    }
}

impl Call {
    /// A form, as OAuth and AWS's query APIs take it.
    fn form(url: &str, fields: &[(&str, &str)]) -> Self {
        let mut body = String::new();
        for (name, value) in fields {
            if !body.is_empty() {
                body.push('&');
            }
            body.push_str(name);
            body.push('=');
            push_encoded(&mut body, value);
        }
        let kind = Secret::new("application/x-www-form-urlencoded");
        Self {
            method: "POST",
            url: url.to_owned(),
            headers: vec![("content-type".to_owned(), kind)],
            body: Secret::new(body),
        }
    }

    fn get(url: &str) -> Self {
        Self { method: "GET", url: url.to_owned(), headers: vec![], body: Secret::new("") }
    }

    #[must_use]
    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), Secret::new(value)));
        self
    }
}

/// An answer of OAuth 2.0's token endpoint (RFC 6749 §5.1).
///
/// **Shape**: `{"access_token":"…","expires_in":3599,…}`; the number may be a string.
fn read_oauth(answer: &Secret, now: UnixMillis) -> Result<(Secret, UnixMillis), AuthFault> {
    let value = read_json(answer)?;
    let token = value["access_token"].as_str().filter(|token| !token.is_empty());
    let token = token.ok_or(AuthFault::BadAnswer("an access_token"))?;
    let seconds = &value["expires_in"];
    let seconds = seconds.as_u64().or_else(|| seconds.as_str()?.parse().ok());
    let seconds = seconds.filter(|seconds| *seconds > 0);
    let seconds = seconds.ok_or(AuthFault::BadAnswer("an expires_in"))?.min(LIFETIME_MAX_S);
    Ok((Secret::new(token), UnixMillis(now.0.saturating_add(seconds * 1_000))))
}

fn read_json(answer: &Secret) -> Result<serde_json::Value, AuthFault> {
    serde_json::from_str(answer.expose()).map_err(|_| AuthFault::BadAnswer("JSON"))
}

/// A moment as RFC 3339 writes it, bounded by `LIFETIME_MAX_S`.
fn read_moment(text: &str, now: UnixMillis) -> Option<UnixMillis> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    let millis = u64::try_from(moment.as_millisecond()).ok()?;
    Some(UnixMillis(millis.min(now.0.saturating_add(LIFETIME_MAX_S * 1_000))))
}
