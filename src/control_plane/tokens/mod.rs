//! Keeps the clouds' tokens fresh.
//!
//! What a snapshot needs is wanted here; each token is fetched, and fetched again ahead of its
//! expiry. While that fails the old one serves on until it expires; then its targets are refused
//! (503 `secret_unavailable`) until a fetch succeeds. `schedule.rs` says when, `fetch.rs` how.

pub(super) mod fetch;
pub mod schedule;

use crate::{
    control_plane::load::now,
    lexicon::time::UnixMillis,
    provider::auth::{Credentials, Minted, TokenSource},
};
use fetch::{Client, FetchFault};
use schedule::Schedule;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// How long new tokens may hold up a start: what is not there then comes by a snapshot of its own.
pub const START_WAIT: Duration = Duration::from_secs(5);
/// The same for a change: a key that it revokes must stop working within a second.
pub const CHANGE_WAIT: Duration = Duration::from_millis(400);
/// The longest sleep: a wall clock that is set anew is noticed after it.
const SLEEP_MAX: Duration = Duration::from_secs(15);

/// All tokens that are wanted.
pub struct Tokens {
    /// Made for the first fetch: it reads every certificate that the system trusts.
    client: Option<Client>,
    held: HashMap<TokenSource, Held>,
    fetches: JoinSet<(TokenSource, Result<Minted, FetchFault>)>,
}

/// One token.
#[derive(Default)]
struct Held {
    minted: Option<Minted>,
    schedule: Schedule,
    is_fetching: bool,
}

impl Tokens {
    #[must_use]
    pub fn new() -> Self {
        Self { client: None, held: HashMap::new(), fetches: JoinSet::new() }
    }

    /// Wants exactly these from now on, and waits so long for those that are new.
    pub async fn want(&mut self, sources: &HashSet<TokenSource>, patience: Duration) {
        self.held.retain(|source, _| sources.contains(source));
        for source in sources {
            self.held.entry(source.clone()).or_default();
        }
        self.begin(now());
        let is_awaited = |held: &Held| held.minted.is_none() && held.is_fetching;
        let first = async {
            while self.held.values().any(is_awaited) {
                let Some(Ok(outcome)) = self.fetches.join_next().await else { return };
                self.adopt(outcome, now());
            }
        };
        // What is late goes on being fetched.
        let _ = timeout(patience, first).await;
    }

    /// The tokens that work now.
    #[must_use]
    pub fn credentials(&self, now: UnixMillis) -> Credentials {
        let working = self.held.iter().filter_map(|(source, held)| {
            let minted = held.minted.as_ref().filter(|minted| schedule::works(minted, now))?;
            Some((source.clone(), minted.credential.clone()))
        });
        working.collect()
    }

    /// Returns once `credentials` is different; safe to cancel.
    pub async fn changed(&mut self) {
        loop {
            let moment = now();
            if self.expire(moment) {
                return;
            }
            self.begin(moment);
            let pause = self.pause(moment);
            tokio::select! {
                Some(Ok(outcome)) = self.fetches.join_next() => {
                    let moment = now();
                    let mut is_changed = self.adopt(outcome, moment);
                    // Those that came together make one snapshot.
                    while let Some(Ok(outcome)) = self.fetches.try_join_next() {
                        is_changed |= self.adopt(outcome, moment);
                    }
                    if is_changed {
                        return;
                    }
                }
                () = sleep(pause) => {}
            }
        }
    }

    /// Forgets what no longer works; was there any?
    fn expire(&mut self, now: UnixMillis) -> bool {
        let mut is_changed = false;
        for (source, held) in &mut self.held {
            if held.minted.as_ref().is_some_and(|minted| !schedule::works(minted, now)) {
                tracing::error!(token = source.label(), "it has expired: its targets are refused");
                held.minted = None;
                is_changed = true;
            }
        }
        is_changed
    }

    /// Begins to fetch what is due.
    fn begin(&mut self, now: UnixMillis) {
        for (source, held) in &mut self.held {
            if !held.is_fetching && held.schedule.is_due(now) {
                held.is_fetching = true;
                let client = self.client.get_or_insert_with(Client::new).clone();
                let source = source.clone();
                self.fetches.spawn(async move {
                    let outcome = fetch::fetch(&client, &source).await;
                    (source, outcome)
                });
            }
        }
    }

    /// Takes what a fetch came to; does it change the credentials?
    fn adopt(
        &mut self,
        (source, outcome): (TokenSource, Result<Minted, FetchFault>),
        now: UnixMillis,
    ) -> bool {
        // Nobody wants it any more.
        let Some(held) = self.held.get_mut(&source) else { return false };
        held.is_fetching = false;
        match outcome {
            Ok(minted) => {
                held.schedule.succeeded(&minted, now, dice());
                tracing::info!(token = source.label(), "fetched");
                held.minted = Some(minted);
                true
            }
            Err(fault) => {
                held.schedule.failed(now, dice());
                let serves_on = held.minted.is_some();
                tracing::warn!(token = source.label(), %fault, serves_on, "it cannot be fetched");
                false
            }
        }
    }

    /// Until something is due or expires.
    fn pause(&self, now: UnixMillis) -> Duration {
        let moments = self.held.values().flat_map(|held| {
            let due = (!held.is_fetching).then(|| held.schedule.due());
            let end = held.minted.as_ref().map(schedule::end);
            due.into_iter().chain(end)
        });
        let millis = moments.map(|moment| moment.0.saturating_sub(now.0)).min();
        millis.map_or(SLEEP_MAX, |millis| Duration::from_millis(millis.max(1)).min(SLEEP_MAX))
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self::new()
    }
}

/// Chance, so that many gateways do not ask at once.
fn dice() -> u64 {
    // Without chance the schedule is merely not spread.
    getrandom::u64().unwrap_or_default()
}
