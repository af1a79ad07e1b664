//! Was it the target that was measured?

use crate::tally::Tally;
use std::time::Duration;

/// Beyond this part of a core, a thread's own queue is part of what it measures.
const BUSY_PERMILLE: u64 = 900;

/// What makes the figures of a run those of something else than its target; empty where nothing
/// does.
#[must_use]
pub fn bottlenecks(tally: &Tally, vendor_permille: Option<u64>, late_max: Duration) -> Vec<String> {
    let mut found = Vec::new();
    if tally.cpu_permille >= BUSY_PERMILLE {
        let share = tally.cpu_permille / 10;
        found.push(format!("this client was the bottleneck: it used {share} % of its core"));
    }
    let late = Duration::from_micros(tally.lateness.value_at_quantile(0.99));
    if late > late_max {
        found.push(format!(
            "this client was the bottleneck: 1 % of requests were {late:?} late before they could \
             be sent (it waited for a core {} % of the time)",
            tally.wait_permille / 10
        ));
    }
    if let Some(permille) = vendor_permille.filter(|permille| *permille >= BUSY_PERMILLE) {
        let share = permille / 10;
        found.push(format!("the vendor was the bottleneck: it used {share} % of its core"));
    }
    found
}

/// How long a thread ran, and how long it waited to run, in nanoseconds.
///
/// **Source**: `schedstat`, docs.kernel.org/scheduler/sched-stats.html, read 2026-11-21.
#[must_use]
pub fn schedstat(path: &str) -> (u64, u64) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|word| word.parse().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

/// The nanoseconds that each thread of a process has run.
#[must_use]
pub fn threads_of(pid: u32) -> Vec<(String, u64)> {
    let folder = format!("/proc/{pid}/task");
    let tasks = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let path = |task: &std::fs::DirEntry| format!("{}/schedstat", task.path().display());
    tasks.map(|task| (path(&task), schedstat(&path(&task)).0)).collect()
}

/// The busiest thread's part of a core since `before`, in thousandths.
#[must_use]
pub fn busiest_permille(before: &[(String, u64)], wall: Duration) -> u64 {
    let ran = before.iter().map(|(path, ran)| schedstat(path).0.saturating_sub(*ran));
    permille(ran.max().unwrap_or_default(), wall)
}

#[must_use]
pub fn permille(nanos: u64, wall: Duration) -> u64 {
    u64::try_from(u128::from(nanos) * 1_000 / wall.as_nanos().max(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::bottlenecks;
    use crate::tally::{Tally, note};
    use std::time::Duration;

    const LATE_MAX: Duration = Duration::from_millis(5);

    #[test]
    fn a_client_that_sends_in_time_with_a_core_to_spare_measures_its_target() {
        let mut tally = Tally { cpu_permille: 899, ..Tally::default() };
        note(&mut tally.lateness, Duration::from_micros(80));

        assert!(bottlenecks(&tally, Some(500), LATE_MAX).is_empty());
    }

    #[test]
    fn whoever_was_too_slow_is_told() {
        let busy = Tally { cpu_permille: 970, ..Tally::default() };
        let mut late = Tally::default();
        note(&mut late.lateness, Duration::from_millis(40));

        assert!(bottlenecks(&busy, None, LATE_MAX)[0].contains("client was the bottleneck"));
        assert!(bottlenecks(&late, None, LATE_MAX)[0].contains("late before"));
        let vendor = bottlenecks(&Tally::default(), Some(950), LATE_MAX);
        assert!(vendor[0].contains("vendor was the bottleneck: it used 95 %"));
    }
}
