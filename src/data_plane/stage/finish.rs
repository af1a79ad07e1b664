//! What is done to a call once its body is written: what the vendor does not take is left out, and
//! where each call proves itself, it is signed.

use crate::{
    dialect::pivot::dropped::Dropped,
    lexicon::{fault::Fault, time::UnixMillis},
    provider::{
        auth::sigv4::{Signer, Unsigned},
        vendor::fit::{Fit, When},
    },
    wire::json::{
        document::{Document, Value},
        object::{scan_nested, scan_object},
        prune::prune,
    },
};

/// Leave out what the target does not take of the body at `body_at`, and name it.
pub fn fit(out: &mut Vec<u8>, body_at: usize, fit: &Fit, dropped: &mut Dropped) {
    if fit.is_nothing() {
        return;
    }
    let drops = if is_time(&out[body_at..], fit.when) { fit.drops } else { &[] };
    // What is no object was refused when it was read.
    let bits = prune(out, body_at, drops, fit.renames).unwrap_or_default();
    let names = drops.iter().copied().chain(fit.renames.iter().map(|(old, _)| *old));
    let gone = names.enumerate().filter(|(index, _)| bits >> index & 1 == 1);
    gone.for_each(|(_, name)| dropped.name(name));
    if fit.answers_once && asks_several(&out[body_at..]) {
        let _ = prune(out, body_at, &["n"], &[]);
        dropped.name("n");
    }
    let has = |body: &[u8], word: &str| memchr::memmem::find(body, word.as_bytes()).is_some();
    let drops_names = fit.drops_names && has(&out[body_at..], "\"name\"");
    let says_system = fit.says_system && has(&out[body_at..], "\"developer\"");
    if drops_names || says_system {
        fit_messages(out, body_at, (drops_names, says_system), dropped);
    }
}

/// Is this one of the requests that are to be fitted? An effort stands where OpenAI's API has it.
fn is_time(body: &[u8], when: When) -> bool {
    if when == When::Always {
        return true;
    }
    let Ok(object) = scan_object(body, &["reasoning_effort", "reasoning"]) else { return true };
    let [chat, responses] = object.values.map(|span| span.map(|span| span.of(body)));
    let inner = responses.and_then(|raw| {
        let span = scan_nested(raw, &["effort"]).ok()?.values[0]?;
        Some(span.of(raw))
    });
    match chat.or(inner).filter(|raw| *raw != b"null") {
        None => when == When::Thinking,
        Some(effort) => effort != b"\"none\"",
    }
}

/// Does it ask for another number of answers than one?
fn asks_several(body: &[u8]) -> bool {
    let count = scan_object(body, &["n"]).ok().and_then(|object| object.values[0]);
    count.is_some_and(|span| !matches!(span.of(body), b"1" | b"null"))
}

/// Leave the names of speakers out of the messages, and call developers `system`.
fn fit_messages(
    out: &mut Vec<u8>,
    body_at: usize,
    (drops_names, says_system): (bool, bool),
    dropped: &mut Dropped,
) {
    let mut document = Document::default();
    let body = &out[body_at..];
    let Some(messages) = document.parse(body).ok().and_then(|root| root.get("messages")) else {
        return;
    };
    // Values are parts of the body as it was written.
    let place = |value: Value<'_, '_>| {
        let start = value.raw().as_ptr().addr() - body.as_ptr().addr();
        start..start + value.raw().len()
    };
    let (mut kept, mut done) = (Vec::with_capacity(body.len()), 0);
    for message in messages.items() {
        let whole = place(message);
        kept.extend_from_slice(&body[done..whole.start]);
        let (at, role) = (kept.len(), message.get("role"));
        let role = role.filter(|role| says_system && role.plain().as_deref() == Some("developer"));
        match role.map(place) {
            Some(role) => {
                kept.extend_from_slice(&body[whole.start..role.start]);
                kept.extend_from_slice(b"\"system\"");
                kept.extend_from_slice(&body[role.end..whole.end]);
            }
            None => kept.extend_from_slice(&body[whole.clone()]),
        }
        if drops_names && prune(&mut kept, at, &["name"], &[]) == Ok(1) {
            dropped.name("messages[].name");
        }
        done = whole.end;
    }
    kept.extend_from_slice(&body[done..]);
    out.truncate(body_at);
    out.extend_from_slice(&kept);
}

/// Name the version in the body at `body_at`, and not the model, which stands in the path.
pub fn say_version(out: &mut Vec<u8>, body_at: usize, version: &str) {
    // What is no object was refused when it was read.
    let _ = prune(out, body_at, &["model", "anthropic_version"], &[]);
    let Some(brace) = out[body_at..].iter().position(|byte| *byte == b'{') else { return };
    let inside = body_at + brace + 1;
    let is_empty = out[inside..].trim_ascii_start().starts_with(b"}");
    let comma = if is_empty { "" } else { "," };
    let member = format!("\"anthropic_version\":\"{version}\"{comma}");
    out.splice(inside..inside, member.into_bytes());
}

/// Sign the call in `out`, whose empty line ends at `body_at`.
///
/// **Cost**: as `Signer::sign` says, and one move of the body; for signed targets alone.
pub fn sign(
    out: &mut Vec<u8>,
    body_at: usize,
    signer: &Signer,
    now: UnixMillis,
) -> Result<(), Fault> {
    let (head, body) = out.split_at(body_at);
    let head = std::str::from_utf8(head).map_err(|_| Fault::SecretUnavailable)?;
    // `Target::head` says how it begins.
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or("POST"), words.next().unwrap_or("/"));
    let host = lines.next().and_then(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let request = Unsigned { method, target, host, content_type: "application/json", body };
    let mut proof = Vec::with_capacity(512);
    signer.sign(&mut proof, request, now).map_err(|_| Fault::SecretUnavailable)?;
    let empty_line = body_at - b"\r\n".len();
    out.splice(empty_line..empty_line, proof);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::fit;
    use crate::{
        dialect::pivot::dropped::Dropped,
        provider::vendor::fit::{Fit, of_openai_model},
    };

    /// What becomes of a body, and what is named.
    fn fitted(body: &str, rules: &Fit) -> (String, Vec<String>) {
        let mut out = format!("HEAD{body}").into_bytes();
        let mut dropped = Dropped::default();
        fit(&mut out, 4, rules, &mut dropped);
        let names = dropped.iter().map(ToOwned::to_owned).collect();
        (String::from_utf8(out.split_off(4)).expect("UTF-8"), names)
    }

    #[test]
    fn sampling_goes_where_a_model_of_openais_thinks_and_stays_where_it_does_not() {
        let body = |more: &str| format!(r#"{{"temperature":0.2,"max_tokens":5{more}}}"#);
        for (model, more, is_gone) in [
            ("gpt-5-codex", "", true),
            ("gpt-5-codex", r#","reasoning_effort":"none""#, true),
            ("gpt-5.2", "", false),
            ("gpt-5.2", r#","reasoning_effort":"none""#, false),
            ("gpt-5.2", r#","reasoning_effort":null"#, false),
            ("gpt-5.2", r#","reasoning_effort":"low""#, true),
            ("gpt-5.2", r#","reasoning":{"effort":"high"}"#, true),
            ("gpt-5.2", r#","reasoning":{"summary":"auto"}"#, false),
            ("gpt-5.6", "", true),
            ("gpt-5.6", r#","reasoning_effort":"none""#, false),
            ("gpt-5.2-chat-latest", r#","reasoning_effort":"medium""#, false),
        ] {
            let (said, names) = fitted(&body(more), &of_openai_model(model));
            assert_eq!(said.contains("temperature"), !is_gone, "{model} {more}");
            assert_eq!(names.contains(&"temperature".to_owned()), is_gone, "{model} {more}");
            assert!(said.contains("\"max_completion_tokens\":5"), "{said}");
        }
    }

    #[test]
    fn messages_lose_what_a_vendor_answers_400_to_and_nothing_else() {
        let rules =
            Fit { drops_names: true, says_system: true, answers_once: true, ..Fit::AS_IT_IS };
        let body = concat!(
            r#"{"n": 2,"messages" : [ {"role" : "developer","content":"a \"name\""},"#,
            r#"{"name":"ann","role":"user","content":"developer"} ],"#,
            r#""tools":[{"function":{"name":"f"}}]}"#
        );

        let (said, names) = fitted(body, &rules);

        let expected = concat!(
            r#"{"messages" : [ {"role" : "system","content":"a \"name\""},"#,
            r#"{"role":"user","content":"developer"} ],"#,
            r#""tools":[{"function":{"name":"f"}}]}"#
        );
        assert_eq!(said, expected);
        assert_eq!(names, ["n", "messages[].name"]);
        let plain = r#"{ "n" : 1, "messages":[{"role":"user","content":"\"name\""}] }"#;
        assert_eq!(fitted(plain, &rules), (plain.to_owned(), vec![]));
    }
}
