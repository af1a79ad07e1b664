//! What a request's `x-tfy-*` headers ask of the gateway itself.

use crate::{
    data_plane::{inbound::Request, stage::retry_directive},
    dialect::pivot::dropped::Dropped,
    lexicon::refusal::{Refusal, Refused},
    policy::{metadata::VALUE_CHARS_MAX, route::retry::Retry},
    snapshot::Caller,
    wire::{
        headers,
        json::{
            self,
            flat::{FlatError, Pairs},
        },
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

/// Those there are; of each the first counts.
const NAMES: [&str; 7] = [
    "x-tfy-metadata",
    "x-tfy-strict-openai",
    "x-tfy-forward-pings",
    "x-weir-strict-translation",
    "x-tfy-request-timeout",
    "x-tfy-ttft-timeout-ms",
    "x-tfy-retry-config",
];

/// Is a header of this name for the gateway itself?
fn is_directive(name: &[u8]) -> bool {
    matches!(name, [b'x' | b'X', b'-', b't' | b'T' | b'w' | b'W', ..])
}

/// Read them all.
///
/// # Errors
/// `InvalidHeader` naming the header.
///
/// **Cost**: one look at the names.
pub fn read<'b>(request: &Request<'b>) -> Result<Directives<'b>, Refused> {
    let mut directives = Directives::default();
    let mut seen = 0_u8;
    for (name, value) in request.head.iter(request.bytes) {
        if !is_directive(name) {
            continue;
        }
        let Some(at) = NAMES.iter().position(|it| headers::is_name(name, it.as_bytes())) else {
            continue;
        };
        if seen >> at & 1 == 0 {
            seen |= 1 << at;
            directives.set(NAMES[at], value)?;
        }
    }
    Ok(directives)
}

impl<'b> Directives<'b> {
    fn set(&mut self, name: &str, value: &'b [u8]) -> Result<(), Refused> {
        match name {
            "x-tfy-metadata" => self.metadata = Some(value),
            "x-tfy-strict-openai" => self.manner.is_strict_openai = read_flag(name, value)?,
            "x-tfy-forward-pings" => self.manner.forwards_pings = read_flag(name, value)?,
            "x-weir-strict-translation" => self.is_strict = read_flag(name, value)?,
            "x-tfy-request-timeout" => self.attempt_ms = Some(read_millis(name, value)?),
            "x-tfy-ttft-timeout-ms" => self.ttft_ms = Some(read_millis(name, value)?),
            _ => {
                let read = retry_directive::read(value).map_err(|wrong| invalid(name, wrong))?;
                self.retry = Some(Box::new(read));
            }
        }
        Ok(())
    }
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

fn read_flag(name: &str, value: &[u8]) -> Result<bool, Refused> {
    match value {
        _ if value.eq_ignore_ascii_case(b"true") => Ok(true),
        _ if value.eq_ignore_ascii_case(b"false") => Ok(false),
        _ => Err(invalid(name, "It must be true or false.")),
    }
}

fn read_millis(name: &str, value: &[u8]) -> Result<NonZeroU64, Refused> {
    let millis = json::value::read_u64(value).and_then(NonZeroU64::new);
    millis.ok_or_else(|| invalid(name, "It must be a whole number of milliseconds, 1 or more."))
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
