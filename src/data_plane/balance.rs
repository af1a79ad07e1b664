//! Which core has too much: how loads are measured, and the rule by which connections move.
//!
//! Every window of 100 ms a core says in its pulse how busy it was (the time it ran and the time
//! it waited to run, of the time that passed; so a core whose processor is taken by others is busy
//! too) and how many of its connections asked something. Then it compares itself with the core
//! that has the least, and may wish to give connections away; those that have just been answered
//! leave (`connection.rs`).
//!
//! No flapping: loads are smoothed; a wish needs two windows that agree; it moves no more than
//! would make the two even; nothing moves below a tenth of a core or within a share of 60 to 40;
//! and giver and taker rest for half a second after each move, until its effect can be seen.

use std::{fs::File, os::unix::fs::FileExt};

/// How often loads are measured.
pub const WINDOW_MS: u64 = 100;
/// A core that did not turn for so long is stuck, or idle: an idle one turns every 250 ms, and
/// when it is woken.
const STUCK_MS: u64 = 50;
/// Windows that must agree before anything moves.
const AGREEING: u8 = 2;
/// Windows of rest after a move.
const RESTING: u8 = 5;
/// Below this nobody gains by a move.
const WORTHWHILE_PERMILLE: u64 = 100;
/// From here on a core may want more than it gets, and only connections can be compared.
const SATURATED_PERMILLE: u64 = 850;

/// One core's load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub busy_permille: u64,
    /// Connections that asked something in the window.
    pub active: u64,
}

/// How many connections `own` should give to `other`.
///
/// With `w = busy / active` as the mean weight of one, moving `n` makes the two even at
/// `n = (own - other) / 2w`; from three quarters on it counts as one more. So what moves, none of
/// it heavier than the mean (`is_movable`), makes the two more even: three alike on two cores stay.
pub fn surplus(own: Load, other: Load) -> u64 {
    let is_saturated = |load: Load| load.busy_permille >= SATURATED_PERMILLE;
    let both = own.busy_permille + other.busy_permille;
    if own.active < 2 || own.busy_permille < WORTHWHILE_PERMILLE {
        return 0;
    }
    if own.busy_permille * 10 > both * 6 {
        let more = own.busy_permille - other.busy_permille;
        let even = (4 * own.active * more + 2 * own.busy_permille) / (8 * own.busy_permille);
        return even.min(own.active / 2);
    }
    if is_saturated(own) && is_saturated(other) {
        // By one more than may be even: what weighs unequally must not go back and forth.
        return if own.active >= other.active + 3 { (own.active - other.active) / 2 } else { 0 };
    }
    0
}

/// May a connection with this many of a core's requests move? One that is heavier than the mean
/// would carry the unevenness with it.
pub fn is_movable(requests: u64, active: u64, all_requests: u64) -> bool {
    requests * active <= all_requests
}

/// May a core with `own` connections, the new one among them, send it to one with `least`?
///
/// Nothing is known yet of what it will ask, so connections are counted; the margin grows with
/// them, since many short ones are never quite even.
pub fn is_better_elsewhere(own: usize, least: usize) -> bool {
    own >= least + 2 + least / 4
}

/// Has a core that beat, or was woken, at `beat_ms` not turned for too long at `now_ms`?
pub fn is_stuck(beat_ms: u64, now_ms: u64) -> bool {
    beat_ms != 0 && now_ms.saturating_sub(beat_ms) > STUCK_MS
}

/// What one core wishes, window by window.
#[derive(Debug, Default)]
pub struct Wishes {
    agreeing: u8,
    resting: u8,
}

impl Wishes {
    /// A window is over: how many connections shall leave for `other`?
    pub fn weigh(&mut self, own: Load, other: Load) -> u64 {
        if self.resting > 0 {
            self.resting -= 1;
            self.agreeing = 0;
            return 0;
        }
        let surplus = surplus(own, other);
        self.agreeing = if surplus == 0 { 0 } else { self.agreeing + 1 };
        if self.agreeing < AGREEING {
            return 0;
        }
        self.rest();
        surplus
    }

    pub fn is_resting(&self) -> bool {
        self.resting > 0
    }

    /// A connection was given or taken: the effect must be seen first.
    pub fn rest(&mut self) {
        (self.agreeing, self.resting) = (0, RESTING);
    }
}

/// Measures how busy this thread is.
pub struct Busyness {
    /// Nanoseconds run, and nanoseconds waited to run. **Source**: Linux,
    /// `Documentation/scheduler/sched-stats.rst`. None where the kernel does not tell.
    statistics: Option<File>,
    last_ns: u64,
    last_ms: u64,
    smooth: u64,
}

impl Busyness {
    /// Of the calling thread.
    pub fn new(now_ms: u64) -> Self {
        let statistics = File::open("/proc/thread-self/schedstat").ok();
        let mut new = Self { statistics, last_ns: 0, last_ms: now_ms, smooth: 0 };
        new.last_ns = new.read_ns();
        new
    }

    /// How busy since the last time, half smoothed. **Units**: thousandths. **Cost**: one read.
    pub fn measure(&mut self, now_ms: u64) -> u64 {
        let ns = self.read_ns();
        let passed_us = (now_ms - self.last_ms).max(1) * 1_000;
        let permille = ((ns - self.last_ns) / passed_us).min(1_000);
        (self.last_ns, self.last_ms) = (ns, now_ms);
        self.smooth = u64::midpoint(self.smooth, permille);
        self.smooth
    }

    fn read_ns(&self) -> u64 {
        let mut text = [0; 64];
        let read = self.statistics.as_ref().and_then(|file| file.read_at(&mut text, 0).ok());
        let text = std::str::from_utf8(&text[..read.unwrap_or_default()]).unwrap_or_default();
        let numbers = text.split_ascii_whitespace().take(2).filter_map(|it| it.parse::<u64>().ok());
        numbers.sum::<u64>().max(self.last_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::{Busyness, Load, Wishes, is_better_elsewhere, is_movable, surplus};
    use proptest::prelude::{any, prop, prop_assert, proptest};

    fn load(busy_permille: u64, active: u64) -> Load {
        Load { busy_permille, active }
    }

    #[test]
    fn eight_on_one_core_become_four_and_four() {
        assert_eq!(surplus(load(900, 8), load(10, 0)), 4);
        assert_eq!(surplus(load(600, 6), load(200, 2)), 2);
        assert_eq!(surplus(load(625, 5), load(375, 3)), 1);
        assert_eq!(surplus(load(500, 4), load(500, 4)), 0);
        assert_eq!(surplus(load(600, 2), load(300, 1)), 0, "three alike stay");
        assert_eq!(surplus(load(600, 3), load(300, 1)), 1);
        assert_eq!(surplus(load(1_000, 6), load(1_000, 2)), 2, "saturated: by count");
        assert_eq!(surplus(load(90, 8), load(0, 0)), 0, "not worth it");
        assert_eq!(surplus(load(1_000, 1), load(0, 0)), 0, "one cannot be shared");
    }

    #[test]
    fn a_move_needs_two_windows_that_agree_and_is_followed_by_rest() {
        let mut wishes = Wishes::default();
        let (own, other) = (load(900, 8), load(0, 0));
        let moved: Vec<_> = (0..9).map(|_| wishes.weigh(own, other)).collect();
        assert_eq!(moved, [0, 4, 0, 0, 0, 0, 0, 0, 4]);
    }

    #[test]
    fn new_connections_spread_and_many_short_ones_stay_where_they_come() {
        let mut counts = [0, 0];
        for _ in 0..8 {
            let least = counts[1];
            let to = usize::from(is_better_elsewhere(counts[0] + 1, least));
            counts[to] += 1;
        }
        assert!(counts[0].abs_diff(counts[1]) <= 1, "{counts:?}");
        assert!(!is_better_elsewhere(70, 60));
    }

    #[test]
    fn a_thread_that_runs_is_busy() {
        let mut busyness = Busyness::new(0);
        let begun = std::time::Instant::now();
        while begun.elapsed().as_millis() < 60 {
            std::hint::spin_loop();
        }
        let passed = u64::try_from(begun.elapsed().as_millis()).expect("short");
        assert!(busyness.measure(passed) > 300, "half of it by smoothing");
    }

    proptest! {
        /// Whatever the connections weigh: it ends, and no move makes the uneven more uneven.
        #[test]
        fn moves_end_and_make_cores_more_even(
            weights in prop::collection::vec((1_u64..400, any::<bool>()), 2..12),
        ) {
            let mut cores = [Vec::new(), Vec::new()];
            for (weight, side) in weights {
                cores[usize::from(side)].push(weight);
            }
            let of = |core: &Vec<u64>| load(core.iter().sum::<u64>().min(1_000), core.len() as u64);
            let mut moves = 0;
            loop {
                let loads = [of(&cores[0]), of(&cores[1])];
                let from = usize::from(loads[1].busy_permille > loads[0].busy_permille);
                let count = surplus(loads[from], loads[1 - from]);
                if count == 0 {
                    break;
                }
                let all: u64 = cores[from].iter().sum();
                let active = cores[from].len() as u64;
                for _ in 0..count {
                    let light = cores[from].iter().position(|it| is_movable(*it, active, all));
                    let moved = light.map(|at| cores[from].remove(at));
                    cores[1 - from].extend(moved);
                }
                moves += 1;
                prop_assert!(moves < 100, "it flaps: {cores:?}");
            }
        }
    }
}
