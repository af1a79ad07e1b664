//! AWS: keys that last, keys of a role that do not, and where a machine finds its own.
//!
//! ```text
//! base   keys of the environment | web identity (file → STS) | container (URL) | instance (IMDSv2)
//! role   base keys sign an AssumeRole → STS → keys of the role
//! ```
//!
//! Source: `docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html`,
//! docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html, read 2026-11-21.

use crate::{
    lexicon::{secret::Secret, time::UnixMillis},
    provider::{
        auth::{
            AuthFault, Call, Minted, Step, read_json, read_moment,
            sigv4::{AwsKeys, Signer, Unsigned},
        },
        base_url::BaseUrl,
        head::Credential,
    },
};
use std::path::PathBuf;

/// The version of STS's API; there is no other.
const STS_VERSION: &str = "2011-06-15";
/// What the session is called in the account's logs.
const SESSION: &str = "weir";
/// How long an assumed role's keys last; roles allow an hour unless told otherwise.
const LIFETIME_S: &str = "3600";
/// Where an instance asks about itself, from inside.
const INSTANCE: &str = "http://169.254.169.254";
const INSTANCE_KEYS: &str = "/latest/meta-data/iam/security-credentials/";
/// How long the instance's own token lasts: one errand.
const INSTANCE_TOKEN_S: &str = "60";

/// Keys that must be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    pub base: Base,
    pub role: Option<Role>,
    pub region: Box<str>,
    /// Where STS is, without a slash at its end; none is the region's own.
    pub sts: Option<Box<str>>,
}

/// Who we are before we assume a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    Keys(AwsKeys),
    WebIdentity { role_arn: Box<str>, token_file: PathBuf },
    Container { url: Box<str>, token_file: Option<PathBuf> },
    Instance,
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Role {
    pub arn: Box<str>,
    pub external_id: Option<Secret>,
}

/// What the base came to, and what was fetched after it.
enum Progress<'a> {
    Next(Step),
    Keys { keys: AwsKeys, expires: Option<UnixMillis>, rest: &'a [Secret] },
}

impl Source {
    pub(super) fn label(&self) -> String {
        match (&self.role, &self.base) {
            (Some(role), _) => format!("aws role {}", role.arn),
            (None, Base::WebIdentity { role_arn, .. }) => format!("aws web identity {role_arn}"),
            (None, Base::Container { .. }) => "aws container's role".to_owned(),
            (None, Base::Instance | Base::Keys(_)) => "aws instance's role".to_owned(),
        }
    }

    pub(super) fn step(&self, fetched: &[Secret], now: UnixMillis) -> Result<Step, AuthFault> {
        let (keys, expires, rest) = match self.base(fetched, now)? {
            Progress::Next(step) => return Ok(step),
            Progress::Keys { keys, expires, rest } => (keys, expires, rest),
        };
        let (keys, expires) = match (&self.role, rest.first()) {
            (None, _) => (keys, expires.ok_or(AuthFault::BadAnswer("an expiration"))?),
            (Some(role), None) => return self.assume(role, &keys, now),
            (Some(_), Some(answer)) => read_sts(answer, now)?,
        };
        Ok(Step::Done(Minted { credential: Credential::Aws(keys), expires }))
    }

    fn base<'a>(&self, fetched: &'a [Secret], now: UnixMillis) -> Result<Progress<'a>, AuthFault> {
        let step = match (&self.base, fetched) {
            (Base::Keys(keys), rest) => {
                return Ok(Progress::Keys { keys: keys.clone(), expires: None, rest });
            }
            (Base::WebIdentity { token_file, .. }, []) => Step::Read(token_file.clone()),
            (Base::WebIdentity { role_arn, .. }, [token]) => {
                Step::Ask(self.assume_with_web_identity(role_arn, token))
            }
            (Base::WebIdentity { .. }, [_, answer, rest @ ..]) => {
                let (keys, expires) = read_sts(answer, now)?;
                return Ok(Progress::Keys { keys, expires: Some(expires), rest });
            }
            (Base::Container { url, token_file: None }, []) => Step::Ask(Call::get(url)),
            (Base::Container { token_file: Some(file), .. }, []) => Step::Read(file.clone()),
            (Base::Container { url, token_file: Some(_) }, [token]) => {
                Step::Ask(Call::get(url).header("authorization", token.expose().trim()))
            }
            (Base::Container { token_file: None, .. }, [answer, rest @ ..])
            | (Base::Container { token_file: Some(_), .. }, [_, answer, rest @ ..])
            | (Base::Instance, [_, _, answer, rest @ ..]) => {
                let (keys, expires) = read_keys(answer, now)?;
                return Ok(Progress::Keys { keys, expires: Some(expires), rest });
            }
            (Base::Instance, []) => Step::Ask(
                Call { method: "PUT", ..Call::get(&format!("{INSTANCE}/latest/api/token")) }
                    .header("x-aws-ec2-metadata-token-ttl-seconds", INSTANCE_TOKEN_S),
            ),
            (Base::Instance, [token]) => Step::Ask(ask_instance("", token)),
            (Base::Instance, [token, role]) => {
                let role = role.expose().lines().next().unwrap_or_default().trim();
                if role.is_empty() {
                    return Err(AuthFault::BadAnswer("a role of the instance"));
                }
                Step::Ask(ask_instance(role, token))
            }
        };
        Ok(Progress::Next(step))
    }

    fn sts(&self) -> String {
        // China is a partition with a domain of its own.
        let suffix = if self.region.starts_with("cn-") { ".cn" } else { "" };
        let default = || format!("https://sts.{}.amazonaws.com{suffix}", self.region);
        self.sts.as_deref().map_or_else(default, str::to_owned)
    }

    fn assume_with_web_identity(&self, role_arn: &str, token: &Secret) -> Call {
        let fields = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", STS_VERSION),
            ("RoleArn", role_arn),
            ("RoleSessionName", SESSION),
            ("DurationSeconds", LIFETIME_S),
            ("WebIdentityToken", token.expose().trim()),
        ];
        Call::form(&format!("{}/", self.sts()), &fields)
    }

    fn assume(&self, role: &Role, keys: &AwsKeys, now: UnixMillis) -> Result<Step, AuthFault> {
        let mut fields = vec![
            ("Action", "AssumeRole"),
            ("Version", STS_VERSION),
            ("RoleArn", &*role.arn),
            ("RoleSessionName", SESSION),
            ("DurationSeconds", LIFETIME_S),
        ];
        if let Some(id) = &role.external_id {
            fields.push(("ExternalId", id.expose()));
        }
        let sts = self.sts();
        let call = Call::form(&format!("{sts}/"), &fields);
        let place: BaseUrl =
            sts.parse().map_err(|_| AuthFault::BadKey("the STS endpoint is no URL"))?;
        let mut lines = Vec::new();
        let request = Unsigned {
            method: call.method,
            target: "/",
            host: &place.authority(),
            content_type: call.headers.first().map_or("", |(_, value)| value.expose()),
            body: call.body.expose().as_bytes(),
        };
        Signer::new(keys, &self.region, "sts").sign(&mut lines, request, now)?;
        let lines = String::from_utf8_lossy(&lines).into_owned();
        let proofs = lines.lines().filter_map(|line| line.split_once(": "));
        Ok(Step::Ask(proofs.fold(call, |call, (name, value)| call.header(name, value))))
    }
}

fn ask_instance(role: &str, token: &Secret) -> Call {
    Call::get(&format!("{INSTANCE}{INSTANCE_KEYS}{role}"))
        .header("x-aws-ec2-metadata-token", token.expose().trim())
}

/// **Shape**: XML with `<AccessKeyId>`, `<SecretAccessKey>`, `<SessionToken>` and `<Expiration>`
/// once each; none of their values has a character that XML escapes.
fn read_sts(answer: &Secret, now: UnixMillis) -> Result<(AwsKeys, UnixMillis), AuthFault> {
    let text = answer.expose();
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once(&format!("</{name}>"))?;
        Some(value.trim()).filter(|value| !value.is_empty() && !value.contains(['<', '&']))
    };
    read_with(field, "SessionToken", now)
}

/// **Shape**: `{"AccessKeyId":"…","SecretAccessKey":"…","Token":"…","Expiration":"…"}`
fn read_keys(answer: &Secret, now: UnixMillis) -> Result<(AwsKeys, UnixMillis), AuthFault> {
    let value = read_json(answer)?;
    read_with(|name| value[name].as_str().filter(|value| !value.is_empty()), "Token", now)
}

fn read_with<'a>(
    field: impl Fn(&str) -> Option<&'a str>,
    token: &'static str,
    now: UnixMillis,
) -> Result<(AwsKeys, UnixMillis), AuthFault> {
    let secret =
        |name: &'static str| field(name).map(Secret::new).ok_or(AuthFault::BadAnswer(name));
    let keys = AwsKeys {
        access_key_id: secret("AccessKeyId")?,
        secret_access_key: secret("SecretAccessKey")?,
        session_token: Some(secret(token)?),
    };
    let expires = field("Expiration").and_then(|text| read_moment(text, now));
    Ok((keys, expires.ok_or(AuthFault::BadAnswer("an Expiration"))?))
}
