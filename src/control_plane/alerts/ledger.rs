//! Which thresholds have been reached and whom that is still to be told: `DATA/alerts.json`.
//!
//! **Shape**: `{"known": {ID: END or null}, "owed": [NOTICE]}`, ends in milliseconds since 1970. Of
//! each meter only the highest threshold is known: those below it were told before.

use crate::{
    control_plane::{
        alerts::notice::{self, Facts, Notice},
        journal::disk::write_whole,
        tokens::schedule::Schedule,
    },
    lexicon::{meter::MeterKey, time::UnixMillis},
    policy::alert::Address,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, io, path::Path};

const NAME: &str = "alerts.json";
/// Messages that wait: more than anyone would read, at about half a KiB each.
const OWED_MAX: usize = 10_000;
/// Meters with a threshold that was reached: about 5 MiB of disk. Nobody is told of further ones,
/// which is logged and counted.
const KNOWN_MAX: usize = 100_000;
/// A threshold is remembered for so long after its period: a late look finds it known.
const GRACE_MS: u64 = 86_400_000;

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// Thresholds that were reached, by the id of their notices, and when that period ends.
    known: BTreeMap<String, Option<u64>>,
    pub(super) owed: Vec<Owed>,
    /// How often a threshold was reached that could not be taken down, since the start.
    #[serde(skip)]
    pub(super) untold_total: u64,
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
    ///
    /// Thresholds of one meter are to come in their order.
    pub(super) fn note(
        &mut self,
        (meter, threshold): (MeterKey, u64),
        end: Option<UnixMillis>,
        addresses: &[Address],
        now: UnixMillis,
        facts: impl FnOnce() -> Facts,
    ) -> bool {
        let id = &notice::id(meter, threshold);
        let lower = self.known_of(meter);
        if lower.iter().any(|(_, known)| *known >= threshold) {
            return false;
        }
        if lower.is_empty() && self.known.len() >= KNOWN_MAX {
            if self.untold_total == 0 {
                tracing::error!(
                    id,
                    KNOWN_MAX,
                    "too many budgets have reached a threshold: nobody is told of more"
                );
            }
            self.untold_total += 1;
            return false;
        }
        for (id, _) in lower {
            self.known.remove(&id);
        }
        self.known.insert(id.clone(), end.map(|end| end.0));
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

    /// What is known of a meter: ids and their thresholds. One, but of what older versions wrote.
    fn known_of(&self, meter: MeterKey) -> Vec<(String, u64)> {
        let prefix = notice::id_prefix(meter);
        let from = self.known.range(prefix.clone()..);
        from.map_while(|(id, _)| {
            let threshold = id.strip_prefix(&prefix)?;
            Some((id.clone(), threshold.parse().unwrap_or_default()))
        })
        .collect()
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
    use super::{GRACE_MS, KNOWN_MAX, Ledger, OWED_MAX, read, write};
    use crate::{
        control_plane::alerts::notice::{self, Facts},
        lexicon::{meter::MeterKey, time::UnixMillis},
        policy::alert::Address,
    };

    const NOW: UnixMillis = UnixMillis(1_000);

    fn address(to: &str) -> Address {
        Address { channel: "mail".into(), to: to.into() }
    }

    const A: (MeterKey, u64) = (MeterKey(0xa), 5_000);
    const B: (MeterKey, u64) = (MeterKey(0xb), 5_000);

    fn note(ledger: &mut Ledger, of: (MeterKey, u64), end: Option<u64>, to: &[Address]) -> bool {
        ledger.note(of, end.map(UnixMillis), to, NOW, Facts::default)
    }

    #[test]
    fn of_each_meter_the_highest_threshold_is_known_and_each_is_told_once() {
        let mut ledger = Ledger::default();
        let to = [address("ada")];
        for threshold in [5_000, 7_500, 9_000] {
            // As an older version wrote them.
            ledger.known.insert(notice::id(MeterKey(0xab), threshold), None);
        }

        for threshold in [5_000, 7_500, 9_000, 10_000] {
            assert!(note(&mut ledger, (A.0, threshold), None, &to));
            assert!(!note(&mut ledger, (A.0, threshold), None, &to));
        }
        assert!(!note(&mut ledger, (MeterKey(0xab), 9_000), None, &to));
        assert!(note(&mut ledger, (MeterKey(0xab), 10_000), None, &to));

        assert_eq!(ledger.known.keys().collect::<Vec<_>>(), ["a.10000", "ab.10000"]);
        assert_eq!(ledger.owed.len(), 5);
    }

    #[test]
    fn one_meter_too_many_is_counted_and_what_is_known_goes_on() {
        let mut ledger = Ledger::default();
        for meter in 0..KNOWN_MAX as u128 {
            assert!(note(&mut ledger, (MeterKey(meter), 5_000), None, &[]));
        }

        assert!(!note(&mut ledger, (MeterKey(KNOWN_MAX as u128), 5_000), None, &[]));

        assert_eq!(ledger.untold_total, 1);
        assert!(note(&mut ledger, (MeterKey(7), 9_000), None, &[]), "it has its place");
        assert_eq!(ledger.known.len(), KNOWN_MAX);
    }

    #[test]
    fn a_threshold_is_taken_down_once_and_read_back_with_what_is_owed() {
        let folder = tempfile::tempdir().expect("there is room");
        let mut ledger = Ledger::default();
        assert!(note(&mut ledger, A, Some(5_000), &[address("ada"), address("bob")]));
        assert!(!note(&mut ledger, A, Some(5_000), &[address("ada"), address("bob")]));
        let sent = ledger.owed[0].notice.clone();
        assert!(ledger.strike(&sent));

        write(folder.path(), &ledger.text()).expect("the folder is ours");

        let mut again = read(folder.path()).expect("it was just written");
        assert!(!note(&mut again, A, Some(5_000), &[address("ada")]));
        assert_eq!(again.owed.len(), 1);
        assert_eq!(&*again.owed[0].notice.address.to, "bob");
        std::fs::write(folder.path().join("alerts.json"), "{").expect("the folder is ours");
        assert!(read(folder.path()).is_err());
    }

    #[test]
    fn what_is_long_over_is_forgotten_and_a_lifetime_never() {
        let mut ledger = Ledger::default();
        note(&mut ledger, A, Some(5_000), &[]);
        note(&mut ledger, B, None, &[]);

        assert!(!ledger.forget(UnixMillis(5_000 + GRACE_MS - 1)));
        assert!(ledger.forget(UnixMillis(5_000 + GRACE_MS)));

        assert!(note(&mut ledger, A, Some(5_000), &[]));
        assert!(!note(&mut ledger, B, None, &[]));
    }

    #[test]
    fn so_many_messages_wait_and_not_one_more() {
        let mut ledger = Ledger::default();
        let many = vec![address("ada"); OWED_MAX];
        note(&mut ledger, A, None, &many);

        assert!(note(&mut ledger, B, None, &[address("ada")]), "it is known at least");

        assert_eq!(ledger.owed.len(), OWED_MAX);
    }
}
