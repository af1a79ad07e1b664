//! Faults of vendors; each test names its rows of the list of faults that we owe.

mod harness;

use harness::{
    DEADLINE, House, answer,
    client::{Ask, Client},
    manifest, vendor,
};
use std::{
    collections::HashSet,
    net::TcpListener,
    time::{Duration, Instant},
};
use weir::rehearsal::{script::Step, seen::Seen};

/// Asks `model` for a stream that breaks; its code, and the receipt's facts.
fn broken_stream(model: &str, arguments: &[&str]) -> (String, String) {
    let house = House::open_with(&[model], arguments);
    let reply = house.ask(&Ask::stream(model));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let events = reply.events();
    assert!(!reply.text().contains("[DONE]"), "{model}: {}", reply.text());
    let last = events.last().expect("the error is an event");
    let error: serde_json::Value = serde_json::from_str(last).expect("whole events only");
    assert!(error["error"]["message"].is_string(), "{last}");
    for event in &events {
        serde_json::from_str::<serde_json::Value>(event).expect("a half event is discarded");
    }
    let receipt = house.receipt();
    assert_eq!(receipt.text("ending"), "broken");
    (error["error"]["code"].as_str().unwrap_or_default().to_owned(), receipt.text("fault"))
}

/// Rows 1 and 2: the vendor's end, orderly or not, in mid stream, at an event's edge or inside.
#[test]
fn fault_01_02_a_stream_that_the_vendor_breaks_off_ends_with_an_error_event() {
    for model in ["cutclean", "cut", "reset", "closing-cutclean"] {
        let (code, fault) = broken_stream(model, &[]);
        assert_eq!((code.as_str(), fault.as_str()), ("stream_truncated", "truncated"), "{model}");
    }
}

/// Row 19: the vendor falls silent.
#[test]
fn fault_19_a_stream_that_stalls_ends_with_an_error_event() {
    let begun = Instant::now();
    let (code, fault) = broken_stream("stall", &["--idle-timeout", "1s"]);

    assert_eq!((code.as_str(), fault.as_str()), ("idle_timeout", "idle_timeout"));
    assert!(begun.elapsed() < DEADLINE);
}

/// Row 12, and errors as chunks: they pass in their own words, and nothing is added.
#[test]
fn fault_12_an_error_that_the_vendor_streams_is_passed_on() {
    let house = House::open(&["groqerr", "errchunk", "errevent"]);

    for (model, wanted) in [
        ("groqerr", "tool_use_failed"),
        ("errchunk", "The vendor broke."),
        ("errevent", "event: error"),
    ] {
        let reply = house.ask(&Ask::stream(model));
        assert!(reply.text().contains(wanted), "{model}: {}", reply.text());
        let dones = reply.events().iter().filter(|event| *event == "[DONE]").count();
        assert_eq!(dones, 0, "no success is claimed after an error");
    }
    for receipt in house.receipts(3) {
        assert_eq!(receipt.text("fault"), "error_event");
    }
}

/// Row 14: an error as the whole body of a stream that was asked for, under 200.
#[test]
fn fault_14_an_error_instead_of_a_stream_has_an_error_status() {
    let house = House::open(&["errforstream"]);

    let reply = house.ask(&Ask::stream("errforstream"));

    assert!(reply.status >= 500, "{}", reply.status);
    assert!(reply.text().contains("Overloaded"), "{}", reply.text());
}

/// Row 15: a whole answer where a stream was asked for, and the reverse: no hang, never raw.
#[test]
fn fault_15_the_wrong_kind_of_answer_is_converted_or_refused() {
    let house = House::open(&["jsonforstream", "sseforjson"]);

    for ask in [Ask::stream("jsonforstream"), Ask::chat("sseforjson")] {
        let reply = house.ask(&ask);
        let is_converted = reply.status == 200 && reply.is_whole;
        assert!(is_converted || reply.refusal() == "upstream_invalid_response");
    }
}

/// Row 17: a body that says gzip and is not, and one that is.
#[test]
fn fault_17_a_compressed_answer_is_decoded_or_refused() {
    let house = House::open(&["gziplie", "gzip"]);

    let lie = house.ask(&Ask::chat("gziplie"));
    let truth = house.ask(&Ask::chat("gzip"));

    assert_eq!((lie.status, lie.refusal().as_str()), (502, "upstream_invalid_response"));
    let is_decoded = truth.status == 200 && truth.json()["id"] == "chatcmpl-odd";
    assert!(is_decoded || truth.status == 502, "{}", truth.text());
}

/// Row 18, and the client's own bounds on time.
#[test]
fn fault_18_a_vendor_that_never_answers_costs_the_time_allowed_and_no_more() {
    let house = House::open_with(&["never"], &["--first-byte-timeout", "1s"]);
    let asked = |name: &str, value: &str| {
        let begun = Instant::now();
        let reply = house.ask(&Ask::stream("never").header(name, value));
        (reply.status, reply.refusal(), begun.elapsed())
    };

    let ttft = asked("x-tfy-ttft-timeout-ms", "200");
    let request = asked("x-tfy-request-timeout", "300");
    let none = asked("x-nothing", "1");

    assert_eq!((ttft.0, ttft.1.as_str()), (408, "ttft_timeout"));
    assert_eq!((request.0, request.1.as_str()), (504, "request_deadline"));
    assert_eq!((none.0, none.1.as_str()), (504, "first_byte_timeout"));
    for (took, bound) in [(ttft.2, 200), (request.2, 300), (none.2, 1000)] {
        let bound = Duration::from_millis(bound);
        assert!(took >= bound && took < bound + Duration::from_secs(2), "{took:?} for {bound:?}");
    }
    let log = house.vendor.log();
    assert_eq!(log.len(), 3, "a vendor that may be at work is not asked twice");
    let gone = house.vendor.wait_until(DEADLINE, |log| log.iter().all(Seen::was_abandoned));
    assert!(gone, "whoever is not waited for is told so");
}

/// Row 23: what the vendor says about trying again reaches the client.
#[test]
fn fault_23_retry_after_reaches_the_client() {
    let house = House::open(&["e429", "e429-date", "e429-past", "e429-garbage"]);

    let plain = house.ask(&Ask::chat("e429"));
    assert_eq!(plain.status, 429);
    assert_eq!(plain.header("retry-after"), Some("1"));
    assert_eq!(plain.header("retry-after-ms"), Some("200"));
    assert_eq!(plain.json()["error"]["code"], "rate_limit_exceeded");
    for model in ["e429-date", "e429-past", "e429-garbage"] {
        assert_eq!(house.ask(&Ask::chat(model)).status, 429, "{model}");
    }
}

/// Row 24: our own credential is refused; the client's key is fine, and ours is not shown.
#[test]
fn fault_24_a_refusal_of_our_credential_is_not_the_clients_fault() {
    let house = House::open(&["e401", "e403"]);

    for model in ["e401", "e403"] {
        let reply = house.ask(&Ask::chat(model));
        assert_eq!((reply.status, reply.refusal().as_str()), (502, "upstream_auth"));
        assert!(!reply.text().contains(manifest::VENDOR_KEY));
    }
    assert!(house.receipts(2).iter().all(|one| one.text("fault") == "auth"));
}

/// Rows 25 and 26 as far as one target goes: other statuses pass, once.
#[test]
fn fault_25_26_the_vendors_other_errors_pass_with_their_code() {
    let house = House::open(&["ctxlen", "e404", "e500", "e503", "e529"]);

    let long = house.ask(&Ask::chat("ctxlen"));
    assert_eq!(long.json()["error"]["code"], "context_length_exceeded");
    assert_eq!(long.status, 400);
    for (model, status) in [("e404", 404), ("e500", 500), ("e503", 503), ("e529", 529)] {
        let reply = house.ask(&Ask::chat(model));
        assert_eq!(reply.status, status);
        assert!(reply.json()["error"]["message"].is_string());
    }
    assert!(house.receipts(5).iter().all(|one| one.text("fault") == "status"));
}

/// Row 27: answers that are no answers.
#[test]
fn fault_27_what_is_no_answer_is_a_clean_502() {
    let models = ["html", "empty", "nocontent", "redirect", "junkhttp"];
    let house = House::open(&models);

    for model in models {
        for ask in [Ask::chat(model), Ask::stream(model)] {
            let reply = house.ask(&ask);
            assert_eq!(reply.status, 502, "{model}: {}", reply.text());
            assert_eq!(reply.refusal(), "upstream_invalid_response", "{model}");
            assert!(!reply.text().contains("<html>"));
        }
    }
    assert_eq!(house.vendor.log().len(), models.len() * 2, "a redirect is not followed");
}

/// Row 28: nobody listens, and no such name.
#[test]
fn fault_28_a_vendor_that_cannot_be_reached_is_a_502() {
    let vacant = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let house = House::open(&["plain"]);
    let mut lost = manifest::account(vacant.expect("a port that was just free"), &["closed"]);
    lost["name"] = "lost".into();
    let mut unnamed = lost.clone();
    unnamed["name"] = "unnamed".into();
    unnamed["integrations"][0]["url"] = "http://no-such-host.invalid/v1".into();
    manifest::write(house.gateway.manifests.path(), "lost", &lost);
    manifest::write(house.gateway.manifests.path(), "unnamed", &unnamed);

    for name in ["lost/closed", "unnamed/closed"] {
        let body = format!(r#"{{"model":"{name}","messages":[]}}"#);
        let reply = house.ask_until_known(&Ask::post("/v1/chat/completions", body));
        assert_eq!((reply.status, reply.refusal().as_str()), (502, "upstream_unreachable"));
    }
}

/// Row 29: the vendor closes the connection that we are about to use again.
#[test]
fn fault_29_a_connection_that_closed_while_idle_is_replaced_once() {
    let house = House::open(&["race", "hangup", "drop"]);

    for _ in 0..3 {
        assert_eq!(house.ask(&Ask::chat("race")).status, 200);
        assert_eq!(house.ask(&Ask::chat("hangup")).status, 200);
    }
    let dropped = house.ask(&Ask::chat("drop"));
    assert_eq!((dropped.status, dropped.refusal().as_str()), (502, "upstream_unreachable"));
    let fault = house.receipts(7).pop().map(|one| one.text("fault"));
    assert_eq!(fault.as_deref(), Some("closed_early"));
}

/// Row 29: a vendor that restarted has closed all that was kept: one of them shows it.
#[test]
fn fault_29_a_call_is_sent_again_once_however_many_connections_are_kept() {
    let house = House::open(&["slow150", "drop"]);
    let mut clients: Vec<Client> = (0..5).map(|_| house.client()).collect();
    for client in &mut clients {
        client.send(&Ask::chat("slow150").bytes());
    }
    for client in &mut clients {
        assert_eq!(client.reply().status, 200);
    }
    let connections: HashSet<_> = house.vendor.log().iter().map(|one| one.connection).collect();
    assert!(connections.len() > 2, "several are kept: {connections:?}");

    let dropped = house.ask(&Ask::chat("drop"));

    assert_eq!((dropped.status, dropped.refusal().as_str()), (502, "upstream_unreachable"));
    assert_eq!(
        house.vendor.log().len(),
        7,
        "five, one on what was kept, one on a fresh connection"
    );
}

/// Row 31: the vendor's own framing is wrong, or unusual and right.
#[test]
fn fault_31_a_vendors_bad_framing_is_refused_and_its_connection_closed() {
    let house = House::open(&["clte", "badchunk", "early", "closing", "raw-trailers"]);

    for model in ["clte", "badchunk"] {
        let reply = house.ask(&Ask::chat(model));
        let is_refused = reply.status == 502 || !reply.is_whole;
        assert!(is_refused, "{model}: {}", reply.text());
        let closed = house.vendor.wait_until(DEADLINE, |log| {
            log.last().is_some_and(|one| one.client_closed_at.is_some())
        });
        assert!(closed, "{model}: what follows on that connection cannot be trusted");
    }
    for model in ["early", "closing"] {
        assert_eq!(house.ask(&Ask::chat(model)).status, 200, "{model}");
    }
    let trailing = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n2;ext=\"a;b\"\r\n{}\r\n0\r\nx-trailer: 1\r\n\r\n";
    house.teach("trailers", vec![Step::Send(trailing.to_vec())]);
    let reply = house.ask(&Ask::chat("raw-trailers"));
    assert_eq!((reply.status, reply.text().as_str(), reply.is_whole), (200, "{}", true));
}

/// Row 22: a large answer to a slower reader is not gathered in memory.
#[test]
fn fault_22_a_huge_answer_streams_through_in_bounded_memory() {
    const MEBIBYTE: usize = 1 << 20;
    let house = House::open(&["huge80", "plain"]);
    house.ask(&Ask::chat("plain"));
    let before = house.gateway.anonymous_bytes();
    let mut client = house.client();

    client.send(&Ask::chat("huge80").bytes());
    let mut reply = client.head();
    let mut most = 0;
    while !reply.is_whole {
        let so_far = reply.body.len();
        client.body(&mut reply, so_far + MEBIBYTE);
        assert!(reply.body.len() > so_far, "it ended after {so_far} bytes");
        most = most.max(house.gateway.anonymous_bytes());
    }

    assert!(reply.body.len() > 80 * MEBIBYTE);
    assert!(most < before + 16 * MEBIBYTE as u64, "from {before} to {most} bytes");
    let billed = house.receipts(2).iter().map(|one| one.number("bytes_out")).max();
    assert_eq!(billed, Some(reply.body.len() as u64));
}

/// Row 26: a vendor that vanishes while others serve.
#[test]
fn fault_26_a_vendor_that_vanishes_takes_only_its_own_models_along() {
    let house = House::open(&["plain"]);
    let other = vendor();
    let mut account = manifest::account(other.address(), &["plain"]);
    account["name"] = "other".into();
    manifest::write(house.gateway.manifests.path(), "other", &account);
    let body = r#"{"model":"other/plain","messages":[]}"#;
    assert_eq!(house.ask_until_known(&Ask::post("/v1/chat/completions", body)).status, 200);

    drop(other);

    assert_eq!(house.ask(&Ask::post("/v1/chat/completions", body)).status, 502);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
}

/// An answer without a length that ends with its connection is whole.
#[test]
fn an_empty_object_is_an_answer() {
    let house = House::open(&["raw-x"]);

    house.teach("x", answer(200, "application/json", b"{}"));

    assert_eq!(house.ask(&Ask::chat("raw-x")).text(), "{}");
}

/// Row 49: there is no WebSocket here, and whoever asks for one is told so, not switched and not
/// forwarded; the connection is of use for what there is.
#[test]
fn fault_49_a_websocket_is_refused_and_its_connection_goes_on() {
    let house = House::open(&["plain"]);
    let mut client = house.client();
    let upgrade = Ask::get("/v1/realtime?model=test/plain")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");

    client.send(&upgrade.bytes());
    let refused = client.reply();
    client.send(&Ask::chat("plain").bytes());
    let served = client.reply();

    assert_eq!((refused.status, refused.refusal().as_str()), (404, "route_not_found"));
    assert_eq!(served.status, 200);
    assert_eq!(house.vendor.log().len(), 1, "only the chat was forwarded");
}
