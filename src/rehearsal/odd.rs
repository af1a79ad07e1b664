//! The odd vendor: every way in which real ones misbehave, by words of the model's name.
//!
//! | word | answer |
//! |---|---|
//! | `eNNN` | that error status; 429 with `retry-after` (also `date`, `past`, `garbage`) |
//! | `ctxlen` | 400 with code `context_length_exceeded` |
//! | `flaky` | 429 the first time, and every second time after |
//! | `html`, `empty`, `nocontent`, `redirect` | 200 HTML, 200 without a byte, 204, 302 |
//! | `gzip`, `gziplie` | a gzip body; a plain body that says it is gzip |
//! | `badchunk`, `clte`, `junkhttp` | a chunk size that is none; two framings; no HTTP at all |
//! | `jsonforstream`, `sseforjson`, `errforstream` | the wrong kind of body, with its right type |
//! | `hugeN` | N MiB of JSON text |
//! | `early` | 103 and 100 before the answer |
//! | `closing` | a body that the end of the connection ends |
//! | `hangup` | the connection ends right after a whole answer that did not say so |
//! | `race` | a second request on a connection is read and the connection ends |
//! | `never`, `drop` | no byte, ever; the connection ends before a byte |
//! | `slowN` | N ms before the first byte |
//!
//! and for streams: `nodone`, `nofinish`, `errchunk`, `errevent`, `groqerr`, `crlf`, `comment`,
//! `nospace`, `multiline`, `junk`, `noid`, `bom`, `cut`, `cutclean`, `reset`, `stall`, `burst`
//! (one write), `splitN` (N bytes a write), `pacedNxM` (N events at M a second), `eventsN`, `pong`.

use super::{
    endpoint::Ask,
    frame::{self, Event, LAST_CHUNK, Manner, chunk, error, json},
    script::Step,
    words::{self, Dice},
};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write as _;

const TYPE_JSON: (&str, &str) = ("content-type", "application/json");

/// The answer of a vendor that does not do what was asked at all.
pub(super) fn instead(ask: &Ask) -> Option<Vec<Step>> {
    let tricks = &ask.tricks;
    if tricks.has("race") && ask.connection_uses > 0 || tricks.has("drop") {
        return Some(vec![Step::Close]);
    }
    if tricks.has("never") {
        return Some(vec![Step::Hang]);
    }
    let body = broken_body(ask);
    if body.is_some() {
        return body.map(|body| vec![body]);
    }
    let status = match tricks.error_status() {
        None if tricks.has("flaky") && ask.times_asked.is_multiple_of(2) => 429,
        None if tricks.has("ctxlen") => 400,
        None => return None,
        Some(status) => status,
    };
    Some(pause_first(ask, vec![refuse(ask, status)]))
}

/// Bodies and heads that are not what they say.
fn broken_body(ask: &Ask) -> Option<Step> {
    let plain = br#"{"id":"chatcmpl-odd","object":"chat.completion","choices":[]}"#;
    let tricks = &ask.tricks;
    let send = |bytes: Vec<u8>| Some(Step::Send(bytes));
    let html = b"<html><body><h1>502 Bad Gateway</h1></body></html>";
    match () {
        () if tricks.has("html") => send(frame::whole(200, &[("content-type", "text/html")], html)),
        () if tricks.has("empty") => send(frame::whole(200, &[TYPE_JSON], b"")),
        () if tricks.has("nocontent") => send(frame::head(204, &[])),
        () if tricks.has("redirect") => {
            let elsewhere = ("location", "http://127.0.0.1:9/elsewhere");
            send(frame::whole(302, &[elsewhere], b""))
        }
        () if tricks.has("gziplie") => {
            send(frame::whole(200, &[TYPE_JSON, ("content-encoding", "gzip")], plain))
        }
        () if tricks.has("gzip") => {
            let packed = zip(plain);
            send(frame::whole(200, &[TYPE_JSON, ("content-encoding", "gzip")], &packed))
        }
        () if tricks.has("badchunk") => {
            let mut bytes = frame::head(200, &[TYPE_JSON, ("transfer-encoding", "chunked")]);
            bytes.extend_from_slice(b"zz\r\n{}\r\n0\r\n\r\n");
            send(bytes)
        }
        () if tricks.has("clte") => {
            let headers = [TYPE_JSON, ("content-length", "7"), ("transfer-encoding", "chunked")];
            let mut bytes = frame::head(200, &headers);
            bytes.extend_from_slice(b"2\r\n{}\r\n0\r\n\r\n");
            send(bytes)
        }
        () if tricks.has("junkhttp") => send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
        () if tricks.has("errforstream") => {
            Some(json(200, &[], &error("server_error", Some("overloaded"), "Overloaded.")))
        }
        () if tricks.has("jsonforstream") && ask.is_streaming => {
            send(frame::whole(200, &[TYPE_JSON], plain))
        }
        () if tricks.has("sseforjson") && !ask.is_streaming => {
            let events = b"data: {\"choices\":[]}\n\ndata: [DONE]\n\n";
            send(frame::whole(200, &[("content-type", "text/event-stream")], events))
        }
        () => None,
    }
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a Vec takes every byte")
}

fn refuse(ask: &Ask, status: u16) -> Step {
    let (kind, code) = match status {
        400 => ("invalid_request_error", Some("bad_request")),
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("permission_error", Some("unsupported_country")),
        404 => ("not_found_error", Some("model_not_found")),
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        _ => ("server_error", None),
    };
    let code = if ask.tricks.has("ctxlen") { Some("context_length_exceeded") } else { code };
    let body = error(kind, code, &format!("The vendor says {status}."));
    let retry: &[(&str, &str)] = match status {
        429 if ask.tricks.has("date") => &[("retry-after", "Fri, 31 Dec 2049 23:59:59 GMT")],
        429 if ask.tricks.has("past") => &[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")],
        429 if ask.tricks.has("garbage") => &[("retry-after", "in a while")],
        429 => &[("retry-after", "1"), ("retry-after-ms", "200")],
        _ => &[],
    };
    json(status, &[retry, &[("x-request-id", "req_refused")]].concat(), &body)
}

/// An ordinary answer, bent at its edges.
pub(super) fn around(ask: &Ask, mut steps: Vec<Step>) -> Vec<Step> {
    if let Some(mebibytes) = ask.tricks.number("huge", 1) {
        steps = huge(usize::try_from(mebibytes).unwrap_or(1));
    }
    if ask.tricks.has("closing") && !ask.is_streaming {
        let mut bytes = frame::head(200, &[TYPE_JSON, ("connection", "close")]);
        bytes.extend_from_slice(br#"{"object":"chat.completion","choices":[]}"#);
        steps = vec![Step::Send(bytes), Step::Close];
    }
    if ask.tricks.has("early") {
        let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        steps.insert(0, Step::Send(hints.to_vec()));
    }
    if ask.tricks.has("hangup") {
        steps.push(Step::Close);
    }
    pause_first(ask, steps)
}

fn pause_first(ask: &Ask, mut steps: Vec<Step>) -> Vec<Step> {
    let human = ask.pace.before_first(ask.seed);
    if let Some(millis) = ask.tricks.number("slow", 500).or(human) {
        steps.insert(0, Step::Pause(millis));
    }
    steps
}

/// A completion whose text is so many MiB long.
fn huge(mebibytes: usize) -> Vec<Step> {
    const PIECE: usize = 64 * 1024;
    let (before, after) = (
        r#"{"id":"chatcmpl-huge","object":"chat.completion","created":1,"model":"huge","choices":[{"index":0,"message":{"role":"assistant","content":""#,
        r#""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
    );
    let length = (before.len() + after.len() + mebibytes * (1 << 20)).to_string();
    let mut head = frame::head(200, &[TYPE_JSON, ("content-length", &length)]);
    head.extend_from_slice(before.as_bytes());
    vec![
        Step::Send(head),
        Step::Repeat(vec![b'x'; PIECE], mebibytes * (1 << 20) / PIECE),
        Step::Send(after.as_bytes().to_vec()),
    ]
}

/// The pieces of a stream's text.
pub(super) fn pieces(ask: &Ask, text: &str) -> Vec<String> {
    let events = ask.tricks.pair("paced").map(|(count, _)| count);
    let Some(count) = events.or(ask.tricks.number("events", 100)) else {
        return words::pieces(text).into_iter().map(str::to_owned).collect();
    };
    (0..count).map(|number| format!(" w{number}")).collect()
}

/// The steps of a stream with these events.
pub(super) fn stream(ask: &Ask, events: Vec<Event>) -> Vec<Step> {
    let tricks = &ask.tricks;
    let manner = Manner {
        crlf: tricks.has("crlf"),
        no_space: tricks.has("nospace"),
        multi_line: tricks.has("multiline"),
    };
    let is_closing = tricks.has("closing");
    let framing =
        if is_closing { ("connection", "close") } else { ("transfer-encoding", "chunked") };
    let is_framed = matches!(events.first(), Some(Event::Frame(_)));
    let kind = if is_framed { "application/vnd.amazon.eventstream" } else { "text/event-stream" };
    let mut events: Vec<Vec<u8>> =
        bend(ask, events).iter().map(|event| event.bytes(manner)).collect();
    if tricks.has("bom") {
        events[0].splice(0..0, *b"\xef\xbb\xbf");
    }
    let frame = |bytes: &[u8]| if is_closing { bytes.to_vec() } else { chunk(bytes) };
    let mut parts: Vec<Vec<u8>> = events.iter().map(|event| frame(event)).collect();
    let end = cut(ask, &mut parts);
    if end.is_none() && !is_closing {
        parts.push(LAST_CHUNK.to_vec());
    }
    let id = super::chat::request_id(ask);
    let headers = [("content-type", kind), ("x-request-id", &id), framing];
    let mut steps = written(ask, frame::head(200, &headers), parts);
    steps.extend(end.or(is_closing.then_some(Step::Close)));
    steps
}

/// Shortens a stream that is not to end well; how it ends instead.
fn cut(ask: &Ask, parts: &mut Vec<Vec<u8>>) -> Option<Step> {
    let end = match () {
        () if ask.tricks.has("cut") || ask.tricks.has("cutclean") => Step::Close,
        () if ask.tricks.has("reset") => Step::Reset,
        () if ask.tricks.has("stall") => Step::Hang,
        () => return None,
    };
    parts.truncate(4);
    let is_mid_event = ask.tricks.has("cut") || ask.tricks.has("reset");
    if let (true, Some(last)) = (is_mid_event, parts.last_mut()) {
        last.truncate(last.len() / 2);
    }
    Some(end)
}

/// Which bytes go into one write, and the pauses between.
fn written(ask: &Ask, head: Vec<u8>, parts: Vec<Vec<u8>>) -> Vec<Step> {
    if ask.tricks.has("burst") {
        return vec![Step::Send([head, parts.concat()].concat())];
    }
    if let Some(size) = ask.tricks.number("split", 1) {
        let size = usize::try_from(size).unwrap_or(1);
        return vec![Step::Split([head, parts.concat()].concat(), size)];
    }
    let paced = ask.tricks.pair("paced").map(|(_, rate)| 1000 / rate.max(1));
    let mut dice = Dice::new(ask.seed);
    let mut steps = vec![Step::Send(head)];
    for part in parts {
        let human = ask.pace.between_tokens(dice.throw());
        steps.extend(paced.or(human).map(Step::Pause));
        steps.push(Step::Send(part));
    }
    if ask.tricks.has("reset") {
        // What is still on its way when a reset is sent may be lost: let it arrive.
        steps.push(Step::Pause(20));
    }
    steps
}

/// The events of a stream that is odd in its words.
fn bend(ask: &Ask, mut events: Vec<Event>) -> Vec<Event> {
    let tricks = &ask.tricks;
    let broke = || error("server_error", Some("502"), "The vendor broke.");
    let middle = events.len().min(3);
    if tricks.has("nodone") {
        events.retain(Event::is_data);
    }
    if tricks.has("nofinish") {
        events.retain(|event| !matches!(event, Event::Data(value) if is_finish(value)));
    }
    if tricks.has("junk") {
        events.insert(middle, Event::Verbatim("data: {not json\n\n"));
    }
    if tricks.has("errchunk") {
        events.truncate(middle);
        events.push(Event::Data(broke()));
    }
    if tricks.has("errevent") {
        events.truncate(middle);
        events.push(Event::Named("error", broke()));
    }
    if tricks.has("groqerr") {
        events.truncate(middle);
        let mut failed = error("invalid_request_error", Some("tool_use_failed"), "No such tool.");
        failed["error"]["failed_generation"] = "<function=weather>".into();
        events.push(Event::Named("error", failed));
    }
    if tricks.has("comment") {
        let comment = Event::Verbatim(": REHEARSAL PROCESSING\n\n");
        events.splice(0..0, [comment.clone(), comment.clone()]);
        events.insert(4, comment);
    }
    if tricks.has("noid") {
        events.iter_mut().for_each(strip);
    }
    events
}

fn is_finish(value: &Value) -> bool {
    value["choices"][0]["finish_reason"].is_string()
}

fn strip(event: &mut Event) {
    if let Event::Data(Value::Object(fields)) = event {
        fields.retain(|name, _| !["id", "object", "created"].contains(&name.as_str()));
        fields.insert("x_gateway".to_owned(), json!({"provider": "rehearsal"}));
    }
}
