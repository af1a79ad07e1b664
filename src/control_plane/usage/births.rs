//! Since when a rule counts: `DATA/births.json`.
//!
//! A rule counts from when it is first in force, not what was sent before: a budget that is written
//! in the middle of a month begins with nothing spent, and so does a rate limit. That is written
//! down, so that a restart, which counts the receipts anew, comes to the same. A rule that goes and
//! comes back is the same rule.
//!
//! **Shape**: `{"births": {KEY: [EPOCH, WALL_MS]}}`: the process in which it was first in force,
//! and when.
//! **Source**: the reference, §10.1: "tracking starts at rule creation, not retroactive".

use crate::{
    control_plane::journal::disk::write_whole,
    lexicon::{meter::MeterKey, time::UnixMillis},
    policy::budget::Budget,
    snapshot::Snapshot,
};
use serde_json::{Map, Value, json};
use std::{cmp::Ordering, collections::HashMap, fs, io, path::Path};

const NAME: &str = "births.json";
/// Rules that are remembered, some 60 bytes each; far more than anyone writes.
const BIRTHS_MAX: usize = 100_000;

/// When a rule was first in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Of the process, by its receipts; 0 where nobody knows.
    pub epoch: u64,
    pub wall: UnixMillis,
}

/// Of the rules that are known, by the key of a limit, or of a budget and its kind of period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Births {
    known: HashMap<MeterKey, Birth>,
    /// None were ever written here: what is in force first has always been.
    is_first: bool,
}

impl Births {
    /// Those of a data directory.
    ///
    /// # Errors
    /// The disk's; `InvalidData` where the file is none of ours.
    pub fn read(data_dir: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(data_dir.join(NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { is_first: true, ..Self::default() });
            }
            Err(error) => return Err(error),
        };
        let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("{NAME} is damaged"));
        let whole: Value = serde_json::from_str(&text)?;
        let mut known = HashMap::new();
        for (key, birth) in whole["births"].as_object().ok_or_else(bad)? {
            let key = u128::from_str_radix(key, 16).map_err(|_| bad())?;
            let (epoch, wall) = (birth[0].as_u64(), birth[1].as_u64());
            let (epoch, wall) = epoch.zip(wall).ok_or_else(bad)?;
            known.insert(MeterKey(key), Birth { epoch, wall: UnixMillis(wall) });
        }
        Ok(Self { known, is_first: false })
    }

    /// Since when this rule counts; none where it was never in force.
    #[must_use]
    pub fn of(&self, rule: MeterKey) -> Option<Birth> {
        let always = Birth { epoch: 0, wall: UnixMillis(0) };
        self.known.get(&rule).copied().or(self.is_first.then_some(always))
    }

    /// Does this rule count a request that was admitted at `started` by the process of `epoch`? The
    /// order of processes is known whatever their clocks showed.
    #[must_use]
    pub fn count(&self, rule: MeterKey, epoch: u64, started: UnixMillis) -> bool {
        self.of(rule).is_some_and(|birth| match epoch.cmp(&birth.epoch) {
            Ordering::Less => false,
            Ordering::Equal => birth.wall <= started,
            Ordering::Greater => true,
        })
    }

    /// Take down the rules of a snapshot that are new; were there any?
    pub fn note(&mut self, snapshot: &Snapshot, now: Birth) -> bool {
        let limits = snapshot.limits.limits.iter().map(|limit| limit.key);
        let caps = snapshot.budgets.budgets.iter().flat_map(Budget::every_cap);
        let birth = if self.is_first { Birth { epoch: 0, wall: UnixMillis(0) } } else { now };
        let mut has_new = std::mem::take(&mut self.is_first);
        for rule in limits.chain(caps.map(|cap| cap.key)) {
            if self.known.len() < BIRTHS_MAX && !self.known.contains_key(&rule) {
                self.known.insert(rule, birth);
                has_new = true;
            }
        }
        has_new
    }

    /// # Errors
    /// The disk's.
    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        let each = self.known.iter();
        let births: Map<String, Value> = each
            .map(|(key, birth)| (format!("{:x}", key.0), json!([birth.epoch, birth.wall.0])))
            .collect();
        write_whole(data_dir, NAME, &json!({"births": births}).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{Birth, Births};
    use crate::{
        lexicon::{
            meter::{MeterKey, Window},
            time::UnixMillis,
        },
        policy::limit::{Counts, Limit},
        snapshot::Snapshot,
    };

    fn snapshot(rules: &[u128]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.limits.limits = rules
            .iter()
            .map(|key| Limit {
                id: "".into(),
                applied: "".into(),
                key: MeterKey(*key),
                counts: Counts::Requests,
                window: Window::Whole,
                limit_to: 1,
                is_strict: false,
                applies_per: [].into(),
            })
            .collect();
        snapshot
    }

    #[test]
    fn what_is_in_force_first_always_was_and_what_comes_later_counts_from_then() {
        let folder = tempfile::tempdir().expect("there is room");
        let at = |wall| Birth { epoch: 7, wall: UnixMillis(wall) };
        let mut births = Births::read(folder.path()).expect("there is none");
        assert!(births.note(&snapshot(&[1, 2]), at(100)));
        assert!(!births.note(&snapshot(&[2]), at(200)));
        assert!(births.note(&snapshot(&[1, 3]), at(300)));
        births.write(folder.path()).expect("the folder is ours");

        let mut births = Births::read(folder.path()).expect("it was just written");

        assert_eq!(births.of(MeterKey(1)).map(|it| it.wall), Some(UnixMillis(0)));
        assert_eq!(births.of(MeterKey(3)), Some(at(300)));
        assert_eq!(births.of(MeterKey(4)), None);
        let counts = |rule, epoch, wall| births.count(MeterKey(rule), epoch, UnixMillis(wall));
        assert!(counts(1, 1, 0) && !counts(4, 9, 900));
        assert!(counts(3, 7, 300) && !counts(3, 7, 299));
        assert!(counts(3, 8, 0), "a later process, under a clock that was set back");
        assert!(!counts(3, 6, 900), "an earlier one, under a clock that was ahead");
        assert!(births.note(&snapshot(&[4]), at(400)));
        assert_eq!(births.of(MeterKey(4)), Some(at(400)));
        std::fs::write(folder.path().join("births.json"), "{").expect("the folder is ours");
        assert!(Births::read(folder.path()).is_err());
    }
}
