//! What is known of the world outside: resolved addresses.

use crate::lexicon::ids::EndpointKey;
use std::{collections::HashMap, net::SocketAddr};

/// The weather all cores see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Every address of each endpoint, in the resolver's order; none or empty means that its name
    /// did not resolve.
    pub addresses: HashMap<EndpointKey, Box<[SocketAddr]>>,
}
