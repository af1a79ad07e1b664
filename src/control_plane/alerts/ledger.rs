//! Which thresholds have been reached and whom that is still to be told: `DATA/alerts.json`.
//!
//! **Shape**: `{"known": {ID: END or null}, "owed": [NOTICE]}`, ends in milliseconds since 1970.

use crate::{
    control_plane::{
        alerts::notice::{Facts, Notice},
        journal::disk::write_whole,
        tokens::schedule::Schedule,
    },
    lexicon::time::UnixMillis,
    policy::alert::Address,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, io, path::Path};

const NAME: &str = "alerts.json";
/// Messages that wait: more than anyone would read, at about half a KiB each.
const OWED_MAX: usize = 10_000;
/// Thresholds that were reached: about 5 MiB of disk. Further ones are not told.
const KNOWN_MAX: usize = 100_000;
/// A threshold is remembered for so long after its period: a late look finds it known.
const GRACE_MS: u64 = 86_400_000;

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// Thresholds that were reached, by the id of their notices, and when that period ends.
    known: BTreeMap<String, Option<u64>>,
    pub(super) owed: Vec<Owed>,
}

/// A message that is not sent yet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Owed {
    pub(super) notice: Notice,
    /// When it is tried next; at once after a start.
    #[serde(skip)]
    pub(super) schedule: Schedule,
    /// Since the start.
    #[serde(skip)]
    pub(super) tries: u32,
}

impl Ledger {
    /// Takes down a threshold that is reached, the first time; was this the first?
    pub(super) fn note(
        &mut self,
        id: &str,
        end: Option<UnixMillis>,
        addresses: &[Address],
        now: UnixMillis,
        facts: impl FnOnce() -> Facts,
    ) -> bool {
        if self.known.contains_key(id) || self.known.len() >= KNOWN_MAX {
            return false;
        }
        self.known.insert(id.to_owned(), end.map(|end| end.0));
        if self.owed.len() + addresses.len() > OWED_MAX {
            tracing::error!(id, "too many messages wait: nobody is told of this");
            return true;
        }
        let facts = facts();
        self.owed.extend(addresses.iter().map(|address| {
            let (id, address, facts) = (id.to_owned(), address.into(), facts.clone());
            Owed {
                notice: Notice { id, address, facts, since_ms: now.0 },
                schedule: Schedule::default(),
                tries: 0,
            }
        }));
        true
    }

    /// Forgets thresholds of periods that are long over; were there any?
    pub(super) fn forget(&mut self, now: UnixMillis) -> bool {
        let count = self.known.len();
        self.known.retain(|_, end| end.is_none_or(|end| end.saturating_add(GRACE_MS) > now.0));
        self.known.len() < count
    }

    /// It was sent.
    pub(super) fn strike(&mut self, notice: &Notice) -> bool {
        let count = self.owed.len();
        self.owed.retain(|owed| !owed.notice.is(notice));
        self.owed.len() < count
    }

    /// It could not be sent: later.
    pub(super) fn defer(&mut self, notice: &Notice, now: UnixMillis, dice: u64) {
        if let Some(owed) = self.owed.iter_mut().find(|owed| owed.notice.is(notice)) {
            owed.schedule.failed(now, dice);
        }
    }

    /// Everything is tried at once.
    pub(super) fn hurry(&mut self) {
        self.owed.iter_mut().for_each(|owed| owed.schedule = Schedule::default());
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// That of a data directory; an empty one where there is none.
pub(super) fn read(data_dir: &Path) -> io::Result<Ledger> {
    match fs::read_to_string(data_dir.join(NAME)) {
        Ok(text) => Ok(serde_json::from_str(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ledger::default()),
        Err(error) => Err(error),
    }
}

/// Write it whole, or leave what was there.
pub(super) fn write(data_dir: &Path, text: &str) -> io::Result<()> {
    write_whole(data_dir, NAME, text)
}

#[cfg(test)]
mod tests {
    use super::{GRACE_MS, Ledger, OWED_MAX, read, write};
    use crate::{
        control_plane::alerts::notice::Facts, lexicon::time::UnixMillis, policy::alert::Address,
    };

    const NOW: UnixMillis = UnixMillis(1_000);

    fn address(to: &str) -> Address {
        Address { channel: "mail".into(), to: to.into() }
    }

    fn note(ledger: &mut Ledger, id: &str, end: Option<u64>, to: &[Address]) -> bool {
        ledger.note(id, end.map(UnixMillis), to, NOW, Facts::default)
    }

    #[test]
    fn a_threshold_is_taken_down_once_and_read_back_with_what_is_owed() {
        let folder = tempfile::tempdir().expect("there is room");
        let mut ledger = Ledger::default();
        assert!(note(&mut ledger, "a", Some(5_000), &[address("ada"), address("bob")]));
        assert!(!note(&mut ledger, "a", Some(5_000), &[address("ada"), address("bob")]));
        let sent = ledger.owed[0].notice.clone();
        assert!(ledger.strike(&sent));

        write(folder.path(), &ledger.text()).expect("the folder is ours");

        let mut again = read(folder.path()).expect("it was just written");
        assert!(!note(&mut again, "a", Some(5_000), &[address("ada")]));
        assert_eq!(again.owed.len(), 1);
        assert_eq!(&*again.owed[0].notice.address.to, "bob");
        std::fs::write(folder.path().join("alerts.json"), "{").expect("the folder is ours");
        assert!(read(folder.path()).is_err());
    }

    #[test]
    fn what_is_long_over_is_forgotten_and_a_lifetime_never() {
        let mut ledger = Ledger::default();
        note(&mut ledger, "day", Some(5_000), &[]);
        note(&mut ledger, "lifetime", None, &[]);

        assert!(!ledger.forget(UnixMillis(5_000 + GRACE_MS - 1)));
        assert!(ledger.forget(UnixMillis(5_000 + GRACE_MS)));

        assert!(note(&mut ledger, "day", Some(5_000), &[]));
        assert!(!note(&mut ledger, "lifetime", None, &[]));
    }

    #[test]
    fn so_many_messages_wait_and_not_one_more() {
        let mut ledger = Ledger::default();
        let many = vec![address("ada"); OWED_MAX];
        note(&mut ledger, "full", None, &many);

        assert!(note(&mut ledger, "more", None, &[address("ada")]), "it is known at least");

        assert_eq!(ledger.owed.len(), OWED_MAX);
    }
}
