//! How targets fare, as gauges: nothing where no rule routes.

use crate::{
    bridge::seats::Standing,
    control_plane::{
        targets::{Row, Table, mean_ms},
        telemetry::exposition::{Exposition, Family, Kind},
    },
    lexicon::health::Readings,
};

#[rustfmt::skip] // One row a line reads as the table it is.
const COUNTS: [Family<Row>; 3] = [
    ("weir_target_failing", Kind::Gauge, "1 while the target failed twice within two minutes, and is asked last.", |row| u64::from(row.failing_for_ms > 0)),
    ("weir_target_attempts_total", Kind::Counter, "Attempts that rules made at the target.", |row| row.standing.attempts_total),
    ("weir_target_failures_total", Kind::Counter, "Attempts at the target that failed.", |row| row.standing.failures_total),
];

#[rustfmt::skip] // One row a line reads as the table it is.
const SEATS: [Family<Standing>; 3] = [
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
    page.table(&COUNTS, &rows.iter().map(|row| (labels(row), row)).collect::<Vec<_>>());
    let seats = rows.iter().filter_map(|row| Some((labels(row), &row.seats.as_ref()?.1)));
    let seats: Vec<_> = seats.collect();
    if !seats.is_empty() {
        page.table(&SEATS, &seats);
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

fn labels(row: &Row) -> Vec<(&str, &str)> {
    vec![("target", &row.target)]
}
