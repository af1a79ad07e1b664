//! Quota by escrow, held to its law: under injected schedules, where every step of every core is
//! chosen by a seed. `tests/quota.rs` has the real races.
//!
//! A failure names its seed, and the same seed fails again.

mod meters;

use meters::{Dice, MINUTE, START, spec};
use std::{
    cell::Cell,
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};
use weir::{
    bridge::quota::meter::{Exhausted, Meter, Pace, Past},
    lexicon::meter::NodeMillis,
};

thread_local! {
    /// Which core of the simulation this thread is.
    static ME: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// A core that fails fails its test; the others go on to their ends.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets one thread run at a time, and chooses by dice which, before each step.
struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    dice: Dice,
    turn: usize,
    running: Vec<bool>,
}

#[derive(Clone)]
struct Baton(Arc<Stage>);

impl Stage {
    fn new(seed: u64, cores: usize) -> Arc<Self> {
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let state = State { dice, turn: 0, running: vec![true; cores] };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Another core's turn, perhaps; returns when it is ours again.
    fn pass(&self, must_change: bool) {
        let me = ME.get();
        if me == usize::MAX {
            return;
        }
        let mut state = lock(&self.state);
        if must_change || state.dice.below(2) == 0 {
            state.choose(me, must_change);
            self.changed.notify_all();
        }
        while state.turn != me {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A core comes on; it leaves when what this returns is dropped.
    fn enter(self: &Arc<Self>, me: usize) -> On {
        ME.set(me);
        let mut state = lock(&self.state);
        while state.turn != me {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        On(Arc::clone(self))
    }
}

/// A core on the stage.
struct On(Arc<Stage>);

impl Drop for On {
    fn drop(&mut self) {
        let me = ME.replace(usize::MAX);
        let mut state = lock(&self.0.state);
        state.running[me] = false;
        state.choose(me, true);
        self.0.changed.notify_all();
    }
}

impl State {
    fn choose(&mut self, me: usize, must_change: bool) {
        let others: Vec<usize> = (0..self.running.len())
            .filter(|core| self.running[*core] && !(must_change && *core == me))
            .collect();
        if !others.is_empty() {
            let chosen = self.dice.below(others.len() as u64);
            self.turn = others[usize::try_from(chosen).expect("an index")];
        }
    }
}

/// What the simulation knows beside the meter; touched by one thread at a time.
struct World {
    meter: Mutex<Option<Arc<Meter<Watched>>>>,
    limit: u64,
    is_strict: bool,
    /// What was used beyond its estimate, all together.
    overshoot: AtomicU64,
    now: AtomicU64,
    /// For each core with a request under way: the least that was unreserved in the meantime.
    least: Mutex<HashMap<usize, i64>>,
}

/// Before each step of a core: the law is looked at, then the baton may go on.
#[derive(Clone)]
struct Watched(Baton, Arc<World>);

impl Pace for Watched {
    fn step(&self) {
        self.1.look();
        self.0.0.pass(false);
        self.1.look();
    }

    fn wait(&self, _turns: u32) {
        self.0.0.pass(true);
    }
}

impl World {
    /// The law, at this instant.
    fn look(&self) {
        let Some(meter) = lock(&self.meter).clone() else { return };
        let hands = meter.hands();
        let owed = self.overshoot.load(Ordering::SeqCst);
        assert!(hands.granted + hands.spent <= self.limit + owed, "{hands:?} of {}", self.limit);
        assert!(hands.available >= -i64::try_from(owed).expect("small"), "{hands:?}");
        let unreserved = hands.available + i64::try_from(hands.granted).expect("small");
        for least in lock(&self.least).values_mut().filter(|_| !hands.is_moving) {
            *least = unreserved.min(*least);
        }
    }
}

/// What one core does in a simulation: requests of `units_max` at most, settled with at most twice
/// what was reserved where it is not strict.
fn live(world: &World, meter: &Meter<Watched>, core: usize, dice: &mut Dice, units_max: u64) {
    let mut open: Vec<u64> = Vec::new();
    for _ in 0..60 {
        // Now and then a bucket passes; the clocks of cores differ by less than one.
        if dice.below(12) == 0 {
            world.now.fetch_add(2_500, Ordering::SeqCst);
        }
        let now = NodeMillis(world.now.load(Ordering::SeqCst) + dice.below(3));
        if dice.below(2) == 0 && !open.is_empty() {
            let reserved = open.swap_remove(0);
            // Most come back whole, so that cores meet where little is left.
            let spent = match dice.below(5) {
                0 if world.is_strict => dice.below(reserved + 1),
                0 => dice.below(2 * reserved + 1),
                _ => 0,
            };
            world.overshoot.fetch_add(spent.saturating_sub(reserved), Ordering::SeqCst);
            meter.settle(core, reserved, spent, now);
            continue;
        }
        let units = 1 + dice.below(units_max);
        lock(&world.least).insert(core, i64::MAX);
        let taken = meter.reserve(core, units, now);
        world.look();
        let least = lock(&world.least).remove(&core).expect("inserted");
        let wanted = i64::try_from(units).expect("small");
        if taken == Err(Exhausted) {
            assert!(least < wanted, "{wanted} refused where {least} were");
        } else {
            open.push(units);
        }
    }
    for reserved in open {
        meter.settle(core, reserved, 0, NodeMillis(world.now.load(Ordering::SeqCst)));
    }
}

type Deed<'a> = &'a (dyn Fn(&Meter<Watched>, usize, &Stage) + Sync);

/// Runs what each core does under the schedule of `seed`, over a meter in which each core's cell
/// holds what `held` says, but for `reserved` ones, who have taken theirs.
fn perform(seed: u64, held: &[u64], reserved: &[usize], deeds: &[Deed<'_>]) {
    let stage = Stage::new(seed, deeds.len());
    let limit = held.iter().sum();
    let world = Arc::new(World {
        meter: Mutex::new(None),
        limit,
        is_strict: true,
        overshoot: AtomicU64::new(0),
        now: AtomicU64::new(START.0),
        least: Mutex::default(),
    });
    let pace = Watched(Baton(Arc::clone(&stage)), world);
    let meter = Meter::new(&spec(MINUTE, limit), held.len(), &Past::default(), pace);
    for (core, units) in held.iter().enumerate() {
        meter.reserve(core, *units, START).expect("the limit is their sum");
    }
    for (core, units) in held.iter().enumerate() {
        meter.settle(core, *units, 0, START);
    }
    for core in reserved {
        meter.reserve(*core, held[*core], START).expect("its cell holds it");
    }
    thread::scope(|scope| {
        for (core, deed) in deeds.iter().enumerate() {
            let (stage, meter) = (&stage, &meter);
            scope.spawn(move || {
                let _on = stage.enter(core);
                deed(meter, core, stage);
            });
        }
    });
}

/// Units on their way from a cell to the board are not gone.
#[test]
fn two_who_together_ask_for_no_more_than_there_is_both_get_it() {
    let ask = |meter: &Meter<Watched>, core: usize, _: &Stage| {
        assert_eq!(meter.reserve(core, 2, START), Ok(()), "core {core}");
    };
    for seed in 0..400 {
        perform(seed, &[0, 0, 4], &[], &[&ask, &ask]);
    }
}

/// Units that come back into one cell before another is emptied were there all the time.
#[test]
fn who_asks_while_units_come_back_here_and_are_taken_there_is_not_refused() {
    for seed in 0..400 {
        let is_back = AtomicBool::new(false);
        let ask = |meter: &Meter<Watched>, core: usize, _: &Stage| {
            assert_eq!(meter.reserve(core, 5, START), Ok(()), "core {core}");
        };
        let give_back = |meter: &Meter<Watched>, core: usize, _: &Stage| {
            meter.settle(core, 5, 0, START);
            is_back.store(true, Ordering::SeqCst);
        };
        let take = |meter: &Meter<Watched>, core: usize, stage: &Stage| {
            while !is_back.load(Ordering::SeqCst) {
                stage.pass(true);
            }
            assert_eq!(meter.reserve(core, 5, START), Ok(()), "core {core}");
        };
        perform(seed, &[0, 5, 5], &[1], &[&ask, &give_back, &take]);
    }
}

/// One run of `cores` under the schedule of `seed`.
fn simulate(seed: u64, cores: usize, limit: u64, units_max: u64, is_strict: bool) {
    let stage = Stage::new(seed, cores);
    let world = Arc::new(World {
        meter: Mutex::new(None),
        limit,
        is_strict,
        overshoot: AtomicU64::new(0),
        now: AtomicU64::new(START.0),
        least: Mutex::default(),
    });
    let pace = Watched(Baton(Arc::clone(&stage)), Arc::clone(&world));
    let meter = Arc::new(Meter::new(&spec(MINUTE, limit), cores, &Past::default(), pace));
    *lock(&world.meter) = Some(Arc::clone(&meter));
    thread::scope(|scope| {
        for core in 0..cores {
            let (stage, world, meter) = (&stage, &world, &meter);
            scope.spawn(move || {
                let _on = stage.enter(core);
                let mut dice = Dice(seed.wrapping_add(core as u64).wrapping_mul(0x51_7cc1) | 1);
                live(world, meter, core, &mut dice, units_max);
            });
        }
    });
    // Everything is settled: after a period at rest, every unit is home.
    let later = NodeMillis(world.now.load(Ordering::SeqCst) + 70_000);
    assert!(meter.is_at_rest(later), "seed {seed}: {:?} of {limit}", meter.hands());
    *lock(&world.meter) = None;
}

#[test]
fn under_any_schedule_granted_and_spent_never_exceed_the_limit_and_nothing_is_lost() {
    for seed in 0..150 {
        let cores = 2 + usize::try_from(seed % 2).expect("small");
        simulate(seed, cores, 1 + seed % 11, 1 + seed % 4, true);
    }
}

#[test]
fn under_any_schedule_what_was_used_beyond_its_estimate_is_owed_and_paid_back() {
    for seed in 1_000..1_060 {
        simulate(seed, 3, 1 + seed % 60, 1 + seed % 13, false);
    }
}
