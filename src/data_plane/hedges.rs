//! How often second calls are made, and after how long, as this core knows it.
//!
//! Each first call earns a part of a second one, so that there are never more than was allowed,
//! counted from the first call on; the share holds on each core, and so on the node.

use crate::policy::route::hedge::{After, Hedge, Waits};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

/// A second call is earned in hundredths.
const CALL: u64 = 100;
/// What can be saved up: ten second calls, so that a quiet hour does not double a busy minute.
const SAVED_MAX: u64 = 10 * CALL;
/// Targets with a hedge of one snapshot; those that come after get no second calls.
const TARGETS_MAX: usize = 10_000;

/// So many outlive their snapshot: what was learned is worth more than their few kilobytes.
const KNOWN_MAX: usize = 1_000;

/// Second calls of all targets, by rule and target.
#[derive(Default)]
pub struct Hedges {
    own: RefCell<HashMap<u64, Own>>,
    /// Of the snapshot that was seen last.
    version: Cell<u64>,
}

#[derive(Default)]
struct Own {
    saved: u64,
    waits: Waits,
}

impl Hedges {
    /// A first call is made, and earns its part; how long it may take until a second one is made.
    /// None where nobody knows yet how long calls take.
    pub fn begin(&self, key: u64, hedge: &Hedge) -> Option<u64> {
        let mut all = self.own.borrow_mut();
        if all.len() >= TARGETS_MAX && !all.contains_key(&key) {
            return None;
        }
        let own = all.entry(key).or_default();
        own.saved = (own.saved + u64::from(hedge.extra_percent_max)).min(SAVED_MAX);
        match hedge.after {
            After::Millis(millis) => Some(u64::from(millis)),
            After::Permille(permille) => own.waits.quantile_ms(permille),
        }
    }

    /// Targets of this snapshot are asked: when it is a new one, and many are known, all that
    /// earlier ones had are forgotten, so that names which come and go take no room for ever.
    pub fn obey(&self, version: u64) {
        if self.version.replace(version) != version && self.own.borrow().len() >= KNOWN_MAX {
            self.own.borrow_mut().clear();
        }
    }

    /// Is a second call allowed?
    pub fn may_call(&self, key: u64) -> bool {
        self.own.borrow().get(&key).is_some_and(|own| own.saved >= CALL)
    }

    /// A second call is made.
    pub fn spend(&self, key: u64) {
        if let Some(own) = self.own.borrow_mut().get_mut(&key) {
            own.saved = own.saved.saturating_sub(CALL);
        }
    }

    /// A first call took so long until its first byte, or was given up after so long.
    pub fn learn(&self, key: u64, millis: u64) {
        if let Some(own) = self.own.borrow_mut().get_mut(&key) {
            own.waits.add(millis);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CALL, Hedges, SAVED_MAX, TARGETS_MAX};
    use crate::policy::route::hedge::{After, Hedge};

    #[test]
    fn second_calls_are_never_more_than_their_share_of_the_first_ones() {
        let hedges = Hedges::default();
        let hedge = Hedge { after: After::Millis(5), extra_percent_max: 7 };
        let mut seconds = 0;
        for firsts in 1..=1_000 {
            assert_eq!(hedges.begin(1, &hedge), Some(5));
            if hedges.may_call(1) {
                hedges.spend(1);
                seconds += 1;
            }
            assert!(seconds * 100 <= firsts * 7, "{seconds} of {firsts}");
        }
        assert_eq!(seconds, 70);

        for _ in 0..10_000 {
            hedges.begin(1, &hedge);
        }
        let burst = (0..1_000).take_while(|_| {
            let may = hedges.may_call(1);
            hedges.spend(1);
            may
        });
        assert_eq!(burst.count() as u64, SAVED_MAX / CALL, "what is saved up is bounded");
        assert!(!hedges.may_call(2), "another target has earned nothing");
    }

    #[test]
    fn what_earlier_snapshots_had_makes_room_for_what_comes_after() {
        let hedges = Hedges::default();
        let hedge = Hedge { after: After::Millis(5), extra_percent_max: 100 };
        hedges.obey(1);
        for key in 0..TARGETS_MAX as u64 {
            hedges.begin(key, &hedge);
        }
        assert_eq!(hedges.begin(u64::MAX, &hedge), None);

        hedges.obey(1);
        assert_eq!(hedges.begin(u64::MAX, &hedge), None);
        hedges.obey(2);

        assert_eq!(hedges.begin(u64::MAX, &hedge), Some(5));
        assert!(hedges.may_call(u64::MAX));
        hedges.obey(3);
        assert!(hedges.may_call(u64::MAX), "a few are kept");
    }

    #[test]
    fn a_quantile_is_not_hedged_by_before_it_is_known() {
        let hedges = Hedges::default();
        let hedge = Hedge { after: After::Permille(900), extra_percent_max: 10 };
        for _ in 0..20 {
            assert_eq!(hedges.begin(1, &hedge), None);
            hedges.learn(1, 40);
        }
        assert_eq!(hedges.begin(1, &hedge), Some(48), "the end of the bucket of 40");
    }
}
