//! Where one model is called: a base URL, and what follows its paths.

use crate::{
    lexicon::operation::Operation,
    manifest::{
        account::{ModelIntegration, Publisher},
        path::Path,
        read::{Document, describe},
    },
    provider::{
        base_url::{BaseUrl, push_encoded},
        vendor::{AzurePath, Home, ModelPath},
    },
    snapshot::{findings::Findings, google, places::AccountContext},
};

/// Where a model is called.
pub(super) struct Address {
    pub(super) url: BaseUrl,
    /// Follows each path, with its question mark; or empty.
    pub(super) query: String,
    /// AWS's: what a signature is for.
    pub(super) region: Option<String>,
    /// The vendor's API there is too old to know `stream_options`.
    pub(super) rejects_stream_options: bool,
}

/// What an address is made from.
struct Place<'a> {
    context: &'a AccountContext<'a>,
    path: &'a Path,
    model: &'a ModelIntegration,
}

/// The version of Azure's model inference API where none is written.
const MODELS_VERSION: &str = "2024-05-01-preview";
/// Versions of Azure OpenAI before this one answer 400 to `stream_options`.
///
/// Source: github.com/Azure/azure-rest-api-specs/issues/30810 (2024-08-01-preview lacks it) and
/// github.com/Azure/azure-sdk-for-java/issues/40998 (2024-09-01-preview has it), read 2026-11-21.
const STREAM_OPTIONS_SINCE: &str = "2024-09";

pub(super) fn of(
    context: &AccountContext<'_>,
    path: &Path,
    model: &ModelIntegration,
    findings: &mut Findings,
) -> Address {
    let place = Place { context, path, model };
    let region = region(&place, findings);
    let mut address =
        Address { url: nowhere(), query: String::new(), region, rejects_stream_options: false };
    let written = match (&model.url, &context.account.base_url) {
        (Some(url), _) => Some((spelled(context.document, path, ["url", "base_url"]), url)),
        (None, Some(url)) => {
            Some((spelled(context.document, &Path::top(), ["base_url", "url"]), url))
        }
        (None, None) => None,
    };
    if let (Some((at, _)), Home::Azure(_)) = (&written, context.vendor.home) {
        let hint = "its paths are not those of other APIs";
        findings.error(context.document, at, "a base URL", "Azure's own endpoint keys", hint);
        return address;
    }
    if let Some((at, url)) = written {
        // What stands for the region's own endpoint has its paths at the root too.
        let is_bare = url.split_once("://").is_none_or(|(_, rest)| !rest.contains('/'));
        let home = context.vendor.home;
        let is_at_root = matches!(home, Home::Regional(own) if own.ends_with("/."));
        let url = if is_at_root && is_bare { &format!("{url}/.") } else { url };
        address.url = parse(&place, &at, url, findings);
        if is_at_root && address.region.is_none() {
            lack(&place, &Path::top().key("region"), "e.g. eu-central-1", findings);
        }
        push_model(&place, &mut address, findings);
        return address;
    }
    match context.vendor.home {
        Home::At(url) => address.url = parse(&place, &Path::top(), url, findings),
        Home::Written => {
            let hint = "where the server's API begins, e.g. http://my-model:8000";
            lack(&place, &path.key("url"), hint, findings);
        }
        Home::Regional(template) => match &address.region {
            Some(region) => {
                let url = template.replace("{region}", region);
                address.url = parse(&place, &Path::top(), &url, findings);
            }
            None => lack(&place, &Path::top().key("region"), "e.g. eu-central-1", findings),
        },
        Home::OllamaHost => {
            let auth = context.account.auth_data.as_ref();
            let at = Path::top().key("auth_data").key("custom_host");
            match auth.and_then(|auth| auth.custom_host.as_deref()) {
                Some(url) => address.url = parse(&place, &at, url, findings),
                None => lack(&place, &at, "e.g. http://localhost:11434", findings),
            }
        }
        Home::Azure(path) => of_azure(&place, path, &mut address, findings),
        Home::Vertex => match &address.region {
            Some(region) => {
                let url = google::home(region, is_claude(&place));
                address.url = parse(&place, &Path::top(), &url, findings);
            }
            None => lack(&place, &Path::top().key("region"), "e.g. us-central1", findings),
        },
    }
    push_model(&place, &mut address, findings);
    address
}

fn is_claude(place: &Place<'_>) -> bool {
    place.context.vendor.is_claude(model_id(place.model))
}

fn model_id(model: &ModelIntegration) -> &str {
    model.model_id.as_deref().unwrap_or(&model.name)
}

/// The model's place in the path, where it stands there.
fn push_model(place: &Place<'_>, address: &mut Address, findings: &mut Findings) {
    let id = model_id(place.model);
    match place.context.vendor.model_path {
        ModelPath::None => {}
        ModelPath::Gemini => google::push_model(&mut address.url, id),
        ModelPath::Vertex => {
            let Some(project) = project(place, findings) else { return };
            let Some(region) = &address.region else {
                // Said already where the home is the region's.
                if place.context.account.base_url.is_some() || place.model.url.is_some() {
                    lack(place, &Path::top().key("region"), "e.g. us-central1", findings);
                }
                return;
            };
            if !google::push_published(&mut address.url, (&project, region), id) {
                let document = place.context.document;
                let at = place.path.key("model_id");
                let found = describe(&document.tree, &at);
                let wanted = "a model of google or anthropic";
                findings.error(document, &at, found, wanted, "others have no API here yet");
            }
        }
    }
}

/// The account's project, else that of the older spelling's credential.
fn project(place: &Place<'_>, findings: &mut Findings) -> Option<String> {
    let AccountContext { document, account, .. } = place.context;
    let auth = place.model.auth_data.as_ref().or(account.auth_data.as_ref());
    let at = Path::top().key("project_id");
    let older = auth.and_then(|auth| auth.gcp_project_id.as_ref());
    let Some(project) = account.project_id.as_ref().or(older) else {
        lack(place, &at, "e.g. my-project-123", findings);
        return None;
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if project.is_empty() || !project.bytes().all(is_plain) {
        let found = describe(&document.tree, &at);
        findings.error(document, &at, found, "a project such as my-project-123", "");
        return None;
    }
    Some(project.clone())
}

/// Stands in for a URL that could not be read; never part of a published snapshot.
fn nowhere() -> BaseUrl {
    BaseUrl { is_tls: false, host: "invalid".into(), port: 80, socket: None, path: "".into() }
}

fn lack(place: &Place<'_>, at: &Path, hint: &str, findings: &mut Findings) {
    findings.error(place.context.document, at, "nothing", "this key", hint);
}

/// The path of the key that was written, of two names for one thing.
pub(super) fn spelled(document: &Document, parent: &Path, names: [&str; 2]) -> Path {
    let written = names.iter().map(|name| parent.key(name));
    let mut found = written.filter(|path| document.tree.at(path).is_some());
    found.next().unwrap_or_else(|| parent.key(names[0]))
}

fn parse(place: &Place<'_>, at: &Path, text: &str, findings: &mut Findings) -> BaseUrl {
    let document = place.context.document;
    let url = text.parse::<BaseUrl>().unwrap_or_else(|why| {
        findings.error(document, at, why, "a URL such as https://api.example.com/v1", "");
        nowhere()
    });
    if let Some(operation) = Operation::ALL.iter().find(|it| url.path.ends_with(it.path())) {
        let found = format!("a URL that ends in {}", operation.path());
        findings.error(document, at, found, "the base URL, without it", "");
    }
    url
}

/// The model's region, else the account's, else that of the older spelling's credential.
fn region(place: &Place<'_>, findings: &mut Findings) -> Option<String> {
    let AccountContext { document, account, .. } = place.context;
    let auth = place.model.auth_data.as_ref().or(account.auth_data.as_ref());
    let (at, region) = match (&place.model.region, &account.region) {
        (Some(region), _) => (place.path.key("region"), Some(region)),
        (None, Some(region)) => (Path::top().key("region"), Some(region)),
        (None, None) => {
            let older = auth.and_then(|auth| auth.aws_region.as_ref().or(auth.gcp_region.as_ref()));
            (Path::top().key("region"), older)
        }
    };
    let region = region?;
    let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if region.is_empty() || !region.bytes().all(is_region) {
        let found = describe(&document.tree, &at);
        findings.error(document, &at, found, "a region such as eu-central-1", "");
        // Never part of a published snapshot, and said once.
        return Some("invalid".to_owned());
    }
    Some(region.clone())
}

fn of_azure(place: &Place<'_>, path: AzurePath, address: &mut Address, findings: &mut Findings) {
    let is_openai = place.model.publisher == Some(Publisher::OpenAi);
    if path == AzurePath::ByPublisher && place.model.publisher.is_none() {
        lack(place, &place.path.key("publisher"), "OpenAI or Other", findings);
    }
    let (at, endpoint) = azure_endpoint(place, path);
    let Some(endpoint) = endpoint else {
        return lack(place, &at, "e.g. https://my-resource.openai.azure.com", findings);
    };
    let endpoint = endpoint.trim_end_matches('/');
    // A base URL without a path would get `/v1`, which Azure does not have.
    let has_path = endpoint.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    let root = if has_path { endpoint.to_owned() } else { format!("{endpoint}/.") };
    address.url = parse(place, &at, &root, findings);
    let mut version = api_version(place, findings);
    let base = address.url.path.to_string();
    let is_deployment = path == AzurePath::Deployment
        || path == AzurePath::ByPublisher && is_openai && version.is_some();
    if endpoint.ends_with("/openai/v1") {
        // Azure's newest API, as it stands.
    } else if is_deployment {
        let mut deployment = format!("{}/openai/deployments/", base.trim_end_matches("/openai"));
        push_encoded(&mut deployment, place.model.model_id.as_deref().unwrap_or(&place.model.name));
        address.url.path = deployment.into();
        address.rejects_stream_options = version.as_deref().is_some_and(is_before_stream_options);
        if version.is_none() {
            lack(place, &place.path.key("api_version"), "e.g. 2024-10-21", findings);
        }
    } else if path == AzurePath::Models {
        address.url.path = format!("{}/models", base.trim_end_matches("/models")).into();
        version = version.or_else(|| Some(MODELS_VERSION.to_owned()));
    } else {
        address.url.path = format!("{base}/openai/v1").into();
    }
    address.query = version.map_or_else(String::new, |it| format!("?api-version={it}"));
}

/// Versions are dates, or words such as `preview`.
fn is_before_stream_options(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit()) && version < STREAM_OPTIONS_SINCE
}

/// The endpoint, and where it stands or should.
fn azure_endpoint<'a>(place: &Place<'a>, path: AzurePath) -> (Path, Option<&'a String>) {
    let (account, top) = (place.context.account, Path::top());
    let older = place.model.auth_data.as_ref().and_then(|auth| auth.api_base.as_ref());
    match path {
        AzurePath::Deployment if older.is_some() => {
            (place.path.key("auth_data").key("api_base"), older)
        }
        AzurePath::Deployment => (top.key("azure_endpoint"), account.azure_endpoint.as_ref()),
        AzurePath::Models => {
            (place.path.key("azure_endpoint"), place.model.azure_endpoint.as_ref())
        }
        AzurePath::ByPublisher if place.model.publisher == Some(Publisher::OpenAi) => {
            (top.key("openai_endpoint"), account.openai_endpoint.as_ref())
        }
        AzurePath::ByPublisher => (top.key("project_endpoint"), account.project_endpoint.as_ref()),
    }
}

fn api_version(place: &Place<'_>, findings: &mut Findings) -> Option<String> {
    let document = place.context.document;
    let auth = place.model.auth_data.as_ref();
    let older = auth.and_then(|auth| auth.api_version.as_ref());
    let (at, version) = match &place.model.api_version {
        Some(version) => (place.path.key("api_version"), version),
        None => (place.path.key("auth_data").key("api_version"), older?),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if version.is_empty() || !version.bytes().all(is_plain) {
        let found = describe(&document.tree, &at);
        findings.error(document, &at, found, "a version such as 2024-10-21", "");
        return None;
    }
    Some(version.clone())
}
