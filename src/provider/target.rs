//! One model at one place, ready to call: what a core needs, precomputed.

use crate::{
    dialect::pivot::{part::Dialect, target::Abilities},
    lexicon::{ids::EndpointKey, operation::Operation},
    provider::{auth::sigv4::Signer, base_url::BaseUrl, vendor::fit::Fit},
};

/// One place on the network, as pools, names and TLS know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A hash of all the other fields.
    pub key: EndpointKey,
    pub host: Box<str>,
    pub port: u16,
    /// The path of a Unix socket, which is asked instead of host and port.
    pub socket: Option<Box<str>>,
    /// None is plain TCP.
    pub tls: Option<TlsTrust>,
    /// `http_version: "2"`: offered with TLS, spoken at once without.
    pub wants_http2: bool,
}

/// How the other side's certificate is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsTrust {
    /// `tls_settings.reject_unauthorized: false`: any certificate is taken.
    pub accepts_any_certificate: bool,
    /// `tls_settings.ca_cert`: PEM; trusted besides the system's roots.
    pub ca_pem: Option<Box<str>>,
}

impl Endpoint {
    /// The endpoint behind a base URL. `trust` counts only with https.
    #[must_use]
    pub fn new(url: &BaseUrl, trust: TlsTrust, wants_http2: bool) -> Self {
        let tls = url.is_tls.then_some(trust);
        let key = endpoint_key(url, tls.as_ref(), wants_http2);
        let (host, socket) = (url.host.clone(), url.socket.clone());
        Self { key, host, port: url.port, socket, tls, wants_http2 }
    }
}

/// FNV-1a over all that makes an endpoint: the same in every process and build, so that pools and
/// health outlive a snapshot by it. Each field is ended by its length, so that no two run together.
///
/// **Source**: draft-eastlake-fnv-21, 64-bit offset basis and prime.
fn endpoint_key(url: &BaseUrl, tls: Option<&TlsTrust>, wants_http2: bool) -> EndpointKey {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = BASIS;
    let mut feed = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&(bytes.len() as u64).to_le_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    };
    feed(url.host.as_bytes());
    feed(&url.port.to_le_bytes());
    feed(&[u8::from(tls.is_some())]);
    if let Some(trust) = tls {
        feed(&[u8::from(trust.accepts_any_certificate), u8::from(trust.ca_pem.is_some())]);
        feed(trust.ca_pem.as_deref().unwrap_or_default().as_bytes());
    }
    if wants_http2 {
        feed(b"2");
    }
    if let Some(socket) = &url.socket {
        feed(socket.as_bytes());
    }
    EndpointKey(hash)
}

/// Does a target speak OpenAI's Responses API?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponsesApi {
    #[default]
    No,
    /// Beside its own dialect.
    Also,
    Only,
}

/// Is the model asked for in its maker's own words, at a vendor who hosts many makers'?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Invoking {
    #[default]
    Never,
    /// Whichever those are.
    AsItsMaker,
    /// They are Anthropic's.
    AsAnthropic,
}

/// One model at one place.
#[derive(Clone)]
pub struct Target {
    /// Index into `Snapshot::endpoints`.
    pub endpoint: u32,
    /// What the vendor calls the model, as a JSON string with its quotes.
    pub model_json: Box<[u8]>,
    /// One request head per operation, in the order of `Operation::ALL`.
    pub heads: [Box<[u8]>; Operation::ALL.len()],
    /// The same for a chat that is streamed, where it is another.
    pub stream_head: Option<Box<[u8]>>,
    pub dialect: Dialect,
    pub responses: ResponsesApi,
    /// The body says this version, and not the model: see `Vendor::claude_version`.
    pub claude_version: Option<&'static str>,
    pub invoking: Invoking,
    /// What the model can do; read only where a request is translated.
    pub abilities: Abilities,
    /// The vendor answers 400 to `stream_options`, so it is never asked for usage.
    pub rejects_stream_options: bool,
    /// What is said to it otherwise, or not at all.
    pub fit: Fit,
    /// Proves each call by a signature over it.
    pub signer: Option<Box<Signer>>,
    /// Its secret could not be read when this snapshot was compiled: calls are refused.
    pub is_secret_missing: bool,
}

impl Target {
    /// The language in which it is spoken to for a client of that one.
    #[must_use]
    pub const fn dialect_for(&self, client: Dialect) -> Dialect {
        match (self.responses, client) {
            (ResponsesApi::Only, _) | (ResponsesApi::Also, Dialect::OpenAiResponses) => {
                Dialect::OpenAiResponses
            }
            _ => self.dialect,
        }
    }

    /// Everything of the request head that is the same in each call: request line, host,
    /// credential, `accept-encoding: identity`, `content-type: application/json`, the account's
    /// headers. Every line ends in CRLF; the empty line is not there yet.
    ///
    /// **Shape**: `POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\n…`
    #[must_use]
    pub fn head(&self, operation: Operation) -> &[u8] {
        &self.heads[operation as usize]
    }

    /// The same for a call whose answer is streamed or not.
    #[must_use]
    pub fn head_of(&self, operation: Operation, is_streaming: bool) -> &[u8] {
        match &self.stream_head {
            Some(head) if is_streaming && operation == self.dialect.chat() => head,
            _ => self.head(operation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, TlsTrust};
    use std::collections::HashSet;

    #[test]
    fn an_endpoint_key_is_stable_and_tells_places_apart() {
        let versioned = |url: &str, any: bool, ca: Option<&str>, wants_http2: bool| {
            let trust = TlsTrust { accepts_any_certificate: any, ca_pem: ca.map(Into::into) };
            Endpoint::new(&url.parse().expect(url), trust, wants_http2)
        };
        let endpoint = |url: &str, any: bool, ca: Option<&str>| versioned(url, any, ca, false);
        let places = [
            endpoint("https://api.openai.com/v1", false, None),
            endpoint("http://api.openai.com:443/v1", false, None),
            endpoint("https://api.openai.com:8443/v1", false, None),
            endpoint("https://api.openai.com/v1", true, None),
            endpoint("https://api.openai.com/v1", false, Some("")),
            endpoint("https://api.openai.com/v1", false, Some("PEM")),
            versioned("https://api.openai.com/v1", false, None, true),
            endpoint("http+unix://%2Frun%2Fa.sock/v1", false, None),
            endpoint("http+unix://%2Frun%2Fb.sock/v1", false, None),
            endpoint("http://localhost/v1", false, None),
        ];

        let keys: HashSet<_> = places.iter().map(|place| place.key).collect();

        assert_eq!(keys.len(), places.len());
        assert_eq!(places[0], endpoint("https://API.OPENAI.COM/other", false, None));
        assert_eq!(places[1], endpoint("http://api.openai.com:443", true, None));
        // Pools outlive a process's snapshots by this number: it must not change between builds.
        assert_eq!(places[0].key.0, 13_679_295_374_457_928_082);
    }
}
