//! What rate limits have counted before this process began, from the receipts that are stored.
//!
//! Receipts are the record: what was sent and used is on them, also when the process was killed
//! (the ring is taken into the store first), and what was only reserved is not. So a restart counts
//! on where the last process ended, and nothing else needs to be written while serving.
//!
//! Ages are by the machine's monotonic clock (`clocks.rs`), so that it does not matter what the
//! clock on the wall was set to meanwhile. A rule counts what was sent since it was first in force
//! (`usage/births.rs`), as it does while it serves.

use crate::{
    bridge::{
        quota::{meter::Past, node::ORIGIN_MS},
        receipts::record,
    },
    control_plane::{
        clocks::{Marks, Reading},
        journal::segment,
        usage::births::Births,
    },
    lexicon::{
        ids::SubjectId,
        meter::{MeterKey, NodeMillis, PAST_BUCKETS, Window},
        receipt::{Ending, Receipt},
    },
    policy::limit::Counts,
    snapshot::{Snapshot, asker::Asker},
};
use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
};

/// The units of one meter, by the bucket they count in.
type Buckets = BTreeMap<u64, (NodeMillis, u64)>;

/// What receipts are counted by.
pub struct Recall<'a> {
    pub snapshot: &'a Snapshot,
    pub marks: &'a Marks,
    pub births: &'a Births,
    pub now: &'a Reading,
}

impl Recall<'_> {
    /// What each meter of the snapshot has counted, by the store under `data_dir`.
    ///
    /// # Errors
    /// The store's.
    ///
    /// **Cost**: segments are read from the newest back to one that holds nothing that counts.
    pub fn read(&self, data_dir: &Path) -> io::Result<HashMap<MeterKey, Past>> {
        let mut pasts: HashMap<MeterKey, Buckets> = HashMap::new();
        let windows = self.snapshot.limits.limits.iter().map(|limit| span_ms(limit.window));
        let Some(span) = windows.max() else { return Ok(HashMap::new()) };
        let callers = self.snapshot.callers.iter().zip(0..);
        let subjects = callers.map(|(caller, id)| (&*caller.subject, SubjectId(id))).collect();
        for (_, path) in segment::list(&data_dir.join("receipts"))?.into_iter().rev() {
            // The store lets go of old ones meanwhile.
            let Some(mut segment) = segment::open_if_there(&path)? else { continue };
            // By the latest end: receipts are stored as they end.
            let mut youngest: Option<u64> = None;
            while let Some(bytes) = segment.read()? {
                let Ok(receipt) = record::decode(bytes) else { continue };
                let ages = self.ages(&receipt);
                youngest = Some(youngest.unwrap_or(u64::MAX).min(ages.ended));
                self.count(&subjects, &receipt, ages, &mut pasts);
            }
            if youngest.is_some_and(|age| age >= span) {
                break;
            }
        }
        let past = |buckets: Buckets| Past(buckets.into_values().collect());
        Ok(pasts.into_iter().map(|(key, buckets)| (key, past(buckets))).collect())
    }

    fn ages(&self, receipt: &Receipt<'_>) -> Ages {
        let began = self.marks.age_ms(receipt.id.epoch, receipt.started, self.now);
        let total_ms = u64::from(receipt.outcome.total_us) / 1_000;
        Ages { began, ended: began.saturating_sub(total_ms) }
    }

    fn count(
        &self,
        subjects: &HashMap<&str, SubjectId>,
        receipt: &Receipt<'_>,
        ages: Ages,
        pasts: &mut HashMap<MeterKey, Buckets>,
    ) {
        // Of one that was under way when its process died nobody knows: a request limit is never
        // exceeded, so it was sent.
        let is_unknown = receipt.outcome.ending == Ending::Interrupted;
        let counts = receipt.outcome.was_sent || is_unknown;
        // Who never said who he is was told so, and spent nothing.
        if !counts || receipt.subject.is_empty() {
            return;
        }
        // Who is gone has asked all the same.
        let present = subjects.get(receipt.subject).copied();
        let asker = Asker::of(self.snapshot, present, receipt.subject, receipt.teams);
        let matter = asker.matter(self.snapshot, receipt.requested_model, &receipt.metadata);
        let Some((limit, key)) = self.snapshot.limit(&matter) else { return };
        let Some(birth) = self.births.of(limit.key) else { return };
        if birth.wall.0 > 0 && ages.began > self.marks.age_ms(birth.epoch, birth.wall, self.now) {
            return;
        }
        let usage = &receipt.outcome.usage;
        // Requests count when they are admitted, tokens when they are known.
        let (units, age) = match limit.counts {
            Counts::Requests => (1, ages.began),
            Counts::Tokens | Counts::Cost => {
                (usage.input_tokens.saturating_add(usage.output_tokens), ages.ended)
            }
        };
        if units == 0 || age >= span_ms(limit.window) {
            return;
        }
        let at = NodeMillis(ORIGIN_MS.saturating_sub(age));
        let buckets = pasts.entry(key).or_default();
        let (_, sum) = buckets.entry(limit.window.bucket(at)).or_insert((at, 0));
        *sum = sum.saturating_add(units);
    }
}

/// How long ago a request came, and was over.
#[derive(Clone, Copy, Debug)]
struct Ages {
    began: u64,
    ended: u64,
}

/// The longest that a unit can count.
const fn span_ms(window: Window) -> u64 {
    match window {
        Window::Sliding { bucket_ms } => (PAST_BUCKETS + 1) * bucket_ms as u64,
        Window::Whole => u64::MAX,
    }
}
