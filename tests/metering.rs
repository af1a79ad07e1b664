//! What is metered of streams in every language, and what a receipt says of their words.

mod harness;

use harness::{
    House, answer,
    client::{Ask, Reply},
    gateway::Gateway,
    manifest, stream,
    talk::{self, chat, converse, events, messages},
    vendor,
};
use serde_json::{Value, json};

const LIMIT: u64 = 100_000;

/// Accounts that speak Anthropic's language, Bedrock's and Azure's, under one limit on tokens.
fn house() -> House {
    let vendor = vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["open", "raw-x"]);
    let model = |kind: &str, name: &str, id: &str| {
        json!({"type": format!("integration/model/{kind}"), "name": name, "model_id": id,
            "model_types": ["chat"]})
    };
    let claudes = [("sonnet", "claude-sonnet-4-5"), ("raw-x", "raw:x")];
    let claudes = claudes.map(|(name, id)| model("anthropic", name, id));
    let base_url = format!("http://{}/v1", vendor.address());
    let claude = talk::account("anthropic", "claude", &base_url, json!(claudes));
    manifest::write(folder.path(), "claude", &claude);
    let novas = [model("bedrock", "nova", "us.amazon.nova-2-lite-v1:0")];
    let base_url = format!("http://{}", vendor.address());
    let mut bedrock = talk::account("aws-bedrock", "aws", &base_url, json!(novas));
    bedrock["region"] = "eu-west-1".into();
    manifest::write(folder.path(), "aws", &bedrock);
    let mut deployment = model("azure-openai", "raw-x", "raw:x");
    deployment["api_version"] = "2024-10-21".into();
    let mut azure = talk::account("azure-openai", "azure", "", json!([deployment]));
    azure.as_object_mut().expect("an object").remove("base_url");
    azure["azure_endpoint"] = format!("http://{}", vendor.address()).into();
    manifest::write(folder.path(), "azure", &azure);
    let rules = json!([{"id": "tokens", "when": {}, "limit_to": LIMIT, "unit": "tokens_per_hour"}]);
    let limits = json!({"type": "gateway-rate-limiting-config", "name": "limits", "rules": rules});
    manifest::write(folder.path(), "limits", &limits);
    House { gateway: Gateway::start(folder, &[]), vendor }
}

/// What is left of the limit, as whoever asks for more than that is told.
fn left(house: &House) -> u64 {
    let refused = house.ask(&chat("test/open", json!({"max_tokens": 2 * LIMIT})));
    assert_eq!(refused.status, 429, "{}", refused.text());
    let told = refused.header("x-ratelimit-remaining-tokens").expect("it is told");
    told.parse().expect("a number")
}

/// Asks, and the tokens of its receipt, which is the last of `count`.
fn spend(house: &House, ask: &Ask, count: usize) -> (Reply, u64) {
    let reply = house.ask(ask);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let receipts = house.receipts(count);
    let receipt = receipts.last().expect("a receipt");
    assert_eq!(receipt.text("ending"), "complete");
    (reply, receipt.number("input_tokens") + receipt.number("output_tokens"))
}

/// T052: a limit on tokens is amended when a stream of Anthropic's or of Bedrock's ends, whoever
/// reads it.
#[test]
fn t052_streams_in_every_language_amend_a_limit_on_tokens() {
    let house = house();
    let streamed = json!({"stream": true});
    let asks = [
        messages("claude/sonnet", &streamed),
        chat("claude/sonnet", &streamed),
        converse("aws/nova", "converse-stream", json!({})),
        chat("aws/nova", &streamed),
        messages("aws/nova", &streamed),
    ];
    let (mut spent, mut receipts) = (0, 0);
    for ask in asks {
        let (_, tokens) = spend(&house, &ask, receipts + 1);
        assert!(tokens > 20, "{tokens}");
        spent += tokens;

        let left = left(&house);

        assert_eq!(left, LIMIT - spent);
        receipts += 2;
    }
}

fn anthropic_stream(citation: Option<Value>) -> Vec<u8> {
    let usage = json!({"input_tokens": 5, "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 200, "output_tokens": 1});
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let mut all = vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
            "role": "assistant", "model": "m", "content": [], "usage": usage}}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "text", "text": ""}}),
        delta(json!({"type": "text_delta", "text": "Hi"})),
    ];
    all.extend(
        citation.map(|citation| delta(json!({"type": "citations_delta", "citation": citation}))),
    );
    all.push(json!({"type": "content_block_stop", "index": 0}));
    all.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 3}}));
    all.push(json!({"type": "message_stop"}));
    let line = |event: &Value| {
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("a type"))
    };
    all.iter().map(line).collect::<String>().into_bytes()
}

/// T057: tokens that a vendor read from its cache, or wrote to it, are tokens of the request.
#[test]
fn t057_cached_tokens_count_against_a_limit_on_tokens() {
    let house = house();
    house.teach("x", stream(&anthropic_stream(None), 1_000, 1_000));
    let (_, streamed) = spend(&house, &messages("claude/raw-x", json!({"stream": true})), 1);
    assert_eq!((streamed, left(&house)), (308, LIMIT - 308));

    let body = json!({"id": "c1", "object": "chat.completion", "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 305, "completion_tokens": 3, "total_tokens": 308,
            "prompt_tokens_details": {"cached_tokens": 200}}});
    house.teach("x", answer(200, "application/json", body.to_string().as_bytes()));
    let (_, whole) = spend(&house, &chat("test/raw-x", json!({})), 3);

    assert_eq!((whole, left(&house)), (308, LIMIT - 616));
    let receipts = house.receipts(4);
    assert!(receipts.iter().any(|one| one.number("cache_written_tokens") == 100));
}

/// T056: Azure begins with a chunk that has no choices, and ends with one that has nothing but the
/// usage; who did not ask for that one does not see it, and is billed for it.
#[test]
fn t056_azures_streamed_usage_is_billed_once_asked_for_or_not() {
    let house = house();
    let chunk = |choices: Value, more: Value| {
        let body = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": choices});
        format!("data: {}\n\n", talk::with(body, more))
    };
    let said = |delta: Value, finish: Value| {
        chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), json!({}))
    };
    let usage = json!({"usage": {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30}});
    let body = [
        chunk(json!([]), json!({"prompt_filter_results": [{"prompt_index": 0}], "id": ""})),
        said(json!({"role": "assistant", "content": ""}), Value::Null),
        said(json!({"content": "Hi"}), Value::Null),
        said(json!({}), "stop".into()),
        chunk(json!([]), usage),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    house.teach("x", stream(body.as_bytes(), 100, 100));
    for (nth, asks_for_usage) in [false, true].into_iter().enumerate() {
        let more = json!({"stream": true, "stream_options": {"include_usage": asks_for_usage}});

        let (reply, tokens) = spend(&house, &chat("azure/raw-x", more), 2 * nth + 1);

        assert_eq!(tokens, 30);
        let told = events(&reply).iter().filter(|event| event["usage"].is_object()).count();
        assert_eq!(told, usize::from(asks_for_usage));
        assert_eq!(left(&house), LIMIT - 30 * (nth as u64 + 1));
    }
}

/// T059: what is not metered is not forwarded: audio has no door here.
#[test]
fn t059_a_transcription_is_refused_and_never_sent_unbilled() {
    let house = house();
    for path in ["/v1/audio/transcriptions", "/v1/audio/translations", "/v1/audio/speech"] {
        let body = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\ntest/open\r\n\
            --b\r\ncontent-disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--b--\r\n";
        let ask = Ask::post(path, body).header("content-type", "multipart/form-data; boundary=b");

        let reply = house.ask(&ask);

        assert_eq!(reply.status, 404, "{path}: {}", reply.text());
    }
    assert_eq!(house.vendor.log().len(), 0);
    assert_eq!(left(&house), LIMIT);
}

/// Decision 28: the request's side is told in a header, the reply's in the receipt, and both in the
/// receipt.
#[test]
fn what_neither_side_could_be_told_stands_in_the_receipt() {
    let house = house();
    let document = json!({"type": "char_location", "cited_text": "Hi", "document_index": 0,
        "document_title": null, "start_char_index": 0, "end_char_index": 2});
    house.teach("x", stream(&anthropic_stream(Some(document.clone())), 1_000, 1_000));
    let streamed = house.ask(&chat("claude/raw-x", json!({"stream": true, "seed": 7})));
    assert_eq!((streamed.status, streamed.header("x-weir-dropped")), (200, Some("seed")));
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": "Hi", "citations": [document]}],
        "stop_reason": "end_turn", "container": {"id": "c"},
        "usage": {"input_tokens": 5, "output_tokens": 3}});
    house.teach("x", answer(200, "application/json", body.to_string().as_bytes()));
    let whole = house.ask(&chat("claude/raw-x", json!({"seed": 7, "n": 2})));
    assert_eq!(whole.status, 200, "{}", whole.text());
    let same = house.ask(&messages("claude/raw-x", json!({})));
    assert_eq!(same.header("x-weir-dropped"), None);

    let receipts = house.receipts(3);

    assert_eq!(receipts[0].0["request_dropped"], json!(["seed"]));
    assert_eq!(receipts[0].0["reply_dropped"], json!(["content.citations"]));
    assert_eq!(receipts[1].0["request_dropped"], json!(["seed", "n"]));
    assert_eq!(receipts[1].0["reply_dropped"], json!(["container", "content.citations"]));
    assert_eq!(receipts[2].0.get("reply_dropped"), None);
    assert_eq!(receipts[2].0.get("request_dropped"), None);
}

/// Citations reach a client of another language while the answer streams.
#[test]
fn t127_a_cited_page_is_an_annotation_of_the_stream() {
    let house = house();
    let page = json!({"type": "web_search_result_location", "cited_text": "Hi",
        "url": "https://example.com/a", "title": "A", "encrypted_index": "x"});
    house.teach("x", stream(&anthropic_stream(Some(page)), 1_000, 1_000));

    let reply = house.ask(&chat("claude/raw-x", json!({"stream": true})));

    let told: Vec<Value> = events(&reply)
        .iter()
        .map(|event| event["choices"][0]["delta"]["annotations"].clone())
        .filter(Value::is_array)
        .collect();
    let expected = json!([{"type": "url_citation", "url_citation": {"start_index": 0,
        "end_index": 2, "url": "https://example.com/a", "title": "A"}}]);
    assert_eq!(told, [expected]);
    assert_eq!(house.receipt().0.get("reply_dropped"), None);
}
