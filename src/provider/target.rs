//! One model at one place, ready to call: what a core needs, precomputed.

use crate::lexicon::{ids::EndpointKey, operation::Operation};

/// One place on the network, as pools, names and TLS know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A hash of all the other fields.
    pub key: EndpointKey,
    pub host: Box<str>,
    pub port: u16,
    /// None is plain TCP.
    pub tls: Option<TlsTrust>,
}

/// How the other side's certificate is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsTrust {
    /// `tls_settings.reject_unauthorized: false`: any certificate is taken.
    pub accepts_any_certificate: bool,
    /// `tls_settings.ca_cert`: PEM; trusted besides the system's roots.
    pub ca_pem: Option<Box<str>>,
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
    /// The vendor answers 400 to `stream_options`, so it is never asked for usage.
    pub rejects_stream_options: bool,
    /// Its secret could not be read when this snapshot was compiled: calls are refused.
    pub is_secret_missing: bool,
}

impl Target {
    /// Everything of the request head that is the same in each call: request line, host,
    /// credential, `accept-encoding: identity`, `content-type: application/json`, the account's
    /// headers. Every line ends in CRLF; the empty line is not there yet.
    ///
    /// **Shape**: `POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\n…`
    #[must_use]
    pub fn head(&self, operation: Operation) -> &[u8] {
        &self.heads[operation as usize]
    }
}
