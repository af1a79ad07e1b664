//! How targets fare, for operators: those that some rule of the present snapshot may choose.

use crate::{
    bridge::{
        health::{Board, Standing},
        lane::Receiver,
        quota::node::Node,
        seats,
    },
    lexicon::health::Readings,
    policy::route::Concurrency,
    snapshot::Snapshot,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;

/// Reads the board.
pub struct Targets {
    board: Arc<Board>,
    node: Arc<Node>,
    /// The lane, and what came last on it.
    snapshots: Mutex<(Receiver<Snapshot>, Arc<Snapshot>)>,
}

/// All targets, and how many places for targets are taken.
pub type Table = (Vec<Row>, usize);

/// One target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `ACCOUNT/MODEL`.
    pub target: Box<str>,
    /// It has failed too often for so much longer; 0 is well.
    pub failing_for_ms: u64,
    pub standing: Standing,
    /// Of one that has a cap: the cap, and how its seats stand.
    pub seats: Option<(Concurrency, seats::Standing)>,
}

impl Targets {
    #[must_use]
    pub fn new(board: Arc<Board>, node: Arc<Node>, snapshots: Receiver<Snapshot>) -> Self {
        Self { board, node, snapshots: Mutex::new((snapshots, Arc::default())) }
    }

    /// All targets, in the order of the rules that name them, and how many places for targets are
    /// taken.
    #[must_use]
    pub fn table(&self) -> Table {
        (self.rows(), self.board.count())
    }

    /// All targets, in the order of the rules that name them.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let snapshot = self.newest();
        let now_ms = self.node.now_ns() / 1_000_000;
        let targets = snapshot.routes.targets.iter().map(|id| snapshot.model(*id));
        let row = |model: &crate::snapshot::Model| {
            let place = self.board.place(model.board_key())?;
            let standing = self.board.standing(place, now_ms);
            let until = standing.health.failing_until_ms;
            let failing_for_ms = until.saturating_sub(now_ms);
            let row = model.concurrency.and_then(|_| self.board.seats.row(model.board_key()));
            let seats = model.concurrency.zip(row.map(seats::Row::standing));
            Some(Row { target: model.name.clone(), failing_for_ms, standing, seats })
        };
        targets.filter_map(row).collect()
    }

    fn newest(&self) -> Arc<Snapshot> {
        let mut lane = self.snapshots.lock();
        if let Some(newer) = lane.0.changed() {
            lane.1 = newer;
        }
        Arc::clone(&lane.1)
    }
}

/// The body of `GET /api/svc/v1/llm-gateway/health`.
///
/// **Shape**: `{"targets":[{"target":"a/b","healthy":true,"failing_for_ms":0,"attempts_total":3,
/// "failures_total":1,"time_per_output_token_ms":{"3m":{"mean":21.5,"readings":2},"20m":{…}},
/// "time_to_first_token_ms":{"3m":{…}},"concurrency":{"max":8,"calls":3,"queue":4,"waiting":0,
/// "busy_total":0}}]}`; `mean` is null where there are no readings, `concurrency` where there is no
/// cap.
#[must_use]
pub fn report(rows: &[Row]) -> Value {
    let readings = |readings: Readings| {
        let mean = mean_ms(readings);
        json!({"mean": mean, "readings": readings.count})
    };
    let turns = |(cap, seats): &(Concurrency, seats::Standing)| {
        json!({"max": cap.max, "calls": seats.taken, "queue": cap.queue_max,
            "waiting": seats.waiting, "busy_total": seats.refused_total})
    };
    let target = |row: &Row| {
        let health = &row.standing.health;
        json!({
            "target": row.target,
            "healthy": row.failing_for_ms == 0,
            "failing_for_ms": row.failing_for_ms,
            "attempts_total": row.standing.attempts_total,
            "failures_total": row.standing.failures_total,
            "time_per_output_token_ms": {
                "3m": readings(health.token_recent), "20m": readings(health.token_long)},
            "time_to_first_token_ms": {"3m": readings(health.first_recent)},
            "concurrency": row.seats.as_ref().map(turns),
        })
    };
    json!({"targets": rows.iter().map(target).collect::<Vec<_>>()})
}

/// Milliseconds, with microseconds behind the point.
#[must_use]
pub fn mean_ms(readings: Readings) -> Option<f64> {
    let mean = u32::try_from(readings.mean_us()?).unwrap_or(u32::MAX);
    Some(f64::from(mean) / 1_000.0)
}
