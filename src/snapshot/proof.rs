//! How a model's calls are proven: `auth_data` of every kind, to a credential or to where one comes
//! from.

use crate::{
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
        head::{Credential, Header},
        vendor::Vendor,
    },
    snapshot::{
        auth_fields::{self, Hindrance, Opened},
        call::Bench,
    },
};

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
    let outcome = auth_fields::open(bench, path, auth, kind)
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

#[cfg(test)]
mod tests {
    use super::{Proof, Purpose, prove};
    use crate::{
        manifest::{
            account::AuthKind,
            path::Path,
            read::{Manifest, read},
            yaml,
        },
        provider::{
            auth::{Credentials, TokenSource, aws::Base, entra, surroundings::Surroundings},
            head::Credential,
            vendor::{VENDORS, Vendor},
        },
        snapshot::{call::Bench, findings::Findings, vault::Vault},
    };
    use serde_json::{Value, json};
    use std::collections::{HashMap, HashSet};

    /// Clouds whose dialects have no row yet: their proofs are made as all others.
    static CLOUD: Vendor = Vendor {
        proofs: &[
            AuthKind::AccessKeyBased,
            AuthKind::AssumedRoleBased,
            AuthKind::AwsIrsaAuth,
            AuthKind::KeyFile,
            AuthKind::GcpServiceAccountAuth,
            AuthKind::WorkloadIdentityFederationFile,
        ],
        ..VENDORS[0]
    };

    /// The proof of this `auth_data`, and what is said of it.
    fn proven(auth: &Value) -> (Proof, Vec<String>) {
        let text = json!({"type": "provider-account/openai", "name": "acct", "auth_data": auth,
            "integrations": []});
        let mut sources = yaml::parse("m.yaml", &text.to_string()).expect("YAML");
        let (document, _) = read(sources.remove(0));
        let document = document.expect("the twin takes it");
        let Manifest::Account(account) = &document.manifest else { panic!("an account") };
        let (resolved, known, tokens) = (HashMap::new(), HashSet::new(), Credentials::new());
        let surroundings = Surroundings::read(|_| None);
        let vault = Vault {
            resolved: &resolved,
            known: &known,
            tokens: &tokens,
            surroundings: &surroundings,
        };
        let mut findings = Findings::default();
        let mut bench = Bench { document: &document, vault: &vault, findings: &mut findings };
        let purpose = Purpose { vendor: &CLOUD, region: Some("us-east-1"), scope: entra::SCOPE };
        let mut proof = Proof {
            credential: Credential::None,
            headers: vec![],
            source: None,
            is_secret_missing: false,
        };
        let auth = account.auth_data.as_ref().expect("it was written");
        prove(&mut bench, &Path::top().key("auth_data"), auth, &purpose, &mut proof);
        (proof, findings.problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keys_of_aws_prove_at_once_and_roles_are_fetched() {
        let older = json!({"type": "aws-irsa-auth", "aws_region": "us-east-1",
            "aws_access_key_id": "AKIA", "aws_secret_access_key": "s"});
        let machine = json!({"type": "aws-irsa-auth", "aws_region": "us-east-1"});
        let role = json!({"type": "assumed-role-based", "assumed_role_arn": "arn:r"});

        let (older, _) = proven(&older);
        let (machine, _) = proven(&machine);
        let (role, _) = proven(&role);

        assert!(matches!(older.credential, Credential::Aws(_)) && older.source.is_none());
        assert!(machine.is_secret_missing && role.is_secret_missing, "they are fetched first");
        for (proof, arn) in [(machine, None), (role, Some("arn:r"))] {
            let Some(TokenSource::Aws(source)) = proof.source else { panic!("a source") };
            assert_eq!((source.base, &*source.region), (Base::Instance, "us-east-1"));
            assert_eq!(source.role.map(|role| role.arn.into_string()).as_deref(), arn);
        }
    }

    #[test]
    fn key_files_of_google_are_read_as_text_and_as_mappings_in_both_spellings() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
        let file = json!({"type": "service_account", "client_email": "svc@p",
            "private_key": pair.serialize_pem()});
        let text = file.to_string();
        for auth in [
            json!({"type": "key-file", "key_file_content": file}),
            json!({"type": "key-file", "key_file_content": text}),
            json!({"type": "gcp-service-account-auth", "gcp_service_account_key": text,
                "gcp_project_id": "p", "gcp_region": "us-central1"}),
        ] {
            let (proof, said) = proven(&auth);
            let Some(TokenSource::GoogleKey(key)) = proof.source else { panic!("{said:?}") };
            assert_eq!(&*key.client_email, "svc@p");
        }
        let federation = json!({"type": "external_account", "audience": "a", "token_url":
            "https://t", "subject_token_type": "j", "credential_source": {"file": "/t"}});
        let auth =
            json!({"type": "workload-identity-federation-file", "key_file_content": federation});
        assert!(matches!(proven(&auth).0.source, Some(TokenSource::GoogleFederation(_))));
    }

    #[test]
    fn a_key_file_that_is_none_is_a_problem() {
        for (content, found) in [
            (json!(7), "wanted text or a mapping"),
            (json!("{"), "found no key file"),
            (json!({"type": "service_account"}), "found no client_email"),
        ] {
            let (proof, said) = proven(&json!({"type": "key-file", "key_file_content": content}));
            assert!(proof.source.is_none() && said.iter().any(|it| it.contains(found)), "{said:?}");
        }
        let (_, said) = proven(&json!({"type": "key-file"}));
        assert!(said.iter().any(|it| it.contains("key_file_content: found nothing")), "{said:?}");
    }
}
