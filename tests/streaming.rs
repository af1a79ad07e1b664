//! Streams: the bytes pass as they come; what is added and removed is a closed list.

mod harness;

use harness::{
    House, STREAM_HEAD, chunk,
    client::{Ask, chat_body},
    fixture, stream,
};
use std::time::Duration;
use weir::rehearsal::script::Step;

const CHUNK: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"żółć 🦀"},"finish_reason":null}]}"#;
const FINISH: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}}"#;
const WITH_USAGE: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;

fn sse(events: &[&str]) -> String {
    format!("data: {}\n\n", events.join("\n\ndata: "))
}

/// A stream of `model` that asks for usage itself, so that nothing is removed.
fn ask_all(model: &str) -> Ask {
    Ask::post("/v1/chat/completions", chat_body(model, WITH_USAGE))
}

/// Rows 5 and 6: one byte a write, and odd sizes; no character is broken.
#[test]
fn fault_05_06_a_stream_is_the_same_bytes_however_it_is_cut() {
    let house = House::open(&["raw-x"]);
    let body = sse(&[CHUNK, CHUNK, FINISH, USAGE, "[DONE]"]);

    for (chunk, write) in [(usize::MAX, 1), (1, usize::MAX), (7, 3), (100, 1000), (13, 1)] {
        house.teach("x", stream(body.as_bytes(), chunk.min(body.len()), write));
        let reply = house.ask(&ask_all("raw-x"));
        assert_eq!(reply.text(), body, "chunks of {chunk}, writes of {write}");
        assert!(reply.is_whole);
    }
}

/// Rows 7, 8, 9: line ends, a byte order mark, comments, `data:` without space, several data lines.
#[test]
fn fault_07_08_09_odd_but_lawful_streams_pass_untouched() {
    let odd = [
        sse(&[CHUNK, FINISH, "[DONE]"]).replace('\n', "\r\n"),
        sse(&[CHUNK, FINISH, "[DONE]"]).replace('\n', "\r"),
        format!("\u{feff}{}", sse(&[CHUNK, FINISH, "[DONE]"])),
        format!(": hello\n\n:\n\n{}: bye\n\n", sse(&[CHUNK, FINISH, "[DONE]"])),
        sse(&[CHUNK, FINISH, "[DONE]"]).replace("data: ", "data:"),
        sse(&[CHUNK, FINISH, "[DONE]"]).replace(",\"object\"", ",\ndata: \"object\""),
        format!("id: 7\nretry: 10\nevent: message\n{}", sse(&[CHUNK, FINISH, "[DONE]"])),
        format!("data: {CHUNK}\r\n\ndata: {FINISH}\n\r\ndata: [DONE]\n\n"),
    ];
    let house = House::open(&["raw-x"]);

    for body in &odd {
        for write in [1, usize::MAX] {
            house.teach("x", stream(body.as_bytes(), body.len(), write));
            let reply = house.ask(&ask_all("raw-x"));
            assert_eq!(&reply.text(), body, "writes of {write}");
        }
    }
}

/// Row 9: an event larger than a mebibyte.
#[test]
fn fault_09_a_large_event_passes() {
    let house = House::open(&["raw-x"]);
    let large = CHUNK.replace("🦀", &"🦀".repeat(300_000));
    let body = sse(&[&large, FINISH, "[DONE]"]);

    house.teach("x", stream(body.as_bytes(), 60_000, 70_000));

    assert!(house.ask(&ask_all("raw-x")).text() == body, "it differs");
}

#[test]
fn usage_that_was_not_asked_for_is_taken_out_and_billed() {
    let house = House::open(&["raw-x"]);
    let nulls = CHUNK.replace("]}", "],\"usage\":null}");

    for write in [1, usize::MAX] {
        let body = sse(&[&nulls, FINISH, USAGE, "[DONE]"]);
        house.teach("x", stream(body.as_bytes(), 50, write));
        let reply = house.ask(&Ask::stream("raw-x"));
        assert_eq!(reply.text(), sse(&[&nulls, FINISH, "[DONE]"]), "writes of {write}");
    }
    for receipt in house.receipts(2) {
        assert_eq!(receipt.number("input_tokens"), 11);
        assert_eq!(receipt.number("output_tokens"), 7);
        assert_eq!(receipt.number("cached_tokens"), 3);
        assert_eq!(receipt.number("reasoning_tokens"), 2);
    }
    let upstream = house.vendor_bodies();
    assert!(upstream.iter().all(|body| body.contains("include_usage")), "{upstream:?}");
}

/// A first chunk without choices is the vendor's, and holds no usage: it stays.
#[test]
fn a_chunk_without_choices_or_usage_stays() {
    let house = House::open(&["raw-x"]);
    let filter = r#"{"id":"","object":"","model":"","choices":[],"prompt_filter_results":[]}"#;
    let body = sse(&[filter, CHUNK, FINISH, "[DONE]"]);

    house.teach("x", stream(body.as_bytes(), body.len(), usize::MAX));

    assert_eq!(house.ask(&Ask::stream("raw-x")).text(), body);
}

/// Row 21: usage twice: the last holds, not the sum.
#[test]
fn fault_21_of_two_usages_the_last_is_billed() {
    let house = House::open(&["raw-x"]);
    let first = USAGE.replace(":7,", ":3,");
    let body = sse(&[CHUNK, &first, FINISH, USAGE, "[DONE]"]);

    house.teach("x", stream(body.as_bytes(), body.len(), usize::MAX));
    house.ask(&ask_all("raw-x"));

    assert_eq!(house.receipt().number("output_tokens"), 7);
}

/// Row 3: a finish without `[DONE]` is a success, and `[DONE]` is added.
#[test]
fn fault_03_done_is_added_when_the_finish_was_seen() {
    let house = House::open(&["raw-x", "nodone", "nodone-closing"]);
    let body = sse(&[CHUNK, FINISH]);

    house.teach("x", stream(body.as_bytes(), body.len(), usize::MAX));

    assert_eq!(house.ask(&Ask::stream("raw-x")).text(), format!("{body}data: [DONE]\n\n"));
    for model in ["nodone", "nodone-closing"] {
        let reply = house.ask(&Ask::stream(model));
        assert_eq!(reply.events().last().map(String::as_str), Some("[DONE]"), "{model}");
        assert!(reply.is_whole);
    }
    assert!(house.receipts(3).iter().all(|one| one.text("ending") == "complete"));
}

/// Rows 1 and 3: a vendor that ends right behind its finish, without a line end. What was added
/// then stood on the same line, so that clients read neither.
#[test]
fn fault_01_03_a_finish_without_its_blank_line_is_an_event_of_its_own() {
    let house = House::open(&["raw-x"]);

    for ending in ["", "\n", "\r\n"] {
        let body = format!("data: {CHUNK}\n\ndata: {FINISH}{ending}");
        house.teach("x", stream(body.as_bytes(), body.len(), usize::MAX));
        let reply = house.ask(&Ask::stream("raw-x"));
        assert_eq!(reply.events(), [CHUNK, FINISH, "[DONE]"], "{ending:?}");
    }
    assert!(house.receipts(3).iter().all(|one| one.text("ending") == "complete"));
}

/// Row 4: `[DONE]` without a finish: passed as it is, no finish invented.
#[test]
fn fault_04_a_finish_is_never_invented() {
    let house = House::open(&["raw-x"]);
    let body = sse(&[CHUNK, CHUNK, "[DONE]"]);

    house.teach("x", stream(body.as_bytes(), body.len(), usize::MAX));
    let reply = house.ask(&ask_all("raw-x"));

    assert!(reply.text().starts_with(&sse(&[CHUNK, CHUNK])), "{}", reply.text());
    assert!(!reply.text().contains("\"stop\""));
}

#[test]
fn t015_the_first_event_is_forwarded_before_the_second_exists() {
    let house = House::open(&["raw-x"]);
    house.teach(
        "x",
        vec![
            Step::Send([STREAM_HEAD.to_vec(), chunk(sse(&[CHUNK]).as_bytes())].concat()),
            Step::Hang,
        ],
    );
    let mut client = house.client();

    client.send(&ask_all("raw-x").bytes());
    let mut reply = client.head();
    let waited = client.body_until(&mut reply, "🦀");

    assert!(waited < Duration::from_secs(1), "{waited:?}");
}

/// Row 2: a part of an event is held until the rest is there, for it could not be taken back.
#[test]
fn half_an_event_is_held_and_whole_ones_before_it_are_not() {
    let house = House::open(&["raw-x"]);
    let begun = chunk(format!("{}data: {}", sse(&[CHUNK]), &FINISH[..60]).as_bytes());
    house.teach("x", vec![Step::Send([STREAM_HEAD.to_vec(), begun].concat()), Step::Close]);

    let reply = house.ask(&ask_all("raw-x"));

    let events = reply.events();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[0], CHUNK);
    assert!(events[1].contains("stream_truncated"), "{events:?}");
}

#[test]
fn fault_05_every_recording_passes_byte_for_byte() {
    let Some(recordings) = fixture::openai_chats() else { return };
    let house = House::open(&["raw-x"]);
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;

    for recording in recordings.iter().filter(|one| one.status == 200) {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let size = 1 + usize::try_from(dice >> 52).expect("small") % 3000;
        let is_stream = recording.kind == "sse";
        let body = &recording.body;
        let steps = if is_stream {
            stream(body, size, 1 + size / 3)
        } else {
            harness::answer(200, "application/json", body)
        };
        house.teach("x", steps);
        let reply = house.ask(&if is_stream { ask_all("raw-x") } else { Ask::chat("raw-x") });
        let added = reply.body.strip_prefix(body.as_slice()).unwrap_or_else(|| {
            panic!("{}: not the recorded bytes:\n{}", recording.name, reply.text())
        });
        let added = String::from_utf8_lossy(added).into_owned();
        assert!(["", "data: [DONE]"].contains(&added.trim_end()), "{}: {added}", recording.name);
    }
    println!("{} recordings replayed", recordings.len());
}

/// The small ones byte by byte, the whole way over sockets.
#[test]
fn fault_05_recordings_pass_one_byte_at_a_time() {
    let Some(recordings) = fixture::openai_chats() else { return };
    let house = House::open(&["raw-x"]);
    let small = recordings.iter().filter(|one| one.kind == "sse" && one.body.len() < 6_000);

    for recording in small {
        house.teach("x", stream(&recording.body, recording.body.len(), 1));
        let reply = house.ask(&ask_all("raw-x"));
        assert!(reply.body.starts_with(&recording.body), "{}: {}", recording.name, reply.text());
    }
}

/// What vendors refused is refused here with the same status and words, in OpenAI's shape.
#[test]
fn recorded_refusals_keep_their_status_and_words() {
    let Some(recordings) = fixture::openai_chats() else { return };
    let house = House::open(&["raw-x"]);

    for recording in recordings.iter().filter(|one| one.status >= 400) {
        house.teach("x", harness::answer(recording.status, "application/json", &recording.body));
        let reply = house.ask(&Ask::chat("raw-x"));
        if [401, 403].contains(&recording.status) {
            assert_eq!((reply.status, reply.refusal().as_str()), (502, "upstream_auth"));
            continue;
        }
        assert_eq!(reply.status, recording.status, "{}", recording.name);
        let said = serde_json::from_slice::<serde_json::Value>(&recording.body).unwrap_or_default();
        let told = reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        let said = said["error"]["message"].as_str().unwrap_or_default();
        assert!(told.contains(said), "{}: {told}", recording.name);
    }
}
