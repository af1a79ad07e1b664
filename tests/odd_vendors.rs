//! Vendors that end, stammer or say too much. Each test names its rows of the list of faults.

mod harness;

use harness::{
    DEADLINE, House, STREAM_HEAD, answer, chunk,
    client::{Ask, chat_body},
    manifest,
};
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};
use weir::rehearsal::script::Step;

const WHOLE: &str = r#"{"object":"chat.completion","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
const CHUNK: &str = r#"{"choices":[{"index":0,"delta":{"content":"ż"},"finish_reason":null}]}"#;
const FINISH: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

fn whole_bytes() -> Vec<u8> {
    match answer(200, "application/json", WHOLE.as_bytes()).remove(0) {
        Step::Send(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// Rows 1, 2, 29 and 31: the vendor ends at each byte of a whole answer; never a false success.
#[test]
fn fault_01_02_29_31_a_vendor_that_ends_at_any_byte_of_an_answer_is_told_from_one_that_ended() {
    let house = House::open(&["raw-x"]);
    let bytes = whole_bytes();

    for cut in 0..=bytes.len() {
        let mut steps = vec![Step::Send(bytes[..cut].to_vec()), Step::Close];
        if cut == 0 {
            steps.remove(0);
        }
        house.teach("x", steps);
        let reply = house.ask(&Ask::chat("raw-x"));
        let is_good = reply.status == 200 && reply.is_whole;
        assert_eq!(is_good, cut == bytes.len(), "cut at {cut}: {reply:?}");
        if !is_good && reply.is_whole {
            assert_eq!(reply.status, 502, "{}", reply.text());
        }
    }
    let receipts = house.receipts(bytes.len() + 1);
    assert_eq!(receipts.iter().filter(|one| one.text("ending") == "complete").count(), 1);
}

/// Rows 1 to 3: the same for a stream: whole events, then an error or `[DONE]`, then the end.
#[test]
fn fault_01_02_03_a_vendor_that_ends_at_any_byte_of_a_stream_leaves_whole_events_and_the_truth() {
    let house = House::open(&["raw-x"]);
    let events =
        [CHUNK, FINISH, "[DONE]"].map(|data| chunk(format!("data: {data}\n\n").as_bytes()));
    let bytes = [STREAM_HEAD, &events.concat(), b"0\r\n\r\n"].concat();

    for cut in STREAM_HEAD.len()..bytes.len() {
        house.teach("x", vec![Step::Send(bytes[..cut].to_vec()), Step::Close]);
        let reply = house.ask(&Ask::stream("raw-x"));
        assert!(reply.is_whole, "cut at {cut}: {reply:?}");
        if reply.status != 200 {
            assert_eq!(reply.refusal(), "stream_truncated", "nothing was sent before");
            continue;
        }
        let told = reply.events();
        let (last, before) = told.split_last().expect("an event at least");
        assert!(before.iter().all(|event| event == CHUNK || event == FINISH), "{told:?}");
        let is_finished = before.iter().any(|event| event == FINISH);
        let wanted = if is_finished { "[DONE]" } else { "stream_truncated" };
        assert!(last.contains(wanted), "cut at {cut}: {told:?}");
    }
}

/// Row 31: bytes behind an answer, in the same segment: the connection is not used again.
#[test]
fn fault_31_a_connection_with_a_surplus_is_not_used_again() {
    let house = House::open(&["raw-x"]);
    let evil =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{\"no\":1}";
    house.teach("x", vec![Step::Send([&whole_bytes(), evil.as_bytes()].concat())]);

    for _ in 0..3 {
        assert_eq!(house.ask(&Ask::chat("raw-x")).text(), WHOLE);
    }

    let mut connections: Vec<u64> = house.vendor.log().iter().map(|one| one.connection).collect();
    connections.dedup();
    assert_eq!(connections.len(), 3);
}

/// Row 31: interim replies, and a head and chunks that come a byte at a time.
#[test]
fn fault_31_interim_replies_and_stammering_are_read_over() {
    let house = House::open(&["raw-x"]);
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(200);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let body = WHOLE.bytes().flat_map(|byte| chunk(&[byte])).collect::<Vec<u8>>();
    let bytes = [interim.as_bytes(), head.as_bytes(), &body, b"0\r\n\r\n"].concat();

    for size in [1, 7, usize::MAX] {
        house.teach("x", vec![Step::Split(bytes.clone(), size)]);
        let reply = house.ask(&Ask::chat("raw-x"));
        assert_eq!((reply.status, reply.text().as_str(), reply.is_whole), (200, WHOLE, true));
    }
}

/// A vendor that refuses a large body before it has read it, and closes: no hang, no success.
#[test]
fn a_vendor_that_answers_before_it_has_read_all_is_no_riddle() {
    let house = House::open(&["plain"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let mut early = manifest::account(listener.local_addr().expect("bound"), &["plain"]);
    early["name"] = "early".into();
    manifest::write(house.gateway.manifests.path(), "early", &early);
    // Ends with the test's process.
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1000]);
            let _ = stream.write_all(
                b"HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\n\
                  content-length: 40\r\nconnection: close\r\n\r\n\
                  {\"error\":{\"message\":\"much\",\"type\":\"much\"}}"
                    .get(..)
                    .unwrap_or_default(),
            );
        }
    });
    let body = chat_body("plain", &format!(r#","x_more":"{}""#, "A".repeat(8 << 20)));
    let body = body.replacen("test/plain", "early/plain", 1);

    let reply = house.ask_until_known(&Ask::post("/v1/chat/completions", body));

    assert!([413, 502].contains(&reply.status), "{}", reply.text());
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
}

/// A vendor that refuses a large body, reads no more of it and stays: it is heard at once, though
/// the rest of the body has nowhere to go.
#[test]
fn a_vendor_that_answers_and_reads_no_more_is_heard_at_once() {
    let house = House::open_with(&["plain"], &["--first-byte-timeout", "60s"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let mut deaf = manifest::account(listener.local_addr().expect("bound"), &["plain"]);
    deaf["name"] = "deaf".into();
    manifest::write(house.gateway.manifests.path(), "deaf", &deaf);
    // Ends with the test's process, and holds its connections until then.
    thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1000]);
            let _ = stream.write_all(
                b"HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\n\
                  content-length: 42\r\nconnection: close\r\n\r\n\
                  {\"error\":{\"message\":\"much\",\"type\":\"much\"}}",
            );
            held.push(stream);
        }
    });
    let small = r#"{"model":"deaf/plain","messages":[]}"#;
    assert_eq!(house.ask_until_known(&Ask::post("/v1/chat/completions", small)).status, 413);
    let large = chat_body("plain", &format!(r#","x_more":"{}""#, "A".repeat(48 << 20)));
    let large = large.replacen("test/plain", "deaf/plain", 1);

    for _ in 0..2 {
        let reply = house.ask(&Ask::post("/v1/chat/completions", large.clone()));

        assert_eq!(reply.status, 413, "{}", reply.text());
    }
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
}

/// Rows 1 and 31, to a client of HTTP/1.0, whose reply may end with its connection: half an answer
/// ends with a reset, for an orderly end would say that it is whole.
#[test]
fn fault_01_31_half_an_answer_is_never_whole_for_a_client_of_http_1_0() {
    let house = House::open(&["raw-x"]);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let (first, second) = WHOLE.as_bytes().split_at(40);
    let begun = Step::Send([head.as_bytes(), &chunk(first)].concat());
    let ask = String::from_utf8(Ask::chat("raw-x").bytes()).expect("text");
    let ask = ask.replacen("HTTP/1.1", "HTTP/1.0", 1);

    for (rest, is_whole) in
        [([chunk(second), b"0\r\n\r\n".to_vec()].concat(), true), (vec![], false)]
    {
        let mut steps = vec![begun.clone(), Step::Pause(60)];
        steps.extend((!rest.is_empty()).then_some(Step::Send(rest)));
        steps.push(Step::Close);
        house.teach("x", steps);
        let mut stream = TcpStream::connect(house.gateway.address).expect("the port is open");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.write_all(ask.as_bytes()).expect("the gateway reads");
        let mut said = Vec::new();
        let ended = stream.read_to_end(&mut said);

        let text = String::from_utf8_lossy(&said);
        assert!(!text.contains("content-length"), "{text}");
        assert_eq!(ended.is_ok(), is_whole, "{ended:?} after {text}");
        if !is_whole {
            let kind = ended.map_err(|error| error.kind());
            assert_eq!(kind, Err(std::io::ErrorKind::ConnectionReset), "{text}");
        }
    }
}

/// Row 54: a secret that vanishes takes its own target along, and comes back without a restart.
#[test]
fn fault_54_a_secret_that_vanished_is_a_503_until_it_is_back() {
    let secrets = manifest::folder();
    let group = secrets.path().join("group");
    std::fs::create_dir(&group).expect("the folder is ours");
    std::fs::write(group.join("key"), manifest::VENDOR_KEY).expect("the folder is ours");
    let folder = secrets.path().to_str().expect("UTF-8").to_owned();
    let house = House::open_with(&["plain"], &["--secrets-dir", &folder]);
    let mut account = manifest::account(house.vendor.address(), &["plain"]);
    account["name"] = "vaulted".into();
    account["integrations"][0]["auth_data"] =
        json!({"type": "bearer-auth", "bearer_token": "tfy-secret://acme:group:key"});
    let write = |round: u32| {
        let mut account = account.clone();
        account["x_round"] = round.into();
        manifest::write(house.gateway.manifests.path(), "vaulted", &account);
    };
    let ask = Ask::post("/v1/chat/completions", r#"{"model":"vaulted/plain","messages":[]}"#);
    write(0);
    assert_eq!(house.ask_until_known(&ask).status, 200);

    std::fs::remove_file(group.join("key")).expect("it was written");
    write(1);
    let refused = house.ask_until(&ask, |reply| reply.status != 200);

    assert_eq!((refused.status, refused.refusal().as_str()), (503, "secret_unavailable"));
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200, "others serve on");
    std::fs::write(group.join("key"), manifest::VENDOR_KEY).expect("the folder is ours");
    write(2);
    house.ask_until(&ask, |reply| reply.status == 200);
    assert!(house.vendor.wait_until(DEADLINE, |log| !log.is_empty()));
}
