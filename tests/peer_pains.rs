//! What users of other gateways reported as broken: each test names the T-numbers of its reports.

mod harness;

use harness::{
    DEADLINE, House, STREAM_HEAD, answer, chunk,
    client::{Ask, chat_body},
    stream,
};
use std::time::{Duration, Instant};
use weir::rehearsal::script::Step;

const CHUNK: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"żółć 🦀"},"finish_reason":null}]}"#;
const SECOND: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":1,"delta":{"content":"on"},"finish_reason":null}]}"#;
const FINISH: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const EMPTY: &str =
    r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}"#;
const WHOLE: &str = r#"{"id":"w","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
const JSON_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

fn sse(events: &[&str]) -> String {
    format!("data: {}\n\n", events.join("\n\ndata: "))
}

fn with_usage(event: &str) -> String {
    let usage = r#","usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":3}}}"#;
    format!("{}{usage}", event.strip_suffix('}').expect("an object"))
}

/// A stream that asks for usage, so that nothing is taken out.
fn ask_all(model: &str) -> Ask {
    let more = r#","stream":true,"stream_options":{"include_usage":true}"#;
    Ask::post("/v1/chat/completions", chat_body(model, more))
}

fn send(parts: &[&[u8]]) -> Step {
    Step::Send(parts.concat())
}

/// T001, T005, T006, T008, T009, T011: characters cut between segments, `data:` without a space,
/// events ended by CRLF or CR, comments and ids: every byte passes and every event is known.
#[test]
fn t001_t005_t006_t008_t009_t011_a_stream_cut_anywhere_is_the_same_stream() {
    let house = House::open(&["raw-x"]);
    let usage = with_usage(EMPTY);
    for (end, colon) in [("\n", ": "), ("\r\n", ":"), ("\r", ":")] {
        let body = format!("id: 1\nevent: message\n{}", sse(&[CHUNK, FINISH, &usage, "[DONE]"]))
            .replace("data: ", &format!("data{colon}"))
            .replace('\n', end);
        for write in [1, 2, 3, 5, 8, 13, 100] {
            house.teach("x", stream(body.as_bytes(), 40, write));
            let reply = house.ask(&ask_all("raw-x"));
            assert_eq!(reply.text(), body, "writes of {write}");
        }
    }
    assert!(house.receipts(21).iter().all(|one| one.number("output_tokens") == 7));
}

/// T013, T014, T129: what a vendor said of its own framing and coding is not said of ours.
#[test]
fn t013_t014_stale_lengths_and_codings_are_not_passed_on() {
    let house = House::open(&["raw-x"]);
    let body = sse(&[CHUNK, FINISH]);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    house.teach("x", vec![send(&[head.as_bytes(), body.as_bytes()])]);
    let reply = house.ask(&ask_all("raw-x"));
    assert_eq!(reply.text(), format!("{body}data: [DONE]\n\n"));
    assert!(reply.is_whole && reply.header("content-length").is_none());

    let error = r#"{"error":{"message":"no","type":"t","param":null,"code":"c"}}"#;
    let head = "HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\ncontent-encoding: br\r\n\
        transfer-encoding: chunked\r\n\r\n";
    house.teach("x", vec![send(&[head.as_bytes(), &chunk(error.as_bytes()), b"0\r\n\r\n"])]);
    let reply = house.ask(&Ask::chat("raw-x"));
    assert_eq!((reply.status, reply.text().as_str()), (400, error));
    assert!(reply.header("content-encoding").is_none());
}

/// T015, T028: what has come is forwarded though the stream goes on, and a long one stays linear.
#[test]
fn t015_t028_a_long_stream_is_neither_held_back_nor_slow() {
    let house = House::open(&["raw-x"]);
    let event = sse(&[CHUNK]);
    let first = [STREAM_HEAD, &chunk(event.as_bytes())].concat();
    let many = chunk(event.as_bytes()).repeat(100);
    let last = [chunk(sse(&["\"LAST\""]).as_bytes()).as_slice()].concat();
    house
        .teach("x", vec![Step::Send(first), Step::Repeat(many, 300), Step::Send(last), Step::Hang]);
    let mut client = house.client();

    client.send(&ask_all("raw-x").bytes());
    let mut reply = client.head();
    let begun = Instant::now();
    client.body(&mut reply, event.len() * 30_001 + 10);

    assert!(reply.text().ends_with("data: \"LAST\"\n\n"));
    assert!(begun.elapsed() < DEADLINE);
}

/// T018, row 8: a vendor that sends only heartbeats behind its finish does not hold the stream.
#[test]
fn t018_heartbeats_after_the_finish_do_not_keep_a_stream_open() {
    let house = House::open(&["raw-x", "raw-y"]);
    let begun = [STREAM_HEAD, &chunk(sse(&[CHUNK, FINISH]).as_bytes())].concat();
    for (name, beat) in [("x", ": beat\n\n".to_owned()), ("y", sse(&[EMPTY]))] {
        let mut steps = vec![Step::Send(begun.clone())];
        for _ in 0..60 {
            steps.extend([Step::Pause(200), Step::Send(chunk(beat.as_bytes()))]);
        }
        house.teach(name, [steps, vec![Step::Hang]].concat());
        let begun = Instant::now();
        let reply = house.ask(&ask_all(&format!("raw-{name}")));
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        assert!(reply.is_whole && reply.text().ends_with("data: [DONE]\n\n"));
    }
    assert!(house.receipts(2).iter().all(|one| one.text("ending") == "complete"));
}

/// T018, T026: of several choices one may finish seconds before the others; nothing is cut.
#[test]
fn t018_t026_a_choice_that_finishes_early_does_not_cut_the_others() {
    let house = House::open(&["raw-x"]);
    let mut steps = vec![send(&[STREAM_HEAD, &chunk(sse(&[CHUNK, FINISH]).as_bytes())])];
    for _ in 0..5 {
        steps.extend([Step::Pause(900), Step::Send(chunk(sse(&[SECOND]).as_bytes()))]);
    }
    let end = FINISH.replace("\"index\":0", "\"index\":1");
    steps.push(send(&[&chunk(sse(&[&end, "[DONE]"]).as_bytes()), b"0\r\n\r\n"]));
    house.teach("x", steps);

    let reply = house.ask(&ask_all("raw-x"));

    assert_eq!(reply.text().matches("\"on\"").count(), 5);
    assert_eq!(reply.events().last().map(String::as_str), Some("[DONE]"));
}

/// T018, T026: where two answers are asked for, one alone is not the whole, however long the other
/// is silent.
#[test]
fn t018_t026_a_choice_that_is_missing_makes_the_answer_incomplete() {
    let house = House::open(&["raw-x"]);
    let begun = send(&[STREAM_HEAD, &chunk(sse(&[CHUNK, FINISH]).as_bytes())]);
    let end = FINISH.replace("\"index\":0", "\"index\":1");
    let rest = [chunk(sse(&[SECOND, &end]).as_bytes()), b"0\r\n\r\n".to_vec()].concat();
    let ask = Ask::post(
        "/v1/chat/completions",
        r#"{"model":"test/raw-x","stream":true,"n":2,"messages":[{"role":"user","content":"a"}]}"#,
    );

    house.teach("x", vec![begun.clone(), Step::Pause(3_500), Step::Send(rest)]);
    let whole = house.ask(&ask);
    house.teach("x", vec![begun, Step::Close]);
    let half = house.ask(&ask);

    assert_eq!(whole.text().matches("\"on\"").count(), 1);
    assert_eq!(whole.events().last().map(String::as_str), Some("[DONE]"));
    assert!(half.text().contains("stream_truncated"), "{}", half.text());
    let endings: Vec<String> = house.receipts(2).iter().map(|one| one.text("ending")).collect();
    assert_eq!(endings, ["complete", "broken"]);
}

/// T018: an empty finish reason is none, though some vendors send it with every chunk.
#[test]
fn t018_an_empty_finish_reason_ends_nothing() {
    let house = House::open(&["raw-x"]);
    let chunk_of = CHUNK.replace("\"finish_reason\":null", "\"finish_reason\":\"\"");
    house.teach("x", vec![send(&[STREAM_HEAD, &chunk(sse(&[&chunk_of]).as_bytes())]), Step::Close]);

    let reply = house.ask(&ask_all("raw-x"));

    assert!(reply.text().contains("stream_truncated"), "{}", reply.text());
    assert_eq!(house.receipt().text("ending"), "broken");
}

/// T026: bounds on silence are bounds on silence, not on the whole of a long answer.
#[test]
fn t026_a_long_answer_outlives_the_bounds_on_its_parts() {
    let bounds = ["--idle-timeout", "1s", "--first-byte-timeout", "1s", "--write-timeout", "1s"];
    let house = House::open_with(&["paced12x5"], &bounds);
    let ask = Ask::stream("paced12x5").header("x-tfy-request-timeout", "700");
    let ask = ask.header("x-tfy-ttft-timeout-ms", "900");

    let begun = Instant::now();
    let reply = house.ask(&ask);

    assert!(begun.elapsed() > Duration::from_secs(2), "the test needs a long answer");
    assert_eq!(reply.events().last().map(String::as_str), Some("[DONE]"), "{}", reply.text());
}

/// T034, T036, T037: who leaves, and a vendor that stalls: what was used is in the receipt.
#[test]
fn t034_t036_t037_an_interrupted_stream_is_billed_for_what_was_used() {
    let house = House::open_with(&["paced1000x50", "stall"], &["--idle-timeout", "1s"]);
    let mut client = house.client();
    client.send(&Ask::stream("paced1000x50").bytes());
    let mut reply = client.head();
    client.body_until(&mut reply, "w5");
    drop(client);
    let left = house.receipt();
    house.ask(&Ask::stream("stall"));

    let stalled = house.receipts(2).pop().expect("the second");
    for receipt in [left, stalled] {
        assert!(receipt.number("input_tokens") > 0, "{receipt:?}");
        assert!(receipt.number("output_tokens") > 0, "{receipt:?}");
        assert!(receipt.number("bytes_out") > 0, "{receipt:?}");
    }
}

/// T032, T033: who leaves while a whole answer is thought out, or before the first token.
#[test]
fn t032_t033_nobody_works_on_for_a_client_that_left() {
    let house = House::open(&["never"]);
    for ask in [Ask::chat("never"), Ask::stream("never"), Ask::chat("never")] {
        let asked = house.vendor.log().len();
        let mut client = house.client();
        client.send(&ask.bytes());
        assert!(house.vendor.wait_until(DEADLINE, |log| log.len() > asked));
        drop(client);
        let is_told = house.vendor.wait_until(DEADLINE, |log| {
            log.last().is_some_and(|one| one.client_closed_at.is_some())
        });
        assert!(is_told);
    }
    for receipt in house.receipts(3) {
        assert!(receipt.number("input_tokens") > 0, "the vendor was asked: {receipt:?}");
        assert_eq!(receipt.0["usage_reported"].as_bool(), Some(false));
    }
}

/// T035, T036: a whole answer that its client abandons is not free: what came of it is estimated,
/// and what the vendor reported is what is billed where it had come.
#[test]
fn t035_t036_an_abandoned_whole_answer_is_billed() {
    let house = House::open(&["raw-x"]);
    let head = format!("{JSON_HEAD}transfer-encoding: chunked\r\n\r\n");
    let half = &WHOLE[..WHOLE.len() / 2];
    let mut steps = vec![send(&[head.as_bytes(), &chunk(half.as_bytes())])];
    // Only a write can tell that a client of half a document has left.
    for _ in 0..20 {
        steps.extend([Step::Pause(50), Step::Send(chunk(b" "))]);
    }
    house.teach("x", [steps, vec![Step::Hang]].concat());
    let mut client = house.client();
    client.send(&Ask::chat("raw-x").bytes());
    let mut reply = client.head();
    client.body(&mut reply, half.len());

    drop(client);

    let receipt = house.receipt();
    assert_eq!((receipt.status(), receipt.text("ending").as_str()), (499, "client_gone"));
    assert_eq!(receipt.0["usage_reported"].as_bool(), Some(false));
    assert!(receipt.number("input_tokens") > 0, "{receipt:?}");
    let least = half.len().div_ceil(4) as u64;
    assert!((least..least + 6).contains(&receipt.number("output_tokens")), "{receipt:?}");
}

/// Row 21: a whole answer without usage is estimated and marked, as a stream is.
#[test]
fn fault_21_a_whole_answer_without_usage_is_estimated_and_marked() {
    let house = House::open(&["raw-x", "e500"]);
    let (body, _) = WHOLE.split_once(r#","usage""#).expect("it has usage");
    let body = format!("{body}}}").into_bytes();
    house.teach("x", answer(200, "application/json", &body));

    assert_eq!(house.ask(&Ask::chat("raw-x")).status, 200);
    let receipt = house.receipt();
    assert_eq!(receipt.0["usage_reported"].as_bool(), Some(false));
    assert!(receipt.number("input_tokens") > 0, "{receipt:?}");
    assert_eq!(receipt.number("output_tokens"), body.len().div_ceil(4) as u64);

    // Told in another language, too.
    let ask = r#"{"model":"test/raw-x","max_tokens":9,"messages":[{"role":"user","content":"a"}]}"#;
    let told = house.ask(&Ask::post("/v1/messages", ask));
    assert_eq!(told.status, 200, "{}", told.text());
    let receipt = house.receipts(2).pop().expect("the second");
    assert_eq!(receipt.0["usage_reported"].as_bool(), Some(false));
    assert!(receipt.number("input_tokens") > 0, "{receipt:?}");
    assert_eq!(receipt.number("output_tokens"), told.body.len().div_ceil(4) as u64);

    // An answer that is an error was not worked for.
    house.ask(&Ask::chat("e500"));
    let refused = house.receipts(3).pop().expect("the third");
    assert_eq!((refused.number("input_tokens"), refused.number("output_tokens")), (0, 0));
}

/// T021, with T038 and T039: usage in the last chunk with choices, in the last but one, behind the
/// finish.
#[test]
fn t021_usage_is_found_wherever_it_stands() {
    let house = House::open(&["raw-x"]);
    let (early, late, alone) = (with_usage(CHUNK), with_usage(FINISH), with_usage(EMPTY));
    let streams = [
        sse(&[CHUNK, &late, "[DONE]"]),
        sse(&[CHUNK, &late, EMPTY, "[DONE]"]),
        sse(&[&early, FINISH, "[DONE]"]),
        sse(&[CHUNK, FINISH, &alone, "[DONE]"]),
        sse(&[CHUNK, FINISH, &alone]),
        sse(&[CHUNK, FINISH, &alone, EMPTY, "[DONE]"]),
        sse(&[CHUNK, FINISH, "[DONE]", &alone]),
    ];
    for body in &streams {
        house.teach("x", stream(body.as_bytes(), body.len(), usize::MAX));
        assert!(house.ask(&ask_all("raw-x")).text().starts_with(body.as_str()));
    }
    for receipt in house.receipts(streams.len()) {
        let found =
            ["input_tokens", "output_tokens", "cached_tokens"].map(|one| receipt.number(one));
        assert_eq!(found, [11, 7, 3], "{receipt:?}");
    }
}

/// T040, T041, T060, row 21: no usage at all: an estimate, and the receipt says so.
#[test]
fn fault_21_usage_that_is_missing_is_estimated_and_marked() {
    let house = House::open(&["raw-x"]);
    let body = sse(&[CHUNK, CHUNK, FINISH, "[DONE]"]);
    house.teach("x", stream(body.as_bytes(), body.len(), usize::MAX));

    assert_eq!(house.ask(&ask_all("raw-x")).text(), body);

    let receipt = house.receipt();
    assert!(receipt.number("input_tokens") > 0 && receipt.number("output_tokens") > 0);
    assert_eq!(receipt.0["usage_reported"].as_bool(), Some(false));
    assert_eq!(receipt.number("bytes_out"), body.len() as u64);
}

/// Every operation has its receipt and its metrics, not chats alone.
#[test]
fn t058_every_operation_is_counted() {
    let house = House::open(&["plain"]);
    let body = r#"{"model":"test/plain","input":"x","prompt":"x"}"#;
    for path in ["/v1/embeddings", "/v1/completions"] {
        assert_eq!(house.ask(&Ask::post(path, body)).status, 200, "{path}");
    }
    let receipts = house.receipts(2);
    assert!(receipts.iter().all(|one| one.number("input_tokens") > 0), "{receipts:?}");
}

/// T118: what a burst of bodies of 120 KiB took is given back.
#[test]
fn t118_memory_of_a_burst_is_given_back() {
    let house = House::open(&["plain"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    let before = house.gateway.anonymous_bytes();
    let body = format!("{}{}", chat_body("plain", ""), " ".repeat(120 << 10));
    let ask = Ask::post("/v1/chat/completions", body);

    let mut clients: Vec<_> = (0..100).map(|_| house.client()).collect();
    for client in &mut clients {
        client.send(&ask.bytes());
    }
    for client in &mut clients {
        assert_eq!(client.reply().status, 200);
    }

    let until = Instant::now() + DEADLINE;
    // They stay connected, idle; asking gives the allocator occasion to give back.
    while house.gateway.anonymous_bytes() > before + (8 << 20) {
        assert!(Instant::now() < until, "{} of {before}", house.gateway.anonymous_bytes());
        assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    }
}

/// T109, T110, T112, T119, T120: a picture of 28 MB passes, at a small multiple of its size.
#[test]
fn t109_t110_t112_t119_t120_a_large_body_passes_at_a_small_multiple_of_its_size() {
    let house = House::open(&["plain"]);
    assert_eq!(house.ask(&Ask::chat("plain")).status, 200);
    let before = house.gateway.peak_bytes();
    let picture = "A".repeat(28 << 20);
    let body = chat_body("plain", &format!(r#","x_picture":"{picture}""#));

    assert_eq!(house.ask(&Ask::post("/v1/chat/completions", body.clone())).status, 200);

    let grown = house.gateway.peak_bytes() - before;
    assert!(grown < 96 << 20, "{grown} bytes more for {}", body.len());
    let seen = house.vendor.log().pop().expect("it was asked");
    assert_eq!(seen.body.len(), body.len() - "test/".len());
}

/// Row 10: a chunk that is no JSON passes where nothing must be translated.
#[test]
fn fault_10_a_malformed_chunk_passes_in_the_same_dialect() {
    let house = House::open(&["junk"]);

    let reply = house.ask(&ask_all("junk"));

    assert!(reply.text().contains("data: {not json\n\n"), "{}", reply.text());
    assert_eq!(reply.events().last().map(String::as_str), Some("[DONE]"));
}

/// Row 15: blank lines while the model thinks, as one vendor sends them, are no end and no error.
#[test]
fn fault_15_blank_lines_before_a_document_are_patience() {
    let house = House::open(&["raw-x"]);
    let head = format!("{JSON_HEAD}transfer-encoding: chunked\r\n\r\n");
    house.teach(
        "x",
        vec![
            send(&[head.as_bytes(), &chunk(b"\n")]),
            Step::Pause(50),
            Step::Send(chunk(b"\n\n")),
            Step::Pause(50),
            send(&[&chunk(WHOLE.as_bytes()), b"0\r\n\r\n"]),
        ],
    );

    let reply = house.ask(&Ask::chat("raw-x"));

    assert_eq!((reply.status, reply.text()), (200, format!("\n\n\n{WHOLE}")));
    assert_eq!(house.receipt().number("output_tokens"), 2);
}

/// Rows 1, 2 and 31, for a body that ends with its connection: half a document is never whole.
#[test]
fn fault_01_02_31_half_a_document_is_never_passed_off_as_whole() {
    let house = House::open(&["raw-x"]);
    let head = format!("{JSON_HEAD}\r\n");
    let half = &WHOLE[..WHOLE.len() / 2];
    for (body, end, is_whole) in
        [(WHOLE, Step::Close, true), (half, Step::Close, false), (half, Step::Reset, false)]
    {
        let (head, rest) = (head.as_bytes(), body.as_bytes());
        house.teach("x", vec![send(&[head, rest]), Step::Pause(50), end]);
        let reply = house.ask(&Ask::chat("raw-x"));
        let is_good = reply.status == 200 && reply.is_whole;
        assert_eq!(is_good, is_whole, "{reply:?}");
    }
    let faults: Vec<String> = house.receipts(3).iter().map(|one| one.text("fault")).collect();
    assert_eq!(faults, ["", "truncated", "truncated"]);
}

/// Row 29, and answers that nobody asked for: what a vendor says between two answers (a farewell,
/// or more than its answer held) never becomes the next client's answer.
#[test]
fn fault_29_what_a_vendor_says_unasked_is_nobodys_answer() {
    let house = House::open(&["raw-x", "raw-y"]);
    let good = match answer(200, "application/json", WHOLE.as_bytes()).remove(0) {
        Step::Send(bytes) => bytes,
        other => panic!("{other:?}"),
    };
    let farewell = "HTTP/1.1 408 Request Time-out\r\ncontent-length: 2\r\n\r\n{}";
    house.teach("y", answer(200, "application/json", WHOLE.as_bytes()));
    for ends in [false, true] {
        let mut steps = vec![Step::Send(good.clone()), Step::Pause(60)];
        steps.push(Step::Send(farewell.into()));
        steps.extend(ends.then_some(Step::Close));
        house.teach("x", steps);
        let asked = house.vendor.log().len();
        assert_eq!(house.ask(&Ask::chat("raw-x")).status, 200);
        assert!(house.vendor.wait_until(DEADLINE, |log| log[asked].answered.is_some()));

        let next = house.ask(&Ask::chat("raw-y"));

        assert_eq!((next.status, next.text().as_str()), (200, WHOLE));
    }
    let [first, second] = [0, 1].map(|index| house.vendor.log()[index].connection);
    assert_ne!(first, second, "a connection that spoke unasked is not used again");
}
