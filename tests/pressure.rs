//! Slow clients, large bodies, many at once: memory stays bounded and others are unharmed. Each
//! test names its rows of the list of faults and its reports.

mod harness;

use harness::{
    DEADLINE, House, STREAM_HEAD, chunk,
    client::{Ask, Client, chat_body},
};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};
use std::{
    collections::HashSet,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};
use weir::rehearsal::script::Step;

const MEBIBYTE: u64 = 1 << 20;
const CHUNK: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"some words of an answer"},"finish_reason":null}]}"#;
const FINISH: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

/// A gauge or counter, summed over its labels.
fn metric(house: &House, name: &str) -> u64 {
    let page = house.gateway.admin("/metrics").text();
    let lines = page.lines().filter_map(|line| line.strip_prefix(name));
    let lines = lines.filter(|rest| rest.starts_with(['{', ' ']));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    // Each look asks the gateway or the kernel, which paces the loop.
    while !holds() {
        assert!(Instant::now() < until, "not yet: {what}");
        thread::yield_now();
    }
}

/// A client that sends its request a byte at a time, and what it was told.
struct Dripping {
    stream: TcpStream,
    rest: Vec<u8>,
    said: Vec<u8>,
    dripped: Instant,
    has_ended: bool,
}

/// A hundred bytes a second.
const DRIP: Duration = Duration::from_millis(10);

impl Dripping {
    fn begin(house: &House, bytes: &[u8], at_once: usize) -> Self {
        let mut stream = TcpStream::connect(house.gateway.address).expect("the port is open");
        stream.write_all(&bytes[..at_once]).expect("the gateway reads");
        stream.set_nonblocking(true).expect("a TCP socket");
        let rest = bytes[at_once..].to_vec();
        Self { stream, rest, said: Vec::new(), dripped: Instant::now(), has_ended: false }
    }

    fn turn(&mut self) {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.has_ended = true,
            Ok(read) => self.said.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // However fast the turns are: far below the pace that a body must keep, and never
                // all of it.
                if self.dripped.elapsed() >= DRIP && self.rest.len() > 1 {
                    self.dripped = Instant::now();
                    let _ = self.stream.write_all(&[self.rest.remove(0)]);
                }
            }
            Err(_) => self.has_ended = true,
        }
    }
}

/// Row 36: two hundred heads and bodies that drip: each is told 408 within its limit, memory stays
/// bounded, and whoever asks meanwhile is served.
#[test]
fn fault_36_a_crowd_that_drips_is_let_go_and_harms_nobody() {
    const CROWD: usize = 200;
    let house = House::open_with(&["plain"], &["--head-timeout", "2s", "--body-timeout", "2s"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    let before = house.gateway.anonymous_bytes();
    let body = chat_body("plain", &format!(r#","x":"{}""#, "a".repeat(9000)));
    let whole = Ask::post("/v1/chat/completions", body.clone()).header("x-long", &"a".repeat(9000));
    let whole = whole.bytes();
    let body_at = whole.len() - body.len();

    let begun = Instant::now();
    let mut crowd: Vec<Dripping> = (0..CROWD)
        .map(|nth| Dripping::begin(&house, &whole, if nth % 2 == 0 { 30 } else { body_at + 1 }))
        .collect();
    let mut good = house.client();
    let (mut most, mut slowest) = (before, Duration::ZERO);
    while crowd.iter().any(|one| !one.has_ended) {
        assert!(begun.elapsed() < DEADLINE, "some are still taken");
        crowd.iter_mut().filter(|one| !one.has_ended).for_each(Dripping::turn);
        let asked = Instant::now();
        // Good traffic, which paces the drip too.
        good.send(&Ask::chat("plain").bytes());
        assert_eq!(good.reply().status, 200);
        slowest = slowest.max(asked.elapsed());
        most = most.max(house.gateway.anonymous_bytes());
    }

    for one in &crowd {
        let said = String::from_utf8_lossy(&one.said);
        assert!(said.starts_with("HTTP/1.1 408 "), "{said:?}");
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?} for a good request");
    assert!(most < before + 16 * MEBIBYTE, "from {before} to {most} bytes");
}

/// Rows 22 and 35: readers of some bytes a second of a large answer: what is held for each is
/// bounded, their vendor is let go, and others are unharmed.
#[test]
fn fault_22_35_readers_of_a_few_bytes_at_a_time_hold_little_and_are_let_go() {
    const READERS: usize = 8;
    let house = House::open_with(&["plain", "huge40"], &["--write-timeout", "1s"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    let before = house.gateway.anonymous_bytes();
    let mut readers: Vec<TcpStream> = (0..READERS)
        .map(|_| {
            let mut stream = TcpStream::connect(house.gateway.address).expect("the port is open");
            stream.write_all(&Ask::chat("huge40").bytes()).expect("the gateway reads");
            stream.set_nonblocking(true).expect("a TCP socket");
            stream
        })
        .collect();

    let (begun, mut most) = (Instant::now(), before);
    while metric(&house, "weir_exchanges_in_flight") > 0 || begun.elapsed().as_millis() < 200 {
        assert!(begun.elapsed() < DEADLINE, "some are still served");
        for reader in &mut readers {
            let _ = reader.read(&mut [0; 1]);
        }
        assert_eq!(house.ask(&Ask::chat("plain")).status, 200, "others are unharmed");
        most = most.max(house.gateway.anonymous_bytes());
    }

    assert!(most < before + 24 * MEBIBYTE, "from {before} to {most} bytes");
    let gone = |one: &harness::receipt::Receipt| one.text("ending") == "client_gone";
    house.receipts_where(READERS, gone);
}

/// T029, row 22: a stream of 64 MiB passes in bounded memory.
#[test]
fn t029_a_long_stream_is_not_gathered() {
    let house = House::open(&["plain", "raw-x"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    let before = house.gateway.anonymous_bytes();
    let events = format!("data: {CHUNK}\n\n").repeat(400);
    let end = format!("data: {FINISH}\n\ndata: [DONE]\n\n");
    let last = [chunk(end.as_bytes()), b"0\r\n\r\n".to_vec()].concat();
    let times = (64 << 20) / events.len();
    let steps = [
        Step::Send(STREAM_HEAD.to_vec()),
        Step::Repeat(chunk(events.as_bytes()), times),
        Step::Send(last),
    ];
    house.teach("x", steps.to_vec());
    let mut client = house.client();

    client.send(&Ask::stream("raw-x").bytes());
    let mut reply = client.head();
    let (mut most, mut seen) = (before, 0);
    while !reply.is_whole {
        client.body(&mut reply, 1 << 20);
        seen += reply.body.len();
        reply.body.clear();
        most = most.max(house.gateway.anonymous_bytes());
    }

    assert_eq!(seen, events.len() * times + end.len());
    assert!(most < before + 16 * MEBIBYTE, "from {before} to {most} bytes");
}

/// Row 9: an event beyond the cap is an error and not memory.
#[test]
fn fault_09_an_event_beyond_the_cap_ends_the_stream_in_bounded_memory() {
    let house = House::open(&["plain", "raw-x"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    let before = house.gateway.peak_bytes();
    let steps = [
        Step::Send([STREAM_HEAD, &chunk(format!("data: {CHUNK}\n\ndata: {{").as_bytes())].concat()),
        Step::Repeat(chunk(&vec![b'a'; 64 << 10]), 1024),
        Step::Send(b"0\r\n\r\n".to_vec()),
    ];
    house.teach("x", steps.to_vec());

    let reply = house.ask(&Ask::stream("raw-x"));

    assert!(reply.is_whole && reply.body.len() < 64 << 10, "{} bytes", reply.body.len());
    let last = reply.events().pop().expect("an event");
    assert!(last.contains("\"error\""), "{last}");
    let most = house.gateway.peak_bytes();
    assert!(most < before + 48 * MEBIBYTE, "from {before} to {most} bytes");
    assert_eq!(house.receipts(2).pop().map(|one| one.text("ending")).as_deref(), Some("broken"));
}

/// Row 8: comments are signs of life: a stream of them is not idle.
#[test]
fn fault_08_comments_keep_a_stream_from_being_idle() {
    let house = House::open_with(&["raw-x"], &["--idle-timeout", "1s"]);
    let mut steps =
        vec![Step::Send([STREAM_HEAD, &chunk(format!("data: {CHUNK}\n\n").as_bytes())].concat())];
    for _ in 0..6 {
        steps.extend([Step::Pause(500), Step::Send(chunk(b": thinking\n\n"))]);
    }
    let end = format!("data: {FINISH}\n\ndata: [DONE]\n\n");
    steps.push(Step::Send([chunk(end.as_bytes()), b"0\r\n\r\n".to_vec()].concat()));
    house.teach("x", steps);

    let reply = house.ask(&Ask::stream("raw-x"));

    assert_eq!(reply.events().last().map(String::as_str), Some("[DONE]"), "{}", reply.text());
    assert_eq!(reply.text().matches(": thinking").count(), 6);
}

/// T025: no socket holds small writes back, neither a client's nor a vendor's.
#[test]
fn t025_every_socket_sends_at_once() {
    let house = House::open(&["stall"]);
    let mut client = house.client();
    client.send(&Ask::stream("stall").bytes());
    let mut reply = client.head();
    client.body(&mut reply, 10);

    let pid = Pid::from_raw(house.gateway.pid().cast_signed()).expect("not 0");
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).expect("it runs");
    let mut connected = 0;
    for entry in std::fs::read_dir(format!("/proc/{}/fd", house.gateway.pid())).expect("it runs") {
        let name = entry.expect("readable").file_name();
        let number: i32 = name.to_string_lossy().parse().expect("a number");
        let none = PidfdGetfdFlags::empty();
        let Ok(theirs) = rustix::process::pidfd_getfd(&pidfd, number, none) else { continue };
        let is_tcp = rustix::net::sockopt::socket_protocol(&theirs)
            .is_ok_and(|protocol| protocol == Some(rustix::net::ipproto::TCP));
        if is_tcp && rustix::net::getpeername(&theirs).is_ok() {
            connected += 1;
            assert_eq!(rustix::net::sockopt::tcp_nodelay(&theirs), Ok(true), "descriptor {number}");
        }
    }
    assert!(connected >= 2, "{connected} connections: a client's and a vendor's");
}

/// T111: streams are no threads.
#[test]
fn t111_a_stream_costs_no_thread() {
    let house = House::open(&["plain", "stall"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    let before = house.gateway.threads();

    let mut clients: Vec<Client> = (0..200).map(|_| house.client()).collect();
    for client in &mut clients {
        client.send(&Ask::stream("stall").bytes());
    }
    for client in &mut clients {
        assert_eq!(client.head().status, 200);
    }

    assert_eq!(house.gateway.threads(), before);
}

/// T117: what clients make up (models, paths, ids) becomes no time series.
#[test]
fn t117_metrics_do_not_grow_with_what_clients_make_up() {
    let house = House::open(&["plain"]);
    let ask = |nth: usize| {
        let mut client = house.client();
        for ask in [
            Ask::chat(&format!("made-up-{nth}")),
            Ask::get(&format!("/v1/models/made-up-{nth}")),
            Ask::chat("plain").header("x-tfy-metadata", &format!(r#"{{"made-up-{nth}":"{nth}"}}"#)),
        ] {
            client.send(&ask.bytes());
            client.reply();
        }
    };
    // A bucket appears with its first count; there are only so many.
    let series = || {
        let page = house.gateway.admin("/metrics").text();
        let lines = page.lines().filter(|line| !line.contains("le=\""));
        let names = lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()));
        names.collect::<HashSet<String>>()
    };
    let counted = || metric(&house, "ai_gateway_requests_total");
    ask(0);
    wait_until("the first are counted", || counted() >= 3);
    let before = series();

    (1..200).for_each(ask);

    wait_until("all are counted", || counted() >= 3 * 200);
    let more: Vec<String> = series().difference(&before).cloned().collect();
    assert!(more.is_empty(), "{more:#?}");
    assert!(!house.gateway.admin("/metrics").text().contains("made-up"));
}

/// T121: pictures of many at once are bounded together: who is too many is told to come again.
#[test]
fn t121_bodies_of_many_at_once_are_bounded_together() {
    const CLIENTS: usize = 12;
    let house = House::open_with(&["plain", "never"], &["--body-memory", "24MiB"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    let before = house.gateway.peak_bytes();
    let picture = chat_body("never", &format!(r#","x_picture":"{}""#, "A".repeat(5 << 20)));
    let ask = Ask::post("/v1/chat/completions", picture).bytes();

    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| house.client()).collect();
    thread::scope(|scope| {
        for client in &mut clients {
            let ask = &ask;
            scope.spawn(move || client.offer(ask));
        }
    });
    let refused = || {
        let all = harness::receipt::all(house.gateway.data());
        all.iter().filter(|one| one.text("code") == "body_memory_full").count()
    };
    let held = || house.vendor.log().len() - 1;
    wait_until("each has its fate", || refused() + held() == CLIENTS);
    let most = house.gateway.peak_bytes();

    assert!(most < before + 64 * MEBIBYTE, "from {before} to {most} bytes");
    assert!(refused() > 0 && held() > 0, "{} refused, {} held", refused(), held());
    drop(clients);
    house.ask_until(&Ask::chat("plain"), |reply| reply.status == 200);
}

/// T122, T123: four hundred at once are all served, and every gauge comes back to what it was.
#[test]
fn t122_t123_a_crowd_is_served_and_the_gauges_come_back() {
    const CROWD: usize = 400;
    let house = House::open_with(&["plain", "slow200"], &["--cores", "2"]);
    for model in ["slow200", "plain", "slow200"] {
        let mut clients: Vec<Client> = (0..CROWD).map(|_| house.client()).collect();
        for client in &mut clients {
            client.send(&Ask::chat(model).bytes());
        }
        for client in &mut clients {
            assert_eq!(client.reply().status, 200);
        }
    }

    wait_until("nobody is connected", || metric(&house, "weir_connections") == 0);
    assert_eq!(metric(&house, "weir_exchanges_in_flight"), 0);
    let idle = metric(&house, "weir_upstream_connections_idle");
    assert!(idle <= 2 * 256, "{idle} kept");
    assert_eq!(metric(&house, "weir_connections_total"), 3 * CROWD as u64);
}

/// T108, T116: neither a reload nor the age of a connection ends one that is in use, and
/// connections are used again across reloads.
#[test]
fn t108_t116_what_is_in_use_outlives_reloads_and_bounds_on_idleness() {
    let house = House::open_with(&["plain", "paced12x5"], &["--pool-idle", "1s"]);
    let mut client = house.client();
    client.send(&Ask::stream("paced12x5").bytes());
    let mut reply = client.head();
    let version = || metric(&house, "weir_config_version");

    for round in 0..3 {
        let before = version();
        let mut account =
            harness::manifest::account(house.vendor.address(), &["plain", "paced12x5"]);
        account["x_round"] = round.into();
        harness::manifest::write(house.gateway.manifests.path(), "account", &account);
        wait_until("the reload", || version() > before);
        assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    }
    client.body(&mut reply, usize::MAX);

    assert_eq!(reply.events().last().map(String::as_str), Some("[DONE]"), "{}", reply.text());
    let asked = house.vendor.log();
    let mut connections: Vec<u64> = asked.iter().map(|one| one.connection).collect();
    connections.dedup();
    assert!(connections.len() < asked.len(), "no connection was used twice: {connections:?}");
}
