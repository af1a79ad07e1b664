//! One meter that all cores spend from, beside meters that each core has to itself.
//!
//! Of each meter 95 % is spent, so that more than 5 % remains to the end. What is compared is the
//! time of the threads on their processors, in interleaved rounds; `cargo bench` holds the median
//! of the rounds' ratios to the bar.

use std::{
    collections::HashMap,
    fs,
    sync::{Arc, Barrier},
    thread,
};
use weir::{
    bridge::quota::{node::Node, share::Share},
    lexicon::{
        meter::{MeterKey, MeterSpec, NodeMillis, Window},
        time::UnixMillis,
    },
};

/// How much dearer a hot meter may be than a cold one.
const BAR: f64 = 1.10;
/// Of these, how many are left when a round ends: 1 of 20 is 5 %.
const PART_LEFT: u64 = 20;

/// How a unit is taken.
#[derive(Clone, Copy)]
enum Way {
    /// As of a limit of requests.
    Spent,
    /// As of a limit of tokens, or a budget: more than is used in the end.
    Reserved,
}

/// Nanoseconds a turn, of all threads together, on their processors.
fn nanoseconds(cores: usize, turns: u64, way: Way, is_hot: bool) -> f64 {
    let node = Node::new(cores, 1_000, HashMap::new());
    let barrier = Arc::new(Barrier::new(cores));
    let threads = (0..cores).map(|core| {
        let (node, barrier) = (Arc::clone(&node), Arc::clone(&barrier));
        thread::spawn(move || {
            let mut share = Share::new(core, node);
            let now = share.now(NodeMillis(1_000), UnixMillis(1_000));
            // Of the one meter all have a share; of their own, each has as much to itself.
            let (name, parts) =
                if is_hot { ("hot".to_owned(), cores) } else { (core.to_string(), 1) };
            let units = turns * parts as u64;
            let limit = units + units.div_ceil(PART_LEFT - 1);
            let (key, window) = match way {
                Way::Spent => (MeterKey::of(&[&name]), Window::Sliding { bucket_ms: 5_000 }),
                Way::Reserved => (MeterKey::of(&[&name]), Window::Whole),
            };
            let spec = MeterSpec { key, window, limit, until: None, version: 1 };
            barrier.wait();
            let before = processor_ns();
            for _ in 0..turns {
                let meter = share.open(&spec, now).expect("there is room");
                match way {
                    Way::Spent => {
                        share.spend(meter, 1, now.node).expect("there is plenty");
                        share.keep(meter);
                    }
                    Way::Reserved => {
                        share.reserve(meter, 3, now.node).expect("there is plenty");
                        share.settle(meter, 3, 1, now.node);
                    }
                }
            }
            processor_ns() - before
        })
    });
    let threads: Vec<_> = threads.collect();
    let spent = threads.into_iter().map(|it| it.join().expect("it does not panic")).sum::<u64>();
    let turns = turns * cores as u64;
    per(spent, turns)
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is far smaller")]
fn per(nanoseconds: u64, turns: u64) -> f64 {
    nanoseconds as f64 / turns as f64
}

/// What this thread had of a processor.
fn processor_ns() -> u64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = told.split(' ').next().and_then(|number| number.parse().ok());
    first.expect("Linux tells it")
}

fn compare(name: &str, way: Way, rounds: usize, turns: u64) -> f64 {
    let cores = thread::available_parallelism().map_or(2, usize::from).max(2);
    let mut ratios: Vec<f64> = Vec::new();
    let mut all = [f64::MAX; 2];
    for round in 0..rounds {
        let mut of_round = [0.0; 2];
        for place in 0..2 {
            let is_hot = (round + place) % 2 == 0;
            let taken = nanoseconds(cores, turns, way, is_hot);
            of_round[usize::from(is_hot)] = taken;
            all[usize::from(is_hot)] = all[usize::from(is_hot)].min(taken);
        }
        ratios.push(of_round[1] / of_round[0]);
    }
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[ratios.len() / 2];
    if rounds == 1 {
        // Shorter than what Linux counts in.
        println!("{name}: {cores} cores");
        return ratio;
    }
    println!(
        "{name}: {cores} cores, hot {:.1} ns, cold {:.1} ns, ratio {ratio:.3} ({:.3}-{:.3})",
        all[1],
        all[0],
        ratios[ratios.len() / 4],
        ratios[ratios.len() * 3 / 4],
    );
    ratio
}

fn main() {
    // `cargo test` runs benches once, to see that they run.
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let (rounds, turns) = if is_measured { (31, 2_000_000) } else { (1, 10_000) };
    let spent = compare("a unit spent, and kept", Way::Spent, rounds, turns);
    let reserved = compare("units reserved, and settled", Way::Reserved, rounds, turns);
    assert!(
        !is_measured || (spent <= BAR && reserved <= BAR),
        "a hot meter costs more than {BAR} of a cold one"
    );
}
