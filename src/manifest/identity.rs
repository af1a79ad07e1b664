//! Who may come in: virtual accounts, personal access tokens, teams, and the older access rules.

use serde::Deserialize;

/// A service identity with its own list of what it may use.
///
/// **Shape**: `VirtualAccountManifest` of the reference (A.6), and our `token_sha256` or `token`:
/// there is no platform here that mints tokens, so a manifest says which token is its.
#[derive(Clone, Deserialize)]
pub struct VirtualAccount {
    pub name: String,
    pub permissions: Option<Vec<Permission>>,
    /// `yyyy-mm-dd`, or ISO-8601 with time.
    pub expiration_date: Option<String>,
    /// Strings; numbers and booleans are taken as written.
    pub tags: Option<serde_json::Map<String, serde_json::Value>>,
    /// Hexadecimal.
    pub token_sha256: Option<String>,
    /// `tfy-secret://…`.
    pub token: Option<String>,
    pub token_type: Option<TokenType>,
    pub auto_rotate: Option<serde_json::Value>,
    pub notification_target: Option<serde_json::Value>,
    pub secret_store_config: Option<serde_json::Value>,
    #[serde(rename = "ownedBy")]
    pub owned_by: Option<serde_json::Value>,
    pub identity_provider_mapping: Option<serde_json::Value>,
}

/// What one virtual account may do with one resource.
#[derive(Clone, Debug, Deserialize)]
pub struct Permission {
    pub resource_fqn: String,
    pub resource_type: String,
    pub role_id: String,
}

/// How a token is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenType {
    Jwt,
    Opaque,
}

/// A token that speaks for a user.
///
/// **Shape**: `PersonalAccessTokenManifest` of the reference (A.6: `type: pat`, `user_fqn`), and
/// our `type: personal-access-token` with `subject`, `token_sha256` or `token`.
#[derive(Clone, Deserialize)]
pub struct PersonalAccessToken {
    pub name: String,
    #[serde(alias = "user_fqn")]
    pub subject: String,
    /// ISO-8601, a date or with time.
    pub expiration_date: Option<String>,
    /// Hexadecimal.
    pub token_sha256: Option<String>,
    /// `tfy-secret://…`.
    pub token: Option<String>,
    pub token_type: Option<TokenType>,
    #[serde(rename = "ownedBy")]
    pub owned_by: Option<serde_json::Value>,
}

/// Users who are named together.
///
/// **Shape**: `TeamManifest` of the reference (A.6). Members and managers are emails or subjects.
#[derive(Clone, Debug, Deserialize)]
pub struct Team {
    pub name: String,
    pub members: Vec<String>,
    pub managers: Option<Vec<String>>,
    #[serde(rename = "displayName")]
    pub display_name: Option<serde_json::Value>,
    pub description: Option<serde_json::Value>,
    pub tags: Option<serde_json::Value>,
    #[serde(rename = "ownedBy")]
    pub owned_by: Option<serde_json::Value>,
    pub identity_provider_mapping: Option<serde_json::Value>,
}

/// The older list of who may use which models.
///
/// **Shape**: `{authz_rules: [{models: [ACCOUNT/MODEL], users: [NAME]}]}`.
#[derive(Clone, Debug, Deserialize)]
pub struct AuthzRules {
    #[serde(alias = "rules")]
    pub authz_rules: Vec<AuthzRule>,
}

/// These users may use these models.
#[derive(Clone, Debug, Deserialize)]
pub struct AuthzRule {
    pub models: Vec<String>,
    pub users: Vec<String>,
}

/// May hold what was meant to be a reference: the token is not printed.
impl std::fmt::Debug for VirtualAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VirtualAccount({:?})", self.name)
    }
}

/// May hold what was meant to be a reference: the token is not printed.
impl std::fmt::Debug for PersonalAccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonalAccessToken({:?})", self.name)
    }
}
