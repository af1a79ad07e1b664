//! Guests who mean harm, and accidents of connections. Each test names its rows of the list of
//! faults that we owe.

mod harness;

use harness::{
    DEADLINE, House,
    client::{Ask, Client, chat_body},
    gateway, manifest, vendor,
};
use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use weir::rehearsal::seen::Seen;

/// Waits until as many descriptors are open as before, or fewer.
fn assert_no_descriptor_is_left(house: &House, before: usize) {
    let until = Instant::now() + DEADLINE;
    // Each look asks the kernel, and yields.
    while house.gateway.descriptors() > before {
        let now = house.gateway.descriptors();
        assert!(Instant::now() < until, "{now} descriptors are open, {before} were before");
        thread::yield_now();
    }
}

/// Row 61, by count: who is one too many is told so, and the next is served once one has left.
#[test]
fn fault_61_a_connection_too_many_is_told_so_and_room_is_found_again() {
    let house = House::open_with(&["plain"], &["--connections-max", "2"]);
    let (mut one, mut two) = (house.client(), house.client());
    for client in [&mut one, &mut two] {
        client.send(&Ask::chat("plain").bytes());
        assert_eq!(client.reply().status, 200);
    }

    for _ in 0..3 {
        let refused = house.client().reply();
        assert_eq!((refused.status, refused.refusal().as_str()), (503, "connections_full"));
        assert!(refused.header("retry-after").is_some());
    }

    drop(one);
    house.ask_until(&Ask::chat("plain"), |reply| reply.status == 200);
    two.send(&Ask::chat("plain").bytes());
    assert_eq!(two.reply().status, 200);
}

/// Row 61: with few descriptors, those who are too many are told so, those who are served have
/// what they need, and room is found again.
#[test]
fn fault_61_out_of_descriptors_is_a_503_and_passes() {
    let vendor = vendor();
    let (folder, data) = (manifest::folder(), manifest::folder());
    manifest::write_usual(&folder, vendor.address(), &["plain", "never"]);
    let mut command = Command::new("prlimit");
    command.arg("--nofile=64:64").arg(gateway::binary().get_program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.args(["--cores", "1", "--config"]).arg(folder.path());
    command.arg("--data-dir").arg(data.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Ended(command.spawn().expect("util-linux has prlimit"));
    let output = gateway::lines(child.0.stdout.take().expect("piped"));
    let line = output.recv_timeout(DEADLINE).expect("it starts");
    let address = line.split("//").last().and_then(|address| address.parse().ok());
    let address = address.unwrap_or_else(|| panic!("{line}"));

    let mut served = Vec::new();
    let mut refused = 0;
    for _ in 0..60 {
        let mut client = Client::connect(address);
        client.offer(&Ask::chat("plain").bytes());
        let reply = client.reply();
        if reply.status == 200 {
            served.push(client);
        } else {
            assert_eq!((reply.status, reply.refusal().as_str()), (503, "connections_full"));
            refused += 1;
        }
    }
    assert!(refused > 0 && served.len() > 3, "{} served", served.len());
    for client in &mut served {
        client.send(&Ask::stream("never").bytes());
    }
    let all = |log: &[Seen]| log.iter().filter(|one| one.answered.is_none()).count();
    assert!(vendor.wait_until(DEADLINE, |log| all(log) == served.len()), "each has its vendor");

    drop(served);
    let until = Instant::now() + DEADLINE;
    let ask = || {
        let mut client = Client::connect(address);
        client.offer(&Ask::chat("plain").bytes());
        client.reply().status
    };
    while ask() != 200 {
        assert!(Instant::now() < until, "no room was found again");
    }
}

/// Ends the process that it holds.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Row 62: a bug of ours in one request is one 500 and one receipt with the same id.
#[test]
fn fault_62_t027_a_panic_costs_one_request_and_no_core() {
    let house = House::open_with(&["plain", "boom"], &["--panic-on-model", "test/boom"]);
    let mut bystander = house.client();
    bystander.send(&Ask::chat("plain").bytes());
    assert_eq!(bystander.reply().status, 200);

    let reply = house.ask(&Ask::chat("boom"));

    assert_eq!((reply.status, reply.refusal().as_str()), (500, "internal_error"));
    assert!(reply.is_whole);
    bystander.send(&Ask::chat("plain").bytes());
    assert_eq!(bystander.reply().status, 200, "others on the core serve on");
    let receipts = house.receipts(3);
    let panicked: Vec<_> = receipts.iter().filter(|one| one.status() == 500).collect();
    assert_eq!(panicked.len(), 1);
    assert_eq!(panicked[0].text("ending"), "panicked");
    assert_eq!(reply.header("x-request-id"), Some(panicked[0].text("request_id").as_str()));
}

/// An answer to HEAD has no body, or the next reply on the connection is read wrongly.
#[test]
fn the_answer_to_a_head_has_no_body_and_the_next_reply_is_read_right() {
    let house = House::open(&["plain"]);
    for (path, status) in [("/v1/nowhere", 404), ("/v1/models", 200), ("/ready", 200)] {
        let mut client = house.client();
        let known = house.ask(&Ask::get(path));
        let mut head = Ask::get(path);
        head.method = "HEAD".into();

        client.send(&[head.bytes(), Ask::chat("plain").bytes()].concat());

        let answer = client.head();
        assert_eq!((answer.status, known.status), (status, status));
        for name in ["content-length", "content-type"] {
            assert_eq!(answer.header(name), known.header(name), "{name} of {path}");
        }
        assert_eq!(client.reply().status, 200);
    }
}

/// What is refused leaves the connection usable, or ends it: never half a body for the next one.
#[test]
fn after_each_refusal_the_connection_is_clean_or_closed() {
    let house = House::open(&["plain"]);
    let chunked = |ask: Ask| ask.without("content-length").header("transfer-encoding", "chunked");
    for ask in [
        Ask::chat("plain").key("unknown"),
        Ask::chat("plain").key(""),
        Ask::chat("nonesuch"),
        Ask::post("/v1/nowhere", chat_body("plain", "")),
        Ask::post("/v1/models", chat_body("plain", "")),
        Ask::chat("plain").header("x-tfy-request-timeout", "soon"),
        Ask::chat("plain").header("content-encoding", "compress"),
        Ask::post("/v1/chat/completions", "not json"),
        Ask::post("/v1/chat/completions", ""),
    ] {
        for is_chunked in [false, true] {
            let mut bytes = ask.bytes();
            if is_chunked {
                let body = [harness::chunk(b" "), b"0\r\n\r\n".to_vec()].concat();
                bytes = [chunked(Ask { body: Vec::new(), ..ask.clone() }).bytes(), body].concat();
            }
            let mut client = house.client();
            client.offer(&[bytes, Ask::chat("plain").bytes()].concat());
            let refused = client.reply();
            assert!((400..500).contains(&refused.status), "{}", refused.text());
            if refused.header("connection") == Some("close") {
                assert!(client.ends_silently());
            } else {
                assert_eq!(client.reply().status, 200, "after {}", refused.text());
            }
        }
    }
}

/// Row 36: a head and a body that come a byte at a time are given up within their limits.
#[test]
fn fault_36_a_request_that_drips_is_given_up() {
    let house = House::open_with(&["plain"], &["--head-timeout", "1s", "--body-timeout", "1s"]);
    let whole = Ask::chat("plain").bytes();
    let body_at = whole.len() - chat_body("plain", "").len();

    for sent_at_once in [10, body_at + 1] {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(house.gateway.address).expect("the port is open");
        stream.set_read_timeout(Some(Duration::from_millis(60))).expect("not zero");
        stream.write_all(&whole[..sent_at_once]).expect("the gateway reads");
        let mut rest = whole[sent_at_once..].iter();
        let mut said = Vec::new();
        // The wait for its reply paces the drip.
        while !said.ends_with(b"}") {
            assert!(begun.elapsed() < DEADLINE, "still taken");
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => said.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let byte = rest.next().expect("it was given up before all was sent");
                    let _ = stream.write_all(&[*byte]);
                }
                Err(error) => panic!("{error}"),
            }
        }
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
        assert!(said.contains("request_timeout"), "{said}");
        assert_eq!(house.ask(&Ask::chat("plain")).status, 200, "others are unaffected");
    }
}

/// Row 38: a client that sends on after its refusal can still read the refusal.
#[test]
fn fault_38_a_refused_upload_that_goes_on_can_read_why() {
    let house = House::open(&["plain"]);
    let mut ask = Ask::chat("plain").key("unknown").without("content-length");
    ask.body.clear();
    let ask = ask.header("content-length", "60000000");
    let mut client = house.client();
    let (_mute, mut beat) = UnixStream::pair().expect("a pair of sockets");
    beat.set_read_timeout(Some(Duration::from_millis(50))).expect("not zero");

    client.send(&ask.bytes());
    for _ in 0..24 {
        // A slow line: on this pair nothing ever comes.
        assert!(beat.read(&mut [0]).is_err());
        client.send(&[b' '; 4 << 10]);
    }

    assert_eq!(client.reply().refusal(), "invalid_api_key");
}

/// Row 35: a client that does not read is given up, its vendor too, and memory stays bounded.
#[test]
fn fault_35_a_client_that_never_reads_is_given_up() {
    let house = House::open_with(&["plain", "huge40"], &["--write-timeout", "1s"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    house.receipt(); // The store has opened its file.
    let (descriptors, before) = (house.gateway.descriptors(), house.gateway.anonymous_bytes());
    let mut client = house.client();

    client.send(&Ask::chat("huge40").bytes());

    let receipt = house.receipts(2).pop().expect("the second");
    assert_eq!((receipt.status(), receipt.text("ending").as_str()), (499, "client_gone"));
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200, "others are unaffected");
    let grown = house.gateway.anonymous_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes for a client that does not read");
    assert_no_descriptor_is_left(&house, descriptors);
    drop(client);
}

/// Rows 33 and 34, T030: many who leave at any time leave nothing open behind.
#[test]
fn fault_33_34_t030_clients_that_leave_at_any_time_leave_nothing_open() {
    let house = House::open(&["plain", "paced400x200", "never"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    house.receipt(); // The store has opened its file.
    let before = house.gateway.descriptors();

    for round in 0..4 {
        let mut clients: Vec<Client> = (0..25).map(|_| house.client()).collect();
        for (index, client) in clients.iter_mut().enumerate() {
            let ask =
                if index % 3 == 0 { Ask::stream("never") } else { Ask::stream("paced400x200") };
            client.send(&ask.bytes());
        }
        for (index, mut client) in clients.into_iter().enumerate() {
            if index % 3 == 1 {
                let mut reply = client.head();
                client.body_until(&mut reply, &format!("w{}", (index + round) % 7));
            }
        }
    }

    let receipts = house.receipts(101);
    assert_eq!(receipts.iter().filter(|one| one.status() == 499).count(), 100);
    assert_no_descriptor_is_left(&house, before);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
}

/// A body in chunks of one byte, sent a byte at a time or all at once, costs no more than its size.
#[test]
fn a_body_of_many_tiny_chunks_is_read() {
    let house = House::open(&["plain"]);
    let head = Ask { body: Vec::new(), ..Ask::chat("plain").without("content-length") }
        .header("transfer-encoding", "chunked");
    let large = format!("{}{}", chat_body("plain", ""), " ".repeat(1 << 20));

    for (body, at_a_time) in [(chat_body("plain", ""), 1), (large, usize::MAX)] {
        let mut bytes = head.bytes();
        for byte in body.bytes() {
            bytes.extend_from_slice(&[b'1', b'\r', b'\n', byte, b'\r', b'\n']);
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let mut client = house.client();
        for part in bytes.chunks(at_a_time.min(bytes.len())) {
            client.send(part);
        }
        assert_eq!(client.reply().status, 200);
        let seen = house.vendor.log().pop().expect("it was asked");
        assert!(
            seen.body.len() + "test/".len() == body.len(),
            "{} of {}",
            seen.body.len(),
            body.len()
        );
    }
}

/// Row 38: `Expect: 100-continue` is answered where a body is awaited, and only there.
#[test]
fn fault_38_an_expectation_is_met_where_a_body_is_awaited() {
    let house = House::open(&["plain"]);
    let expecting = Ask::chat("plain").header("expect", "100-continue");
    let body = expecting.body.clone();

    let mut waiting = house.client();
    waiting.send(&Ask { body: Vec::new(), ..expecting.clone() }.bytes());
    assert_eq!(waiting.any_head().status, 100);
    waiting.send(&body);
    assert_eq!(waiting.any_head().status, 200);

    let mut eager = house.client();
    eager.send(&expecting.bytes());
    assert_eq!(eager.any_head().status, 200, "the body was there");

    let mut refused = house.client();
    refused.send(&Ask { body: Vec::new(), ..expecting.key("unknown") }.bytes());
    assert_eq!(refused.any_head().status, 401, "no body is asked for in vain");
}

/// HTTP/1.0 knows neither chunks nor interim replies; its reply ends with the connection.
#[test]
fn a_client_of_http_1_0_gets_what_it_can_read() {
    let house = House::open(&["plain", "slow300"]);
    for (ask, wanted) in [
        (Ask::stream("plain"), "data: [DONE]"),
        (Ask::chat("plain"), "chat.completion"),
        (Ask::chat("slow300"), "chat.completion"),
        (Ask::chat("plain").header("connection", "keep-alive"), "chat.completion"),
        (Ask::chat("plain").header("expect", "100-continue"), "chat.completion"),
    ] {
        let text =
            String::from_utf8(ask.bytes()).expect("text").replacen("HTTP/1.1", "HTTP/1.0", 1);
        let mut client = house.client();
        client.send(text.as_bytes());
        let mut reply = client.any_head();
        client.body(&mut reply, usize::MAX);
        assert_eq!(reply.status, 200);
        assert!(reply.header("transfer-encoding").is_none());
        assert!(reply.is_whole && reply.text().contains(wanted), "{}", reply.text());
        assert_eq!(reply.header("connection"), Some("close"));
        assert!(client.ends_silently());
    }
}

/// Pipelined requests and a half-close: all are answered, in order.
#[test]
fn pipelined_requests_are_answered_in_order_though_no_more_will_come() {
    let house = House::open(&["plain", "slow300"]);
    let mut client = house.client();
    let asks = [Ask::chat("slow300"), Ask::stream("plain"), Ask::get("/v1/models")];

    client.send(&asks.iter().flat_map(Ask::bytes).collect::<Vec<u8>>());
    client.half_close();

    for wanted in ["chat.completion", "[DONE]", "\"list\""] {
        let reply = client.reply();
        assert_eq!(reply.status, 200);
        assert!(reply.text().contains(wanted), "{}", reply.text());
    }
    assert!(client.ends_silently());
}

/// Only our own authority is ours.
#[test]
fn an_absolute_target_of_ours_is_served_and_another_is_not() {
    let house = House::open(&["plain"]);
    let mut ask = Ask::chat("plain");
    ask.path = "http://weir.test/v1/chat/completions".into();
    assert_eq!(house.ask(&ask).status, 200);
    ask.path = "http://elsewhere.test/v1/chat/completions".into();
    assert_eq!(house.ask(&ask).status, 400);
}

/// Row 60: whose time is over while the gateway drains is told so, and the receipt says it too.
#[test]
fn fault_60_a_stream_that_outlasts_the_drain_ends_with_words() {
    let mut house = House::open_with(&["stall", "never"], &["--drain-timeout", "1s"]);
    let (mut streaming, mut waiting) = (house.client(), house.client());
    streaming.send(&Ask::stream("stall").bytes());
    let mut begun = streaming.head();
    streaming.body(&mut begun, 10);
    waiting.send(&Ask::chat("never").bytes());
    assert!(house.vendor.wait_until(DEADLINE, |log| log.len() == 2));

    house.gateway.terminate();

    streaming.body(&mut begun, usize::MAX);
    let last = begun.events().pop().expect("an event");
    assert!(begun.is_whole && last.contains("request_deadline"), "{last}");
    let refused = waiting.reply();
    assert_eq!((refused.status, refused.refusal().as_str()), (504, "request_deadline"));
    house.gateway.exit();
    for receipt in house.receipts(2) {
        assert_eq!(receipt.text("fault"), "total_timeout", "{receipt:?}");
    }
}
