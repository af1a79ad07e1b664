//! What the client promises: it counts from when a request was due, keeps its rate, and says when
//! it or the vendor was too slow.

use loadtest::{
    drive::{self, Orders},
    schedule::Schedule,
    tally::Tally,
    verdict,
};
use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};
use weir::rehearsal::{
    Vendor,
    script::{Script, Step},
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

fn vendor(script: Script) -> Vendor {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a port");
    Vendor::start(listener, script).expect("a thread can be had")
}

fn raw(name: &str) -> Vec<u8> {
    let body = r#"{"model":"raw:x","messages":[]}"#;
    let length = body.len();
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: v\r\nx-rehearsal-raw: {name}\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn orders(target: SocketAddr, per_second: u32, wires: Vec<(Vec<u8>, Option<u64>)>) -> Orders {
    Orders {
        target,
        schedule: Schedule { from: per_second, to: per_second, seconds: 1 },
        wires,
        warmup: Duration::ZERO,
        patience: Duration::from_secs(10),
        timeout: Duration::from_secs(10),
        connections_max: 1,
        stride: 1,
        first: 0,
    }
}

fn run(orders: &Orders) -> Tally {
    drive::run(orders, Instant::now()).expect("an epoll descriptor can be had")
}

/// Two hundred requests a second on one connection, the first of which is answered after 200 ms.
/// Forty are due in that time; a client that counted from its own sending would see one slow
/// answer in two hundred, and a 99th percentile of next to nothing.
#[test]
fn a_stall_is_met_by_all_whose_requests_were_due_in_it() {
    let stall = vec![Step::Pause(200), Step::Send(ANSWER.to_vec())];
    let quick = vec![Step::Send(ANSWER.to_vec())];
    let vendor = vendor(Script::instant().raw("stall", stall).raw("quick", quick));
    let mut wires = vec![(raw("quick"), None); 200];
    wires[0].0 = raw("stall");

    let tally = run(&orders(vendor.address(), 200, wires));

    assert_eq!((tally.ok, tally.failed()), (200, 0), "{:?}", tally.errors);
    let at = |quantile| tally.latency.value_at_quantile(quantile);
    assert!(at(0.99) >= 190_000, "p99 {} µs", at(0.99));
    assert!(at(0.90) >= 80_000, "p90 {} µs", at(0.90));
    let slow = tally.latency.iter_recorded().filter(|it| it.value_iterated_to() >= 100_000);
    assert!(slow.map(|it| it.count_at_value()).sum::<u64>() >= 20, "half of the stall's");
}

#[test]
fn the_rate_is_kept_whatever_the_target_does() {
    let slow = vec![Step::Pause(50), Step::Send(ANSWER.to_vec())];
    let vendor = vendor(Script::instant().raw("slow", slow));
    let mut orders = orders(vendor.address(), 500, vec![(raw("slow"), None)]);
    orders.connections_max = 500;

    let begun = Instant::now();
    let tally = run(&orders);

    assert_eq!((tally.due, tally.ok), (500, 500), "{:?}", tally.errors);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1_040), "{took:?} is sooner than the schedule");
    let log = vendor.log();
    let (first, last) = (log[0].arrived, log[log.len() - 1].arrived);
    assert!(last - first >= Duration::from_millis(950), "all came within {:?}", last - first);
}

#[test]
fn what_finds_no_connection_is_given_up_and_counted() {
    let never = vendor(Script::instant().raw("never", vec![Step::Hang]));
    let mut orders = orders(never.address(), 100, vec![(raw("never"), None)]);
    (orders.patience, orders.timeout) = (Duration::from_millis(100), Duration::from_millis(400));

    let tally = run(&orders);

    assert_eq!((tally.ok, tally.failed()), (0, 100));
    assert!(tally.errors["timeout"] >= 1 && tally.errors["unsent"] >= 50, "{:?}", tally.errors);
}

#[test]
fn errors_are_told_apart() {
    let steps = [
        ("busy", vec![Step::Send(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n".to_vec())]),
        ("junk", vec![Step::Send(b"SSH-2.0\r\n\r\n".to_vec())]),
        ("early", vec![Step::Send(ANSWER[..30].to_vec()), Step::Close]),
    ];
    let script = steps.into_iter().fold(Script::instant(), |it, (name, to)| it.raw(name, to));
    let vendor = vendor(script);
    let wires = ["busy", "junk", "early"].map(|name| (raw(name), None));

    let tally = run(&orders(vendor.address(), 9, wires.into()));

    let of = |kind: &str| tally.errors.get(kind).copied().unwrap_or_default();
    assert_eq!(of("status_503") + of("malformed_head") + of("closed_early"), 9);
    assert_eq!((of("status_503"), tally.ok), (3, 0), "{:?}", tally.errors);
}

/// A stream that loses an event is not a good answer.
#[test]
fn events_are_counted_against_what_was_asked_for() {
    let vendor = vendor(Script::instant());
    let body = r#"{"model":"events5","stream":true,"messages":[{"role":"user","content":"a"}]}"#;
    let length = body.len();
    let wire =
        format!("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}");
    // Role, five words, finish, [DONE].
    let wires = vec![(wire.clone().into_bytes(), Some(8)), (wire.into_bytes(), Some(9))];

    let tally = run(&orders(vendor.address(), 10, wires));

    assert_eq!((tally.ok, tally.errors.get("events_lost")), (5, Some(&5)), "{:?}", tally.errors);
    assert!(tally.events == 80 && tally.first_event.len() == 10, "{} events", tally.events);
}

/// A client that gets to its work a second after the first request was due, as one does that has no
/// core: that it sent late is said, not hidden.
#[test]
fn a_client_that_cannot_keep_up_says_so() {
    let vendor = vendor(Script::load(1024));
    let orders = orders(vendor.address(), 200, vec![(raw("unknown"), None)]);
    let due = Instant::now().checked_sub(Duration::from_secs(1)).expect("it runs for longer");

    let tally = drive::run(&orders, due).expect("an epoll descriptor can be had");

    let said = verdict::bottlenecks(&tally, None, Duration::from_millis(500));
    assert!(said.iter().any(|it| it.contains("late before")), "{said:?}");
}
