//! Start, change and end: cold starts, reloads under load, revocation, draining.

mod harness;

use harness::{
    DEADLINE, House,
    client::{Ask, Client, KEY_OUTSIDER},
    gateway, manifest, receipt,
};
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Row 52: a cold start with a problem prints it and ends with 1.
#[test]
fn a_cold_start_with_problems_says_them_and_exits_1() {
    let (folder, data) = (manifest::folder(), manifest::folder());
    manifest::write(folder.path(), "wrong", &json!({"type": "provider-account/nonesuch"}));
    let path = |folder: &tempfile::TempDir| folder.path().to_str().expect("UTF-8").to_owned();

    let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let serve = ["serve", "--config", &path(&folder), "--data-dir", &path(&data)];
    let (code, output, log) = gateway::run(&[&serve[..], &listen[..]].concat());
    let (check, said, _) = gateway::run(&["check", "--config", &path(&folder)]);

    assert_eq!((code, check), (Some(1), Some(1)));
    for text in [format!("{output}{log}"), said] {
        assert!(text.contains("wrong.yaml") && text.contains("nonesuch"), "{text}");
    }
}

/// Row 53: two hundred changes under load; every request is served.
#[test]
fn fault_53_changes_under_load_fail_no_request() {
    let house = House::open_with(&["plain"], &["--cores", "2"]);
    let (served, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let address = house.gateway.address;

    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                while !is_over.load(Ordering::Relaxed) {
                    client.send(&Ask::chat("plain").bytes());
                    let reply = client.reply();
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Ends the load also when an assertion below fails.
        let _over = Over(&is_over);
        for round in 0..3 {
            // Many writes, then one change that can be seen: it was taken when its model is known.
            for _ in 0..20 {
                write_models(&house, &["plain"]);
            }
            let fresh = format!("fresh-{round}");
            write_models(&house, &["plain", &fresh]);
            wait_for_status(&house, &Ask::chat(&fresh), 200);
        }
    });
    assert!(served.load(Ordering::Relaxed) > 10);
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn write_models(house: &House, models: &[&str]) {
    let account = manifest::account(house.vendor.address(), models);
    manifest::write(house.gateway.manifests.path(), "account", &account);
}

/// Asks until the status is as wanted; how long that took.
fn wait_for_status(house: &House, ask: &Ask, wanted: u16) -> Duration {
    let begun = Instant::now();
    house.ask_until(ask, |reply| reply.status == wanted);
    begun.elapsed()
}

/// A key that is taken away stops within a second, on a connection that has used it too.
#[test]
fn a_revoked_key_stops_within_a_second() {
    let house = House::open(&["open"]);
    let ask = Ask::chat("open").key(KEY_OUTSIDER);
    let mut kept = house.client();
    kept.send(&ask.bytes());
    assert_eq!(kept.reply().status, 200);

    let folder = house.gateway.manifests.path();
    std::fs::remove_file(folder.join("outsider.yaml")).expect("it was written");
    let took = wait_for_status(&house, &ask, 401);

    assert!(took < Duration::from_secs(1), "{took:?}");
    kept.send(&ask.bytes());
    assert_eq!(kept.reply().status, 401, "what a connection remembers is checked again");
}

/// Row 52: a bad change is refused whole and said; the last good one serves on.
#[test]
fn a_bad_change_is_refused_whole() {
    let mut house = House::open(&["plain"]);
    let mut account = manifest::account(house.vendor.address(), &["plain", "second"]);
    account["integrations"][1]["model_types"] = json!(["telepathy"]);

    manifest::write(house.gateway.manifests.path(), "account", &account);
    assert!(house.gateway.wait_for_line("telepathy").is_some(), "the problem is logged");

    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    assert_eq!(house.ask(&Ask::chat("second")).status, 404);
    write_models(&house, &["plain", "second"]);
    wait_for_status(&house, &Ask::chat("second"), 200);
}

/// Row 60: told to end, it says so, finishes what runs, and leaves with 0.
#[test]
fn fault_60_a_drain_finishes_streams_and_exits_0() {
    let mut house = House::open(&["paced20x20"]);
    let mut client = house.client();
    client.send(&Ask::stream("paced20x20").bytes());
    let mut reply = client.head();
    client.body_until(&mut reply, "w2");
    let mut idle = house.client();
    idle.send(&Ask::get("/ready").bytes());
    assert_eq!(idle.reply().status, 200);
    let mut late = house.client();

    house.gateway.terminate();
    // A connection that was open is told, or closed; never served as if nothing were.
    wait_until_closed(&house);
    late.offer(&Ask::get("/ready").bytes());
    assert!(late.ends_silently() || late.head().status == 503);
    client.body(&mut reply, usize::MAX);

    assert!(reply.is_whole && reply.text().contains("[DONE]"), "{}", reply.text());
    assert_eq!(house.gateway.exit().code(), Some(0));
    let receipts = receipt::all(house.gateway.data());
    assert_eq!(receipts.len(), 1, "receipts are flushed: {receipts:?}");
    assert!(std::net::TcpStream::connect(house.gateway.address).is_err(), "nobody listens");
}

/// Row 60: told twice, it ends at once, with 1.
#[test]
fn fault_60_a_second_signal_ends_at_once_with_1() {
    let mut house = House::open(&["stall"]);
    let mut client = house.client();
    client.send(&Ask::stream("stall").bytes());
    client.head();

    house.gateway.terminate();
    wait_until_closed(&house);
    house.gateway.terminate();

    assert_eq!(house.gateway.exit().code(), Some(1));
}

/// Waits until the drain has begun, seen by its closed listener.
fn wait_until_closed(house: &House) {
    let begun = Instant::now();
    while std::net::TcpStream::connect(house.gateway.address).is_ok() {
        assert!(begun.elapsed() < DEADLINE, "it still accepts");
        thread::yield_now();
    }
}

/// Row 59: what was answered before a crash is billed after it, once.
#[test]
fn fault_59_a_crash_loses_no_receipt() {
    let mut house = House::open(&["plain", "stall"]);
    for _ in 0..20 {
        assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    }
    let mut open = house.client();
    open.send(&Ask::stream("stall").bytes());
    open.head();

    house.gateway.kill();
    let data = house.gateway.take_data();
    let House { gateway: _old, vendor } = house;
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["plain"]);
    let gateway = gateway::Gateway::start_on(folder, data, &[]);
    let house = House { gateway, vendor };

    let receipts = house.receipts(21);
    let of = |ending| receipts.iter().filter(|one| one.text("ending") == ending).count();
    assert_eq!((of("complete"), of("interrupted")), (20, 1));
}

/// Two gateways do not share a data directory.
#[test]
fn a_data_directory_has_one_gateway() {
    let house = House::open(&["plain"]);
    let folder = house.gateway.manifests.path().to_str().expect("UTF-8");
    let data = house.gateway.data().to_str().expect("UTF-8");

    let listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let serve = ["serve", "--config", folder, "--data-dir", data];
    let (code, _, log) = gateway::run(&[&serve[..], &listen[..]].concat());

    assert_eq!(code, Some(1), "{log}");
}

/// Many at once, on two cores, whole and streamed, some left by their clients: one receipt each.
#[test]
fn every_exchange_of_a_crowd_leaves_one_receipt() {
    const CLIENTS: usize = 12;
    const ROUNDS: usize = 10;
    let models = ["plain", "e429", "cut", "paced200x50"];
    let house = House::open_with(&models, &["--cores", "2"]);
    let address = house.gateway.address;

    thread::scope(|scope| {
        for number in 0..CLIENTS {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                for round in 0..ROUNDS {
                    let id = format!("crowd-{number}-{round}");
                    let ask = match (number + round) % 4 {
                        0 => Ask::chat("plain"),
                        1 => Ask::stream("plain"),
                        2 => Ask::chat("e429"),
                        _ => Ask::stream("cut"),
                    };
                    client.send(&ask.header("x-request-id", &id).bytes());
                    let reply = client.reply();
                    assert_eq!(reply.header("x-request-id"), Some(id.as_str()));
                    if !reply.is_whole || reply.header("connection") == Some("close") {
                        client = Client::connect(address);
                    }
                }
                let leaving = Ask::stream("paced200x50").header("x-request-id", "leaving");
                client.send(&leaving.bytes());
                client.head();
            });
        }
    });

    let receipts = house.receipts(CLIENTS * (ROUNDS + 1));
    let mut ids: Vec<String> = receipts.iter().map(|one| one.text("request_id")).collect();
    let left = receipts.iter().filter(|one| one.status() == 499).count();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), left), (CLIENTS * ROUNDS + 1, CLIENTS));
}

#[test]
fn the_access_log_is_a_json_line_an_exchange() {
    let mut house = House::open_with(&["plain"], &["--access-log"]);

    house.ask(&Ask::chat("plain").header("x-request-id", "logged-1"));

    let line = house.gateway.wait_for_line("logged-1").expect("it is printed");
    let json: serde_json::Value = serde_json::from_str(&line).expect("a JSON line");
    assert_eq!((&json["request_id"], &json["status"]), (&json!("logged-1"), &json!(200)));
}
