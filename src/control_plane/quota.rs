//! What rate limits have counted before this process began, from the receipts that are stored.
//!
//! Receipts are the record: what was sent and used is on them, also when the process was killed
//! (the ring is taken into the store first), and what was only reserved is not. So a restart counts
//! on where the last process ended, and nothing else needs to be written while serving.
//!
//! Ages are by the wall clock, and never below zero: a clock that was set back makes receipts
//! count for longer, one that was set forward while nothing ran for less.

use crate::{
    bridge::{
        quota::{meter::Past, node::ORIGIN_MS},
        receipts::record,
    },
    control_plane::journal::segment,
    lexicon::{
        ids::SubjectId,
        meter::{MeterKey, NodeMillis, PAST_BUCKETS, Window},
        receipt::Receipt,
        time::UnixMillis,
    },
    policy::limit::Counts,
    snapshot::Snapshot,
};
use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

/// The units of one meter, by the bucket they count in.
type Buckets = BTreeMap<u64, (NodeMillis, u64)>;

/// What each meter of `snapshot` has counted, as of `now`, by the store under `data_dir`.
///
/// # Errors
/// The store's.
pub fn recall(
    data_dir: &Path,
    snapshot: &Snapshot,
    now: UnixMillis,
) -> io::Result<HashMap<MeterKey, Past>> {
    let mut pasts: HashMap<MeterKey, Buckets> = HashMap::new();
    let windows = snapshot.limits.limits.iter().map(|limit| span_ms(limit.window));
    let Some(span) = windows.max() else { return Ok(HashMap::new()) };
    let oldest = UNIX_EPOCH + Duration::from_millis(now.0.saturating_sub(span));
    let callers = snapshot.callers.iter().zip(0..);
    let subjects = callers.map(|(caller, id)| (&*caller.subject, SubjectId(id))).collect();
    for (_, path) in segment::list(&data_dir.join("receipts"))? {
        // The store lets go of old ones meanwhile.
        let Some(mut segment) = segment::open_if_there(&path)? else { continue };
        if path.metadata().and_then(|about| about.modified()).is_ok_and(|at| at < oldest) {
            continue;
        }
        while let Some(bytes) = segment.read()? {
            if let Ok(receipt) = record::decode(bytes) {
                count(snapshot, &subjects, &receipt, now, &mut pasts);
            }
        }
    }
    let past = |buckets: Buckets| Past(buckets.into_values().collect());
    Ok(pasts.into_iter().map(|(key, buckets)| (key, past(buckets))).collect())
}

fn count(
    snapshot: &Snapshot,
    subjects: &HashMap<&str, SubjectId>,
    receipt: &Receipt<'_>,
    now: UnixMillis,
    pasts: &mut HashMap<MeterKey, Buckets>,
) {
    let Some(subject) = subjects.get(receipt.subject).filter(|_| receipt.outcome.was_sent) else {
        return;
    };
    let matter = snapshot.matter(*subject, receipt.requested_model, &receipt.metadata);
    let Some((limit, key)) = snapshot.limit(&matter) else { return };
    let usage = &receipt.outcome.usage;
    // Requests count when they are admitted, tokens when they are known.
    let (units, at) = match limit.counts {
        Counts::Requests => (1, receipt.started.0),
        Counts::Tokens | Counts::Cost => {
            let ended = receipt.started.0 + u64::from(receipt.outcome.total_us) / 1_000;
            (usage.input_tokens.saturating_add(usage.output_tokens), ended)
        }
    };
    let age = now.0.saturating_sub(at);
    if units == 0 || age >= span_ms(limit.window) {
        return;
    }
    let at = NodeMillis(ORIGIN_MS.saturating_sub(age));
    let buckets = pasts.entry(key).or_default();
    let (_, sum) = buckets.entry(limit.window.bucket(at)).or_insert((at, 0));
    *sum = sum.saturating_add(units);
}

/// The longest that a unit can count.
const fn span_ms(window: Window) -> u64 {
    match window {
        Window::Sliding { bucket_ms } => (PAST_BUCKETS + 1) * bucket_ms as u64,
        Window::Whole => u64::MAX,
    }
}
