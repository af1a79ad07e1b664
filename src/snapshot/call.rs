//! How one model is called: its address, our proof, the headers, as the target's heads.

use crate::{
    lexicon::{operation::Operation, secret::Secret},
    manifest::{
        account::{AuthData, AuthKind, ModelIntegration, TlsSettings},
        path::Path,
        read::Document,
    },
    provider::{
        base_url::BaseUrl,
        head::{self, BadHeader, Credential, Header},
        target::{Endpoint, TlsTrust},
    },
    snapshot::{
        findings::Findings,
        places::AccountContext,
        vault::{Resolved, Vault},
    },
};
use std::collections::BTreeMap;

/// What a target is made of.
pub(super) struct Call {
    pub(super) endpoint: Endpoint,
    pub(super) heads: [Box<[u8]>; Operation::ALL.len()],
    pub(super) model_json: Box<[u8]>,
    pub(super) is_secret_missing: bool,
}

/// What credentials are opened with.
struct Bench<'a> {
    document: &'a Document,
    vault: &'a Vault<'a>,
    /// Where the vendor wants a key.
    key_header: Option<&'static str>,
    findings: &'a mut Findings,
}

/// The parts of a call that need credentials.
struct Proof {
    credential: Credential,
    headers: Vec<Header>,
    is_secret_missing: bool,
}

pub(super) fn of(
    context: &AccountContext<'_>,
    path: &Path,
    model: &ModelIntegration,
    vault: &Vault<'_>,
    findings: &mut Findings,
) -> Call {
    let url = base_url(context, path, model, findings);
    let mut proof =
        Proof { credential: Credential::None, headers: vec![], is_secret_missing: false };
    let account = context.account;
    let top = Path::top();
    let key_header = context.vendor.key_header;
    let mut bench = Bench { document: context.document, vault, key_header, findings };
    // What stands at the model holds over what stands at the account.
    for (path, headers) in [(&top, &account.headers), (path, &model.headers)] {
        if let Some(headers) = headers {
            add_headers(&mut bench, path, headers, &mut proof);
        }
    }
    let auth = match (&model.auth_data, &account.auth_data) {
        (Some(auth), _) => Some((path.key("auth_data"), auth)),
        (None, Some(auth)) => Some((top.key("auth_data"), auth)),
        (None, None) => None,
    };
    let has_header = proof.headers.iter().any(|header| &*header.name == "authorization");
    match auth {
        Some((path, _)) if has_header => {
            let found = "auth_data beside an authorization header";
            bench.findings.error(context.document, &path, found, "one of them", "");
        }
        Some((path, auth)) => prove(&mut bench, &path, auth, &mut proof),
        None if !has_header && is_vendors_own(context, model) => {
            let wanted = format!("auth_data for {}", url.host);
            let hint = "api_key: tfy-secret://TENANT:GROUP:KEY";
            let path = path.key("auth_data");
            bench.findings.error(context.document, &path, "nothing", wanted, hint);
        }
        None => {}
    }
    let settings = TlsPlace { context, path, model, url: &url };
    let trust = trust(&settings, &mut bench).unwrap_or_else(|Lost| {
        proof.is_secret_missing = true;
        TlsTrust::default()
    });
    let name = model.model_id.as_deref().unwrap_or(&model.name);
    let model_json = serde_json::Value::from(name).to_string().into_bytes().into();
    Call {
        endpoint: Endpoint::new(&url, trust),
        heads: head::write(&url, &proof.credential, &proof.headers),
        model_json,
        is_secret_missing: proof.is_secret_missing,
    }
}

fn is_vendors_own(context: &AccountContext<'_>, model: &ModelIntegration) -> bool {
    model.url.is_none() && context.account.base_url.is_none() && context.vendor.base_url.is_some()
}

fn base_url(
    context: &AccountContext<'_>,
    path: &Path,
    model: &ModelIntegration,
    findings: &mut Findings,
) -> BaseUrl {
    let document = context.document;
    let (at, text) = match (&model.url, &context.account.base_url, context.vendor.base_url) {
        (Some(url), _, _) => (spelled(document, path, ["url", "base_url"]), url.as_str()),
        (None, Some(url), _) => {
            (spelled(document, &Path::top(), ["base_url", "url"]), url.as_str())
        }
        (None, None, Some(url)) => (Path::top(), url),
        (None, None, None) => {
            let hint = "where the server's API begins, e.g. http://my-model:8000";
            findings.error(document, &path.key("url"), "nothing", "this key", hint);
            return nowhere();
        }
    };
    let url = text.parse::<BaseUrl>().unwrap_or_else(|why| {
        findings.error(document, &at, why, "a URL such as https://api.example.com/v1", "");
        nowhere()
    });
    if let Some(operation) = Operation::ALL.iter().find(|it| url.path.ends_with(it.path())) {
        let found = format!("a URL that ends in {}", operation.path());
        findings.error(document, &at, found, "the base URL, without it", "");
    }
    url
}

/// Stands in for a URL that could not be read; never part of a published snapshot.
fn nowhere() -> BaseUrl {
    BaseUrl { is_tls: false, host: "invalid".into(), port: 80, path: "".into() }
}

/// The path of the key that was written, of two names for one thing.
fn spelled(document: &Document, parent: &Path, names: [&str; 2]) -> Path {
    let written = names.iter().map(|name| parent.key(name));
    let mut found = written.filter(|path| document.tree.at(path).is_some());
    found.next().unwrap_or_else(|| parent.key(names[0]))
}

fn add_headers(
    bench: &mut Bench<'_>,
    path: &Path,
    headers: &BTreeMap<String, String>,
    proof: &mut Proof,
) {
    let document = bench.document;
    for (name, written) in headers {
        let path = path.key("headers").key(name);
        let value = match bench.vault.open_text(bench.findings, document, &path, written) {
            Resolved::Secret(value) => value,
            Resolved::Lost => {
                proof.is_secret_missing = true;
                continue;
            }
            Resolved::Bad => continue,
        };
        if let Err(bad) = head::check(name, &value) {
            refuse(document, &path, bad, bench.findings);
            continue;
        }
        let name: Box<str> = name.to_ascii_lowercase().into();
        proof.headers.retain(|header| header.name != name);
        proof.headers.push(Header { name, value });
    }
    if proof.headers.len() > head::HEADERS_MAX {
        let found = format!("{} headers", proof.headers.len());
        let wanted = format!("at most {}", head::HEADERS_MAX);
        bench.findings.error(document, &path.key("headers"), found, wanted, "");
    }
}

fn refuse(document: &Document, path: &Path, bad: BadHeader, findings: &mut Findings) {
    let (found, wanted) = match bad {
        BadHeader::Name => ("no header name", "letters, digits and hyphens"),
        BadHeader::Reserved => {
            ("a header that frames a call", "one that the gateway does not write")
        }
        BadHeader::Value => ("a control character in the value", "one line of text"),
        BadHeader::Long => ("a longer value", "at most 8192 bytes"),
    };
    findings.error(document, path, found, wanted, "");
}

fn prove(bench: &mut Bench<'_>, path: &Path, auth: &AuthData, proof: &mut Proof) {
    let document = bench.document;
    if document.is_repaired(&path.key("type")) {
        return;
    }
    let fields = [
        ("api_key", &auth.api_key, AuthKind::ApiKey),
        ("bearer_token", &auth.bearer_token, AuthKind::BearerAuth),
        ("username", &auth.username, AuthKind::BasicAuth),
        ("password", &auth.password, AuthKind::BasicAuth),
    ];
    let mut secrets: Vec<Secret> = Vec::new();
    for (key, written, kind) in fields {
        let path = path.key(key);
        match written {
            Some(_) if kind != auth.kind => {
                bench.findings.warn(
                    document,
                    &path,
                    "a key of another auth type",
                    "no such key",
                    "",
                );
            }
            None if kind == auth.kind => {
                bench.findings.error(document, &path, "nothing", "this key", "");
            }
            Some(written) => {
                let opened = match key {
                    // A user's name is no secret, and mostly written plainly.
                    "username" => bench.vault.open_text(bench.findings, document, &path, written),
                    _ => bench.vault.open(bench.findings, document, &path, written),
                };
                match opened {
                    Resolved::Secret(secret) => match head::check_value(&secret) {
                        Ok(()) => secrets.push(secret),
                        Err(bad) => refuse(document, &path, bad, bench.findings),
                    },
                    Resolved::Lost => proof.is_secret_missing = true,
                    Resolved::Bad => {}
                }
            }
            None => {}
        }
    }
    let mut secrets = secrets.into_iter();
    proof.credential = match (auth.kind, secrets.next(), secrets.next()) {
        (AuthKind::BasicAuth, Some(username), Some(password)) => {
            Credential::Basic { username, password }
        }
        (AuthKind::ApiKey, Some(key), _) if bench.key_header.is_some() => {
            Credential::Key { header: bench.key_header.unwrap_or_default(), key }
        }
        (AuthKind::ApiKey | AuthKind::BearerAuth, Some(token), _) => Credential::Bearer(token),
        _ => Credential::None,
    };
}

/// Where settings of TLS may stand.
struct TlsPlace<'a> {
    context: &'a AccountContext<'a>,
    path: &'a Path,
    model: &'a ModelIntegration,
    url: &'a BaseUrl,
}

/// A secret was there once.
struct Lost;

fn trust(place: &TlsPlace<'_>, bench: &mut Bench<'_>) -> Result<TlsTrust, Lost> {
    let TlsPlace { context, path, model, url } = place;
    let document = context.document;
    let (path, settings): (Path, &TlsSettings) =
        match (&model.tls_settings, &context.account.tls_settings) {
            (Some(settings), _) => (path.key("tls_settings"), settings),
            (None, Some(settings)) => (Path::top().key("tls_settings"), settings),
            (None, None) => return Ok(TlsTrust::default()),
        };
    if !url.is_tls {
        bench.findings.warn(
            document,
            &path,
            "tls_settings for http://",
            "https://",
            "they do nothing",
        );
    }
    let accepts_any_certificate = settings.reject_unauthorized == Some(false);
    if accepts_any_certificate {
        let hint = "whoever sits between can read and change everything";
        let at = path.key("reject_unauthorized");
        bench.findings.warn(document, &at, "false: any certificate is taken", "true", hint);
    }
    let at = path.key("ca_cert");
    let opened = settings
        .ca_cert
        .as_ref()
        .map(|pem| bench.vault.open_text(bench.findings, document, &at, pem));
    let ca_pem = match opened {
        Some(Resolved::Secret(pem)) if pem.expose().contains("-----BEGIN CERTIFICATE-----") => {
            Some(pem.expose().into())
        }
        Some(Resolved::Secret(_)) => {
            bench.findings.error(document, &at, "no certificate", "a certificate in PEM", "");
            None
        }
        Some(Resolved::Lost) => return Err(Lost),
        Some(Resolved::Bad) | None => None,
    };
    Ok(TlsTrust { accepts_any_certificate, ca_pem })
}
