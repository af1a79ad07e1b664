//! Google: the key file of a service account, or an identity of another cloud.
//!
//! ```text
//! service_account   sign a JWT → POST token_uri → token
//! external_account  subject token (file or URL) → POST token_url → token
//!                   → POST service_account_impersonation_url → token of the service account
//! ```
//!
//! Source: developers.google.com/identity/protocols/oauth2/service-account and
//! google.aip.dev/auth/4117, read 2026-11-21.

use crate::{
    lexicon::{secret::Secret, time::UnixMillis},
    provider::{
        auth::{AuthFault, Call, Minted, Step, jwt, read_json, read_moment, read_oauth},
        head::Credential,
    },
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What a token may be used for: all that the account's roles allow.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The longest life that may be asked for.
const LIFETIME_S: u64 = 3_600;
/// A clock of ours that is fast must not make a token of the future.
const SKEW_S: u64 = 10;

/// The key file of a service account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyFile {
    pub client_email: Box<str>,
    pub key_id: Option<Box<str>>,
    pub key: Secret,
    pub token_uri: Box<str>,
}

/// The configuration file of a workload identity federation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Federation {
    pub audience: Box<str>,
    subject_token_type: Box<str>,
    token_url: Box<str>,
    impersonation_url: Option<Box<str>>,
    lifetime_s: u64,
    subject: Subject,
    /// The subject token is this field of a JSON text; else the text itself.
    field: Option<Box<str>>,
}

/// Where the other cloud puts the token that says who we are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    File(PathBuf),
    Url { url: Box<str>, headers: Vec<(Box<str>, Secret)> },
}

impl KeyFile {
    /// Reads a key file.
    ///
    /// **Errors**: what is wrong with it.
    pub fn read(text: &Secret) -> Result<Self, &'static str> {
        let file: Value =
            serde_json::from_str(text.expose()).map_err(|_| "no key file: it is no JSON")?;
        if file["type"] != "service_account" {
            return Err("a file whose type is not service_account");
        }
        let client_email = text_of(&file, "client_email").ok_or("no client_email")?;
        let key = Secret::new(text_of(&file, "private_key").ok_or("no private_key")?);
        jwt::check(&key).map_err(|_| "a private_key that is no RSA key in PEM")?;
        let token_uri = text_of(&file, "token_uri")
            .unwrap_or_else(|| "https://oauth2.googleapis.com/token".into());
        check_url(&token_uri).ok_or("a token_uri that is no URL")?;
        Ok(Self { client_email, key_id: text_of(&file, "private_key_id"), key, token_uri })
    }

    fn claims(&self, now: UnixMillis) -> Value {
        let now_s = now.0 / 1_000;
        json!({
            "iss": self.client_email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": now_s.saturating_sub(SKEW_S),
            "exp": now_s.saturating_sub(SKEW_S) + LIFETIME_S,
        })
    }

    pub(super) fn step(&self, fetched: &[Secret], now: UnixMillis) -> Result<Step, AuthFault> {
        if let Some(answer) = fetched.first() {
            let (token, expires) = read_oauth(answer, now)?;
            return Ok(Step::Done(Minted { credential: Credential::Bearer(token), expires }));
        }
        let header = self.key_id.as_deref().map(|id| ("kid", id));
        let assertion = jwt::sign(&self.key, header, &self.claims(now))?;
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.expose()),
        ];
        Ok(Step::Ask(Call::form(&self.token_uri, &fields)))
    }
}

impl Federation {
    /// Reads a configuration file.
    ///
    /// **Errors**: what is wrong with it, or what it asks for that is not built.
    pub fn read(text: &Secret) -> Result<Self, &'static str> {
        let file: Value =
            serde_json::from_str(text.expose()).map_err(|_| "no JSON in the file's text")?;
        if file["type"] != "external_account" {
            return Err("a file whose type is not external_account");
        }
        let token_url = text_of(&file, "token_url").ok_or("no token_url")?;
        check_url(&token_url).ok_or("a token_url that is no URL")?;
        let impersonation_url = text_of(&file, "service_account_impersonation_url");
        if impersonation_url.as_ref().is_some_and(|url| check_url(url).is_none()) {
            return Err("a service_account_impersonation_url that is no URL");
        }
        let source = &file["credential_source"];
        if !source["environment_id"].is_null() {
            return Err("a credential_source of AWS, which is not obeyed yet");
        }
        if !source["executable"].is_null() || !source["certificate"].is_null() {
            return Err("a credential_source other than file and url");
        }
        let subject = match (text_of(source, "file"), text_of(source, "url")) {
            (Some(file), None) => Subject::File(PathBuf::from(&*file)),
            (None, Some(url)) => {
                check_url(&url).ok_or("a credential_source.url that is no URL")?;
                let headers = source["headers"].as_object().into_iter().flatten();
                let headers = headers.filter_map(|(name, value)| {
                    Some((name.to_ascii_lowercase().into(), Secret::new(value.as_str()?)))
                });
                Subject::Url { url, headers: headers.collect() }
            }
            _ => return Err("a credential_source without file or url"),
        };
        let format = &source["format"];
        let field = match format["type"].as_str() {
            None | Some("text") => None,
            Some("json") => Some(
                text_of(format, "subject_token_field_name")
                    .ok_or("no format.subject_token_field_name")?,
            ),
            Some(_) => return Err("a credential_source.format other than text and json"),
        };
        let lifetime = &file["service_account_impersonation"]["token_lifetime_seconds"];
        Ok(Self {
            audience: text_of(&file, "audience").ok_or("no audience")?,
            subject_token_type: text_of(&file, "subject_token_type")
                .ok_or("no subject_token_type")?,
            token_url,
            impersonation_url,
            lifetime_s: lifetime.as_u64().unwrap_or(LIFETIME_S),
            subject,
            field,
        })
    }

    pub(super) fn step(&self, fetched: &[Secret], now: UnixMillis) -> Result<Step, AuthFault> {
        match (fetched, &self.impersonation_url) {
            ([], _) => Ok(match &self.subject {
                Subject::File(path) => Step::Read(path.clone()),
                Subject::Url { url, headers } => {
                    let call = Call::get(url);
                    Step::Ask(
                        headers
                            .iter()
                            .fold(call, |call, (name, value)| call.header(name, value.expose())),
                    )
                }
            }),
            ([subject], _) => self.exchange(subject),
            ([_, answer], None) => {
                let (token, expires) = read_oauth(answer, now)?;
                Ok(Step::Done(Minted { credential: Credential::Bearer(token), expires }))
            }
            ([_, answer], Some(url)) => {
                let (token, _) = read_oauth(answer, now)?;
                let lifetime = format!("{}s", self.lifetime_s);
                let body = json!({"scope": [SCOPE], "lifetime": lifetime}).to_string();
                let call = Call { method: "POST", body: Secret::new(body), ..Call::get(url) }
                    .header("content-type", "application/json")
                    .header("authorization", &format!("Bearer {}", token.expose()));
                Ok(Step::Ask(call))
            }
            ([_, _, answer, ..], _) => impersonated(answer, now),
        }
    }

    fn exchange(&self, subject: &Secret) -> Result<Step, AuthFault> {
        let token = match &self.field {
            None => subject.expose().trim().to_owned(),
            Some(field) => {
                let value = read_json(subject)?;
                let token = value[&**field].as_str();
                token.ok_or(AuthFault::BadAnswer("the subject token"))?.to_owned()
            }
        };
        if token.is_empty() {
            return Err(AuthFault::BadAnswer("a subject token"));
        }
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", &*self.audience),
            ("scope", SCOPE),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token", &token),
            ("subject_token_type", &*self.subject_token_type),
        ];
        Ok(Step::Ask(Call::form(&self.token_url, &fields)))
    }
}

/// **Shape**: `{"accessToken":"…","expireTime":"2026-11-21T12:00:00Z"}`
fn impersonated(answer: &Secret, now: UnixMillis) -> Result<Step, AuthFault> {
    let value = read_json(answer)?;
    let token = value["accessToken"].as_str().ok_or(AuthFault::BadAnswer("an accessToken"))?;
    let expires = value["expireTime"].as_str().and_then(|text| read_moment(text, now));
    let expires = expires.ok_or(AuthFault::BadAnswer("an expireTime"))?;
    let credential = Credential::Bearer(Secret::new(token));
    Ok(Step::Done(Minted { credential, expires }))
}

fn text_of(value: &Value, key: &str) -> Option<Box<str>> {
    value[key].as_str().filter(|text| !text.is_empty()).map(Into::into)
}

/// Only what a fetch can be sent to.
fn check_url(url: &str) -> Option<()> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    (!rest.is_empty() && url.bytes().all(|byte| byte.is_ascii_graphic())).then_some(())
}
