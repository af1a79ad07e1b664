//! The request heads that a target carries, written once when a snapshot is compiled.

use crate::{
    dialect::pivot::part::Dialect,
    lexicon::{operation::Operation, secret::Secret},
    provider::{
        auth::sigv4::AwsKeys,
        base_url::{BaseUrl, push_encoded},
    },
    wire::headers,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// How we prove ourselves, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// None is wanted.
    None,
    Bearer(Secret),
    Basic {
        username: Secret,
        password: Secret,
    },
    /// A key in a header of the vendor's own, in lower case.
    Key {
        header: &'static str,
        key: Secret,
    },
    /// Each request is signed: the head holds nothing of it.
    Aws(AwsKeys),
}

/// A header that operators add, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: Box<str>,
    pub value: Secret,
}

/// Why a header or a credential cannot be sent; names nothing of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// Not a token of RFC 9110 §5.6.2.
    Name,
    /// Ours to write: framing, routing or what a call always says.
    Reserved,
    /// CR, LF, NUL or another control character in it.
    Value,
    /// Longer than `VALUE_BYTES_MAX`.
    Long,
}

/// Headers an account and a model may add together.
pub const HEADERS_MAX: usize = 64;
/// The longest value: the usual bound of servers for a whole head is 8 KiB.
pub const VALUE_BYTES_MAX: usize = 8 << 10;

/// Names that operators may not set, beside those of one hop: they frame the message, or are said
/// by the gateway in each call.
const RESERVED: &[&str] =
    &["accept-encoding", "content-encoding", "content-length", "content-type", "expect", "host"];

/// May this header be added to calls?
pub fn check(name: &str, value: &Secret) -> Result<(), BadHeader> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 256 || !name.bytes().all(is_token) {
        return Err(BadHeader::Name);
    }
    let is_reserved = RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
    if is_reserved || headers::is_hop_by_hop(name.as_bytes()) {
        return Err(BadHeader::Reserved);
    }
    check_value(value)
}

/// May this text stand in a header's value?
pub fn check_value(value: &Secret) -> Result<(), BadHeader> {
    let text = value.expose();
    if text.len() > VALUE_BYTES_MAX {
        return Err(BadHeader::Long);
    }
    if text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(BadHeader::Value);
    }
    Ok(())
}

/// One head per operation, in the order of `Operation::ALL`.
pub type Heads = [Box<[u8]>; Operation::ALL.len()];

/// One head per operation; see `Target::head` for their shape. What is written here has passed
/// `check` and `check_value`. `query` follows each path, with its question mark or empty.
#[must_use]
pub fn write(
    (url, query, dialect): (&BaseUrl, &str, Dialect),
    credential: &Credential,
    headers: &[Header],
) -> Heads {
    Operation::ALL
        .map(|operation| write_one(url, path(operation, dialect), query, credential, headers))
}

/// The same, and the head of a chat that is streamed where it is another. `is_raw`: an Anthropic
/// chat is a prediction of a cloud's. `model` stands in the paths of Bedrock.
#[must_use]
pub fn write_all(
    place: (&BaseUrl, &str, Dialect),
    (is_raw, model): (bool, &str),
    credential: &Credential,
    headers: &[Header],
) -> (Heads, Option<Box<[u8]>>) {
    let mut heads = write(place, credential, headers);
    let (url, query, dialect) = place;
    let one = |path: &str| write_one(url, path, query, credential, headers);
    if dialect == Dialect::Bedrock {
        for operation in Operation::ALL.into_iter().filter(|it| it.names_model_in_path()) {
            let mut path = "/model/".to_owned();
            push_encoded(&mut path, model);
            path.push_str(operation.path());
            heads[operation as usize] = one(&path);
        }
    }
    let stream_head = match dialect {
        Dialect::Anthropic if is_raw => {
            heads[Operation::Messages as usize] = one(":rawPredict");
            Some(one(":streamRawPredict"))
        }
        Dialect::Gemini => Some(one(":streamGenerateContent?alt=sse")),
        _ => None,
    };
    (heads, stream_head)
}

/// The same for one path.
#[must_use]
pub fn write_one(
    url: &BaseUrl,
    path: &str,
    query: &str,
    credential: &Credential,
    headers: &[Header],
) -> Box<[u8]> {
    let mut rest = format!("host: {}\r\n", url.authority());
    match credential {
        Credential::None | Credential::Aws(_) => {}
        Credential::Key { header, key } => {
            rest.push_str(header);
            rest.push_str(": ");
            rest.push_str(key.expose());
            rest.push_str("\r\n");
        }
        Credential::Bearer(token) => {
            rest.push_str("authorization: Bearer ");
            rest.push_str(token.expose());
            rest.push_str("\r\n");
        }
        Credential::Basic { username, password } => {
            let pair = format!("{}:{}", username.expose(), password.expose());
            rest.push_str("authorization: Basic ");
            STANDARD.encode_string(pair, &mut rest);
            rest.push_str("\r\n");
        }
    }
    rest.push_str("accept-encoding: identity\r\ncontent-type: application/json\r\n");
    for header in headers {
        rest.push_str(&header.name.to_ascii_lowercase());
        rest.push_str(": ");
        rest.push_str(header.value.expose().trim_matches([' ', '\t']));
        rest.push_str("\r\n");
    }
    let line = format!("POST {}{path}{query} HTTP/1.1\r\n", url.path);
    [line.as_bytes(), rest.as_bytes()].concat().into()
}

/// Where a vendor of this dialect answers an operation, behind the base URL.
const fn path(operation: Operation, dialect: Dialect) -> &'static str {
    match (operation, dialect) {
        (Operation::ChatCompletions, Dialect::Cohere) => "/chat",
        _ => operation.path(),
    }
}

#[cfg(test)]
mod tests {
    use super::{BadHeader, Credential, Header, check, check_value, write, write_all};
    use crate::{
        dialect::pivot::part::Dialect,
        lexicon::{operation::Operation, secret::Secret},
    };

    const CHAT: Dialect = Dialect::OpenAiChat;

    #[test]
    fn a_head_is_written_as_documented() {
        let url = "http://vllm.local:8000".parse().expect("a URL");
        let header = Header { name: "X-Region".into(), value: Secret::new(" eu ") };

        let heads = write((&url, "", CHAT), &Credential::Bearer(Secret::new("sk-1")), &[header]);

        assert_eq!(
            std::str::from_utf8(&heads[Operation::Embeddings as usize]),
            Ok("POST /v1/embeddings HTTP/1.1\r\n\
                host: vllm.local:8000\r\n\
                authorization: Bearer sk-1\r\n\
                accept-encoding: identity\r\n\
                content-type: application/json\r\n\
                x-region: eu\r\n")
        );
    }

    #[test]
    fn a_basic_credential_is_user_and_password_in_base64() {
        let url = "https://x/v1".parse().expect("a URL");
        let username = Secret::new("ada");
        let credential = Credential::Basic { username, password: Secret::new("p:w") };

        let head = write((&url, "", CHAT), &credential, &[])[0].clone();

        assert!(String::from_utf8_lossy(&head).contains("authorization: Basic YWRhOnA6dw==\r\n"));
    }

    #[test]
    fn a_key_may_have_a_header_of_its_own_and_a_path_a_query() {
        let url = "https://x.openai.azure.com/openai/deployments/d".parse().expect("a URL");
        let credential = Credential::Key { header: "api-key", key: Secret::new("k") };

        let head = write((&url, "?api-version=2024-10-21", CHAT), &credential, &[])[0].clone();

        let head = String::from_utf8_lossy(&head);
        let line =
            "POST /openai/deployments/d/chat/completions?api-version=2024-10-21 HTTP/1.1\r\n";
        assert!(head.starts_with(line) && head.contains("\r\napi-key: k\r\n"), "{head}");
    }

    #[test]
    fn a_model_may_stand_in_the_path_and_is_encoded_once() {
        let url = "https://bedrock-runtime.us-east-1.amazonaws.com/.".parse().expect("a URL");
        let model = "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova-micro-v1:0";

        let place = (&url, "", Dialect::Bedrock);
        let (heads, _) = write_all(place, (false, model), &Credential::None, &[]);

        let head = String::from_utf8_lossy(&heads[Operation::ConverseStream as usize]);
        let line = "POST /model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2F\
            eu.amazon.nova-micro-v1%3A0/converse-stream HTTP/1.1\r\n";
        assert!(head.starts_with(line), "{head}");
    }

    #[test]
    fn a_header_that_could_forge_a_message_is_refused() {
        let plain = Secret::new("1");
        for name in ["", "a b", "a:b", "a\r\nb", "é"] {
            assert_eq!(check(name, &plain), Err(BadHeader::Name), "{name:?}");
        }
        for name in ["Host", "content-length", "Transfer-Encoding", "connection"] {
            assert_eq!(check(name, &plain), Err(BadHeader::Reserved), "{name}");
        }
        for value in ["a\r\nx: 1", "a\nb", "a\0b", "\u{7f}"] {
            assert_eq!(check_value(&Secret::new(value)), Err(BadHeader::Value), "{value:?}");
        }
        assert_eq!(check_value(&Secret::new("a".repeat(8 << 10))), Ok(()));
        assert_eq!(check_value(&Secret::new("a".repeat((8 << 10) + 1))), Err(BadHeader::Long));
        assert_eq!(check("x-region", &Secret::new("münchen\t1")), Ok(()));
    }
}
