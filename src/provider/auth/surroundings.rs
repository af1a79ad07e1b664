//! What a machine says of itself: the environment's names that the clouds' own libraries read.
//!
//! Source: docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html and
//! azure.github.io/azure-workload-identity/docs, read 2026-11-21.

use crate::{
    lexicon::secret::Secret,
    provider::auth::{aws::Base, entra::AUTHORITY, sigv4::AwsKeys},
};
use std::path::PathBuf;

/// Where AWS's containers ask for their keys, when they are told only a path.
const CONTAINER_HOST: &str = "http://169.254.170.2";

/// The machine that this process runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Who we are at AWS when a manifest names no keys.
    pub aws_base: Base,
    /// STS at another place: `AWS_ENDPOINT_URL_STS`.
    pub aws_sts: Option<Box<str>>,
    /// `AZURE_AUTHORITY_HOST`, without a slash at its end.
    pub azure_authority: Box<str>,
    /// `AZURE_FEDERATED_TOKEN_FILE`: what workload identity proves itself by.
    pub azure_token_file: Option<PathBuf>,
}

impl Surroundings {
    /// Asks for each name by `variable`; an empty value is none.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| variable(name).filter(|value| !value.is_empty());
        let url = |name: &str| text(name).map(|url| Box::from(url.trim_end_matches('/')));
        Self {
            aws_base: aws_base(text),
            aws_sts: url("AWS_ENDPOINT_URL_STS"),
            azure_authority: url("AZURE_AUTHORITY_HOST").unwrap_or_else(|| AUTHORITY.into()),
            azure_token_file: text("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from),
        }
    }
}

/// In the order of AWS's own libraries: environment, web identity, container, instance.
fn aws_base(text: impl Fn(&str) -> Option<String>) -> Base {
    if let (Some(id), Some(key)) = (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY")) {
        return Base::Keys(AwsKeys {
            access_key_id: Secret::new(id),
            secret_access_key: Secret::new(key),
            session_token: text("AWS_SESSION_TOKEN").map(Secret::new),
        });
    }
    if let (Some(role), Some(file)) = (text("AWS_ROLE_ARN"), text("AWS_WEB_IDENTITY_TOKEN_FILE")) {
        return Base::WebIdentity { role_arn: role.into(), token_file: file.into() };
    }
    let relative = text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let url = relative.map(|path| format!("{CONTAINER_HOST}{path}"));
    if let Some(url) = url.or_else(|| text("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
        let token_file = text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from);
        return Base::Container { url: url.into(), token_file };
    }
    Base::Instance
}
