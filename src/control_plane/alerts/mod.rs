//! Tells people when a threshold of a budget is reached: each of them once for each threshold and
//! period.
//!
//! What is to be told is written down before it is sent and struck out after (`ledger.rs`), so that
//! a restart forgets nothing; only what was sent and not yet struck out when the process was killed
//! is sent twice. What cannot be sent is tried again, ever more slowly, for a day. `notice.rs` is
//! the message, `send.rs` the ways by which it goes.
//!
//! One message at a time goes by one channel: a channel that does not answer holds up no other.

pub mod counts;
mod ledger;
mod notice;
mod send;

use crate::{
    bridge::lane::Receiver,
    control_plane::{
        load::now,
        tokens::fetch::Client,
        usage::{Book, report},
    },
    lexicon::time::UnixMillis,
    policy::alert::Channel,
    snapshot::Snapshot,
};
use counts::Counts;
use ledger::Ledger;
use notice::Notice;
use send::SendFault;
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{MissedTickBehavior, interval, timeout},
};

/// How soon after its receipt is stored a threshold is noticed.
const LOOK: Duration = Duration::from_secs(1);
/// What is under way at the end may take this long: otherwise it is sent again by the next start.
const LAST_SENDS: Duration = Duration::from_secs(2);
/// What could not be told in a day is no news.
const PATIENCE_MS: u64 = 86_400_000;

/// Everything that is told, or will be.
pub struct Alerts {
    book: Arc<Book>,
    snapshots: Receiver<Snapshot>,
    channels: HashMap<Box<str>, Channel>,
    data_dir: PathBuf,
    ledger: Ledger,
    /// The ledger is other than what is on disk.
    is_dirty: bool,
    /// Made for the first message: it reads every certificate that the system trusts.
    client: Option<Client>,
    /// Channels by which something is under way.
    busy: HashSet<Box<str>>,
    counts: Arc<Counts>,
    sends: JoinSet<(Notice, Result<(), SendFault>)>,
}

impl Alerts {
    /// What was told already is read from the data directory.
    #[must_use]
    pub fn open(data_dir: &Path, book: Arc<Book>, snapshots: Receiver<Snapshot>) -> Self {
        let ledger = ledger::read(data_dir).unwrap_or_else(|error| {
            tracing::error!(%error, "what was told of budgets is not known: it is told again");
            Ledger::default()
        });
        Self {
            book,
            snapshots,
            channels: HashMap::new(),
            data_dir: data_dir.to_owned(),
            ledger,
            is_dirty: false,
            client: None,
            busy: HashSet::new(),
            counts: Counts::new(),
            sends: JoinSet::new(),
        }
    }

    /// What became of messages so far.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Runs until `stop` is ready.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut stop => return self.close().await,
                _ = look.tick() => self.look(now()),
                Some(ended) = self.sends.join_next() => self.adopt(ended),
            }
            self.keep().await;
            self.begin(now());
            self.counts.wait(self.ledger.owed.iter().map(|owed| &owed.notice.address.channel));
        }
    }

    /// Takes down what has been reached since.
    fn look(&mut self, now: UnixMillis) {
        if let Some(newest) = self.snapshots.changed() {
            self.channels.clone_from(&newest.channels);
            self.counts.keep(&self.channels);
            // What was wrong with a channel may have been mended.
            self.ledger.hurry();
        }
        let Self { book, ledger, is_dirty, .. } = self;
        *is_dirty |= ledger.forget(now);
        book.news(now, |budget, key, line| {
            let Some(cap) = budget.every_cap().find(|cap| cap.key == line.cap) else { return };
            let Some(alert) = &budget.alert else { return };
            let limit = report::limit_of(budget, line, cap);
            for threshold in alert.reached(line.units, limit) {
                let facts = || notice::facts(budget, cap, limit, line, threshold);
                let of = (key, threshold);
                *is_dirty |= ledger.note(of, line.end, &alert.addresses, now, facts);
            }
        });
        self.counts.set_untold(self.ledger.untold_total);
    }

    /// Writes the ledger. While that fails people are told all the same: twice is better than not.
    async fn keep(&mut self) {
        if !self.is_dirty {
            return;
        }
        let (data_dir, text) = (self.data_dir.clone(), self.ledger.text());
        let write = move || ledger::write(&data_dir, &text);
        match spawn_blocking(write).await {
            Ok(Ok(())) => self.is_dirty = false,
            Ok(Err(error)) => tracing::error!(%error, "what is told of budgets cannot be kept"),
            Err(error) => tracing::error!(%error, "what is told of budgets cannot be kept"),
        }
    }

    /// Begins to send what is due.
    fn begin(&mut self, now: UnixMillis) {
        for owed in &mut self.ledger.owed {
            let name = &owed.notice.address.channel;
            if !owed.schedule.is_due(now) || self.busy.contains(name) {
                continue;
            }
            self.busy.insert(name.clone());
            if owed.tries > 0 {
                self.counts.add(name, |count| count.retried_total += 1);
            }
            owed.tries += 1;
            let channel = self.channels.get(name).cloned();
            let client = self.client.get_or_insert_with(Client::new).clone();
            let notice = owed.notice.clone();
            self.sends.spawn(async move {
                let sent = match channel {
                    Some(channel) => send::send(&client, &channel, &notice).await,
                    None => Err(SendFault::NoChannel),
                };
                (notice, sent)
            });
        }
    }

    fn adopt(&mut self, ended: Result<(Notice, Result<(), SendFault>), tokio::task::JoinError>) {
        let Ok((notice, sent)) = ended else {
            tracing::error!("what sends alerts has panicked");
            self.busy.clear();
            return;
        };
        let (channel, budget) = (&notice.address.channel, &notice.facts.budget);
        self.busy.remove(channel);
        let is_late = now().0.saturating_sub(notice.since_ms) >= PATIENCE_MS;
        self.counts.add(channel, |count| {
            count.sent_total += u64::from(sent.is_ok());
            count.failed_total += u64::from(sent.is_err());
            count.given_up_total += u64::from(sent.is_err() && is_late);
        });
        match sent {
            Ok(()) => {
                tracing::info!(%channel, %budget, "people were told of a budget");
                self.is_dirty |= self.ledger.strike(&notice);
            }
            Err(fault) if is_late => {
                tracing::error!(%channel, %budget, %fault, "people cannot be told: given up");
                self.is_dirty |= self.ledger.strike(&notice);
            }
            Err(fault) => {
                tracing::warn!(%channel, %budget, %fault, "people cannot be told yet");
                // Without chance the schedule is merely not spread.
                self.ledger.defer(&notice, now(), getrandom::u64().unwrap_or_default());
            }
        }
    }

    async fn close(mut self) {
        let rest = async {
            while let Some(ended) = self.sends.join_next().await {
                self.adopt(ended);
            }
        };
        let _ = timeout(LAST_SENDS, rest).await;
        self.keep().await;
    }
}
