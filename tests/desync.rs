//! Messages that two readers could end in two places (faults 31 and 37), over real sockets: the
//! vendor's own log shows that nothing was smuggled.
//!
//! The corpus lies in `tests/desync/`: our own words for the classes that were published, request
//! smuggling (CL.TE, TE.CL, TE.TE, CL.0, 0.CL, chunks, line ends) and its mirror in replies.

mod badhttp;
#[path = "desync/mod.rs"]
mod corpus;
mod harness;

use corpus::Case;
use harness::{
    DEADLINE, House, answer,
    client::{Ask, Client, KEY},
    manifest,
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};
use weir::rehearsal::{script::Step, seen::Seen};

/// Forty bytes, as the corpus says.
const GOOD: &str = r#"{"model":"test/plain","messages":[{ }] }"#;
/// As the vendor gets it.
const GOOD_SENT: &str = r#"{"model":"plain","messages":[{ }] }"#;
const INNER: &str = "GET /v1/models?smuggled HTTP/1.1\\r\\nHost: smuggled.test\\r\\n\\r\\n";
/// What is sent behind a request that is served: it must be read as what it is.
const PROBE: &str = "GET /ready HTTP/1.1\r\nHost: weir.test\r\nConnection: close\r\n\r\n";

/// The final statuses of what was said, and whether the connection ended.
fn converse(address: SocketAddr, bytes: &[u8], piece: usize) -> (Vec<u16>, String) {
    let mut stream = TcpStream::connect(address).expect("the port is open");
    stream.set_nodelay(true).expect("a TCP socket");
    stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
    for part in bytes.chunks(piece) {
        if stream.write_all(part).is_err() {
            break;
        }
    }
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}; so far {:?}", String::from_utf8_lossy(&said)),
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    (statuses(&said), said)
}

fn statuses(said: &str) -> Vec<u16> {
    let heads = said.split("HTTP/1.1 ").skip(1);
    let status = |head: &str| {
        let (digits, rest) = head.split_at_checked(3)?;
        digits.parse().ok().filter(|_| rest.starts_with(' '))
    };
    heads.filter_map(status).filter(|status| *status >= 200).collect()
}

/// Nothing in what reached the vendor is anything but requests of ours, each framed one way.
fn assert_unambiguous(name: &str, seen: &[Seen], bodies: &[&str]) {
    for one in seen {
        let head = String::from_utf8(one.head.clone()).expect("ours are ASCII");
        let body = String::from_utf8_lossy(&one.body);
        let lower = head.to_ascii_lowercase();
        assert!(!lower.contains("smuggled") && !body.contains("smuggled"), "{name}: {head}{body}");
        assert_eq!((one.method.as_str(), one.path.as_str()), ("POST", "/v1/chat/completions"));
        assert!(bodies.contains(&&*body), "{name}: {body}");
        assert_eq!(one.header("content-length"), Some(one.body.len().to_string().as_str()));
        for (header, count) in [("content-length:", 1), ("transfer-encoding", 0), ("\r\nhost:", 1)]
        {
            assert_eq!(lower.matches(header).count(), count, "{name}: {header} in {head}");
        }
        assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{name}: {head:?}");
    }
}

fn requests() -> Vec<Case> {
    let auth = format!("Authorization: Bearer {KEY}");
    let words = [("{auth}", auth.as_str()), ("{good}", GOOD), ("{inner}", INNER)];
    corpus::read(include_str!("desync/requests.txt"), &words)
}

/// Row 37: every class, whole and in small pieces.
#[test]
fn fault_37_no_published_desync_of_requests_reaches_a_vendor() {
    assert_eq!(GOOD.len(), 40);
    let cases = requests();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let house = House::open(&["plain"]);

    for piece in [usize::MAX, 7] {
        for Case { name, owed, bytes, text } in &cases {
            let before = house.vendor.log().len();
            let count: Option<usize> =
                owed.strip_prefix("served ").map(|count| count.parse().expect("a number"));
            let probe = if count.is_some() { PROBE } else { "" };
            let all = [bytes, probe.as_bytes()].concat();
            let (statuses, said) = converse(house.gateway.address, &all, piece);

            let is_owed = match (count, owed.as_str()) {
                (Some(count), _) => statuses == vec![200_u16; count + 1],
                (None, "refused") => matches!(statuses[..], [status] if status >= 400),
                (None, "ended") => statuses.iter().all(|status| *status >= 400),
                _ => panic!("{name}: nothing is {owed:?}"),
            };
            assert!(is_owed, "{name}, by {piece}: {statuses:?}, {owed} is owed: {said}");
            let log = house.vendor.log();
            let posts = if count.is_some() { text.matches("POST ").count() } else { 0 };
            assert_eq!(log.len() - before, posts, "{name}, by {piece}: {said}");
            assert_unambiguous(name, &log[before..], &[GOOD_SENT]);
        }
    }
}

/// Rows 37 and 39: the 92 requests of a list that several proxies were measured with.
#[test]
fn fault_37_39_each_of_92_bad_requests_gets_what_is_owed_over_a_socket() {
    let house = House::open(&["plain"]);
    let mut account = manifest::account(house.vendor.address(), &["plain"]);
    account["name"] = "t".into();
    account["integrations"][0]["name"] = "pln".into();
    account["integrations"][0]["hosted_model_name"] = "plain".into();
    manifest::write(house.gateway.manifests.path(), "short", &account);
    let body = String::from_utf8(badhttp::BODY.to_vec()).expect("text");
    assert_eq!(badhttp::KEY, KEY);
    house.ask_until_known(&Ask::post("/v1/chat/completions", body.clone()));
    let sent = body.replace("t/pln", "plain");
    let cases = badhttp::cases();
    assert_eq!(cases.len(), 92);

    for badhttp::Case(name, raw, owed) in cases {
        let before = house.vendor.log().len();
        // A half-close where a request is whole, so that its connection ends too.
        let (statuses, said) = half_close(house.gateway.address, &raw);

        let first = statuses.first().copied();
        let is_served = first == Some(200) && statuses.iter().all(|status| *status == 200);
        let is_refused = first.is_none_or(|status| status >= 400) && statuses.len() <= 1;
        let is_owed = match owed {
            badhttp::Owed::Taken => is_served,
            badhttp::Owed::Refused => is_refused,
            badhttp::Owed::Either => is_served || is_refused,
        };
        assert!(is_owed, "{name}: {statuses:?} {said}");
        let log = house.vendor.log();
        assert_unambiguous(&name, &log[before..], &[&sent]);
        let served = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(log.len() - before, served, "{name}: {said}");
        assert!(served <= 1 || name == "pipeline", "{name}: {served} served");
    }
}

fn half_close(address: SocketAddr, bytes: &[u8]) -> (Vec<u16>, String) {
    let mut stream = TcpStream::connect(address).expect("the port is open");
    stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut said = Vec::new();
    // A reset behind the reply is an end, too.
    let _ = stream.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said).into_owned();
    (statuses(&said), said)
}

/// Row 37: a request that is refused while its body still comes: what is in the body is never read
/// as a request, however long the pauses.
#[test]
fn fault_37_a_body_that_comes_behind_its_refusal_is_no_request() {
    let house = House::open(&["plain"]);
    let ask = Ask { body: Vec::new(), ..Ask::chat("plain").key("unknown") };
    let ask = ask.without("content-length").header("content-length", "500");
    let mut client = house.client();

    client.send(&ask.bytes());
    let refused = client.reply();
    client.offer(&Ask::chat("plain").bytes());

    assert_eq!(refused.status, 401);
    assert!(client.ends_silently(), "what came behind was answered");
    assert!(house.vendor.log().is_empty());
}

/// Row 31: the same of replies: whatever a vendor says, the next client gets its own answer.
#[test]
fn fault_31_no_desync_of_replies_reaches_another_client() {
    const ANSWER: &str = r#"{"object":"chat.completion","choices":[  ] }"#;
    const OWN: &str = r#"{"object":"chat.completion","own":true}"#;
    let good = format!("{ANSWER} ");
    assert_eq!(good.len(), 45);
    let body = r#"{"smuggled":1}"#;
    let inner = format!(
        "HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: {}\\r\\n\\r\\n{body}",
        body.len()
    );
    let words = [("{good}", good.as_str()), ("{inner}", inner.as_str())];
    let cases = corpus::read(include_str!("desync/replies.txt"), &words);
    assert!(cases.len() >= 35, "{} cases", cases.len());
    let house = House::open(&["raw-x", "raw-y"]);
    house.teach("y", answer(200, "application/json", OWN.as_bytes()));

    for piece in [usize::MAX, 5] {
        for Case { name, owed, bytes, .. } in &cases {
            let mut steps = vec![Step::Split(bytes.clone(), piece)];
            steps.extend(owed.ends_with(" close").then_some(Step::Close));
            house.teach("x", steps);
            let reply = house.ask(&Ask::chat("raw-x"));
            let next = house.ask(&Ask::chat("raw-y"));

            let is_served = reply.status == 200 && reply.is_whole;
            assert_eq!(is_served, owed.starts_with("served"), "{name}, by {piece}: {reply:?}");
            if is_served {
                assert_eq!(reply.text(), good, "{name}");
            } else if reply.is_whole {
                assert_eq!(reply.status, 502, "{name}: {}", reply.text());
            }
            let said = format!("{reply:?}{}", reply.text()).to_ascii_lowercase();
            assert!(!said.contains("smuggled"), "{name}: {said}");
            assert_eq!((next.status, next.text().as_str()), (200, OWN), "behind {name}");
        }
    }
}

/// Trailers both ways (decisions 23, row 31): a client's go nowhere, a vendor's neither, and what
/// follows them is read as what it is.
#[test]
fn fault_31_trailers_are_dropped_both_ways() {
    let house = House::open(&["raw-x"]);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntrailer: x-sum\r\n\
        transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-sum: 7\r\n\r\n";
    house.teach("x", vec![Step::Send(head.into())]);
    let ask = Ask::chat("raw-x").without("content-length").header("transfer-encoding", "chunked");
    let body = format!(
        "{:x}\r\n{}\r\n0\r\nx-sum: 9\r\n\r\n",
        ask.body.len(),
        harness::client::chat_body("raw-x", "")
    );
    let ask = Ask { body: body.into_bytes(), ..ask.header("trailer", "x-sum") };
    let mut client = Client::connect(house.gateway.address);

    for _ in 0..2 {
        client.send(&ask.bytes());
        let reply = client.reply();
        assert_eq!((reply.status, reply.text().as_str(), reply.is_whole), (200, "{}", true));
        assert!(reply.header("x-sum").is_none() && reply.header("trailer").is_none());
    }
    for seen in house.vendor.log() {
        assert!(seen.header("x-sum").is_none() && seen.header("trailer").is_none());
        assert!(!String::from_utf8_lossy(&seen.body).contains("x-sum"));
    }
}
