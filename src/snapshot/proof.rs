//! How a model's calls are proven: `auth_data` of every kind, to a credential or to where one comes
//! from.

use crate::{
    lexicon::secret::Secret,
    manifest::{
        account::{AuthData, AuthKind},
        path::Path,
        read::describe,
    },
    provider::{
        auth::{
            TokenSource,
            aws::{Base, Role, Source},
            entra::{self, Application},
            google::{Federation, KeyFile},
            sigv4::AwsKeys,
        },
        head::{self, Credential, Header},
        vendor::Vendor,
    },
    snapshot::{
        address::spelled,
        call::{Bench, refuse},
        vault::Resolved,
    },
};
use std::collections::HashMap;

/// The parts of a call that need credentials.
pub(super) struct Proof {
    pub(super) credential: Credential,
    pub(super) headers: Vec<Header>,
    /// What the credential is fetched from.
    pub(super) source: Option<TokenSource>,
    pub(super) is_secret_missing: bool,
}

/// Whose proof, and for what.
pub(super) struct Purpose<'a> {
    pub(super) vendor: &'static Vendor,
    pub(super) region: Option<&'a str>,
    /// What a token of Entra is asked for.
    pub(super) scope: &'static str,
}

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

const fn open(
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
const FIELDS: [Field; 19] = [
    secret("api_key", |it| it.api_key.as_deref(), &[AuthKind::ApiKey, AuthKind::AzureAuth]),
    secret("bearer_token", |it| it.bearer_token.as_deref(), &[AuthKind::BearerAuth]),
    open("username", |it| it.username.as_deref(), &[AuthKind::BasicAuth]),
    secret("password", |it| it.password.as_deref(), &[AuthKind::BasicAuth]),
    open("tenant_id", |it| it.tenant_id.as_deref(), ENTRA),
    open("client_id", |it| it.client_id.as_deref(), ENTRA),
    secret("client_secret", |it| it.client_secret.as_deref(), &[AuthKind::ClientSecret]),
    secret("certificate", |it| it.certificate.as_deref(), &[AuthKind::Certificate]),
    open(
        "certificate_thumbprint",
        |it| it.certificate_thumbprint.as_deref(),
        &[AuthKind::Certificate],
    ),
    open("access_key_id", |it| it.access_key_id.as_deref(), &[AuthKind::AccessKeyBased]),
    secret("secret_access_key", |it| it.secret_access_key.as_deref(), &[AuthKind::AccessKeyBased]),
    open("assumed_role_arn", |it| it.assumed_role_arn.as_deref(), &[AuthKind::AssumedRoleBased]),
    Field {
        known_to: &[AuthKind::AssumedRoleBased],
        ..open("external_id", |it| it.external_id.as_deref(), &[])
    },
    Field { known_to: IRSA, ..open("aws_region", |it| it.aws_region.as_deref(), &[]) },
    Field {
        known_to: IRSA,
        ..open("aws_access_key_id", |it| it.aws_access_key_id.as_deref(), &[])
    },
    Field {
        known_to: IRSA,
        ..secret("aws_secret_access_key", |it| it.aws_secret_access_key.as_deref(), &[])
    },
    open("api_base", |it| it.api_base.as_deref(), AZURE),
    open("api_version", |it| it.api_version.as_deref(), AZURE),
    Field {
        known_to: &[AuthKind::GcpServiceAccountAuth],
        ..open("gcp_project_id", |it| it.gcp_project_id.as_deref(), &[])
    },
];

/// Fields that were opened, by their keys.
type Opened = HashMap<&'static str, Secret>;

/// Why a proof cannot be made now: a problem was recorded, or a secret was there once.
enum Hindrance {
    Bad,
    Lost,
}

/// Makes the proof of what stands at `path`.
pub(super) fn prove(
    bench: &mut Bench<'_>,
    path: &Path,
    auth: &AuthData,
    purpose: &Purpose<'_>,
    proof: &mut Proof,
) {
    let document = bench.document;
    if document.is_repaired(&path.key("type")) {
        return;
    }
    let Some(kind) = auth.kind else {
        if auth.custom_host.is_none() {
            bench.findings.error(document, &path.key("type"), "nothing", "this key", "");
        }
        return;
    };
    let proofs = purpose.vendor.proofs;
    if !proofs.contains(&kind) {
        let labels: Vec<&str> = proofs.iter().map(|kind| kind.label()).collect();
        let wanted = labels.join(" or ");
        let found = describe(&document.tree, &path.key("type"));
        bench.findings.error(document, &path.key("type"), found, wanted, "");
        return;
    }
    let outcome = open_fields(bench, path, auth, kind)
        .and_then(|opened| credential(bench, path, (kind, auth), &opened, purpose));
    match outcome {
        Ok(Proven::Credential(credential)) => proof.credential = credential,
        Ok(Proven::Source(source)) => take(bench, source, proof),
        Err(Hindrance::Lost) => proof.is_secret_missing = true,
        Err(Hindrance::Bad) => {}
    }
}

/// The machine's own identity at AWS: for a manifest that names none.
pub(super) fn prove_by_machine(bench: &Bench<'_>, purpose: &Purpose<'_>, proof: &mut Proof) {
    let Some(region) = purpose.region else { return };
    match by_role(bench, None, region) {
        Proven::Credential(credential) => proof.credential = credential,
        Proven::Source(source) => take(bench, source, proof),
    }
}

/// What a proof came to.
enum Proven {
    Credential(Credential),
    Source(TokenSource),
}

/// A token that was fetched, or the wish for one.
fn take(bench: &Bench<'_>, source: TokenSource, proof: &mut Proof) {
    match bench.vault.tokens.get(&source) {
        Some(credential) => proof.credential = credential.clone(),
        None => proof.is_secret_missing = true,
    }
    proof.source = Some(source);
}

fn open_fields(
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
    let mut open =
        |at: &Path, text: &str| match bench.vault.open(bench.findings, bench.document, at, text) {
            Resolved::Secret(secret) => Ok(secret),
            Resolved::Lost => Err(Hindrance::Lost),
            Resolved::Bad => Err(Hindrance::Bad),
        };
    match written {
        serde_json::Value::String(text) => open(at, text),
        serde_json::Value::Object(members) => {
            let mut members = members.clone();
            if let Some(key) = members.get("private_key").and_then(|key| key.as_str()) {
                let key = open(&at.key("private_key"), key)?;
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

fn credential(
    bench: &mut Bench<'_>,
    path: &Path,
    (kind, auth): (AuthKind, &AuthData),
    opened: &Opened,
    purpose: &Purpose<'_>,
) -> Result<Proven, Hindrance> {
    let get = |key: &str| opened.get(key).cloned().ok_or(Hindrance::Bad);
    let proven = match kind {
        AuthKind::ApiKey | AuthKind::AzureAuth => {
            Proven::Credential(match purpose.vendor.key_header {
                None => Credential::Bearer(get("api_key")?),
                Some(header) => Credential::Key { header, key: get("api_key")? },
            })
        }
        AuthKind::BearerAuth => Proven::Credential(Credential::Bearer(get("bearer_token")?)),
        AuthKind::BasicAuth => Proven::Credential(Credential::Basic {
            username: get("username")?,
            password: get("password")?,
        }),
        AuthKind::Certificate | AuthKind::ClientSecret | AuthKind::WorkloadIdentity => {
            Proven::Source(by_entra(bench, path, kind, opened, purpose)?)
        }
        AuthKind::AccessKeyBased => Proven::Credential(Credential::Aws(AwsKeys {
            access_key_id: get("access_key_id")?,
            secret_access_key: get("secret_access_key")?,
            session_token: None,
        })),
        AuthKind::AwsIrsaAuth if auth.aws_access_key_id.is_some() => {
            Proven::Credential(Credential::Aws(AwsKeys {
                access_key_id: get("aws_access_key_id")?,
                secret_access_key: get("aws_secret_access_key")?,
                session_token: None,
            }))
        }
        AuthKind::AssumedRoleBased => {
            let role = Role {
                arn: get("assumed_role_arn")?.expose().into(),
                external_id: opened.get("external_id").cloned(),
            };
            by_role(bench, Some(role), purpose.region.ok_or(Hindrance::Bad)?)
        }
        AuthKind::AwsIrsaAuth => by_role(bench, None, purpose.region.ok_or(Hindrance::Bad)?),
        AuthKind::KeyFile | AuthKind::GcpServiceAccountAuth => {
            let read = KeyFile::read(&get("key_file")?).map(TokenSource::GoogleKey);
            Proven::Source(checked(bench, &path.key("key_file_content"), read)?)
        }
        AuthKind::WorkloadIdentityFederationFile => {
            let read = Federation::read(&get("key_file")?).map(TokenSource::GoogleFederation);
            Proven::Source(checked(bench, &path.key("key_file_content"), read)?)
        }
    };
    Ok(proven)
}

/// What could not be read, recorded.
fn checked<T>(
    bench: &mut Bench<'_>,
    at: &Path,
    read: Result<T, &'static str>,
) -> Result<T, Hindrance> {
    read.map_err(|found| {
        bench.findings.error(bench.document, at, found, "what the cloud handed out", "");
        Hindrance::Bad
    })
}

fn by_entra(
    bench: &mut Bench<'_>,
    path: &Path,
    kind: AuthKind,
    opened: &Opened,
    purpose: &Purpose<'_>,
) -> Result<TokenSource, Hindrance> {
    let get = |key: &str| opened.get(key).cloned().ok_or(Hindrance::Bad);
    let surroundings = bench.vault.surroundings;
    let proof = match kind {
        AuthKind::Certificate => {
            let thumbprint = get("certificate_thumbprint")?;
            let read = entra::Proof::certificate(get("certificate")?, thumbprint.expose());
            checked(bench, &path.key("certificate"), read)?
        }
        AuthKind::WorkloadIdentity => {
            let file = surroundings.azure_token_file.clone();
            let missing = "no AZURE_FEDERATED_TOKEN_FILE in the environment";
            let file = checked(bench, &path.key("type"), file.ok_or(missing))?;
            entra::Proof::Federated(file)
        }
        _ => entra::Proof::Secret(get("client_secret")?),
    };
    Ok(TokenSource::Entra(Application {
        authority: surroundings.azure_authority.clone(),
        tenant_id: get("tenant_id")?.expose().into(),
        client_id: get("client_id")?.expose().into(),
        scope: purpose.scope,
        proof,
    }))
}

fn by_role(bench: &Bench<'_>, role: Option<Role>, region: &str) -> Proven {
    let surroundings = bench.vault.surroundings;
    match (&surroundings.aws_base, role) {
        (Base::Keys(keys), None) => Proven::Credential(Credential::Aws(keys.clone())),
        (base, role) => Proven::Source(TokenSource::Aws(Source {
            base: base.clone(),
            role,
            region: region.into(),
            sts: surroundings.aws_sts.clone(),
        })),
    }
}
