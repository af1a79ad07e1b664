//! Clients that speak HTTP/2: the same answers as over HTTP/1, one receipt a stream.

use crate::harness::{
    DEADLINE, House,
    client::{Ask, KEY},
    h2,
};
use std::process::{Command, Stdio};

#[test]
fn a_chat_is_answered_as_over_http1() {
    let house = House::open(&["plain"]);
    let known = house.ask(&Ask::chat("plain"));

    let reply = h2::run(async {
        let send = h2::connect(house.gateway.address).await;
        h2::ask(&send, &Ask::chat("plain")).await.expect("a reply")
    });

    assert_eq!((reply.status, reply.text()), (200, known.text()));
    for name in ["content-type", "content-length", "x-tfy-resolved-model"] {
        assert_eq!(reply.header(name), known.header(name), "{name}");
    }
    for name in ["connection", "transfer-encoding", "keep-alive"] {
        assert_eq!(reply.header(name), None, "{name} belongs to HTTP/1");
    }
    assert_eq!(house.vendor.log()[0].body, house.vendor.log()[1].body);
    let receipts = house.receipts(2);
    let usage = |number: usize| receipts[number].number("output_tokens");
    assert_eq!((receipts[1].status(), usage(1)), (200, usage(0)));
}

#[test]
fn a_stream_has_the_same_events_as_over_http1() {
    let house = House::open(&["plain"]);
    let known = house.ask(&Ask::stream("plain"));

    let reply = h2::run(async {
        let send = h2::connect(house.gateway.address).await;
        h2::ask(&send, &Ask::stream("plain")).await.expect("a reply")
    });

    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), known.header("content-type"));
    assert_eq!(reply.body, known.body);
    assert_eq!(house.receipts(2)[1].text("ending"), "complete");
}

#[test]
fn a_body_without_a_length_and_one_with_trailers_are_read() {
    let house = House::open(&["plain"]);

    let reply = h2::run(async {
        let send = h2::connect(house.gateway.address).await;
        let mut ask = Ask::chat("plain").without("content-length");
        let body = std::mem::take(&mut ask.body);
        let request = http::Request::post("http://weir.test/v1/chat/completions")
            .header("authorization", format!("Bearer {KEY}"));
        let mut send = send.ready().await.expect("open");
        let request = request.body(()).expect("a request");
        let (response, mut stream) = send.send_request(request, false).expect("open");
        let (first, second) = body.split_at(10);
        stream.send_data(first.to_vec().into(), false).expect("open");
        stream.send_data(second.to_vec().into(), false).expect("open");
        stream.send_trailers(http::HeaderMap::new()).expect("open");
        let (mut reply, mut body) = h2::head(response).await.expect("a reply");
        h2::read(&mut reply, &mut body).await.expect("all of it");
        reply
    });

    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(house.vendor_bodies().len(), 1);
}

#[test]
fn head_has_a_length_and_no_body_and_refusals_have_their_words() {
    let house = House::open(&["plain"]);
    let mut head = Ask::get("/ready");
    head.method = "HEAD".into();
    let two_hosts = Ask::get("/ready").header("host", "elsewhere.test");

    let [ready, no_key, no_route, twice, options] = h2::run(async {
        let send = h2::connect(house.gateway.address).await;
        let mut replies = Vec::new();
        let asks = [
            head,
            Ask::chat("plain").key(""),
            Ask::get("/nothing/here"),
            two_hosts,
            Ask::chat("unknown"),
        ];
        for ask in asks {
            replies.push(h2::ask(&send, &ask).await.expect("a reply"));
        }
        replies.try_into().expect("five")
    });

    assert_eq!((ready.status, ready.body.len()), (200, 0));
    assert!(ready.header("content-length").is_some_and(|length| length != "0"));
    assert_eq!((no_key.status, no_key.refusal()), (401, "missing_api_key".into()));
    assert_eq!(no_route.status, 404);
    assert_eq!((twice.status, twice.refusal()), (400, "bad_http".into()));
    assert_eq!(options.status, 404);
}

#[test]
fn heads_and_bodies_have_the_bounds_of_http1() {
    let house = House::open_with(&["plain"], &["--body-max", "1KiB", "--head-max", "8KiB"]);
    let long = "x".repeat(9 << 10);
    let large = Ask::post("/v1/chat/completions", vec![b' '; 2 << 10]);

    let [wide, longer, heavy, unannounced] = h2::run(async {
        let send = h2::connect(house.gateway.address).await;
        let mut replies = Vec::new();
        for ask in [
            Ask::get("/v1/models").header("x-long", &long),
            Ask::get(&format!("/v1/{long}")),
            large.clone(),
            large.without("content-length"),
        ] {
            replies.push(h2::ask(&send, &ask).await.expect("a reply"));
        }
        replies.try_into().expect("four")
    });

    assert_eq!((wide.status, wide.refusal()), (431, "headers_too_large".into()));
    assert!([414, 431].contains(&longer.status));
    assert_eq!((heavy.status, heavy.refusal()), (413, "body_too_large".into()));
    assert_eq!(unannounced.status, 413);
}

#[test]
fn a_thousand_streams_on_one_connection_each_have_their_answer_and_receipt() {
    const STREAMS: usize = 1_000;
    let house = House::open(&["plain"]);

    let bodies = h2::run_within(8 * DEADLINE, async {
        let mut builder = ::h2::client::Builder::new();
        builder.initial_max_send_streams(STREAMS);
        let send = h2::connect_with(house.gateway.address, builder).await;
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..STREAMS {
            let send = send.clone();
            let ask = if number % 20 == 0 { Ask::stream("plain") } else { Ask::chat("plain") };
            calls.spawn_local(async move { h2::ask(&send, &ask).await.expect("a reply") });
        }
        calls.join_all().await
    });

    assert_eq!(bodies.len(), STREAMS);
    for reply in &bodies {
        assert!(reply.status == 200 && reply.is_whole, "{}", reply.text());
    }
    let receipts = house.receipts(STREAMS);
    let mut ids: Vec<_> = receipts.iter().map(|one| one.text("request_id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), STREAMS);
}

#[test]
fn a_panic_ends_one_stream_and_no_other() {
    let house = House::open_with(&["plain", "doomed"], &["--panic-on-model", "test/doomed"]);

    let (doomed, plain) = h2::run(async {
        let send = h2::connect(house.gateway.address).await;
        let doomed = h2::ask(&send, &Ask::chat("doomed")).await.expect("a reply");
        (doomed, h2::ask(&send, &Ask::chat("plain")).await.expect("a reply"))
    });

    assert_eq!((doomed.status, doomed.refusal()), (500, "internal_error".into()));
    assert_eq!(plain.status, 200);
    assert_eq!(house.receipts(2)[0].text("ending"), "panicked");
}

#[test]
fn curl_speaks_http2_by_prior_knowledge() {
    let house = House::open(&["plain"]);
    let url = format!("http://{}/v1/chat/completions", house.gateway.address);
    let curl = |ask: &Ask| {
        let mut command = Command::new("curl");
        command.args(["-sSN", "--max-time", "15", "--http2-prior-knowledge"]);
        command.args(["-w", "\n%{http_version} %{http_code}", "-H"]);
        command.arg(format!("authorization: Bearer {KEY}"));
        command.arg("--data-binary").arg(String::from_utf8_lossy(&ask.body).as_ref());
        let output = command.arg(&url).stderr(Stdio::inherit()).output().expect("curl is here");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };

    let whole = curl(&Ask::chat("plain"));
    let stream = curl(&Ask::stream("plain"));

    assert!(whole.ends_with("}\n2 200"), "{whole}");
    assert!(stream.ends_with("data: [DONE]\n\n\n2 200"), "{stream}");
}

#[test]
fn an_operator_may_turn_it_off() {
    let house = House::open_with(&["plain"], &["--http2", "off"]);
    let mut client = house.client();

    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    assert_eq!(client.reply().status, 400);
}
