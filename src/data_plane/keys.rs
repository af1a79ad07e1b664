//! Credentials: where they stand in a request, and who they are.

use crate::{
    lexicon::{
        ids::SubjectId,
        refusal::{Refusal, Refused},
        time::UnixMillis,
    },
    snapshot::{Snapshot, Token},
    wire::http1::request::RequestHead,
};
use sha2::{Digest, Sha256};

/// The last credential of a connection, so that a busy connection hashes it once.
#[derive(Default)]
pub struct Memo {
    credential: Vec<u8>,
    snapshot_version: u64,
    token: Option<Token>,
}

impl Memo {
    /// Who sent this request?
    ///
    /// Revocation and expiry hold from one request to the next: the memo is of one snapshot.
    pub fn authenticate(
        &mut self,
        head: &RequestHead,
        bytes: &[u8],
        snapshot: &Snapshot,
        now: UnixMillis,
    ) -> Result<SubjectId, Refused> {
        let credential = credential(head, bytes).ok_or(Refusal::MissingKey)?;
        if self.snapshot_version != snapshot.version || self.credential != credential {
            let hash: [u8; 32] = Sha256::digest(credential).into();
            self.token = snapshot.tokens.get(&hash).copied();
            self.snapshot_version = snapshot.version;
            self.credential.clear();
            self.credential.extend_from_slice(credential);
        }
        let token = self.token.ok_or(Refusal::InvalidKey)?;
        if token.expires.is_some_and(|expires| now >= expires) {
            return Err(Refusal::ExpiredKey.into());
        }
        Ok(token.subject)
    }
}

/// In the order of precedence: ours, the common one, Anthropic's, Google's.
fn credential<'b>(head: &RequestHead, bytes: &'b [u8]) -> Option<&'b [u8]> {
    let plain = |name| head.header(bytes, name).filter(|key| !key.is_empty());
    plain("x-tfy-api-key")
        .or_else(|| head.header(bytes, "authorization").and_then(bearer))
        .or_else(|| plain("x-api-key"))
        .or_else(|| plain("x-goog-api-key"))
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked("bearer ".len())?;
    let key = key.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn the_bearer_scheme_is_of_any_case_and_needs_a_key() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bEARER   abc "), Some(&b"abc"[..]));
        assert_eq!(bearer(b"Bearer "), None);
        assert_eq!(bearer(b"Bearer"), None);
        assert_eq!(bearer(b"Basic abc"), None);
        assert_eq!(bearer("Bea\u{e9}er x".as_bytes()), None);
    }
}
