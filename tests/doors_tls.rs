//! Doors with TLS: certificates that change, hosts that share a door, clients that must show who
//! they are, sessions that are resumed.

mod harness;

use harness::{
    DEADLINE, House,
    client::Ask,
    tls::{Pair, TlsClient, authority, config, replace},
};
use rustls::HandshakeKind;
use std::{path::Path, thread, time::Instant};

/// A gateway of two cores that shows `pair`, kept in `folder`.
fn house(folder: &Path, pair: &Pair, more: &[&str]) -> House {
    house_of(folder, pair, "2", more)
}

fn house_of(folder: &Path, pair: &Pair, cores: &str, more: &[&str]) -> House {
    let (chain, key) = pair.write(folder, "a");
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let mut arguments = vec!["--cores", cores, "--tls-cert"];
    let (chain, key) = (path(&chain), path(&key));
    arguments.extend([&chain, "--tls-key", &key]);
    arguments.extend(more);
    House::open_with(&["plain"], &arguments)
}

/// A number of `/metrics`, all cores together.
fn metric(house: &House, name: &str) -> u64 {
    let page = house.gateway.admin("/metrics").text();
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.filter(|line| line.split(['{', ' ']).next() == Some(name));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < until, "never: {what}");
        thread::yield_now();
    }
}

#[test]
fn a_new_certificate_is_used_at_once_and_no_connection_is_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (Pair::of(&["localhost"]), Pair::of(&["localhost"]));
    let house = house(folder.path(), &old, &[]);
    let address = house.gateway.address;
    let trusting = || config(&[&old, &new], None);
    let mut kept: Vec<_> = (0..4)
        .map(|_| TlsClient::connect(address, &trusting(), "localhost").expect("the old pair"))
        .collect();
    for client in &mut kept {
        assert_eq!(client.shown(), *old.certificate.der());
        assert!(client.ask(&Ask::chat("plain")).expect("a reply").starts_with("HTTP/1.1 200"));
    }

    new.write(folder.path(), "a");
    until("the new pair is shown", || {
        let client = TlsClient::connect(address, &trusting(), "localhost").expect("either pair");
        client.shown() == *new.certificate.der()
    });

    for _ in 0..12 {
        let client = TlsClient::connect(address, &trusting(), "localhost").expect("the new pair");
        assert_eq!(client.shown(), *new.certificate.der(), "on every core");
    }
    for client in &mut kept {
        assert!(client.ask(&Ask::chat("plain")).expect("still open").starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn a_bad_pair_is_a_problem_and_the_old_one_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (Pair::of(&["localhost"]), Pair::of(&["localhost"]));
    let mut house = house(folder.path(), &old, &[]);
    let address = house.gateway.address;
    let trusting = config(&[&old, &new], None);

    replace(&folder.path().join("a.pem"), &new.certificate.pem());
    let said = house.gateway.wait_for_line("must belong to").expect("it is said");
    assert!(said.contains("a.key") && said.contains("a.pem"), "{said}");
    assert_eq!(metric(&house, "ai_gateway_config_parsing_failures_total"), 1);
    let client = TlsClient::connect(address, &trusting, "localhost").expect("the old pair");
    assert_eq!(client.shown(), *old.certificate.der());

    replace(&folder.path().join("a.key"), &new.key.serialize_pem());
    until("the mended pair is shown", || {
        let client = TlsClient::connect(address, &trusting, "localhost").expect("either pair");
        client.shown() == *new.certificate.der()
    });
}

#[test]
fn the_host_that_a_client_names_chooses_the_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (Pair::of(&["a.test", "127.0.0.1"]), Pair::of(&["b.test", "*.b.test"]));
    let (chain, key) = b.write(folder.path(), "b");
    let more = ["--tls-cert", chain.to_str().expect("UTF-8"), "--tls-key"];
    let house = house(folder.path(), &a, &[&more[..], &[key.to_str().expect("UTF-8")]].concat());
    let trusting = config(&[&a, &b], None);

    for (host, pair) in
        [("a.test", &a), ("b.test", &b), ("x.b.test", &b), ("A.TEST", &a), ("127.0.0.1", &a)]
    {
        let client = TlsClient::connect(house.gateway.address, &trusting, host).expect(host);
        assert_eq!(client.shown(), *pair.certificate.der(), "{host}");
    }
}

#[test]
fn a_client_must_show_a_certificate_where_that_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::of(&["localhost"]);
    let ((ours, ours_pem), (theirs, _)) = (authority(), authority());
    let ca = folder.path().join("ca.pem");
    replace(&ca, &ours_pem);
    let house = house(folder.path(), &pair, &["--tls-client-ca", ca.to_str().expect("UTF-8")]);
    let (good, bad) = (Pair::client("billing", &ours), Pair::client("billing", &theirs));
    let ask = |own: Option<&Pair>| {
        let mut client =
            TlsClient::connect(house.gateway.address, &config(&[&pair], own), "localhost")?;
        client.ask(&Ask::chat("plain"))
    };

    assert!(ask(None).is_err(), "nothing was shown");
    assert!(ask(Some(&bad)).is_err(), "another authority's");
    assert!(ask(Some(&good)).expect("a reply").starts_with("HTTP/1.1 200"));

    assert_eq!(metric(&house, "weir_tls_handshakes_failed_total"), 2);
    assert!(house.receipt().text("client_certificate").contains("CN=billing"));
}

#[test]
fn a_certificate_may_be_optional_but_not_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::of(&["localhost"]);
    let ((ours, ours_pem), (theirs, _)) = (authority(), authority());
    let ca = folder.path().join("ca.pem");
    replace(&ca, &ours_pem);
    let more = ["--tls-client-ca", ca.to_str().expect("UTF-8"), "--tls-client-auth", "optional"];
    let house = house(folder.path(), &pair, &more);
    let ask = |own: Option<&Pair>| {
        let mut client =
            TlsClient::connect(house.gateway.address, &config(&[&pair], own), "localhost")?;
        client.ask(&Ask::get("/ready"))
    };

    assert!(ask(None).is_ok());
    assert!(ask(Some(&Pair::client("billing", &ours))).is_ok());
    assert!(ask(Some(&Pair::client("billing", &theirs))).is_err());
}

#[test]
fn a_session_is_resumed_on_every_core_and_after_a_new_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (Pair::of(&["localhost"]), Pair::of(&["localhost"]));
    let house = house(folder.path(), &old, &[]);
    let address = house.gateway.address;
    // It remembers its sessions.
    let returning = config(&[&old, &new], None);
    let visit = || {
        let mut client = TlsClient::connect(address, &returning, "localhost").expect("it opens");
        client.ask(&Ask::get("/ready")).expect("a reply, and with it a ticket");
        client.0.conn.handshake_kind()
    };
    assert_eq!(visit(), Some(HandshakeKind::Full));
    for _ in 0..6 {
        assert_eq!(visit(), Some(HandshakeKind::Resumed));
    }

    new.write(folder.path(), "a");
    until("the new pair is shown", || {
        let fresh = config(&[&old, &new], None);
        let client = TlsClient::connect(address, &fresh, "localhost").expect("either pair");
        client.shown() == *new.certificate.der()
    });

    assert_eq!(visit(), Some(HandshakeKind::Resumed));
}

/// Row 61, by count, over TLS: who is one too many shakes hands and is told so.
#[test]
fn fault_61_a_connection_too_many_is_told_so_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::of(&["localhost"]);
    let house = house_of(folder.path(), &pair, "1", &["--connections-max", "1"]);
    let trusting = config(&[&pair], None);
    let connect = || TlsClient::connect(house.gateway.address, &trusting, "localhost");
    let mut first = connect().expect("there is room");
    first.ask(&Ask::get("/ready")).expect("a reply");

    let refused = connect().and_then(|mut second| second.reply()).expect("an honest reply");

    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("connections_full"), "{refused}");
    drop(first);
    until("room is found again", || {
        let asked = connect().and_then(|mut next| next.ask(&Ask::get("/ready")));
        asked.is_ok_and(|reply| reply.starts_with("HTTP/1.1 200"))
    });
}

/// What cannot be a certificate is said before anything is started.
#[test]
fn a_cold_start_without_a_good_pair_says_so_and_exits_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::of(&["localhost"]);
    let (chain, _) = pair.write(folder.path(), "a");
    let (_, other) = Pair::of(&["localhost"]).write(folder.path(), "b");
    let (config, data) = (harness::manifest::folder(), harness::manifest::folder());
    harness::manifest::write_usual(&config, ([127, 0, 0, 1], 9).into(), &["plain"]);
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();

    for key in [path(&other), path(&folder.path().join("missing.key")), path(&chain)] {
        let (code, _, log) = harness::gateway::run(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--config",
            &path(config.path()),
            "--data-dir",
            &path(data.path()),
            "--tls-cert",
            &path(&chain),
            "--tls-key",
            &key,
        ]);
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains(&key) && log.contains("wanted"), "{log}");
    }
}
