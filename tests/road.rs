//! The road: what a client asks and gets when nothing goes wrong, and each way of being refused.

mod harness;

use harness::{
    House, answer,
    client::{Ask, KEY, KEY_BILLING, KEY_EXPIRED, KEY_OUTSIDER, chat_body},
    manifest::{self, VENDOR_KEY},
};
use serde_json::json;

const PREFIXES: [&str; 4] = ["", "/v1", "/api/llm", "/api/llm/v1"];

#[test]
fn every_route_is_served_under_every_prefix() {
    let house = House::open(&["plain"]);
    let embed = r#"{"model":"test/plain","input":"a"}"#;
    let complete = r#"{"model":"test/plain","prompt":"a"}"#;

    for prefix in PREFIXES {
        let chat = Ask::post(&format!("{prefix}/chat/completions"), chat_body("plain", ""));
        assert_eq!(house.ask(&chat).json()["object"], "chat.completion", "{prefix}");
        let embeddings = house.ask(&Ask::post(&format!("{prefix}/embeddings"), embed));
        assert_eq!(embeddings.json()["data"][0]["object"], "embedding", "{prefix}");
        let completion = house.ask(&Ask::post(&format!("{prefix}/completions"), complete));
        assert_eq!(completion.json()["object"], "text_completion", "{prefix}");
        let models = house.ask(&Ask::get(&format!("{prefix}/models")));
        assert_eq!(models.json()["data"][0]["id"], "test/plain", "{prefix}");
        let model = house.ask(&Ask::get(&format!("{prefix}/models/test/plain")));
        assert_eq!(model.json()["id"], "test/plain", "{prefix}");
    }
    assert_eq!(house.ask(&Ask::get("/").key("")).status, 200);
    assert_eq!(house.ask(&Ask::get("/ready").key("")).status, 200);
    assert_eq!(house.receipts(12).iter().filter(|one| one.status() == 200).count(), 12);
}

#[test]
fn a_key_is_taken_from_each_of_three_headers() {
    let house = House::open(&["plain"]);

    for (name, value) in [
        ("Authorization", format!("Bearer {KEY}")),
        ("authorization", format!("bearer {KEY}")),
        ("x-api-key", KEY.to_owned()),
        ("X-TFY-API-KEY", KEY.to_owned()),
    ] {
        let ask = Ask::chat("plain").key("").header(name, &value);
        assert_eq!(house.ask(&ask).status, 200, "{name}");
    }
    // The gateway's own header outranks the others.
    let both = Ask::chat("plain").key("wrong").header("x-tfy-api-key", KEY);
    assert_eq!(house.ask(&both).status, 200);
}

#[test]
fn each_refusal_has_its_status_and_code() {
    let house = House::open(&["plain", "embed-only", "open"]);
    let chat = |body: &str| Ask::post("/v1/chat/completions", body);
    let plain = Ask::chat("plain");

    for (ask, status, code) in [
        (plain.clone().key(""), 401, "missing_api_key"),
        (plain.clone().key("no-such-key"), 401, "invalid_api_key"),
        (plain.clone().key(KEY_EXPIRED), 401, "expired_api_key"),
        (plain.clone().key(KEY_OUTSIDER), 403, "model_access_denied"),
        (Ask::chat("plan"), 404, "model_not_found"),
        (Ask::chat("embed-only"), 404, "operation_not_supported"),
        (Ask::post("/v1/nowhere", "{}"), 404, "route_not_found"),
        (Ask::get("/v1/chat/completions"), 405, "method_not_allowed"),
        (plain.clone().without("content-length"), 411, "length_required"),
        (plain.clone().header("content-encoding", "lzma"), 415, "unsupported_content_encoding"),
        (chat("{"), 400, "invalid_json"),
        (chat("[]"), 400, "invalid_json"),
        (chat("{}"), 400, "missing_model"),
        (chat(r#"{"model":7}"#), 400, "invalid_field"),
        (plain.clone().header("x-tfy-metadata", "{"), 400, "invalid_metadata"),
        (plain.clone().header("x-tfy-request-timeout", "soon"), 400, "invalid_header"),
        (plain.clone().header("x-tfy-ttft-timeout-ms", "-1"), 400, "invalid_header"),
    ] {
        let mut ask = ask;
        if status == 411 {
            ask.body.clear();
        }
        let reply = house.ask(&ask);
        assert_eq!(reply.status, status, "{code}: {}", reply.text());
        assert_eq!(reply.refusal(), code);
    }
    assert!(house.vendor.log().is_empty(), "a refused request does not reach the vendor");
    assert_eq!(house.receipts(17).len(), 17, "each is billed once, at nothing");
}

#[test]
fn an_unknown_model_is_answered_with_the_nearest_that_the_caller_may_use() {
    let house = House::open(&["plain", "open"]);

    let near = house.ask(&Ask::chat("plian")).json()["error"]["message"].to_string();
    let hidden = house.ask(&Ask::chat("plian").key(KEY_OUTSIDER));

    assert!(near.contains("test/plain"), "{near}");
    assert!(!hidden.text().contains("test/plain"), "what may not be used is not named");
}

#[test]
fn models_are_those_that_the_caller_may_use() {
    let house = House::open(&["plain", "open"]);
    let ids = |key| {
        let list = house.ask(&Ask::get("/v1/models").key(key)).json();
        let data = list["data"].as_array().expect("a list").clone();
        let mut ids: Vec<String> =
            data.iter().map(|one| one["id"].as_str().unwrap_or_default().to_owned()).collect();
        ids.sort();
        ids
    };

    let (owner, outsider) = (ids(KEY), ids(KEY_OUTSIDER));

    assert_eq!(owner, ["test/open", "test/plain"]);
    assert_eq!(outsider, ["test/open"]);
    let hidden = house.ask(&Ask::get("/v1/models/test/plain").key(KEY_OUTSIDER));
    assert_eq!(hidden.status, 404);
}

#[test]
fn a_method_that_a_path_lacks_is_told_which_it_has() {
    let house = House::open(&["plain"]);

    let reply = house.ask(&Ask::get("/v1/chat/completions"));

    assert_eq!(reply.header("allow"), Some("POST"));
}

#[test]
fn the_clients_bytes_go_out_but_for_the_model() {
    let house = House::open(&["plain"]);

    house.ask(&Ask::chat("plain"));

    let sent = chat_body("plain", "").replace("test/plain", "plain");
    assert_eq!(house.vendor_bodies(), [sent]);
}

#[test]
fn a_stream_asks_upstream_for_usage_in_the_same_bytes() {
    let house = House::open(&["plain"]);
    let more = r#","stream":true,"stream_options":{ "x":1, "include_usage" :false}"#;

    house.ask(&Ask::stream("plain"));
    house.ask(&Ask::post("/v1/chat/completions", chat_body("plain", more)));

    let bodies = house.vendor_bodies();
    for (body, written) in bodies.iter().zip([r#","stream":true"#, more]) {
        let value: serde_json::Value = serde_json::from_str(body).expect("valid JSON");
        assert_eq!(value["stream_options"]["include_usage"], true, "{body}");
        // What is left when the splice is taken out again is what the client wrote.
        let plain = chat_body("plain", written).replace("test/plain", "plain");
        let common = plain.bytes().zip(body.bytes()).take_while(|(a, b)| a == b).count();
        let rest = plain.bytes().rev().zip(body.bytes().rev()).take_while(|(a, b)| a == b).count();
        assert!(common + rest + 6 >= plain.len(), "more than one place differs:\n{plain}\n{body}");
    }
}

#[test]
fn only_listed_headers_go_upstream() {
    let house = House::open(&["plain"]);
    let ask = Ask::chat("plain")
        .header("cookie", "session=secret")
        .header("x-tfy-metadata", r#"{"team":"core"}"#)
        .header("x-tfy-anything", "1")
        .header("x-api-key", "of-the-client")
        .header("proxy-authorization", "Basic abc")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-org-id", "forged")
        .header("connection", "close, authorization")
        .header("te", "trailers")
        .header("accept", "application/json");

    let reply = house.ask(&ask);

    assert_eq!(reply.status, 200, "{}", reply.text());
    let seen = house.vendor.log().remove(0);
    let expected = format!("Bearer {VENDOR_KEY}");
    assert_eq!(seen.header("authorization"), Some(expected.as_str()));
    assert_eq!(seen.header("x-account-header"), Some("from the account"));
    assert_eq!(seen.header("accept-encoding").unwrap_or("identity"), "identity");
    for name in [
        "cookie",
        "x-tfy-metadata",
        "x-tfy-anything",
        "x-tfy-api-key",
        "x-api-key",
        "proxy-authorization",
        "x-forwarded-for",
        "x-org-id",
        "te",
    ] {
        assert_eq!(seen.header(name), None, "{name} went upstream");
    }
    let head = String::from_utf8_lossy(&seen.head).into_owned();
    assert!(!head.contains(KEY) && !head.contains("of-the-client"), "{head}");
}

#[test]
fn metadata_is_strings_of_at_most_128_characters() {
    let house = House::open(&["plain"]);
    let with = |metadata: &str| house.ask(&Ask::chat("plain").header("x-tfy-metadata", metadata));
    let value = |length: usize| format!(r#"{{"tag":"{}"}}"#, "ż".repeat(length));

    assert_eq!(with(&value(128)).status, 200);
    assert_eq!(with("{}").status, 200);
    for wrong in [value(129), r#"{"tag":7}"#.into(), r#"{"tag":null}"#.into(), "[]".into()] {
        let reply = with(&wrong);
        assert_eq!((reply.status, reply.refusal().as_str()), (400, "invalid_metadata"), "{wrong}");
        let names_the_key = wrong == "[]" || reply.text().contains("tag");
        assert!(names_the_key, "{}", reply.text());
    }
}

#[test]
fn operators_decide_over_what_a_request_says_of_itself() {
    let house = House::open(&["plain"]);
    let metadata = r#"{"surface":"said","cost_center":"said","other":"said"}"#;

    house.ask(&Ask::chat("plain").header("x-tfy-metadata", metadata));
    house.ask(&Ask::chat("plain").header("x-tfy-metadata", metadata).key(KEY_BILLING));

    let receipts = house.receipts(2);
    let said = |index: usize| &receipts[index].0["metadata"];
    assert_eq!(said(0), &json!({"surface": "decided", "cost_center": "said", "other": "said"}));
    assert_eq!(said(1), &json!({"surface": "said", "cost_center": "4711", "other": "said"}));
    assert_eq!(receipts[0].text("subject"), manifest::OWNER);
    assert_eq!(receipts[1].text("subject"), manifest::BILLING);
}

#[test]
fn a_reply_is_the_vendors_byte_for_byte() {
    let house = House::open(&["raw-x"]);
    let body = "{\n \"id\" :\"\\u0061\",\"choices\":[ ],\"n\":1.0e+2,\"żółć\":\"🦀\"}\n";

    house.teach("x", answer(200, "application/json", body.as_bytes()));
    let reply = house.ask(&Ask::chat("raw-x"));

    assert_eq!((reply.status, reply.text().as_str()), (200, body));
}

#[test]
fn a_reply_says_what_served_it() {
    let house = House::open(&["plain"]);

    let plain = house.ask(&Ask::chat("plain").header("x-request-id", "mine-1"));
    let odd = house.ask(&Ask::chat("plain").header("x-request-id", "bad id, {\"x\":1}"));
    let stream = house.ask(&Ask::stream("plain"));

    assert_eq!(plain.header("x-tfy-resolved-model"), Some("test/plain"));
    assert!(plain.header("x-tfy-applied-configurations").is_some());
    assert_eq!(plain.header("x-request-id"), Some("mine-1"));
    assert_eq!(plain.header("request-id"), Some("mine-1"));
    let timing = plain.header("server-timing").expect("phases of a whole reply");
    assert!(timing.contains("dur="), "{timing}");
    assert_ne!(odd.header("x-request-id"), Some("bad id, {\"x\":1}"), "only a sane id is kept");
    assert!(stream.header("server-timing").is_none(), "its phases are not over");
}

/// What a refused request said of itself is known too.
#[test]
fn a_refusal_leaves_a_receipt_with_its_metadata_and_its_size() {
    let house = House::open(&["plain"]);

    let ask = Ask::chat("nowhere").header("x-tfy-metadata", r#"{"ticket":"T-1"}"#);
    let reply = house.ask(&ask);

    let receipt = house.receipt();
    assert_eq!((receipt.status(), receipt.text("code").as_str()), (404, "model_not_found"));
    assert_eq!(receipt.0["metadata"]["ticket"], "T-1");
    assert_eq!(receipt.number("bytes_out"), reply.body.len() as u64);
}

#[test]
fn an_exchange_leaves_one_receipt_with_its_facts() {
    let house = House::open(&["plain"]);

    let reply = house.ask(&Ask::chat("plain").header("x-request-id", "facts"));

    let (receipt, body) = (house.receipt(), reply.json());
    assert_eq!(receipt.status(), 200);
    assert_eq!(receipt.text("request_id"), "facts");
    assert_eq!(receipt.text("ending"), "complete");
    assert_eq!(receipt.text("requested_model"), "test/plain");
    assert_eq!(receipt.text("resolved_model"), "test/plain");
    assert!(receipt.0["teams"].to_string().contains("core"), "{receipt:?}");
    assert_eq!(receipt.number("input_tokens"), body["usage"]["prompt_tokens"]);
    assert_eq!(receipt.number("output_tokens"), body["usage"]["completion_tokens"]);
    assert_eq!(receipt.number("bytes_out"), reply.body.len() as u64);
    assert_eq!(receipt.number("bytes_in"), chat_body("plain", "").len() as u64);
    assert_eq!(receipt.number("retries"), 0);
    assert!(receipt.number("total_us") >= receipt.number("ttft_us"));
}

#[test]
fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let house = House::open(&["plain"]);
    let mut client = house.client();
    let ask = |id: &str| Ask::chat("plain").header("x-request-id", id).bytes();

    client.send(&[ask("one"), ask("two"), ask("three")].concat());

    for id in ["one", "two", "three"] {
        assert_eq!(client.reply().header("x-request-id"), Some(id));
    }
    assert!(house.vendor.log().iter().all(|seen| seen.connection == 0), "the connection is kept");
}

#[test]
fn a_chunked_request_is_served_and_an_expected_100_is_given() {
    let house = House::open(&["plain"]);
    let body = chat_body("plain", "");
    let (first, second) = body.split_at(20);
    let chunked = Ask { body: Vec::new(), ..Ask::chat("plain").without("content-length") };
    let chunked = chunked.header("transfer-encoding", "chunked").bytes();
    let mut client = house.client();

    client.send(&chunked);
    let framed =
        format!("{:x};a=b\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    client.send(framed.as_bytes());
    assert_eq!(client.reply().status, 200);
    let expecting = Ask { body: Vec::new(), ..Ask::chat("plain").header("expect", "100-continue") };
    client.send(&expecting.bytes());
    assert_eq!(client.any_head().status, 100);
    client.send(body.as_bytes());

    assert_eq!(client.reply().status, 200);
    assert_eq!(house.vendor_bodies()[0], house.vendor_bodies()[1]);
}

#[test]
fn the_admin_port_tells_metrics_and_problems() {
    let house = House::open(&["plain"]);

    house.ask(&Ask::chat("plain"));
    house.receipts(1);
    let metrics = house.gateway.admin("/metrics");

    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("ai_gateway_"), "{}", metrics.text());
    let guarded = house.gateway.admin("/api/svc/v1/config/problems");
    assert!([401, 403].contains(&guarded.status), "a token without the role admin sees nothing");
}
