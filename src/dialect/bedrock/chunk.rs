//! Anthropic's words in AWS's frames: `InvokeModel` and `InvokeModelWithResponseStream`.
//!
//! ```text
//! {"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["…"],"max_tokens":9,"messages":[…]}
//! frame "chunk" {"bytes":"eyJ0eXBlIjoi…"}            each holds the data of one event, in base64
//! ```
//! Model and streaming stand in the path. **Source**: docs.aws.amazon.com/bedrock/latest/userguide/
//! model-parameters-anthropic-claude-messages.html, read 2026-11-21, and recorded traffic.

use crate::{
    dialect::pivot::{delta::Malformed, dropped::Dropped},
    wire::{
        eventstream,
        json::{
            self,
            document::{Document, Value},
            prune::prune,
            value::{push_json_string, read_str},
            write::Array,
        },
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The version of Anthropic's API as Bedrock calls it: the only one since 2023.
const VERSION: &[u8] = b"\"anthropic_version\":\"bedrock-2023-05-31\"";

/// Betas of Anthropic's that AWS knows, by their names without their dates; it answers 400 to a
/// request that names any other.
/// **Source**: docs.aws.amazon.com/bedrock/latest/userguide/
/// model-parameters-anthropic-claude-messages-request-response.html, and what users of other
/// gateways report of `fine-grained-tool-streaming`; read 2026-11-21.
const BETAS: [&str; 12] = [
    "computer-use",
    "context-1m",
    "context-management",
    "dev-full-thinking",
    "effort",
    "extended-cache-ttl",
    "fine-grained-tool-streaming",
    "interleaved-thinking",
    "output-128k",
    "token-efficient-tools",
    "tool-examples",
    "tool-search-tool",
];

/// Make of Anthropic's body at `at` one of Bedrock's; what names no place there stays as it is.
pub fn to_invoke(out: &mut Vec<u8>, at: usize, betas: Option<&[u8]>, dropped: &mut Dropped) {
    let mut members = VERSION.to_vec();
    if let Some(header) = betas {
        // What the body asks for itself is joined with it: a member stands once.
        let body = out.get(at..).unwrap_or_default();
        let has_own = memchr::memmem::find(body, b"anthropic_beta").is_some();
        let own = if has_own { betas_of(body) } else { String::new() };
        let all = [own.as_bytes(), header].join(&b',');
        if let Some(list) = betas_json(&all, dropped) {
            members.extend_from_slice(b",\"anthropic_beta\":");
            members.extend_from_slice(&list);
        }
    }
    // What is no object was refused when it was read.
    let gone = ["model", "stream", "anthropic_version", "anthropic_beta"];
    let _ = prune(out, at, &gone[..if betas.is_some() { 4 } else { 3 }], &[]);
    push_front(out, at, &members);
}

/// The other way round; betas become the value of a header.
pub fn from_invoke(out: &mut Vec<u8>, at: usize, model_json: &[u8], is_streaming: bool) {
    let _ = prune(out, at, &["model", "stream", "anthropic_version", "anthropic_beta"], &[]);
    let mut members = b"\"model\":".to_vec();
    members.extend_from_slice(model_json);
    if is_streaming {
        members.extend_from_slice(b",\"stream\":true");
    }
    push_front(out, at, &members);
}

/// The betas that a body asks for, as a header says them; empty where there are none.
#[must_use]
pub fn betas_of(body: &[u8]) -> String {
    let mut document = Document::default();
    let Ok(root) = document.parse(body) else { return String::new() };
    let names = root.get("anthropic_beta").into_iter().flat_map(Value::items);
    let is_fit = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    let names = names.filter_map(|name| name.plain().filter(|name| is_fit(name)));
    names.map(std::borrow::Cow::into_owned).collect::<Vec<_>>().join(",")
}

/// The names in a header as a list of texts, if there is any; what AWS would refuse is named.
pub fn betas_json(header: &[u8], dropped: &mut Dropped) -> Option<Vec<u8>> {
    let header = String::from_utf8_lossy(header);
    let mut known: Vec<&str> = Vec::new();
    for name in header.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !BETAS.contains(&undated(name)) {
            dropped.name(format!("anthropic-beta.{name}"));
        } else if !known.contains(&name) {
            known.push(name);
        }
    }
    let mut out = Vec::new();
    let mut array = Array::open(&mut out);
    for name in &known {
        push_json_string(array.item(), name);
    }
    array.close();
    (!known.is_empty()).then_some(out)
}

/// A name without the date behind it: `effort-2025-11-24` is `effort`.
fn undated(name: &str) -> &str {
    let date = name.len().checked_sub("-2025-11-24".len()).filter(|at| name.is_char_boundary(*at));
    let date = date.filter(|at| {
        let is_fit = |(at, byte): (usize, u8)| match at {
            0 | 5 | 8 => byte == b'-',
            _ => byte.is_ascii_digit(),
        };
        name.bytes().skip(*at).enumerate().all(is_fit)
    });
    date.map_or(name, |at| &name[..at])
}

/// Put members in front of those of the object at `at`.
fn push_front(out: &mut Vec<u8>, at: usize, members: &[u8]) {
    let body = out.get(at..).unwrap_or_default();
    let Some(brace) = body.iter().position(|byte| *byte == b'{') else { return };
    let is_empty = body[brace + 1..].trim_ascii_start().starts_with(b"}");
    let inside = at + brace + 1;
    let comma: &[u8] = if is_empty { b"" } else { b"," };
    out.splice(inside..inside, members.iter().chain(comma).copied());
}

/// The data of the event in a chunk, in place of what `data` held.
pub fn unwrap(payload: &[u8], data: &mut Vec<u8>) -> Result<(), Malformed> {
    data.clear();
    let found = json::object::scan_object(payload, &["bytes"])?;
    let bytes = found.values[0].ok_or(Malformed)?.of(payload);
    let inside = bytes.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    STANDARD.decode_vec(inside.ok_or(Malformed)?, data).map_err(|_| Malformed)
}

/// Append data as an event of Anthropic's, which is named by its type.
pub fn push_event(out: &mut Vec<u8>, data: &[u8]) -> Result<(), Malformed> {
    let found = json::object::scan_object(data, &["type"])?;
    let kind = found.values[0].and_then(|span| read_str(span.of(data))).ok_or(Malformed)?;
    if kind.contains(['\r', '\n']) || data.contains(&b'\n') {
        return Err(Malformed);
    }
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
    Ok(())
}

/// Append the events in `events`, as our encoders write them, as chunks.
pub fn wrap(out: &mut Vec<u8>, events: &[u8]) -> Result<(), Malformed> {
    let lines = events.split(|byte| *byte == b'\n');
    for data in lines.filter_map(|line| line.strip_prefix(b"data: ")) {
        let payload = format!("{{\"bytes\":\"{}\"}}", STANDARD.encode(data));
        let headers = [
            (":event-type", "chunk"),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ];
        eventstream::push(out, &headers, payload.as_bytes()).map_err(|_| Malformed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{betas_of, from_invoke, push_event, to_invoke, unwrap};
    use crate::dialect::pivot::dropped::Dropped;

    #[test]
    fn a_body_is_anthropics_here_and_bedrocks_there() {
        let there = |body: &str, betas: Option<&[u8]>| {
            let mut out = [b"HEAD", body.as_bytes()].concat();
            let mut dropped = Dropped::default();
            to_invoke(&mut out, 4, betas, &mut dropped);
            let names = dropped.iter().map(ToOwned::to_owned).collect::<Vec<_>>();
            (String::from_utf8(out.split_off(4)).expect("UTF-8"), names)
        };
        let version = "\"anthropic_version\":\"bedrock-2023-05-31\"";
        let betas = b"effort-2025-11-24, y-2,effort,oauth-2025-04-20";
        let (body, unsaid) = there(r#"{ "model":"a/b","stream":true, "n": 1.0e+2}"#, Some(betas));
        let known = r#"["effort-2025-11-24","effort"]"#;
        assert_eq!(body, format!(r#"{{{version},"anthropic_beta":{known}, "n": 1.0e+2}}"#));
        assert_eq!(unsaid, ["anthropic-beta.y-2", "anthropic-beta.oauth-2025-04-20"]);
        assert_eq!(there(r#"{"model":"m"}"#, None), (format!("{{{version}}}"), vec![]));

        let own = r#"{"anthropic_beta":["effort","context-1m-2025-08-07"],"n":1}"#;
        let (body, unsaid) = there(own, Some(b"effort,mine"));
        let joined = r#"["effort","context-1m-2025-08-07"]"#;
        assert_eq!(body, format!(r#"{{{version},"anthropic_beta":{joined},"n":1}}"#));
        assert_eq!(unsaid, ["anthropic-beta.mine"]);
        let (body, _) = there(r#"{"n":1}"#, Some(b"mine"));
        assert_eq!(body, format!(r#"{{{version},"n":1}}"#), "no list rather than an empty one");
        let (body, _) = there(own, None);
        assert_eq!(body, format!("{{{version},{}", &own[1..]), "the client's own word");

        let body = r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a","b"],"n":1}"#;
        let mut out = body.as_bytes().to_vec();
        from_invoke(&mut out, 0, b"\"m\"", true);
        assert_eq!(String::from_utf8_lossy(&out), r#"{"model":"m","stream":true,"n":1}"#);
        assert_eq!(betas_of(body.as_bytes()), "a,b");
    }

    #[test]
    fn a_chunk_holds_the_data_of_an_event() {
        let (mut data, mut out) = (b"old".to_vec(), Vec::new());
        unwrap(br#"{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abc"}"#, &mut data).expect("a chunk");
        push_event(&mut out, &data).expect("an event");
        assert_eq!(out, b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
        for broken in [&b"{}"[..], b"[", br#"{"bytes":"?"}"#, br#"{"bytes":7}"#] {
            assert!(unwrap(broken, &mut data).is_err());
        }
    }
}
