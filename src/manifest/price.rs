//! Prices as written: what replaces or joins those that are compiled in.

use serde::Deserialize;
use serde_json::Number;
use std::collections::BTreeMap;

/// A table of public prices; ours.
///
/// **Shape**: `dollars_per_million: {VENDOR: {MODEL: {input: 2.5, "input@200000": 5}}}`: vendors by
/// the name behind `provider-account/`, dollars for a million units, and behind `@` the size of
/// prompt from which a rate holds.
#[derive(Clone, Debug, Deserialize)]
pub struct PriceTable {
    pub name: String,
    /// Nothing of what is compiled in holds any more.
    pub replaces: Option<bool>,
    pub dollars_per_million: BTreeMap<String, BTreeMap<String, BTreeMap<String, Number>>>,
}
