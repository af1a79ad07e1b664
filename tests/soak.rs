//! Many requests with faults among them: memory and descriptors stay what they were (T107, T113 to
//! T115). `WEIR_SOAK_REQUESTS` says how many; `tests/long` sends ten million.

mod harness;

use harness::{
    DEADLINE, House,
    client::{Ask, Client},
};
use std::{
    net::SocketAddr,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

/// Many, for those whose vendor refused wait for their retries.
const CLIENTS: u64 = 128;
/// What may be kept more than after the warm-up.
const GROWN_BYTES_MAX: u64 = 2 << 20;
const MODELS: [&str; 11] = [
    "plain",
    "events20",
    "e429",
    "e500",
    "cut-events9",
    "html",
    "ctxlen",
    "nodone-events9",
    "badchunk",
    "stall-events9",
    "burst-events9",
];

fn requests() -> u64 {
    std::env::var("WEIR_SOAK_REQUESTS").map_or(4_000, |count| count.parse().expect("a number"))
}

/// One client's share, by the requests' numbers: whole answers, streams, faults of vendors,
/// refusals, and leaving early.
fn ask(address: SocketAddr, numbers: Range<u64>, done: &AtomicU64) {
    let mut client = Client::connect(address);
    for nth in numbers {
        done.fetch_add(1, Ordering::Relaxed);
        let (row, turn) = (nth % 16, nth / 16 % 8);
        let ask = match row {
            0..7 => Ask::chat("plain"),
            7 | 8 => Ask::stream("burst-events9"),
            9 => Ask::stream("events20"),
            10 => Ask::chat(if turn.is_multiple_of(2) { "html" } else { "badchunk" }),
            11 => {
                Ask::stream(if turn.is_multiple_of(2) { "cut-events9" } else { "nodone-events9" })
            }
            12 => Ask::chat("nonesuch"),
            13 => Ask::chat("plain").key("unknown"),
            14 => Ask::chat(match turn {
                0 => "e429",
                1 => "e500",
                _ => "ctxlen",
            }),
            _ => {
                client.send(&Ask::stream("stall-events9").bytes());
                client.head();
                // It leaves in the midst of it.
                client = Client::connect(address);
                continue;
            }
        };
        client.offer(&ask.bytes());
        let is_usable = client.whole_reply().is_some_and(|reply| {
            assert!(reply.status < 600 && reply.header("x-request-id").is_some());
            reply.header("connection") != Some("close")
        });
        if !is_usable {
            client = Client::connect(address);
        }
    }
}

/// Sends so many; how long that took.
fn send(house: &House, count: u64) -> std::time::Duration {
    let (begun, done, address) = (Instant::now(), AtomicU64::new(0), house.gateway.address);
    thread::scope(|scope| {
        let (share, done) = (count / CLIENTS, &done);
        for client in 0..CLIENTS {
            scope.spawn(move || ask(address, client * share..(client + 1) * share, done));
        }
    });
    assert!(done.into_inner() >= count / CLIENTS * CLIENTS);
    begun.elapsed()
}

#[test]
fn t107_t113_t114_t115_many_requests_with_faults_leave_nothing_behind() {
    let count = requests();
    let vendor = harness::forgetful_vendor();
    let house = House::open_on(vendor, &MODELS, &["--receipts-keep-bytes", "64MiB"]);
    send(&house, (count / 10).max(2_000));
    let settled = || {
        let until = Instant::now() + DEADLINE;
        let in_flight = |page: &str| {
            page.lines()
                .any(|line| line.starts_with("weir_exchanges_in_flight") && !line.ends_with(" 0"))
        };
        while in_flight(&house.gateway.admin("/metrics").text()) {
            assert!(Instant::now() < until, "some exchanges never end");
        }
        (house.gateway.anonymous_bytes(), house.gateway.descriptors())
    };
    let (bytes, descriptors) = settled();
    let first = send(&house, count / 2);

    let second = send(&house, count / 2);
    let (bytes_after, descriptors_after) = settled();

    let grown = bytes_after.saturating_sub(bytes);
    println!("{count} requests: {grown} bytes more than {bytes}; {first:?}, then {second:?}");
    assert!(grown <= GROWN_BYTES_MAX, "from {bytes} to {bytes_after} bytes");
    // Connections to vendors that are kept for the next requests are no leak.
    let kept = usize::try_from(CLIENTS).expect("small") * 2;
    assert!(descriptors_after <= descriptors + kept, "{descriptors} to {descriptors_after}");
    assert!(second < first * 3 + DEADLINE, "it slows down: {first:?}, then {second:?}");
}
