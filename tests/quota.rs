//! Quota by escrow where nothing is simulated: real races on all cores, and one core's meter held
//! against the plain definition of its window.

mod meters;

use meters::{Dice, MINUTE, START, spec};
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};
use std::{
    cell::Cell as StdCell,
    collections::HashMap,
    panic::{self, AssertUnwindSafe},
    rc::Rc,
    sync::{Arc, Barrier},
    thread,
};
use weir::{
    bridge::quota::{
        meter::{Exhausted, Free, Meter, Pace, Past},
        node::Node,
        share::Share,
    },
    lexicon::{
        meter::{MeterKey, MeterSpec, NodeMillis, Now, Window},
        time::UnixMillis,
    },
};

/// Fault 50, at the board: as many as the limit pass, in every round, on every core at once.
#[test]
fn fault_50_of_a_thousand_concurrent_requests_against_a_limit_of_100_exactly_100_pass() {
    const CORES: usize = 8;
    for round in 0..200 {
        let meter = Meter::new(&spec(MINUTE, 100), CORES, &Past::default(), Free);
        let start = Barrier::new(CORES);
        let passed: usize = thread::scope(|scope| {
            let ask = |core: usize| {
                let (meter, start) = (&meter, &start);
                scope.spawn(move || {
                    start.wait();
                    (0..125).filter(|_| meter.spend(core, 1, START).is_ok()).count()
                })
            };
            let threads: Vec<_> = (0..CORES).map(ask).collect();
            threads.into_iter().map(|one| one.join().expect("no panic")).sum()
        });
        assert_eq!(passed, 100, "in round {round}");
        assert_eq!(meter.spent(START), 100);
    }
}

/// Fault 51: as a window's border passes, some cores are a moment ahead of others; all that came
/// free is there once.
#[test]
fn fault_51_at_the_border_of_a_window_what_comes_free_is_spent_once_on_all_cores() {
    const CORES: usize = 8;
    for round in 0..200 {
        let meter = Meter::new(&spec(MINUTE, 100), CORES, &Past::default(), Free);
        for core in 0..100 {
            meter.spend(core % CORES, 1, START).expect("there are a hundred");
        }
        let border = START.0 / 5_000 * 5_000 + 65_000;
        assert_eq!(meter.spend(0, 1, NodeMillis(border - 1)), Err(Exhausted));
        let start = Barrier::new(CORES);
        let passed: usize = thread::scope(|scope| {
            let ask = |core: usize| {
                let (meter, start) = (&meter, &start);
                scope.spawn(move || {
                    start.wait();
                    let at = |turn: u64| NodeMillis(border - 1 + (turn + core as u64) % 3);
                    (0..125).filter(|turn| meter.spend(core, 1, at(*turn)).is_ok()).count()
                })
            };
            let threads: Vec<_> = (0..CORES).map(ask).collect();
            threads.into_iter().map(|one| one.join().expect("no panic")).sum()
        });
        assert_eq!(passed, 100, "in round {round}");
        assert_eq!(meter.spend(0, 1, NodeMillis(border + 59_999)), Err(Exhausted));
    }
}

/// Units come and go on every core: what is refused is refused rightly, and nothing is lost.
#[test]
fn t066_reservations_that_come_and_go_on_all_cores_leave_the_meter_as_it_was() {
    const CORES: usize = 4;
    let meter = Meter::new(&spec(Window::Whole, 1_000), CORES, &Past::default(), Free);
    let spent: u64 = thread::scope(|scope| {
        let live = |core: usize| {
            let meter = &meter;
            scope.spawn(move || {
                let mut dice = Dice(core as u64 + 3);
                let mut spent = 0;
                for _ in 0..20_000 {
                    let units = 1 + dice.below(400);
                    if meter.reserve(core, units, START).is_ok() {
                        let used = u64::from(dice.below(5_000) == 0);
                        meter.settle(core, units, used, START);
                        spent += used;
                    }
                }
                spent
            })
        };
        let threads: Vec<_> = (0..CORES).map(live).collect();
        threads.into_iter().map(|one| one.join().expect("no panic")).sum()
    });
    assert_eq!(meter.spent(START), spent);
    assert_eq!(meter.unreserved(START), 1_000 - i64::try_from(spent).expect("small"));
}

/// What one core holds is no reason to refuse another (T073: 429 after 19 of 24).
#[test]
fn t073_units_that_other_cores_hold_are_taken_back_before_anyone_is_refused() {
    let meter = Meter::new(&spec(MINUTE, 24), 4, &Past::default(), Free);
    for turn in 0..24 {
        assert_eq!(meter.spend(turn % 4, 1, START), Ok(()), "the {turn}th");
    }
    for core in 0..4 {
        assert_eq!(meter.spend(core, 1, START), Err(Exhausted));
    }
}

#[test]
fn a_lower_limit_takes_back_what_cells_hold_and_a_higher_one_gives_at_once() {
    let meter = Meter::new(&spec(MINUTE, 1_000), 2, &Past::default(), Free);
    for _ in 0..10 {
        meter.spend(0, 1, START).expect("there are a thousand");
    }
    meter.adopt(12, 3);
    let passed = (0..100).filter(|turn| meter.spend(turn % 2, 1, START).is_ok()).count();
    assert_eq!(passed, 2);

    meter.adopt(1_000, 2);
    assert_eq!(meter.spend(0, 1, START), Err(Exhausted), "an older snapshot does not speak");
    meter.adopt(13, 4);
    assert_eq!(meter.spend(1, 1, START), Ok(()));
    assert_eq!(meter.spend(1, 1, START), Err(Exhausted));
}

/// T065: what was used beyond its estimate is paid before anyone spends again, on any core.
#[test]
fn t065_nobody_spends_while_the_node_owes() {
    let meter = Meter::new(&spec(MINUTE, 100), 2, &Past::default(), Free);
    for core in [0, 1] {
        meter.spend(core, 1, START).expect("each core holds a chunk now");
    }
    meter.reserve(0, 10, START).expect("ninety are there");
    meter.settle(0, 10, 150, START);

    for core in [0, 1] {
        assert_eq!(meter.spend(core, 1, START), Err(Exhausted));
    }
    assert_eq!(meter.hands().available, -52);
    let later = NodeMillis(START.0 + 65_000);
    assert_eq!(meter.spend(1, 100, later), Ok(()));
}

#[test]
fn a_meter_says_when_so_many_units_come_free() {
    let meter = Meter::new(&spec(MINUTE, 10), 2, &Past::default(), Free);
    meter.spend(0, 6, START).expect("there are ten");
    let later = NodeMillis(START.0 + 20_000);
    meter.spend(1, 4, later).expect("there are four");

    let minute = |at: NodeMillis| NodeMillis(at.0 / 5_000 * 5_000 + 65_000);
    assert_eq!(meter.frees_at(1, later), Some(minute(START)));
    assert_eq!(meter.frees_at(6, later), Some(minute(START)));
    assert_eq!(meter.frees_at(7, later), Some(minute(later)));
    assert_eq!(meter.frees_at(11, later), None, "there never are so many");
    let before = NodeMillis(minute(START).0 - 1);
    assert_eq!(meter.spend(0, 1, before), Err(Exhausted));
    assert_eq!(meter.spend(0, 6, minute(START)), Ok(()));
    assert_eq!(meter.spend(0, 1, minute(START)), Err(Exhausted));
}

#[test]
fn what_was_spent_before_a_restart_still_counts_and_stops_counting_in_its_time() {
    let at = |seconds: u64| NodeMillis(START.0 - seconds * 1_000);
    let past = Past(vec![(at(10), 3), (at(50), 4), (at(400), 100)]);
    let meter = Meter::new(&spec(MINUTE, 10), 2, &past, Free);

    assert_eq!(meter.spent(START), 7);
    assert_eq!(meter.spend(1, 3, START), Ok(()));
    assert_eq!(meter.spend(0, 1, START), Err(Exhausted));
    assert_eq!(meter.spend(0, 4, NodeMillis(START.0 + 15_000)), Ok(()));
    assert_eq!(meter.spend(0, 1, NodeMillis(START.0 + 15_000)), Err(Exhausted));
}

#[test]
fn a_request_that_was_never_sent_is_taken_back_also_after_its_bucket_has_passed() {
    let meter = Meter::new(&spec(MINUTE, 2), 1, &Past::default(), Free);
    meter.spend(0, 2, START).expect("there are two");
    meter.unspend(0, 1, START);
    assert_eq!(meter.spend(0, 1, START), Ok(()));
    assert_eq!(meter.spend(0, 1, START), Err(Exhausted));

    let later = NodeMillis(START.0 + 100_000);
    assert_eq!(meter.spend(0, 2, later), Ok(()), "the window has moved on");
    meter.unspend(0, 1, START);
    assert_eq!(meter.spend(0, 1, later), Err(Exhausted), "nothing comes back twice");
}

#[test]
fn meters_are_bounded_and_only_empty_unused_ones_make_room() {
    let node = Node::new(1, 3, HashMap::new());
    let mut share = Share::new(0, Arc::clone(&node));
    let at =
        |seconds: u64| Now { node: NodeMillis(START.0 + seconds * 1_000), wall: UnixMillis(0) };
    let of = |key: u128| MeterSpec { key: MeterKey(key), ..spec(MINUTE, 5) };
    for key in 1..=3 {
        let handle = share.open(&of(key), at(0)).expect("there is room for three");
        share.spend(handle, 1, at(0).node).expect("five are there");
        share.keep(handle);
    }
    assert!(share.open(&of(4), at(1)).is_err());
    share.tidy(at(20).node);
    assert!(share.open(&of(4), at(20)).is_err(), "what was spent still counts");

    share.tidy(at(80).node);
    assert!(share.open(&of(4), at(80)).is_ok(), "it no longer does");
    assert_eq!((node.count(), node.overflows()), (3, 2));
    assert!(share.open(&of(5), at(80)).is_ok());
    assert!(share.open(&of(6), at(80)).is_ok());
    assert!(share.open(&of(7), at(80)).is_err(), "these are in use");
}

/// What was seen: a limit was lowered and raised again by two reloads, and a core that had slept
/// through both compared limits, found them equal, and spent against the one between.
#[test]
fn a_limit_that_goes_and_comes_back_holds_on_a_core_that_missed_its_going() {
    let node = Node::new(2, 10, HashMap::new());
    let mut shares = [0, 1].map(|core| Share::new(core, Arc::clone(&node)));
    let at = Now { node: START, wall: UnixMillis(0) };
    let of = |limit, version| MeterSpec { limit, version, ..spec(MINUTE, limit) };
    let handle = shares[0].open(&of(10, 1), at).expect("there is room");
    shares[0].spend(handle, 1, START).expect("ten are there");
    shares[1].open(&of(3, 2), at).expect("it is there");

    let handle = shares[0].open(&of(10, 3), at).expect("it is there");

    let spent = (0..20).filter(|_| shares[0].spend(handle, 1, START).is_ok()).count();
    assert_eq!(spent, 9, "ten again, of which one was spent");
}

/// Panics at the step that is armed, as a core that dies there.
#[derive(Clone, Default)]
struct Mortal(Rc<StdCell<Option<u32>>>);

impl Pace for Mortal {
    fn step(&self) {
        let left = self.0.get();
        self.0.set(left.and_then(|left| left.checked_sub(1)));
        assert_ne!(left, Some(0), "a core dies");
    }

    fn wait(&self, _: u32) {}
}

/// Units that a core was carrying when it died are announced for ever: whoever looks for all of
/// them gives up after a while, and answers by what is certain.
#[test]
fn a_core_that_dies_amid_a_transfer_holds_up_no_other() {
    let pace = Mortal::default();
    let meter = Meter::new(&spec(Window::Whole, 10), 2, &Past::default(), pace.clone());
    meter.reserve(0, 4, START).expect("ten are there");
    pace.0.set(Some(1));
    let died = panic::catch_unwind(AssertUnwindSafe(|| meter.let_go(0)));
    assert!(died.is_err() && meter.hands().is_moving);

    assert_eq!(meter.unreserved(START), 6);
    assert_eq!(meter.reserve(1, 7, START), Err(Exhausted));
    assert_eq!(meter.reserve(1, 6, START), Ok(()));
}

/// What a client does, and when.
fn deeds() -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
    proptest::collection::vec((0..30_000_u64, 1..8_u64, proptest::bool::ANY), 1..120)
}

proptest! {
    /// The window itself, against the plain definition: whatever is spent, no period of a minute
    /// ever holds more than the limit; and who is refused would have exceeded it in 65 seconds.
    #[test]
    fn no_minute_ever_holds_more_than_the_limit(deeds in deeds(), limit in 1..40_u64) {
        let meter = Meter::new(&spec(MINUTE, limit), 3, &Past::default(), Free);
        let mut now = START.0;
        let mut spent: Vec<(u64, u64)> = Vec::new();
        for (turn, (pause, units, is_long)) in deeds.into_iter().enumerate() {
            now += if is_long { pause } else { pause / 50 };
            let within = |span: u64| -> u64 {
                let late = spent.iter().filter(|(at, _)| at + span > now);
                late.map(|(_, units)| units).sum()
            };
            match meter.spend(turn % 3, units, NodeMillis(now)) {
                Ok(()) => {
                    prop_assert!(within(60_000) + units <= limit);
                    spent.push((now, units));
                }
                Err(Exhausted) => prop_assert!(within(65_000) + units > limit),
            }
        }
    }

    /// Money: what is reserved and settled adds up, to the unit.
    #[test]
    fn what_is_settled_is_what_is_spent(
        deeds in proptest::collection::vec((1..1_000_000_u64, 0..1_500_000_u64), 1..60),
    ) {
        let limit = 20_000_000;
        let meter = Meter::new(&spec(Window::Whole, limit), 2, &Past::default(), Free);
        let mut total = 0;
        for (turn, (reserved, spent)) in deeds.into_iter().enumerate() {
            if meter.reserve(turn % 2, reserved, START).is_ok() {
                meter.settle(turn % 2, reserved, spent, START);
                total += spent;
            }
        }
        prop_assert_eq!(meter.spent(START), total);
        let left = i64::try_from(limit).expect("small") - i64::try_from(total).expect("small");
        prop_assert_eq!(meter.unreserved(START), left);
    }
}
