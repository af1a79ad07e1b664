//! How targets fare, as gauges: nothing where no rule routes.

use crate::{
    bridge::seats::Standing,
    control_plane::{
        targets::{Row, Table, mean_ms},
        telemetry::exposition::{Exposition, Kind},
    },
    lexicon::health::Readings,
};

type CountRow = (&'static str, Kind, &'static str, fn(&Row) -> u64);

#[rustfmt::skip] // One row a line reads as the table it is.
const COUNTS: [CountRow; 3] = [
    ("weir_target_failing", Kind::Gauge, "1 while the target failed twice within two minutes, and is asked last.", |row| u64::from(row.failing_for_ms > 0)),
    ("weir_target_attempts_total", Kind::Counter, "Attempts that rules made at the target.", |row| row.standing.attempts_total),
    ("weir_target_failures_total", Kind::Counter, "Attempts at the target that failed.", |row| row.standing.failures_total),
];

type SeatRow = (&'static str, Kind, &'static str, fn(&Standing) -> u64);

#[rustfmt::skip] // One row a line reads as the table it is.
const SEATS: [SeatRow; 3] = [
    ("weir_target_calls", Kind::Gauge, "Calls that a target with a cap has just now.", |seats| seats.taken),
    ("weir_target_waiting", Kind::Gauge, "Requests that wait for a turn at the target.", |seats| seats.waiting),
    ("weir_target_busy_total", Kind::Counter, "Requests that got no turn at the target.", |seats| seats.refused_total),
];

type MeanRow = (&'static str, &'static str, &'static [(&'static str, fn(&Row) -> Readings)]);

const MEANS: [MeanRow; 2] = [
    (
        "weir_target_token_milliseconds",
        "Mean time per output token of the target.",
        &[
            ("3m", |row| row.standing.health.token_recent),
            ("20m", |row| row.standing.health.token_long),
        ],
    ),
    (
        "weir_target_first_token_milliseconds",
        "Mean time to the first token of the target's streams.",
        &[("3m", |row| row.standing.health.first_recent)],
    ),
];

/// The families of all targets.
pub(super) fn print(page: &mut Exposition, (rows, places): &Table) {
    if rows.is_empty() {
        return;
    }
    page.family("weir_target_places", Kind::Gauge, "Targets that are watched, of 1024 at most.");
    page.sample(&[], places);
    for (name, kind, help, value) in COUNTS {
        page.family(name, kind, help);
        for row in rows {
            page.sample(&[("target", &row.target)], value(row));
        }
    }
    let seats = || rows.iter().filter_map(|row| Some((row, row.seats.as_ref()?)));
    for (name, kind, help, value) in SEATS.into_iter().filter(|_| seats().next().is_some()) {
        page.family(name, kind, help);
        for (row, (_, standing)) in seats() {
            page.sample(&[("target", &row.target)], value(standing));
        }
    }
    for (name, help, windows) in MEANS {
        page.family(name, Kind::Gauge, help);
        for row in rows {
            for (window, readings) in windows {
                if let Some(mean) = mean_ms(readings(row)) {
                    page.sample(&[("target", &row.target), ("window", window)], mean);
                }
            }
        }
    }
}
