//! What became of messages about budgets, by channel.

use crate::control_plane::{
    alerts::counts::{Count, Counts},
    telemetry::exposition::{Exposition, Family, Kind},
};

/// One family a row, one sample a channel.
#[rustfmt::skip] // One row a line reads as the table it is.
const ROWS: [Family<Count>; 5] = [
    ("weir_alerts_sent_total", Kind::Counter, "Messages about budgets that were taken.", |count| count.sent_total),
    ("weir_alerts_failed_total", Kind::Counter, "Tries to send one that came to nothing.", |count| count.failed_total),
    ("weir_alerts_retried_total", Kind::Counter, "Tries that were not a message's first.", |count| count.retried_total),
    ("weir_alerts_given_up_total", Kind::Counter, "Messages that could not be sent in a day.", |count| count.given_up_total),
    ("weir_alerts_waiting", Kind::Gauge, "Messages that are not sent yet.", |count| count.waiting),
];

pub(super) fn print(page: &mut Exposition, counts: &Counts) {
    let channels = counts.look();
    if channels.is_empty() {
        return;
    }
    page.family(
        "weir_alerts_untold_total",
        Kind::Counter,
        "Looks at a threshold that nobody is told of, for too many were reached.",
    );
    page.sample(&[], counts.untold_total());
    let sampled = channels
        .iter()
        .map(|(channel, count)| (vec![("channel", &**channel), ("kind", count.kind)], count));
    page.table(&ROWS, &sampled.collect::<Vec<_>>());
}
