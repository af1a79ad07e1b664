//! Accounts and their models: where each lives, how we prove ourselves there, who may use it.

use crate::{
    lexicon::{
        ids::{EndpointKey, ModelId},
        meter::MeterKey,
        operation::{ModelType, ModelTypes, Operation},
    },
    manifest::{
        account::{ModelIntegration, ModelServer, ProviderAccount},
        path::Path,
        read::{Document, Manifest, describe},
    },
    policy::access::Access,
    provider::{
        ability,
        auth::TokenSource,
        target::{Endpoint, Target},
        vendor::{self, OWN_KEYS, Vendor},
    },
    snapshot::{
        Model,
        call::{self, Call},
        findings::Findings,
        names::Names,
        people::{Draft, People, count, is_name},
        vault::Vault,
    },
};
use std::collections::{HashMap, HashSet};

/// The models so far.
#[derive(Default)]
pub(super) struct Places {
    pub(super) models: Vec<Model>,
    /// By `ModelId`: who the account lets in.
    pub(super) granted: Vec<Draft>,
    /// By `ModelId`: whom the model itself narrows it to.
    narrowed: Vec<Option<Draft>>,
    pub(super) names: Names,
    /// What requests may name besides: virtual models, and logical names of rules.
    pub(super) other_names: HashSet<Box<str>>,
    /// Those of them that only rules name.
    pub(super) logical_names: HashSet<Box<str>>,
    pub(super) endpoints: Vec<Endpoint>,
    endpoint_ids: HashMap<EndpointKey, u32>,
    /// Models of each account, and the document that has it.
    pub(super) accounts: HashMap<Box<str>, Vec<ModelId>>,
    /// Where tokens are fetched from.
    pub(super) sources: HashSet<TokenSource>,
}

/// What an account's models share.
pub(super) struct AccountContext<'a> {
    pub(super) document: &'a Document,
    pub(super) account: &'a ProviderAccount,
    pub(super) vendor: &'static Vendor,
}

/// The roles that may use models.
const ROLES: [&str; 2] = ["provider-account-access", "provider-account-manager"];

/// Does this role let its holder use models?
pub(super) fn check_role(
    document: &Document,
    path: &Path,
    role: &str,
    findings: &mut Findings,
) -> bool {
    let is_user = ROLES.contains(&role);
    if !is_user {
        let found = describe(&document.tree, path);
        findings.warn(document, path, found, ROLES.join(" or "), "it grants nothing here");
    }
    is_user
}

impl Places {
    pub(super) fn of(
        documents: &[Document],
        vault: &Vault<'_>,
        people: &mut People,
        findings: &mut Findings,
    ) -> Self {
        let mut places = Self::default();
        let mut first: HashMap<&str, &Document> = HashMap::new();
        for document in documents {
            let Manifest::Account(account) = &document.manifest else { continue };
            let path = Path::top().key("name");
            if let Some(first) = first.get(account.name.as_str()) {
                let hint = "an account of this name exists: change that one or use another name";
                findings.twice(document, &path, &first.origin, hint);
            } else {
                first.insert(&account.name, document);
            }
            check_account_name(document, &account.name, findings);
            places.add_account(document, account, vault, people, findings);
        }
        places
    }

    fn add_account(
        &mut self,
        document: &Document,
        account: &ProviderAccount,
        vault: &Vault<'_>,
        people: &mut People,
        findings: &mut Findings,
    ) {
        let slug = account.kind.strip_prefix("provider-account/").unwrap_or_default();
        let vendor = vendor::of(slug).expect("the reader takes no account without a row");
        let context = AccountContext { document, account, vendor };
        let mut granted = Draft::default();
        for (index, collaborator) in account.collaborators.iter().flatten().enumerate() {
            let path = Path::top().key("collaborators").index(index);
            let subject = path.key("subject");
            let who = people.who(document, &subject, &collaborator.subject, false, findings);
            let role = path.key("role_id");
            let may_use = check_role(document, &role, &collaborator.role_id, findings);
            if let (Some(who), true) = (who, may_use) {
                granted.add(who);
            }
        }
        self.accounts.entry(account.name.as_str().into()).or_default();
        check_account(&context, findings);
        for (index, model) in account.integrations.iter().enumerate() {
            let path = Path::top().key("integrations").index(index);
            check_model(&context, &path, model, findings);
            let narrowed = model.authorized_subjects.as_ref().map(|subjects| {
                let path = path.key("authorized_subjects");
                if subjects.is_empty() {
                    let hint = "an empty list lets nobody but admins in; leave the key out instead";
                    findings.warn(document, &path, "an empty list", "subjects", hint);
                }
                people.draft(document, &path, subjects, false, findings)
            });
            let call = call::of(&context, &path, model, vault, findings);
            self.add_model(&context, &path, model, call, findings);
            self.granted.push(granted.clone());
            self.narrowed.push(narrowed);
        }
    }

    fn add_model(
        &mut self,
        context: &AccountContext<'_>,
        path: &Path,
        model: &ModelIntegration,
        call: Call,
        findings: &mut Findings,
    ) {
        let account = context.account.name.as_str();
        let name: Box<str> = format!("{account}/{}", model.name).into();
        let id = ModelId(count(self.models.len()));
        if self.names.insert(name.clone(), id).is_some() {
            let origin = &context.document.origin;
            findings.twice(context.document, &path.key("name"), origin, "one name, one model");
        }
        self.accounts.entry(account.into()).or_default().push(id);
        self.sources.extend(call.source);
        let types = model.model_types.iter().fold(ModelTypes::default(), |set, it| set.with(it.0));
        let model_id = model.model_id.as_deref().unwrap_or(&model.name);
        let mut abilities = ability::of(context.vendor, &call.known);
        abilities.rejects_stream_options = call.rejects_stream_options;
        let target = Target {
            endpoint: self.endpoint_id(call.endpoint),
            model_json: call.model_json,
            heads: call.heads,
            stream_head: call.stream_head,
            dialect: context.vendor.dialect_of(model_id),
            claude_version: call.claude_version,
            invoking: context.vendor.invoking_of(model_id),
            responses: call.responses,
            abilities,
            rejects_stream_options: call.rejects_stream_options,
            fit: call.fit,
            signer: call.signer,
            is_secret_missing: call.is_secret_missing,
        };
        let access = Access::default();
        let key = MeterKey::of(&["model", &name]);
        self.models.push(Model {
            name,
            key,
            account: account.into(),
            types,
            access,
            price: None,
            concurrency: None,
            target,
        });
    }

    fn endpoint_id(&mut self, endpoint: Endpoint) -> u32 {
        let next = count(self.endpoints.len());
        let id = *self.endpoint_ids.entry(endpoint.key).or_insert(next);
        if id == next {
            self.endpoints.push(endpoint);
        }
        id
    }

    /// Closes the drafts of access.
    pub(super) fn finish(&mut self) {
        let drafts = self.granted.drain(..).zip(self.narrowed.drain(..));
        for (model, (granted, narrowed)) in self.models.iter_mut().zip(drafts) {
            model.access =
                Access { granted: granted.finish(), narrowed: narrowed.map(Draft::finish) };
        }
    }
}

fn check_account_name(document: &Document, name: &str, findings: &mut Findings) {
    let path = Path::top().key("name");
    let found = || describe(&document.tree, &path);
    if !is_name(name) || name.contains(['/', ':']) {
        let wanted = "a name without spaces, slashes and colons";
        findings.error(document, &path, found(), wanted, "models are called ACCOUNT/MODEL");
        return;
    }
    let is_usual = (3..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !is_usual {
        let wanted = "3 to 64 letters, digits and hyphens, no digit first";
        findings.warn(document, &path, found(), wanted, "it works here; other tools may refuse it");
    }
}

/// Keys that mean nothing to the account's vendor, and models that are not there.
fn check_account(context: &AccountContext<'_>, findings: &mut Findings) {
    let document = context.document;
    let path = Path::top().key("integrations");
    let has_models = document.tree.at(&path).is_some();
    if !has_models && !context.vendor.may_lack_models {
        findings.error(document, &path, "nothing", "this key", "");
    }
    check_own_keys(context, &Path::top(), findings);
}

/// A key that another vendor reads does nothing here, and must not seem to.
fn check_own_keys(context: &AccountContext<'_>, path: &Path, findings: &mut Findings) {
    let document = context.document;
    for key in OWN_KEYS.iter().filter(|key| !context.vendor.own_keys.contains(key)) {
        let at = path.key(key);
        if document.tree.at(&at).is_some() {
            let found = format!("a key that {} does not have", context.vendor.account_type);
            findings.warn(document, &at, found, "no such key", "it does nothing here");
        }
    }
}

/// What does not depend on where the model lives.
fn check_model(
    context: &AccountContext<'_>,
    path: &Path,
    model: &ModelIntegration,
    findings: &mut Findings,
) {
    let document = context.document;
    check_own_keys(context, path, findings);
    let vendor = context.vendor;
    let wanted = format!("integration/model/{}", vendor.model_type);
    let kind = path.key("type");
    let slug = model.kind.strip_prefix("integration/model/");
    // The older spelling is the account's.
    if slug.is_none_or(|slug| slug != vendor.model_type && slug != vendor.account_type) {
        let found = describe(&document.tree, &kind);
        findings.error(document, &kind, found, wanted, "the type of the account's models");
    }
    let name = path.key("name");
    if !is_name(&model.name) {
        findings.error(
            document,
            &name,
            describe(&document.tree, &name),
            "a name without spaces",
            "",
        );
    }
    let types = path.key("model_types");
    if model.model_types.is_empty() {
        findings.error(document, &types, "an empty list", "at least one, e.g. chat", "");
    }
    for (index, kind) in model.model_types.iter().enumerate() {
        let path = types.index(index);
        if !Operation::ALL.iter().any(|operation| operation.model_type() == kind.0) {
            let wanted = [
                ModelType::Chat,
                ModelType::Completion,
                ModelType::Embedding,
                ModelType::Responses,
            ];
            let wanted = wanted.map(ModelType::label).join(", ");
            let found = format!("{:?}", kind.0.label());
            findings.warn(document, &path, found, wanted, "not obeyed yet");
        }
    }
    let server = path.key("model_server");
    if let Some(ModelServer::Tei | ModelServer::Infinity) = model.model_server {
        let hint = "it is asked for embeddings as an openai-compatible server";
        let found = describe(&document.tree, &server);
        findings.warn(document, &server, found, "openai-compatible", hint);
    }
    if let Some(ModelServer::NemoRetriever | ModelServer::CohereRerank) = model.model_server {
        let found = describe(&document.tree, &server);
        findings.warn(document, &server, found, "openai-compatible", "not obeyed yet");
    }
}
