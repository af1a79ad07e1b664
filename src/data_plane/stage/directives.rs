//! What a request's `x-tfy-*` headers ask of the gateway itself.

use crate::{
    data_plane::{inbound::Request, stage::retry_directive},
    dialect::pivot::dropped::Dropped,
    lexicon::refusal::{Refusal, Refused},
    policy::{metadata::VALUE_CHARS_MAX, route::retry::Retry},
    snapshot::Caller,
    wire::json::{
        self,
        flat::{FlatError, Pairs},
    },
};
use std::{borrow::Cow, num::NonZeroU64};

/// What the headers ask.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Directives<'b> {
    /// `x-tfy-metadata`, not read yet.
    pub metadata: Option<&'b [u8]>,
    /// How the reply is to be told.
    pub manner: Manner,
    /// `x-weir-strict-translation`: what a target would not see is refused.
    is_strict: bool,
    /// `x-tfy-request-timeout`: for one attempt.
    pub attempt_ms: Option<NonZeroU64>,
    /// `x-tfy-ttft-timeout-ms`: until the first streamed token.
    pub ttft_ms: Option<NonZeroU64>,
    /// `x-tfy-retry-config`; boxed, for it is rare.
    pub retry: Option<Box<Retry>>,
}

/// How a translated reply is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// `x-tfy-strict-openai`, true where absent: `content` is a text.
    pub is_strict_openai: bool,
    /// `x-tfy-forward-pings`: a vendor's signs of life become comments.
    pub forwards_pings: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self { is_strict_openai: true, forwards_pings: false }
    }
}

const RETRY_CONFIG: &str = "x-tfy-retry-config";

/// Is a header of this name for the gateway itself?
fn is_directive(name: &[u8]) -> bool {
    matches!(name, [b'x' | b'X', b'-', b't' | b'T' | b'w' | b'W', ..])
}

/// Read them all.
///
/// # Errors
/// `InvalidHeader` naming the header.
///
/// **Cost**: where there are none, one look at the names.
pub fn read<'b>(request: &Request<'b>) -> Result<Directives<'b>, Refused> {
    let has_any = request.head.iter(request.bytes).any(|(name, _)| is_directive(name));
    if !has_any {
        return Ok(Directives::default());
    }
    Ok(Directives {
        manner: Manner {
            is_strict_openai: read_flag(request, "x-tfy-strict-openai", true)?,
            forwards_pings: read_flag(request, "x-tfy-forward-pings", false)?,
        },
        is_strict: read_flag(request, "x-weir-strict-translation", false)?,
        metadata: request.header("x-tfy-metadata"),
        attempt_ms: read_millis(request, "x-tfy-request-timeout")?,
        ttft_ms: read_millis(request, "x-tfy-ttft-timeout-ms")?,
        retry: match request.header(RETRY_CONFIG) {
            Some(value) => {
                let read = retry_directive::read(value);
                Some(Box::new(read.map_err(|wrong| invalid(RETRY_CONFIG, wrong))?))
            }
            None => None,
        },
    })
}

impl Directives<'_> {
    /// May a target be called that will not see these fields?
    ///
    /// # Errors
    /// `InvalidField` naming the first, where the client wants strictness.
    pub fn check(&self, dropped: &Dropped) -> Result<(), Refused> {
        match dropped.iter().next() {
            Some(first) if self.is_strict => Err(Refusal::InvalidField
                .about(first, format!("The model's vendor does not take \"{first}\"."))),
            _ => Ok(()),
        }
    }
}

/// The value of `x-tfy-applied-configurations`.
///
/// **Shape**: `{}` or `{"metadata":{"overrides":["team"]}}`: the keys that operators decided.
pub fn applied(caller: &Caller) -> Cow<'static, [u8]> {
    if caller.metadata.is_empty() {
        return Cow::Borrowed(b"{}");
    }
    let mut out = b"{\"metadata\":{\"overrides\":[".to_vec();
    for (index, (key, _)) in caller.metadata.iter().enumerate() {
        if caller.metadata[..index].iter().any(|(known, _)| known == key) {
            continue;
        }
        if index > 0 {
            out.push(b',');
        }
        json::value::push_json_string(&mut out, key);
    }
    out.extend_from_slice(b"]}}");
    Cow::Owned(out)
}

/// Read the metadata of a header.
///
/// # Errors
/// `InvalidMetadata` naming the key.
pub fn metadata(header: &[u8]) -> Result<Pairs<'_>, Refused> {
    let metadata = json::flat::flat_strings(header)
        .map_err(|error| Refusal::InvalidMetadata.about("x-tfy-metadata", explain(&error)))?;
    for (key, value) in &metadata {
        if value.chars().count() > VALUE_CHARS_MAX {
            let detail = format!("The value of {key:?} is longer than that.");
            return Err(Refusal::InvalidMetadata.about("x-tfy-metadata", detail));
        }
    }
    Ok(metadata)
}

fn read_flag(request: &Request<'_>, name: &str, absent: bool) -> Result<bool, Refused> {
    match request.header(name) {
        None => Ok(absent),
        Some(value) if value.eq_ignore_ascii_case(b"true") => Ok(true),
        Some(value) if value.eq_ignore_ascii_case(b"false") => Ok(false),
        Some(_) => Err(invalid(name, "It must be true or false.")),
    }
}

fn read_millis(request: &Request<'_>, name: &str) -> Result<Option<NonZeroU64>, Refused> {
    let Some(value) = request.header(name) else { return Ok(None) };
    match json::value::read_u64(value).and_then(NonZeroU64::new) {
        Some(millis) => Ok(Some(millis)),
        None => Err(invalid(name, "It must be a whole number of milliseconds, 1 or more.")),
    }
}

#[cold]
fn explain(error: &FlatError) -> String {
    match &error.key {
        Some(key) => format!("At {key:?}: found {}.", error.found.words()),
        None => format!("Found {}.", error.found.words()),
    }
}

#[cold]
fn invalid(header: &str, detail: &str) -> Refused {
    Refusal::InvalidHeader.about(header, detail)
}
