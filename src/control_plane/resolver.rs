//! Names to addresses, for cores that never ask.

use crate::{bridge::weather::Weather, lexicon::ids::EndpointKey, snapshot::Snapshot};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::lookup_host, sync::Semaphore, task::JoinSet, time::timeout};

/// How long one name may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Names asked for at once: each takes a thread of tokio's while it waits.
const LOOKUPS_MAX: usize = 64;

/// A place whose addresses are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub key: EndpointKey,
    pub host: Box<str>,
    pub port: u16,
}

/// What was answered; none where nothing was.
pub type Answer = (EndpointKey, Option<Box<[SocketAddr]>>);

/// The places of a snapshot whose addresses `weather` does not have yet.
#[must_use]
pub fn unknown(snapshot: &Snapshot, weather: &Weather) -> Vec<Place> {
    let endpoints = snapshot.endpoints.iter();
    endpoints
        .filter(|endpoint| endpoint.socket.is_none())
        .filter(|endpoint| !weather.addresses.contains_key(&endpoint.key))
        .map(|endpoint| Place {
            key: endpoint.key,
            host: endpoint.host.clone(),
            port: endpoint.port,
        })
        .collect()
}

/// Asks for all of these at once.
pub async fn resolve(places: Vec<Place>) -> Vec<Answer> {
    let seats = Arc::new(Semaphore::new(LOOKUPS_MAX));
    let mut lookups = JoinSet::new();
    for place in places {
        let seats = Arc::clone(&seats);
        lookups.spawn(async move {
            let _seat = seats.acquire_owned().await.ok();
            let answer = timeout(LOOKUP_TIMEOUT, lookup_host((&*place.host, place.port))).await;
            let addresses: Option<Box<[SocketAddr]>> =
                answer.ok().and_then(Result::ok).map(Iterator::collect);
            if addresses.as_ref().is_none_or(|addresses| addresses.is_empty()) {
                tracing::warn!(host = &*place.host, "the name does not resolve");
                return (place.key, None);
            }
            (place.key, addresses)
        });
    }
    lookups.join_all().await
}

/// Puts answers into the weather. Where there was none, the last good addresses stay.
pub fn adopt(weather: &mut Weather, answers: Vec<Answer>) {
    for (key, addresses) in answers {
        match addresses {
            Some(addresses) => {
                weather.addresses.insert(key, addresses);
            }
            None => {
                weather.addresses.entry(key).or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Weather, adopt};
    use crate::lexicon::ids::EndpointKey;

    #[test]
    fn a_name_that_fails_to_resolve_keeps_its_last_good_addresses() {
        let (good, never) = (EndpointKey(1), EndpointKey(2));
        let addresses = || Box::from(["127.0.0.1:80".parse().expect("an address")]);
        let mut weather = Weather::default();
        adopt(&mut weather, vec![(good, Some(addresses())), (never, None)]);

        adopt(&mut weather, vec![(good, None), (never, None)]);

        assert_eq!(weather.addresses.get(&good), Some(&addresses()));
        assert_eq!(weather.addresses.get(&never).map(|none| none.len()), Some(0));
    }
}
