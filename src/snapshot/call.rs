//! How one model is called: its address, our proof, the headers, as the target's heads.

use crate::{
    lexicon::{
        operation::{ModelType, Operation},
        secret::Secret,
    },
    manifest::{
        account::{HttpVersion, ModelIntegration, Publisher, TlsSettings},
        path::Path,
        read::Document,
    },
    provider::{
        auth::{TokenSource, entra, sigv4::Signer},
        base_url::BaseUrl,
        head::{self, BadHeader, Credential, Header},
        target::{Endpoint, ResponsesApi, TlsTrust},
        vendor::{
            Home,
            fit::{self, Fit},
        },
    },
    snapshot::{
        address::{self, Address},
        findings::Findings,
        places::AccountContext,
        proof::{self, Proof, Purpose},
        vault::{Resolved, Vault},
    },
};
use std::collections::BTreeMap;

/// What a target is made of.
pub(super) struct Call {
    pub(super) endpoint: Endpoint,
    pub(super) heads: [Box<[u8]>; Operation::ALL.len()],
    pub(super) stream_head: Option<Box<[u8]>>,
    pub(super) claude_version: Option<&'static str>,
    pub(super) model_json: Box<[u8]>,
    pub(super) rejects_stream_options: bool,
    pub(super) responses: ResponsesApi,
    pub(super) fit: Fit,
    /// The name that tells what the model is.
    pub(super) known: Box<str>,
    pub(super) signer: Option<Box<Signer>>,
    /// What its credential is fetched from.
    pub(super) source: Option<TokenSource>,
    pub(super) is_secret_missing: bool,
}

/// What credentials are opened with.
pub(super) struct Bench<'a> {
    pub(super) document: &'a Document,
    pub(super) vault: &'a Vault<'a>,
    pub(super) findings: &'a mut Findings,
}

pub(super) fn of(
    context: &AccountContext<'_>,
    path: &Path,
    model: &ModelIntegration,
    vault: &Vault<'_>,
    findings: &mut Findings,
) -> Call {
    let address = address::of(context, path, model, findings);
    let mut proof = Proof {
        credential: Credential::None,
        headers: vec![],
        source: None,
        is_secret_missing: false,
    };
    let account = context.account;
    let top = Path::top();
    let mut bench = Bench { document: context.document, vault, findings };
    // What stands at the model holds over what stands at the account.
    for (path, headers) in [(&top, &account.headers), (path, &model.headers)] {
        if let Some(headers) = headers {
            add_headers(&mut bench, path, headers, &mut proof);
        }
    }
    add_project(&mut bench, context, (path, model), &mut proof);
    add_proof(&mut bench, context, (path, model), &address, &mut proof);
    let settings = TlsPlace { context, path, model, url: &address.url };
    let trust = trust(&settings, &mut bench).unwrap_or_else(|Lost| {
        proof.is_secret_missing = true;
        TlsTrust::default()
    });
    let version = model.http_version.or(account.http_version);
    let name = model.model_id.as_deref().unwrap_or(&model.name);
    let model_json = serde_json::Value::from(name).to_string().into_bytes().into();
    let vendor = context.vendor;
    // A deployment may be called anything: what it is, is said beside its name.
    let known = model.foundation_model.as_deref().filter(|_| vendor.has_openai_models);
    let known = known.unwrap_or(name);
    let rejects_stream_options = vendor.rejects_stream_options || address.rejects_stream_options;
    let region = address.region.as_deref().unwrap_or_default();
    let signer = match &proof.credential {
        Credential::Aws(keys) => Some(Box::new(Signer::new(keys, region, vendor.aws_service))),
        _ => None,
    };
    let responses = responses(context, (path, model), &address, bench.findings);
    let place = (&address.url, &*address.query, vendor.dialect_of(name));
    let claude_version = vendor.claude_version_of(name);
    let (heads, stream_head) =
        head::write_all(place, (claude_version.is_some(), name), &proof.credential, &proof.headers);
    Call {
        endpoint: Endpoint::new(&address.url, trust, version == Some(HttpVersion::Two)),
        heads,
        stream_head,
        claude_version,
        model_json,
        responses,
        rejects_stream_options,
        fit: fit::of(vendor, known),
        known: known.into(),
        signer,
        source: proof.source,
        is_secret_missing: proof.is_secret_missing,
    }
}

/// The proof that the manifest names, or the machine's own where it may.
fn add_proof(
    bench: &mut Bench<'_>,
    context: &AccountContext<'_>,
    (path, model): (&Path, &ModelIntegration),
    address: &Address,
    proof: &mut Proof,
) {
    let (account, top) = (context.account, Path::top());
    let auth = match (&model.auth_data, &account.auth_data) {
        (Some(auth), _) => Some((path.key("auth_data"), auth)),
        (None, Some(auth)) => Some((top.key("auth_data"), auth)),
        (None, None) => None,
    };
    let is_foundry = model.publisher == Some(Publisher::Other);
    let purpose = Purpose {
        vendor: context.vendor,
        region: address.region.as_deref(),
        scope: if is_foundry { entra::SCOPE_FOUNDRY } else { entra::SCOPE },
    };
    let has_header = proof.headers.iter().any(|header| &*header.name == "authorization");
    match auth {
        Some((path, _)) if has_header => {
            let found = "auth_data beside an authorization header";
            bench.findings.error(context.document, &path, found, "one of them", "");
        }
        Some((path, auth)) => proof::prove(bench, &path, auth, &purpose, proof),
        None if !has_header && !context.vendor.aws_service.is_empty() => {
            proof::prove_by_machine(bench, &purpose, proof);
        }
        None if !has_header && context.vendor.wants_proof && !has_written_url(context, model) => {
            let wanted = format!("auth_data for {}", address.url.host);
            let hint = "api_key: tfy-secret://TENANT:GROUP:KEY";
            let path = path.key("auth_data");
            bench.findings.error(context.document, &path, "nothing", wanted, hint);
        }
        None => {}
    }
}

fn has_written_url(context: &AccountContext<'_>, model: &ModelIntegration) -> bool {
    model.url.is_some() || context.account.base_url.is_some()
}

/// What is written holds; else what is known of the vendor, at its own address.
fn responses(
    context: &AccountContext<'_>,
    (path, model): (&Path, &ModelIntegration),
    address: &Address,
    findings: &mut Findings,
) -> ResponsesApi {
    let vendor = context.vendor;
    let has = |kind| model.model_types.iter().any(|written| written.0 == kind);
    if !vendor.has_chats() {
        return ResponsesApi::No;
    }
    // Azure has it at its newest API alone.
    let is_old = matches!(vendor.home, Home::Azure(_)) && !address.url.path.ends_with("/openai/v1");
    let is_home = !has_written_url(context, model);
    match (has(ModelType::Responses), has(ModelType::Chat)) {
        (true, _) if is_old => {
            let hint = "it is asked as a chat";
            let wanted = "an endpoint that ends in /openai/v1";
            findings.warn(context.document, &path.key("model_types"), "responses", wanted, hint);
            ResponsesApi::No
        }
        (true, true) => ResponsesApi::Also,
        (true, false) => ResponsesApi::Only,
        (false, true) if vendor.has_responses && is_home && !is_old => ResponsesApi::Also,
        _ => ResponsesApi::No,
    }
}

/// Bedrock Mantle is told whose bill it is as OpenAI is.
///
/// Source: docs.aws.amazon.com/bedrock/latest/userguide/projects.html, read 2026-11-21.
fn add_project(
    bench: &mut Bench<'_>,
    context: &AccountContext<'_>,
    (path, model): (&Path, &ModelIntegration),
    proof: &mut Proof,
) {
    let (at, project) = match (&model.project, &context.account.project) {
        (Some(project), _) => (path.key("project"), project),
        (None, Some(project)) => (Path::top().key("project"), project),
        (None, None) => return,
    };
    if context.vendor.own_keys.contains(&"project") {
        let value = Secret::new(project.as_str());
        match head::check_value(&value) {
            Ok(()) => proof.headers.push(Header { name: "openai-project".into(), value }),
            Err(bad) => refuse(context.document, &at, bad, bench.findings),
        }
    }
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

pub(super) fn refuse(document: &Document, path: &Path, bad: BadHeader, findings: &mut Findings) {
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
