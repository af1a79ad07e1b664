//! How long ago something was, whatever became of the clock on the wall: `DATA/clocks.json`.
//!
//! Receipts bear the time of day, and that may be set: forward by a day, back by an hour. So it is
//! written down how the time of day stood to the machine's monotonic clock, when a process began
//! and each time it was set since; by that, the age of what was sent is a difference of two
//! monotonic times. Behind a restart of the machine there is only the time of day, and the least
//! that it can be: since the machine is up.
//!
//! One thing is not known: where a clock is set back and the process is killed within a second of
//! it, what was sent in that second looks older than it is.
//!
//! **Shape**: `{"marks": [{"epoch", "boot", "monotonic_ms", "wall_ms"}]}`; of each process (by the
//! epoch of its receipts) in the order in which they were made.

use crate::{
    control_plane::{journal::disk::write_whole, load},
    lexicon::time::UnixMillis,
};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

const NAME: &str = "clocks.json";
/// How soon a clock that was set is noticed.
const LOOK: Duration = Duration::from_secs(1);
/// What the two clocks may drift apart before it is written down: a fiftieth of the shortest
/// bucket.
const DRIFT_MS_MAX: u64 = 100;
/// Marks that are kept, some 100 bytes each: many years of clocks that are well.
const MARKS_MAX: usize = 1_000;

/// The clocks, read together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The kernel's name for the time since the machine was started.
    pub boot: Box<str>,
    /// Of the clock that counts also while the machine sleeps.
    pub monotonic_ms: u64,
    pub wall_ms: u64,
}

/// How the clocks stood in one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Of the process's receipts.
    pub epoch: u64,
    #[serde(flatten)]
    pub reading: Reading,
}

/// How the clocks stood, in all processes that are remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    marks: Vec<Mark>,
}

/// Writes down how the clocks stand.
pub struct Keeper {
    marks: Marks,
    epoch: u64,
    data_dir: PathBuf,
}

impl Reading {
    /// Of this moment.
    #[must_use]
    pub fn now() -> Self {
        let monotonic = clock_gettime(ClockId::Boottime);
        let millis = |seconds: i64, nanos: i64| {
            let seconds = u64::try_from(seconds).unwrap_or_default();
            seconds * 1_000 + u64::try_from(nanos / 1_000_000).unwrap_or_default()
        };
        // Where the kernel gives it no name, every start counts as a new one.
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            boot: boot.trim().into(),
            monotonic_ms: millis(monotonic.tv_sec, monotonic.tv_nsec),
            wall_ms: load::now().0,
        }
    }

    /// The time of day at the start of the monotonic clock; it moves where the time is set.
    const fn origin(&self) -> u64 {
        self.wall_ms.saturating_sub(self.monotonic_ms)
    }
}

impl Marks {
    /// Of these.
    #[must_use]
    pub const fn new(marks: Vec<Mark>) -> Self {
        Self { marks }
    }

    /// Those of a data directory. Without them the time of day must do, and that is said.
    #[must_use]
    pub fn read(data_dir: &Path) -> Self {
        let text = match fs::read_to_string(data_dir.join(NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => return Self::unread(&error),
        };
        serde_json::from_str(&text).unwrap_or_else(|error| Self::unread(&error))
    }

    fn unread(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "{NAME} cannot be read: what limits counted is aged by the wall");
        Self::default()
    }

    /// How many milliseconds before `now` it was `wall` in the process of this epoch. Where that
    /// was twice, or the clock was set and it was not written down yet, it is the later: what was
    /// spent counts no shorter for it.
    #[must_use]
    pub fn age_ms(&self, epoch: u64, wall: UnixMillis, now: &Reading) -> u64 {
        let of_epoch = self.marks.iter().filter(|mark| mark.epoch == epoch);
        let own: Vec<&Reading> = of_epoch.map(|mark| &mark.reading).collect();
        let by_wall = now.wall_ms.saturating_sub(wall.0);
        let Some(first) = own.first() else { return by_wall };
        let is_this_boot = !now.boot.is_empty() && first.boot == now.boot;
        if !is_this_boot || now.monotonic_ms < first.monotonic_ms {
            return by_wall.max(now.monotonic_ms);
        }
        // It ended before the next began.
        let last = self.marks.iter().rposition(|mark| mark.epoch == epoch).unwrap_or_default();
        let next = self.marks.get(last + 1).filter(|mark| mark.reading.boot == now.boot);
        let end = next.map_or(now.monotonic_ms, |mark| mark.reading.monotonic_ms);
        let ends = own.iter().skip(1).map(|next| next.monotonic_ms).chain([end]);
        let spans: Vec<(&&Reading, u64)> = own.iter().zip(ends).collect();
        let at = spans.into_iter().rev().find_map(|(mark, end)| {
            let at = mark.monotonic_ms + wall.0.checked_sub(mark.wall_ms)?;
            (at <= end.saturating_add(DRIFT_MS_MAX)).then_some(at)
        });
        // What fits nowhere was sent between a clock's being set and the mark of that.
        now.monotonic_ms.saturating_sub(at.unwrap_or(end))
    }

    /// Take down how the clocks stand; false where that is known.
    pub fn note(&mut self, epoch: u64, now: Reading) -> bool {
        let last = self.marks.last().filter(|mark| mark.epoch == epoch);
        let is_known = last.is_some_and(|mark| {
            mark.reading.origin().abs_diff(now.origin()) < DRIFT_MS_MAX
                && mark.reading.boot == now.boot
        });
        if is_known {
            return false;
        }
        self.marks.push(Mark { epoch, reading: now });
        while self.marks.len() > MARKS_MAX {
            // The first of this process stays: what is older than all others is older than that.
            let is_own = self.marks[0].epoch == epoch;
            self.marks.remove(usize::from(is_own));
        }
        true
    }
}

impl Keeper {
    /// Writes down how the clocks stand as a process of this epoch begins.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(data_dir: &Path, mut marks: Marks, epoch: u64) -> io::Result<Self> {
        marks.note(epoch, Reading::now());
        write(data_dir, &marks)?;
        Ok(Self { marks, epoch, data_dir: data_dir.to_owned() })
    }

    /// Runs until `stop` is ready.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_dirty = false;
        loop {
            tokio::select! {
                () = &mut stop => return,
                _ = look.tick() => {}
            }
            let now = Reading::now();
            let wall_ms = now.wall_ms;
            if self.marks.note(self.epoch, now) {
                tracing::warn!(wall_ms, "the clock on the wall was set: limits do not mind");
                is_dirty = true;
            }
            if is_dirty {
                is_dirty = !self.write().await;
            }
        }
    }

    async fn write(&self) -> bool {
        let (data_dir, marks) = (self.data_dir.clone(), self.marks.clone());
        let written = spawn_blocking(move || write(&data_dir, &marks)).await;
        match written {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => tracing::error!(%error, "{NAME} cannot be written"),
            Err(error) => tracing::error!(%error, "{NAME} cannot be written"),
        }
        false
    }
}

fn write(data_dir: &Path, marks: &Marks) -> io::Result<()> {
    write_whole(data_dir, NAME, &serde_json::to_string(marks)?)
}

#[cfg(test)]
mod tests {
    use super::{MARKS_MAX, Mark, Marks, Reading};
    use crate::lexicon::time::UnixMillis;

    const DAY_MS: u64 = 86_400_000;
    const HOUR_MS: u64 = 3_600_000;
    /// The time of day at which the machine was started.
    const UP: u64 = 1_000 * DAY_MS;

    fn reading(boot: &str, monotonic_ms: u64, wall_ms: u64) -> Reading {
        Reading { boot: boot.into(), monotonic_ms, wall_ms }
    }

    fn marks(epoch: u64, readings: &[(u64, u64)]) -> Marks {
        let mark = |(monotonic_ms, wall_ms): &(u64, u64)| Mark {
            epoch,
            reading: reading("b", *monotonic_ms, *wall_ms),
        };
        Marks::new(readings.iter().map(mark).collect())
    }

    #[test]
    fn fault_51_an_age_is_that_of_the_monotonic_clock_whatever_the_wall_was_set_to() {
        let sent = UnixMillis(UP + 70_000);
        let known = marks(5, &[(60_000, UP + 60_000)]);
        for wall in [UP + 100_000, UP + 100_000 + DAY_MS, UP + 100_000 - HOUR_MS, 0] {
            let age = known.age_ms(5, sent, &reading("b", 100_000, wall));
            assert_eq!(age, 30_000, "at {wall}");
        }
    }

    #[test]
    fn fault_51_a_clock_that_was_set_while_it_ran_is_reckoned_from_where_it_was_set() {
        let now = reading("b", 7 * HOUR_MS, 3);
        // Forward by a day at hour 2, back by an hour at hour 4.
        let known = marks(
            5,
            &[
                (HOUR_MS, UP + HOUR_MS),
                (2 * HOUR_MS, UP + 2 * HOUR_MS + DAY_MS),
                (4 * HOUR_MS, UP + 3 * HOUR_MS + DAY_MS),
            ],
        );
        for (wall, at) in [
            (UP + HOUR_MS + 5, HOUR_MS + 5),
            (UP + 2 * HOUR_MS + DAY_MS + 7, 2 * HOUR_MS + 7),
            // It was twice, before and after it was set back: the later counts longer.
            (UP + 3 * HOUR_MS + DAY_MS + 9, 4 * HOUR_MS + 9),
            (UP + 5 * HOUR_MS + DAY_MS, 6 * HOUR_MS),
            // It never was: set, and killed before that was written down.
            (UP + 90 * DAY_MS, 7 * HOUR_MS),
            (UP, 7 * HOUR_MS),
        ] {
            let age = known.age_ms(5, UnixMillis(wall), &now);
            assert_eq!(age, 7 * HOUR_MS - at, "{wall}");
        }

        // The same of a process that has ended before another began.
        let mut known = known;
        known.note(6, reading("b", 6 * HOUR_MS, 3));
        let age = known.age_ms(5, UnixMillis(UP + 90 * DAY_MS), &now);
        assert_eq!(age, HOUR_MS);
    }

    #[test]
    fn behind_a_restart_of_the_machine_an_age_is_the_walls_and_no_less_than_the_machine_is_up() {
        let known = marks(5, &[(9_000_000, UP)]);
        let sent = UnixMillis(UP + 1_000);
        assert_eq!(known.age_ms(5, sent, &reading("c", 20_000, UP + 61_000)), 60_000);
        assert_eq!(known.age_ms(5, sent, &reading("c", 20_000, UP - HOUR_MS)), 20_000);
        assert_eq!(known.age_ms(5, sent, &reading("", 9_500_000, UP + 61_000)), 9_500_000);
        // Nobody has written down how the clocks of that process stood.
        assert_eq!(known.age_ms(4, sent, &reading("b", 9_900_000, UP + 61_000)), 60_000);
    }

    #[test]
    fn what_is_known_is_not_taken_down_again_and_the_oldest_goes_first() {
        let mut known = Marks::default();
        assert!(known.note(5, reading("b", 1_000, UP + 1_000)));
        assert!(!known.note(5, reading("b", 9_000, UP + 9_099)));
        assert!(known.note(5, reading("b", 10_000, UP + 10_100)));
        assert!(known.note(6, reading("b", 11_000, UP + 11_100)));

        for step in 0..2 * MARKS_MAX as u64 {
            known.note(6, reading("b", 12_000 + step, UP + step * HOUR_MS));
        }

        assert_eq!(known.marks.len(), MARKS_MAX);
        assert_eq!(known.marks[0].reading.monotonic_ms, 11_000, "the first of its process");
    }
}
