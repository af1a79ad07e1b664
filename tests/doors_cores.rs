//! Connections between cores: how new ones spread, how busy ones move, and what a stuck core costs.

mod harness;

use harness::{
    DEADLINE, House,
    client::{Ask, Client},
    tls::{Pair, TlsClient, config},
};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// A family of `/metrics` with one sample a core.
fn by_core(house: &House, name: &str) -> Vec<u64> {
    let page = house.gateway.admin("/metrics").text();
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.filter(|line| line.split('{').next() == Some(name));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < until, "never: {what}");
        thread::yield_now();
    }
}

/// A client that asks and is answered.
trait Asking: Send {
    fn is_served(&mut self) -> bool;
}

impl Asking for Client {
    fn is_served(&mut self) -> bool {
        self.send(&Ask::chat("plain").bytes());
        self.reply().status == 200
    }
}

impl Asking for TlsClient {
    fn is_served(&mut self) -> bool {
        let reply = self.ask(&Ask::chat("plain"));
        reply.is_ok_and(|reply| reply.starts_with("HTTP/1.1 200"))
    }
}

#[test]
fn new_connections_spread_over_the_cores() {
    let house = House::open_with(&["plain"], &["--cores", "2"]);

    // One after the other: a core that the machine lets wait may leave the first ones to the
    // other, and gets the next.
    let mut clients: Vec<_> = (0..8).map(|_| house.client()).collect();
    assert!(clients.iter_mut().all(Asking::is_served));
    clients.extend((0..8).map(|_| {
        let mut client = house.client();
        assert!(client.is_served());
        client
    }));

    let connections = by_core(&house, "weir_connections");
    assert_eq!(connections.iter().sum::<u64>(), 16);
    assert!(connections[0].abs_diff(connections[1]) <= 4, "{connections:?}");
}

/// Opens connections until eight are on the first core; only those are kept busy.
fn crowd<C: Asking>(house: &House, mut connect: impl FnMut() -> C) -> (Vec<C>, Vec<C>) {
    let (mut crowd, mut others) = (Vec::new(), Vec::new());
    while crowd.len() < 8 {
        let before = by_core(house, "weir_connections");
        let mut client = connect();
        assert!(client.is_served());
        let after = by_core(house, "weir_connections");
        if after[0] > before[0] {
            crowd.push(client);
        } else {
            others.push(client);
        }
        assert!(others.len() < 64, "the first core gets none: {after:?}");
    }
    (crowd, others)
}

/// Eight busy connections on one core of two settle at four and four, one more or less, and stay.
fn assert_a_crowd_settles<C: Asking>(house: &House, connect: impl FnMut() -> C) {
    let (mut busy, _idle) = crowd(house, connect);
    let (is_over, served) = (AtomicBool::new(false), AtomicU64::new(0));
    let numbers = |name| by_core(house, name);
    let moved =
        || (numbers("weir_connections_given_total"), numbers("weir_connections_taken_total"));
    let (given, taken) = moved();

    thread::scope(|scope| {
        for client in &mut busy {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    assert!(client.is_served(), "a move loses nothing");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&is_over);
        // Those that only wait stay where they are, so moves tell where the busy ones are.
        let on_first = || {
            let now = moved();
            8 + (now.1[0] - taken[0]) - (now.0[0] - given[0])
        };
        until("the crowd settles", || (3..=5).contains(&on_first()));
        // And stays so, as far as neighbors of this machine let it: what they slow may move once
        // more, within the bound on moves below, and comes to rest again.
        let begun = Instant::now();
        until("two seconds have passed", || begun.elapsed() > Duration::from_secs(2));
        until("it is settled still", || (3..=5).contains(&on_first()));
    });

    let moves = moved().0.iter().sum::<u64>() - given.iter().sum::<u64>();
    assert!((3..=12).contains(&moves), "{moves} moves: it does not move, or flaps");
    assert!(served.load(Ordering::Relaxed) > 100);
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn busy_connections_on_one_core_settle_evenly() {
    let house = House::open_with(&["plain"], &["--cores", "2"]);
    let address = house.gateway.address;

    assert_a_crowd_settles(&house, || Client::connect(address));
}

#[test]
fn a_tls_session_moves_with_its_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::of(&["localhost"]);
    let (chain, key) = pair.write(folder.path(), "a");
    let (chain, key) = (chain.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
    let arguments = ["--cores", "2", "--tls-cert", chain, "--tls-key", key];
    let house = House::open_with(&["plain"], &arguments);
    let (address, trusting) = (house.gateway.address, config(&[&pair], None));

    assert_a_crowd_settles(&house, || {
        TlsClient::connect(address, &trusting, "localhost").expect("it opens")
    });
}

/// One core is blocked for three seconds; whoever comes meanwhile is served by the other.
#[test]
fn a_stuck_core_holds_no_new_connection() {
    let arguments = ["--cores", "2", "--stall-on-model", "test/open"];
    let house = House::open_with(&["plain", "open"], &arguments);
    let mut stuck = house.client();
    assert!(stuck.is_served());

    let in_flight = || by_core(&house, "weir_exchanges_in_flight").iter().sum::<u64>();
    until("the first exchange is over", || in_flight() == 0);
    stuck.send(&Ask::chat("open").bytes());
    until("the exchange begins", || in_flight() == 1);
    let begun = Instant::now();
    let mut clients: Vec<_> = (0..16).map(|_| house.client()).collect();
    for client in &mut clients {
        client.send(&Ask::chat("plain").bytes());
    }
    for client in &mut clients {
        assert_eq!(client.reply().status, 200);
    }

    let took = begun.elapsed();
    assert!(took < Duration::from_millis(2_500), "{took:?}, nearly the stall itself");
    assert_eq!(stuck.reply().status, 200, "and goes on when it can");
}
