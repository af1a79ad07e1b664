//! Which headers may travel, as tables.
//!
//! Both directions are allow-lists: what is not named here stays at the gateway, whatever a
//! `Connection` header asks for. Credentials, internal `x-*` names and the vendor's own
//! infrastructure are therefore absent by construction, not by a filter that could miss one.

/// Headers of one hop, never of the next (RFC 9110 section 7.6.1, and those that predate it).
pub const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Request headers that go to the vendor as the client wrote them.
const UPSTREAM: &[&str] = &[
    "anthropic-beta",
    "anthropic-version",
    "idempotency-key",
    "openai-beta",
    "traceparent",
    "tracestate",
    "user-agent",
];

/// What SDKs say of themselves; vendors read it for support.
const UPSTREAM_PREFIX: &str = "x-stainless-";

/// Reply headers that go to the client as the vendor wrote them. What a vendor says of its own
/// limits (`x-ratelimit-…`, `anthropic-ratelimit-…`) does not: they are those of the gateway's key,
/// which many clients share, and who is held to a limit of ours is told that one.
const DOWNSTREAM: &[&str] =
    &["openai-processing-ms", "openai-version", "retry-after", "retry-after-ms"];

/// A longer id would not fit a receipt.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

/// Whether a header belongs to one connection only. ASCII case does not matter.
#[must_use]
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    is_listed(HOP_BY_HOP, name)
}

/// Whether a client's header goes to the vendor. ASCII case does not matter.
///
/// `accept`, `content-type` and `host` are ours to write, so they do not pass; nor do
/// `openai-organization` and `openai-project`, which choose whose account pays.
#[must_use]
pub fn passes_upstream(name: &[u8]) -> bool {
    is_listed(UPSTREAM, name) || has_prefix(UPSTREAM_PREFIX, name)
}

/// Whether a vendor's header goes to the client. ASCII case does not matter.
///
/// `content-type` is handled by the caller, who may change the body's format; `date` is ours.
#[must_use]
pub fn passes_downstream(name: &[u8]) -> bool {
    is_listed(DOWNSTREAM, name)
}

/// Whether a client's request id may be used as it is: 1 to 128 bytes of `[A-Za-z0-9._:-]`.
///
/// Anything else could break a log line or an outgoing header, and is replaced by our own.
#[must_use]
pub fn is_sane_request_id(id: &[u8]) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
        && id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
}

/// **Cost**: lengths are compared before letters, and first letters before the rest: most names are
/// judged by those.
fn is_listed(table: &[&str], name: &[u8]) -> bool {
    let Some(first) = name.first() else { return false };
    table.iter().any(|row| {
        let row = row.as_bytes();
        row.len() == name.len() && row[0] == first | 0x20 && row.eq_ignore_ascii_case(name)
    })
}

fn has_prefix(prefix: &str, name: &[u8]) -> bool {
    let prefix = prefix.as_bytes();
    name.len() >= prefix.len()
        && name[0] | 0x20 == prefix[0]
        && name[..prefix.len()].eq_ignore_ascii_case(prefix)
}

/// Is this the header of that name, which is in small letters, digits and dashes? ASCII case does
/// not matter.
///
/// **Cost**: lengths are compared before letters, and letters eight at a time.
#[must_use]
#[inline]
pub fn is_name(found: &[u8], name: &[u8]) -> bool {
    if found.len() != name.len() {
        return false;
    }
    match (found.last_chunk(), name.last_chunk()) {
        (Some(last), Some(of_name)) => {
            let (words, _) = found.as_chunks();
            let (of_names, _) = name.as_chunks();
            // The last word may overlap the one before.
            is_alike(*last, *of_name)
                && words.iter().zip(of_names).all(|(word, of_name)| is_alike(*word, *of_name))
        }
        _ => found.eq_ignore_ascii_case(name),
    }
}

/// Small and capital letters differ in one bit, and small ones have the bit above it.
#[inline]
fn is_alike(found: [u8; 8], name: [u8; 8]) -> bool {
    const CASE: u64 = u64::from_le_bytes([0x20; 8]);
    let name = u64::from_le_bytes(name);
    let difference = u64::from_le_bytes(found) ^ name;
    difference & !CASE == 0 && (difference << 1) & !name == 0
}

#[cfg(test)]
mod tests {
    use super::{is_hop_by_hop, is_name, is_sane_request_id, passes_downstream, passes_upstream};

    #[test]
    fn only_listed_headers_go_upstream() {
        for name in ["User-Agent", "traceparent", "X-Stainless-Lang", "OPENAI-BETA"] {
            assert!(passes_upstream(name.as_bytes()), "{name}");
        }
        for name in [
            "authorization",
            "x-api-key",
            "cookie",
            "openai-organization",
            "openai-project",
            "x_user_id",
            "x-user-id",
            "connection",
            "accept",
            "content-type",
            "host",
            "x-stainless",
            "transfer_encoding",
            "",
        ] {
            assert!(!passes_upstream(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn only_listed_headers_go_downstream() {
        for name in ["Retry-After", "retry-after-ms", "OpenAI-Processing-Ms"] {
            assert!(passes_downstream(name.as_bytes()), "{name}");
        }
        for name in [
            "X-RateLimit-Remaining-Tokens",
            "anthropic-ratelimit-tokens-remaining",
            "set-cookie",
            "server",
            "connection",
            "cf-ray",
            "alt-svc",
            "date",
            "content-type",
            "strict-transport-security",
            "openai-organization",
            "content-length",
        ] {
            assert!(!passes_downstream(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_name_is_the_same_in_any_case_and_no_other() {
        for name in [&b"te"[..], b"x-api-key", b"content-length", b"x-ratelimit-9", b"if-match"] {
            for at in 0..name.len() {
                for byte in 0..=u8::MAX {
                    let mut found = name.to_ascii_uppercase();
                    found[at] = byte;
                    assert_eq!(is_name(&found, name), found.eq_ignore_ascii_case(name));
                }
            }
            assert!(!is_name(&name[1..], name));
        }
    }

    #[test]
    fn hop_by_hop_headers_are_known_in_any_case() {
        assert!(is_hop_by_hop(b"Connection"));
        assert!(is_hop_by_hop(b"transfer-encoding"));
        assert!(!is_hop_by_hop(b"authorization"));
    }

    #[test]
    fn a_request_id_is_plain_and_bounded() {
        assert!(is_sane_request_id(b"req_01:a.b-C"));
        assert!(is_sane_request_id(&[b'a'; 128]));
        assert!(!is_sane_request_id(&[b'a'; 129]));
        assert!(!is_sane_request_id(b""));
        assert!(!is_sane_request_id(b"a b"));
        assert!(!is_sane_request_id(b"a\r\nX: y"));
    }
}
