//! The fields of `auth_data`: which kind has which, opened.

use crate::{
    lexicon::secret::Secret,
    manifest::{
        account::{AuthData, AuthKind},
        path::Path,
        read::describe,
    },
    provider::head,
    snapshot::{
        address::spelled,
        call::{Bench, refuse},
        vault::Resolved,
    },
};
use std::collections::HashMap;

/// One field of `auth_data`.
struct Field {
    key: &'static str,
    read: fn(&AuthData) -> Option<&str>,
    /// The kinds that must have it.
    wanted_by: &'static [AuthKind],
    /// The kinds that may have it.
    known_to: &'static [AuthKind],
    /// No secret, and mostly written plainly.
    is_open: bool,
}

const fn secret(
    key: &'static str,
    read: fn(&AuthData) -> Option<&str>,
    wanted_by: &'static [AuthKind],
) -> Field {
    Field { key, read, wanted_by, known_to: &[], is_open: false }
}

const fn plain(
    key: &'static str,
    read: fn(&AuthData) -> Option<&str>,
    wanted_by: &'static [AuthKind],
) -> Field {
    Field { is_open: true, ..secret(key, read, wanted_by) }
}

const ENTRA: &[AuthKind] =
    &[AuthKind::Certificate, AuthKind::ClientSecret, AuthKind::WorkloadIdentity];
const IRSA: &[AuthKind] = &[AuthKind::AwsIrsaAuth];
const AZURE: &[AuthKind] = &[AuthKind::AzureAuth];

/// The fields, but for key files, which may be mappings.
const FIELDS: [Field; 20] = [
    secret("api_key", |it| it.api_key.as_deref(), &[AuthKind::ApiKey, AuthKind::AzureAuth]),
    secret("bearer_token", |it| it.bearer_token.as_deref(), &[AuthKind::BearerAuth]),
    plain("username", |it| it.username.as_deref(), &[AuthKind::BasicAuth]),
    secret("password", |it| it.password.as_deref(), &[AuthKind::BasicAuth]),
    plain("tenant_id", |it| it.tenant_id.as_deref(), ENTRA),
    plain("client_id", |it| it.client_id.as_deref(), ENTRA),
    secret("client_secret", |it| it.client_secret.as_deref(), &[AuthKind::ClientSecret]),
    secret("certificate", |it| it.certificate.as_deref(), &[AuthKind::Certificate]),
    plain(
        "certificate_thumbprint",
        |it| it.certificate_thumbprint.as_deref(),
        &[AuthKind::Certificate],
    ),
    plain("access_key_id", |it| it.access_key_id.as_deref(), &[AuthKind::AccessKeyBased]),
    secret("secret_access_key", |it| it.secret_access_key.as_deref(), &[AuthKind::AccessKeyBased]),
    plain("assumed_role_arn", |it| it.assumed_role_arn.as_deref(), &[AuthKind::AssumedRoleBased]),
    Field {
        known_to: &[AuthKind::AssumedRoleBased],
        ..plain("external_id", |it| it.external_id.as_deref(), &[])
    },
    Field { known_to: IRSA, ..plain("aws_region", |it| it.aws_region.as_deref(), &[]) },
    Field {
        known_to: IRSA,
        ..plain("aws_access_key_id", |it| it.aws_access_key_id.as_deref(), &[])
    },
    Field {
        known_to: IRSA,
        ..secret("aws_secret_access_key", |it| it.aws_secret_access_key.as_deref(), &[])
    },
    plain("api_base", |it| it.api_base.as_deref(), AZURE),
    plain("api_version", |it| it.api_version.as_deref(), AZURE),
    Field {
        known_to: &[AuthKind::GcpServiceAccountAuth],
        ..plain("gcp_project_id", |it| it.gcp_project_id.as_deref(), &[])
    },
    Field {
        known_to: &[AuthKind::GcpServiceAccountAuth],
        ..plain("gcp_region", |it| it.gcp_region.as_deref(), &[])
    },
];

/// Fields that were opened, by their keys.
pub(super) type Opened = HashMap<&'static str, Secret>;

/// Why a proof cannot be made now: a problem was recorded, or a secret was there once.
pub(super) enum Hindrance {
    Bad,
    Lost,
}

/// Opens what this kind has; warns of what it has not.
pub(super) fn open(
    bench: &mut Bench<'_>,
    path: &Path,
    auth: &AuthData,
    kind: AuthKind,
) -> Result<Opened, Hindrance> {
    let document = bench.document;
    let mut opened = Opened::new();
    let mut hindrance = None;
    for field in &FIELDS {
        let at = match field.key {
            "api_key" => spelled(document, path, ["api_key", "apiKey"]),
            key => path.key(key),
        };
        let is_wanted = field.wanted_by.contains(&kind);
        let Some(written) = (field.read)(auth) else {
            if is_wanted {
                bench.findings.error(document, &at, "nothing", "this key", "");
                hindrance = Some(Hindrance::Bad);
            }
            continue;
        };
        if !is_wanted && !field.known_to.contains(&kind) {
            warn_of_stray(bench, &at);
            continue;
        }
        let resolved = if field.is_open {
            bench.vault.open_text(bench.findings, document, &at, written)
        } else {
            bench.vault.open(bench.findings, document, &at, written)
        };
        match resolved {
            // A certificate has many lines, and is sent nowhere.
            Resolved::Secret(secret) => match head::check_value(&secret) {
                Err(bad) if field.key != "certificate" => {
                    refuse(document, &at, bad, bench.findings);
                    hindrance = Some(Hindrance::Bad);
                }
                _ => drop(opened.insert(field.key, secret)),
            },
            Resolved::Lost => hindrance = hindrance.or(Some(Hindrance::Lost)),
            Resolved::Bad => hindrance = Some(Hindrance::Bad),
        }
    }
    for (key, written, is_wanted) in key_files(auth, kind) {
        let at = path.key(key);
        match (written, is_wanted) {
            (Some(_), false) => warn_of_stray(bench, &at),
            (None, true) => {
                bench.findings.error(document, &at, "nothing", "this key", "");
                hindrance = Some(Hindrance::Bad);
            }
            (Some(value), true) => match open_key_file(bench, &at, value) {
                Ok(secret) => drop(opened.insert("key_file", secret)),
                Err(Hindrance::Lost) => hindrance = hindrance.or(Some(Hindrance::Lost)),
                Err(Hindrance::Bad) => hindrance = Some(Hindrance::Bad),
            },
            (None, false) => {}
        }
    }
    hindrance.map_or(Ok(opened), Err)
}

fn warn_of_stray(bench: &mut Bench<'_>, at: &Path) {
    bench.findings.warn(bench.document, at, "a key of another auth type", "no such key", "");
}

/// Both fields that hold a key file, and whether this kind wants them.
fn key_files(
    auth: &AuthData,
    kind: AuthKind,
) -> [(&'static str, Option<&serde_json::Value>, bool); 2] {
    let newest = matches!(kind, AuthKind::KeyFile | AuthKind::WorkloadIdentityFederationFile);
    [
        ("key_file_content", auth.key_file_content.as_ref(), newest),
        (
            "gcp_service_account_key",
            auth.gcp_service_account_key.as_ref(),
            kind == AuthKind::GcpServiceAccountAuth,
        ),
    ]
}

/// A key file as text or as a mapping; in a mapping, the private key may be a reference.
fn open_key_file(
    bench: &mut Bench<'_>,
    at: &Path,
    written: &serde_json::Value,
) -> Result<Secret, Hindrance> {
    let mut opened =
        |at: &Path, text: &str| match bench.vault.open(bench.findings, bench.document, at, text) {
            Resolved::Secret(secret) => Ok(secret),
            Resolved::Lost => Err(Hindrance::Lost),
            Resolved::Bad => Err(Hindrance::Bad),
        };
    match written {
        serde_json::Value::String(text) => opened(at, text),
        serde_json::Value::Object(members) => {
            let mut members = members.clone();
            if let Some(key) = members.get("private_key").and_then(|key| key.as_str()) {
                let key = opened(&at.key("private_key"), key)?;
                members["private_key"] = key.expose().into();
            }
            Ok(Secret::new(serde_json::Value::Object(members).to_string()))
        }
        _ => {
            let found = describe(&bench.document.tree, at);
            bench.findings.error(bench.document, at, found, "text or a mapping", "");
            Err(Hindrance::Bad)
        }
    }
}
