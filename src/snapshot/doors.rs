//! Tokens, and what virtual accounts and the older rules may use.

use crate::{
    lexicon::{
        ids::{ModelId, SubjectId},
        time::UnixMillis,
    },
    manifest::{
        identity::{AuthzRules, PersonalAccessToken, TokenType, VirtualAccount},
        path::Path,
        read::{Document, Manifest, describe},
    },
    snapshot::{
        Token,
        findings::Findings,
        people::{People, Who},
        places::{self, Places},
        vault::{Resolved, Vault},
    },
};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// A token this short can be guessed: 16 characters of base64 are 96 bits.
const TOKEN_CHARS_MIN: usize = 16;

/// What opens the doors.
pub(super) struct Doors<'a> {
    pub(super) vault: &'a Vault<'a>,
    pub(super) now: UnixMillis,
    pub(super) tokens: HashMap<[u8; 32], Token>,
    /// Which document brought a token.
    origins: HashMap<[u8; 32], &'a str>,
}

/// The fields of a token, the same in both documents that have them.
struct Written<'a> {
    token_sha256: Option<&'a str>,
    token: Option<&'a str>,
    expiration_date: Option<&'a str>,
    token_type: Option<TokenType>,
}

impl<'a> Doors<'a> {
    pub(super) fn new(vault: &'a Vault<'a>, now: UnixMillis) -> Self {
        Self { vault, now, tokens: HashMap::new(), origins: HashMap::new() }
    }

    pub(super) fn open(
        &mut self,
        documents: &'a [Document],
        people: &mut People,
        places: &mut Places,
        findings: &mut Findings,
    ) {
        for document in documents {
            match &document.manifest {
                Manifest::VirtualAccount(account) => {
                    let Some(subject) = people.virtual_account(&account.name) else { continue };
                    self.add_token(document, subject, &written_of_account(account), findings);
                    permit(document, account, subject, places, findings);
                }
                Manifest::PersonalAccessToken(token) => {
                    self.add_personal(document, token, people, findings);
                }
                Manifest::AuthzRules(rules) => {
                    apply_rules(document, rules, people, places, findings);
                }
                _ => {}
            }
        }
    }

    fn add_personal(
        &mut self,
        document: &'a Document,
        token: &PersonalAccessToken,
        people: &mut People,
        findings: &mut Findings,
    ) {
        let key = if document.tree.get("user_fqn").is_some() { "user_fqn" } else { "subject" };
        let path = Path::top().key(key);
        match people.who(document, &path, &token.subject, true, findings) {
            Some(Who::Subject(subject)) => {
                let written = Written {
                    token_sha256: token.token_sha256.as_deref(),
                    token: token.token.as_deref(),
                    expiration_date: token.expiration_date.as_deref(),
                    token_type: token.token_type,
                };
                self.add_token(document, subject, &written, findings);
            }
            Some(Who::Everyone | Who::Team(_)) => {
                let found = describe(&document.tree, &path);
                findings.error(
                    document,
                    &path,
                    found,
                    "one user",
                    "a token speaks for one subject",
                );
            }
            None => {}
        }
    }

    fn add_token(
        &mut self,
        document: &'a Document,
        subject: SubjectId,
        written: &Written<'_>,
        findings: &mut Findings,
    ) {
        if written.token_type == Some(TokenType::Jwt) {
            let path = Path::top().key("token_type");
            findings.warn(document, &path, "\"jwt\"", "opaque", "not obeyed yet");
        }
        let expires = self.expiry(document, written.expiration_date, findings);
        let Some(hash) = self.hash(document, written, findings) else { return };
        if let Some(first) = self.origins.insert(hash, &document.origin) {
            let key = if written.token.is_some() { "token" } else { "token_sha256" };
            let found = format!("the token of {first} again");
            findings.error(document, &Path::top().key(key), found, "a token of its own", "");
        }
        self.tokens.insert(hash, Token { subject, expires });
    }

    fn hash(
        &self,
        document: &Document,
        written: &Written<'_>,
        findings: &mut Findings,
    ) -> Option<[u8; 32]> {
        let at = |key: &str| Path::top().key(key);
        match (written.token_sha256, written.token) {
            (Some(_), Some(_)) => {
                findings.error(document, &at("token"), "token and token_sha256", "one of them", "");
                None
            }
            (None, None) => {
                let hint = "nobody can come in as this subject; `weir token new` makes one";
                findings.warn(document, &at("token_sha256"), "nothing", "a token", hint);
                None
            }
            (Some(hex), None) => {
                let hash = from_hex(hex);
                if hash.is_none() {
                    let wanted = "64 hexadecimal digits";
                    findings.error(document, &at("token_sha256"), "text", wanted, "");
                }
                hash
            }
            (None, Some(text)) => match self.vault.open(findings, document, &at("token"), text) {
                Resolved::Secret(token) => {
                    if token.expose().chars().count() < TOKEN_CHARS_MIN {
                        let wanted = format!("at least {TOKEN_CHARS_MIN} characters");
                        findings.warn(document, &at("token"), "a short token", wanted, "");
                    }
                    Some(Sha256::digest(token.expose()).into())
                }
                Resolved::Lost | Resolved::Bad => None,
            },
        }
    }

    fn expiry(
        &self,
        document: &Document,
        written: Option<&str>,
        findings: &mut Findings,
    ) -> Option<UnixMillis> {
        let path = Path::top().key("expiration_date");
        let text = written?;
        let Some(expires) = parse_date(text) else {
            let found = describe(&document.tree, &path);
            let wanted = "a date: yyyy-mm-dd, or ISO-8601 with time";
            findings.error(document, &path, found, wanted, "");
            return None;
        };
        if expires <= self.now {
            let found = describe(&document.tree, &path);
            findings.warn(document, &path, found, "a day to come", "the token no longer works");
        }
        Some(expires)
    }
}

fn written_of_account(account: &VirtualAccount) -> Written<'_> {
    Written {
        token_sha256: account.token_sha256.as_deref(),
        token: account.token.as_deref(),
        expiration_date: account.expiration_date.as_deref(),
        token_type: account.token_type,
    }
}

/// What a virtual account's permissions open.
fn permit(
    document: &Document,
    account: &VirtualAccount,
    subject: SubjectId,
    places: &mut Places,
    findings: &mut Findings,
) {
    for (index, permission) in account.permissions.iter().flatten().enumerate() {
        let path = Path::top().key("permissions").index(index);
        let kind = path.key("resource_type");
        let is_model = permission.resource_type.contains("provider-")
            || permission.resource_type.contains("model");
        if !is_model {
            let found = describe(&document.tree, &kind);
            findings.warn(document, &kind, found, "provider-account", "not obeyed yet");
            continue;
        }
        let role = path.key("role_id");
        if !places::check_role(document, &role, &permission.role_id, findings) {
            continue;
        }
        let path = path.key("resource_fqn");
        for model in named_models(document, &path, &permission.resource_fqn, places, findings) {
            places.granted[model.0 as usize].add(Who::Subject(subject));
        }
    }
}

fn apply_rules(
    document: &Document,
    rules: &AuthzRules,
    people: &mut People,
    places: &mut Places,
    findings: &mut Findings,
) {
    let key = if document.tree.get("authz_rules").is_some() { "authz_rules" } else { "rules" };
    for (index, rule) in rules.authz_rules.iter().enumerate() {
        let path = Path::top().key(key).index(index);
        let draft = people.draft(document, &path.key("users"), &rule.users, true, findings);
        for (index, model) in rule.models.iter().enumerate() {
            let path = path.key("models").index(index);
            for model in named_models(document, &path, model, places, findings) {
                places.granted[model.0 as usize].extend(&draft);
            }
        }
    }
}

/// The models behind `ACCOUNT/MODEL`, `ACCOUNT` or `TENANT:VENDOR:ACCOUNT[/MODEL]`; `*` is all.
fn named_models(
    document: &Document,
    path: &Path,
    name: &str,
    places: &Places,
    findings: &mut Findings,
) -> Vec<ModelId> {
    if name == "*" {
        return places.names.values().copied().collect();
    }
    let short = name.splitn(3, ':').nth(2).unwrap_or(name);
    let by_colon = short.replacen(':', "/", 1).replacen("/model:", "/", 1);
    for name in [name, short, &by_colon] {
        if let Some(model) = places.names.get(name) {
            return vec![*model];
        }
        if let Some(models) = places.accounts.get(name) {
            return models.clone();
        }
    }
    let found = describe(&document.tree, path);
    let wanted = "ACCOUNT/MODEL, ACCOUNT or TENANT:VENDOR:ACCOUNT that has a document";
    findings.warn(document, path, found, wanted, "");
    Vec::new()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        let high = char::from(digits[0]).to_digit(16)?;
        let low = char::from(digits[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(hash)
}

/// The first moment at which something that expires then no longer works. A date is its first
/// moment, and a time without a zone is meant, in UTC: the stricter reading of each.
#[must_use]
pub fn parse_date(text: &str) -> Option<UnixMillis> {
    let timestamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    u64::try_from(timestamp.as_millisecond()).ok().map(UnixMillis)
}

#[cfg(test)]
mod tests {
    use super::{from_hex, parse_date};
    use crate::lexicon::time::UnixMillis;

    #[test]
    fn a_date_is_its_first_moment_in_utc() {
        for text in ["2027-01-01", "2027-01-01T00:00:00", "2027-01-01T01:00:00+01:00"] {
            assert_eq!(parse_date(text), Some(UnixMillis(1_798_761_600_000)), "{text}");
        }
        for text in ["", "tomorrow", "2027-13-01", "2027-02-30", "01.01.2027", "1798761600"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_hash_is_sixty_four_hexadecimal_digits() {
        assert_eq!(from_hex(&"aB".repeat(32)), Some([0xab; 32]));
        assert_eq!(from_hex(&"ab".repeat(31)), None);
        assert_eq!(from_hex(&"+b".repeat(32)), None);
        assert_eq!(from_hex(&"é".repeat(32)), None);
    }
}
