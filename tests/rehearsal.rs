//! The scripted vendor by itself: that it does what the other tests rely on.

mod harness;

use harness::{
    DEADLINE,
    client::{Ask, Client, Reply},
    stream, vendor,
};
use weir::rehearsal::{Vendor, script::Step};

fn ask(vendor: &Vendor, model: &str, more: &str) -> Reply {
    let mut client = Client::connect(vendor.address());
    let body =
        format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]{more}}}"#);
    client.send(&Ask::post("/v1/chat/completions", body).bytes());
    client.reply()
}

const STREAM: &str = r#","stream":true"#;

#[test]
fn an_answer_counts_its_own_tokens() {
    let reply = ask(&vendor(), "plain", "").json();

    assert!(reply["choices"][0]["message"]["content"].as_str().is_some_and(|text| text.len() > 40));
    let usage = &reply["usage"];
    let of = |field: &str| usage[field].as_u64().expect("a count");
    assert_eq!(of("total_tokens"), of("prompt_tokens") + of("completion_tokens"));
}

#[test]
fn a_stream_ends_as_its_model_says() {
    let vendor = vendor();
    let texts = |model: &str| ask(&vendor, model, STREAM).events();

    assert_eq!(texts("plain").last().map(String::as_str), Some("[DONE]"));
    assert!(texts("nodone").last().is_some_and(|last| last.contains("\"finish_reason\":\"stop\"")));
    assert!(!texts("nofinish").concat().contains("\"finish_reason\":\"stop\""));
    assert!(texts("errchunk").last().is_some_and(|last| last.contains("The vendor broke.")));
    for model in ["cut", "cutclean", "reset"] {
        assert!(!ask(&vendor, model, STREAM).is_whole, "{model}");
    }
}

#[test]
fn usage_is_streamed_when_asked_for() {
    let events =
        ask(&vendor(), "plain", r#","stream":true,"stream_options":{"include_usage":true}"#);

    let events = events.events();
    assert!(events[events.len() - 2].contains("\"choices\":[],\"usage\":{\"prompt_tokens\""));
}

#[test]
fn taught_bytes_are_sent_as_they_are() {
    let vendor = vendor();
    vendor.teach("x", stream(b"data: {}\n\n", 3, 1));

    let reply = ask(&vendor, "raw:x", STREAM);

    assert_eq!((reply.text().as_str(), reply.is_whole), ("data: {}\n\n", true));
}

#[test]
fn a_client_that_leaves_is_noted() {
    let vendor = vendor();
    vendor.teach("x", vec![Step::Hang]);
    let mut client = Client::connect(vendor.address());
    client.send(&Ask::post("/v1/chat/completions", r#"{"model":"raw:x"}"#).bytes());
    assert!(vendor.wait_until(DEADLINE, |log| log.len() == 1));
    assert!(!vendor.log()[0].was_abandoned());

    drop(client);

    assert!(vendor.wait_until(DEADLINE, |log| log[0].was_abandoned()));
}

#[test]
fn a_race_closes_a_connection_only_when_it_is_used_again() {
    let vendor = vendor();
    let mut client = Client::connect(vendor.address());
    let request = Ask::post("/v1/chat/completions", r#"{"model":"race"}"#).bytes();

    client.send(&request);
    assert_eq!(client.reply().status, 200);
    client.send(&request);

    assert!(client.ends_silently());
}

#[test]
fn a_stopped_vendor_leaves_no_connection_open() {
    let vendor = vendor();
    let mut client = Client::connect(vendor.address());
    client.send(&Ask::post("/v1/chat/completions", r#"{"model":"plain"}"#).bytes());
    client.reply();
    let address = vendor.address();

    drop(vendor);

    assert!(client.ends_silently());
    assert!(std::net::TcpStream::connect(address).is_err());
}
