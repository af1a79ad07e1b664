//! A rate limit across deaths of its process and jumps of the clock on the wall, simulated: what
//! was sent is on receipts, which bear the time of day, and a new process counts on from those.
//!
//! `tests/quota_simulation.rs` has the schedules of cores, `tests/clocks.rs` the real binary. A
//! failure names its seed, and the same seed fails again.

mod meters;

use meters::{Dice, MINUTE, spec};
use weir::{
    bridge::quota::{
        meter::{Free, Meter, Past},
        node::ORIGIN_MS,
    },
    control_plane::clocks::{Marks, Reading},
    lexicon::{meter::NodeMillis, time::UnixMillis},
};

const MINUTE_MS: u64 = 60_000;
/// The longest that a unit can count.
const SPAN_MS: u64 = 65_000;
/// How soon a clock that was set is noticed.
const LOOK_MS: u64 = 1_000;
const DAY_MS: u64 = 86_400_000;
/// Days since 1970 at the beginning.
const TODAY: u64 = 20_000;

/// What was stored of a request.
struct Receipt {
    epoch: u64,
    wall: UnixMillis,
    /// When it truly was.
    at: u64,
}

/// A machine, its clocks and the gateway on it.
struct Machine {
    limit: u64,
    monotonic_ms: u64,
    wall_ms: u64,
    marks: Marks,
    receipts: Vec<Receipt>,
    epoch: u64,
    begun: u64,
    meter: Meter<Free>,
}

fn meter(limit: u64, past: &Past) -> Meter<Free> {
    Meter::new(&spec(MINUTE, limit), 2, past, Free)
}

impl Machine {
    fn new(limit: u64) -> Self {
        let meter = meter(limit, &Past::default());
        let mut machine = Self {
            limit,
            monotonic_ms: DAY_MS,
            wall_ms: TODAY * DAY_MS,
            marks: Marks::default(),
            receipts: Vec::new(),
            epoch: 1,
            begun: DAY_MS,
            meter,
        };
        machine.look();
        machine
    }

    fn reading(&self) -> Reading {
        let (monotonic_ms, wall_ms) = (self.monotonic_ms, self.wall_ms);
        Reading { boot: "boot".into(), monotonic_ms, wall_ms }
    }

    fn look(&mut self) {
        let reading = self.reading();
        self.marks.note(self.epoch, reading);
    }

    fn pass(&mut self, millis: u64) {
        self.monotonic_ms += millis;
        self.wall_ms += millis;
    }

    /// The clock on the wall is set; before that is noticed something may be sent.
    fn jump(&mut self, dice: &mut Dice) {
        let millis = dice.below(3 * DAY_MS);
        self.wall_ms = match dice.below(2) {
            0 => self.wall_ms + millis,
            _ => self.wall_ms - millis,
        };
        for _ in 0..dice.below(3) {
            self.pass(dice.below(LOOK_MS / 3));
            self.send();
        }
        self.look();
    }

    fn node_now(&self) -> NodeMillis {
        NodeMillis(ORIGIN_MS + self.monotonic_ms - self.begun)
    }

    /// One request; no minute ever holds more than the limit.
    fn send(&mut self) -> bool {
        let core = self.receipts.len() % 2;
        if self.meter.spend(core, 1, self.node_now()).is_err() {
            return false;
        }
        let (epoch, wall, at) = (self.epoch, UnixMillis(self.wall_ms), self.monotonic_ms);
        self.receipts.push(Receipt { epoch, wall, at });
        let within = self.receipts.iter().rev().take_while(|it| it.at + MINUTE_MS > at).count();
        assert!(within as u64 <= self.limit, "{within} in a minute of {}", self.limit);
        true
    }

    /// It dies, and another begins; the clock may be set in between.
    fn restart(&mut self, dice: &mut Dice) {
        self.pass(dice.below(MINUTE_MS));
        if dice.below(2) == 0 {
            self.wall_ms = (TODAY - 100 + dice.below(200)) * DAY_MS;
        }
        let now = self.reading();
        let ages = self.receipts.iter().map(|it| self.marks.age_ms(it.epoch, it.wall, &now));
        let counting = ages.filter(|age| *age < SPAN_MS);
        let past = Past(counting.map(|age| (NodeMillis(ORIGIN_MS - age), 1)).collect());
        self.meter = meter(self.limit, &past);
        (self.epoch, self.begun) = (self.epoch + 1, self.monotonic_ms);
        self.look();
    }
}

#[test]
fn fault_51_fault_59_no_minute_holds_more_than_the_limit_and_none_is_locked_whatever_dies_or_jumps()
{
    for seed in 1..400 {
        let mut dice = Dice((seed * 0x9e37_79b9) | 1);
        let mut machine = Machine::new(1 + dice.below(12));
        for _ in 0..120 {
            match dice.below(10) {
                0 => machine.jump(&mut dice),
                1 => machine.restart(&mut dice),
                2..=5 => machine.pass(dice.below(20_000)),
                _ => {
                    machine.send();
                }
            }
            // Whoever serves looks every second.
            machine.look();
        }
        // Where nobody asks for as long as a unit can count, all of it is there.
        machine.pass(SPAN_MS);
        for _ in 0..machine.limit {
            assert!(machine.send(), "seed {seed}: {} are locked", machine.limit);
        }
        assert!(!machine.send(), "seed {seed}");
    }
}
