//! Where a vendor's API begins.

/// A base URL, taken apart.
///
/// **Shape**: `http(s)://HOST[:PORT][/PATH]`, without credentials, query or fragment. A URL without
/// a path gets `/v1`, where nearly every OpenAI-compatible server has its API; `https://HOST/.`
/// says that it begins at the root. `http+unix://SOCKET[/PATH]` is a server on the same machine,
/// SOCKET the absolute path of its socket with each slash as `%2F`, as requests-unixsocket and
/// docker's clients write it: `http+unix://%2Frun%2Fvllm.sock/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    pub is_tls: bool,
    /// Lower case; an IPv6 address stands here without brackets.
    pub host: Box<str>,
    pub port: u16,
    /// The path of a Unix socket; the host is then `localhost`.
    pub socket: Option<Box<str>>,
    /// Begins with a slash and does not end with one; empty for the root.
    pub path: Box<str>,
}

/// The longest URL that is taken.
const URL_BYTES_MAX: usize = 2_048;

impl BaseUrl {
    /// What stands in the `host` header: the port only where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.to_string()
        };
        let default_port = if self.is_tls { 443 } else { 80 };
        if self.port == default_port { host } else { format!("{host}:{}", self.port) }
    }
}

impl std::str::FromStr for BaseUrl {
    type Err = &'static str;

    /// **Errors**: what is wrong, in words that quote nothing of the URL.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text.len() > URL_BYTES_MAX {
            return Err("a URL of more than 2048 bytes");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a URL with spaces, control or non-ASCII characters");
        }
        let (scheme, rest) = text.split_once("://").ok_or("no http:// or https://")?;
        let (is_tls, is_socket) = match scheme.to_ascii_lowercase().as_str() {
            "https" => (true, false),
            "http" => (false, false),
            "http+unix" => (false, true),
            _ => return Err("a scheme other than http, https or http+unix"),
        };
        if rest.contains('@') {
            return Err("a URL with credentials in it");
        }
        if rest.contains(['?', '#']) {
            return Err("a URL with a query or a fragment");
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let socket = if is_socket { Some(socket_path(authority)?) } else { None };
        let authority = if is_socket { "localhost" } else { authority };
        let (host, port) = split_authority(authority)?;
        let port = match port {
            None if is_tls => 443,
            None => 80,
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|port| *port > 0).ok_or("a port out of range")?
            }
            Some(_) => return Err("a port that is no number"),
        };
        let path = match path.trim_end_matches('/') {
            "" => "/v1",
            "/." => "",
            path => path,
        };
        let host = host.to_ascii_lowercase().into();
        Ok(Self { is_tls, host, port, socket, path: path.into() })
    }
}

/// The longest path of a socket. **Source**: unix(7), `sun_path` less its final zero.
const SOCKET_BYTES_MAX: usize = 107;

/// `%2Frun%2Fx.sock` is `/run/x.sock`.
fn socket_path(escaped: &str) -> Result<Box<str>, &'static str> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err("a % without two digits in a socket's path");
        };
        bytes.push(u8::try_from(high << 4 | low).unwrap_or_default());
        rest = &tail[2..];
    }
    let path = String::from_utf8(bytes).map_err(|_| "a socket's path that is not UTF-8")?;
    if !path.starts_with('/') || path.contains('\0') {
        return Err("no absolute path of a socket, as %2Frun%2Fx.sock");
    }
    if path.len() > SOCKET_BYTES_MAX {
        return Err("a socket's path of more than 107 bytes");
    }
    Ok(path.into())
}

fn split_authority(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("an IPv6 address without its bracket")?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| "no IPv6 address in the brackets")?;
        return match port.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if port.is_empty() => Ok((host, None)),
            None => Err("text after the IPv6 address"),
        };
    }
    let (host, port) =
        authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || host.len() > 253 || !host.bytes().all(is_name) {
        return Err("no valid host name");
    }
    Ok((host, port))
}

/// Percent-encodes all but RFC 3986's unreserved characters, which is right in forms and paths.
pub fn push_encoded(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BaseUrl;

    fn check(text: &str, authority: &str, port: u16, path: &str) {
        let url: BaseUrl = text.parse().expect(text);
        assert_eq!((url.authority().as_str(), url.port, &*url.path), (authority, port, path));
    }

    #[test]
    fn a_url_without_a_path_gets_v1() {
        check("https://api.openai.com/v1", "api.openai.com", 443, "/v1");
        check("https://API.openai.com/v1/", "api.openai.com", 443, "/v1");
        check(
            "http://vllm.models.svc.cluster.local:8000",
            "vllm.models.svc.cluster.local:8000",
            8000,
            "/v1",
        );
        check("https://api.perplexity.ai/.", "api.perplexity.ai", 443, "");
        check("http://10.0.0.1/", "10.0.0.1", 80, "/v1");
        check("https://[::1]:8443/a/b", "[::1]:8443", 8443, "/a/b");
        check("http://[fe80::2]/openai", "[fe80::2]", 80, "/openai");
        check("http+unix://%2Frun%2Fvllm.sock", "localhost", 80, "/v1");
        check("http+unix://%2frun%2Fvllm.sock/v2/", "localhost", 80, "/v2");
        let url: BaseUrl = "http+unix://%2frun%2Fvllm.sock/v2/".parse().expect("a URL");
        assert_eq!(url.socket.as_deref(), Some("/run/vllm.sock"));
    }

    #[test]
    fn what_is_no_base_url_is_said_without_quoting_it() {
        for text in [
            "",
            "api.openai.com",
            "ftp://x/v1",
            "https://",
            "https://user:sk-live@x/v1",
            "https://x/v1?key=sk-live",
            "https://x:0/",
            "https://x:65536/",
            "https://x:+1/",
            "https://x:/v1",
            "https://[::1",
            "https://a b/",
            "https://x/v1\r\nx-evil: 1",
            "https://münchen.example/",
            "https+unix://%2Frun%2Fx.sock",
            "http+unix://run%2Fx.sock",
            "http+unix:///run/x.sock",
            "http+unix://%2Frun%2",
            "http+unix://%2Frun%00",
            "http+unix://%FF",
        ] {
            let error = text.parse::<BaseUrl>().expect_err(text);
            assert!(!error.contains("sk-live"));
        }
    }
}
