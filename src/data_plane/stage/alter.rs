//! What is said differently to one target of a rule: members of the body, headers.

use crate::{
    lexicon::refusal::{Refusal, Refused},
    policy::route::Changes,
    wire::{
        json::{self, JsonError, splice::Edit},
        span::Span,
    },
};
use std::borrow::Cow;

/// One member that is set: its names, of which the first is written, and its value as JSON.
struct Member<'a> {
    names: [&'a str; 2],
    value: Cow<'a, str>,
}

/// Parameters as OpenAI calls them, and as Google does within `generationConfig`.
/// **Source**: ai.google.dev/api/generate-content#generationconfig, read 2026-11-21.
const GOOGLE: [(&str, &str); 11] = [
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("top_k", "topK"),
    ("max_tokens", "maxOutputTokens"),
    ("max_completion_tokens", "maxOutputTokens"),
    ("stop", "stopSequences"),
    ("n", "candidateCount"),
    ("seed", "seed"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
    ("top_logprobs", "logprobs"),
];

/// Google's own names within `generationConfig` that OpenAI has no name for, and in snake case.
/// **Source**: as above.
const GOOGLE_OWN: [(&str, &str); 9] = [
    ("maxOutputTokens", "max_output_tokens"),
    ("stopSequences", "stop_sequences"),
    ("candidateCount", "candidate_count"),
    ("responseMimeType", "response_mime_type"),
    ("responseSchema", "response_schema"),
    ("responseJsonSchema", "response_json_schema"),
    ("responseLogprobs", "response_logprobs"),
    ("thinkingConfig", "thinking_config"),
    ("mediaResolution", "media_resolution"),
];

/// What stands beside `generationConfig`, in both spellings.
const GOOGLE_BESIDE: [(&str, &str); 6] = [
    ("safetySettings", "safety_settings"),
    ("systemInstruction", "system_instruction"),
    ("toolConfig", "tool_config"),
    ("cachedContent", "cached_content"),
    ("tools", "tools"),
    ("labels", "labels"),
];

/// Append the client's body with the target's parameters; all else stays byte for byte.
///
/// # Errors
/// `DuplicateField`, where the client says twice what the target says differently; `InvalidJson`.
pub fn params(out: &mut Vec<u8>, body: &[u8], changes: &Changes) -> Result<(), Refused> {
    let members = changes
        .params
        .iter()
        .map(|(key, value)| Member { names: [key, key], value: Cow::Borrowed(&**value) });
    set(out, body, members)
}

/// The same where the client speaks Google's words, which has most of them in `generationConfig`:
/// parameters may have OpenAI's names or Google's.
///
/// # Errors
/// As [`params`]; `OperationUnsupported` naming a parameter that Google has no word for.
pub fn google_params(out: &mut Vec<u8>, body: &[u8], changes: &Changes) -> Result<(), Refused> {
    let (mut config, mut beside) = (Vec::new(), Vec::new());
    for (key, value) in &changes.params {
        let (key, value) = (&**key, &**value);
        let spelled = |names: &[(&'static str, &'static str)]| {
            names.iter().find(|(camel, snake)| key == *camel || key == *snake).copied()
        };
        if let Some((camel, snake)) = spelled(&GOOGLE_BESIDE) {
            beside.push(Member { names: [camel, snake], value: Cow::Borrowed(value) });
            continue;
        }
        let own = GOOGLE.iter().find(|(openai, google)| key == *openai || key == *google);
        let Some(name) = own.map(|(_, google)| *google).or(spelled(&GOOGLE_OWN).map(|it| it.0))
        else {
            let detail = format!("Its rule sets \"{key}\", for which Google has no word.");
            return Err(Refusal::OperationUnsupported.about("model", detail));
        };
        // One stop may be a text at OpenAI's; Google wants a list.
        let is_lone = name == "stopSequences" && value.starts_with('"');
        let value = if is_lone { format!("[{value}]").into() } else { Cow::Borrowed(value) };
        // OpenAI's names are Google's in snake case, where Google's own are not told here.
        let snake = GOOGLE_OWN.iter().find(|it| it.0 == name).map(|it| it.1);
        let snake = snake.or(GOOGLE.iter().find(|it| it.1 == name).map(|it| it.0));
        let snake = snake.unwrap_or(name);
        config.push(Member { names: [name, snake], value });
    }
    if !config.is_empty() {
        let names = ["generationConfig", "generation_config"];
        let (found, _) = find(body, names)?;
        let known = found.map_or(&b"{}"[..], |span| span.of(body));
        let known = if known == b"null" { b"{}" } else { known };
        let mut value = Vec::with_capacity(known.len() + 128);
        set(&mut value, known, config.into_iter())?;
        let value = String::from_utf8(value).map_err(|_| Refusal::InvalidJson)?;
        beside.push(Member { names, value: value.into() });
    }
    set(out, body, beside.into_iter())
}

/// Append an object with these members set; those that are there keep their places.
fn set<'m>(
    out: &mut Vec<u8>,
    object: &[u8],
    members: impl Iterator<Item = Member<'m>>,
) -> Result<(), Refused> {
    let members: Vec<Member<'_>> = members.collect();
    let mut edits = Vec::with_capacity(members.len() + 1);
    let mut added = Vec::new();
    let (_, rest) = find(object, ["", ""])?;
    for Member { names, value } in &members {
        if let (Some(span), _) = find(object, *names)? {
            edits.push(Edit { range: span.range(), with: value.as_bytes() });
            continue;
        }
        if !(rest.is_empty && added.is_empty()) {
            added.push(b',');
        }
        json::value::push_json_string(&mut added, names[0]);
        added.push(b':');
        added.extend_from_slice(value.as_bytes());
    }
    edits.sort_unstable_by_key(|edit| edit.range.start);
    edits.push(Edit { range: rest.end..rest.end, with: &added });
    json::splice::splice(out, object, &edits);
    Ok(())
}

/// Where an object ends, and whether it has members.
struct Rest {
    end: usize,
    is_empty: bool,
}

/// The value of a member that has one of two names.
fn find(object: &[u8], names: [&str; 2]) -> Result<(Option<Span>, Rest), Refused> {
    let twice =
        |name: &str| Refusal::DuplicateField.about(name, format!("\"{name}\" is there twice."));
    let look = |keys: &[&str; 1]| {
        json::object::scan_object(object, keys).map_err(|error| match error {
            JsonError::Duplicate(_) => twice(keys[0]),
            _ => Refusal::InvalidJson.into(),
        })
    };
    let found = look(&[names[0]])?;
    let rest = Rest { end: found.end, is_empty: found.is_empty };
    if names[0] == names[1] {
        return Ok((found.values[0], rest));
    }
    match (found.values[0], look(&[names[1]])?.values[0]) {
        (Some(_), Some(_)) => Err(twice(names[0])),
        (one, other) => Ok((one.or(other), rest)),
    }
}

/// Change the lines of the head that `out` holds, the request line aside.
pub fn headers(out: &mut Vec<u8>, changes: &Changes) {
    let is_removed = |line: &[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        changes.headers_removed.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name))
    };
    let mut kept = Vec::with_capacity(out.len() + changes.header_lines.len());
    for (index, line) in out.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if index == 0 || !is_removed(line) {
            kept.extend_from_slice(line);
        }
    }
    kept.extend_from_slice(changes.header_lines.as_bytes());
    out.clear();
    out.extend_from_slice(&kept);
}

#[cfg(test)]
mod tests {
    use super::{google_params, headers, params};
    use crate::policy::route::Changes;

    fn changes() -> Changes {
        Changes {
            params: [("temperature".into(), "0.2".into()), ("top_k".into(), "[1]".into())].into(),
            headers_removed: ["x-old".into(), "x-new".into()].into(),
            header_lines: "x-new: 1\r\n".into(),
        }
    }

    #[test]
    fn a_targets_parameters_replace_or_join_those_of_the_client() {
        let mut out = Vec::new();
        params(
            &mut out,
            br#"{ "model":"a", "temperature" : 1e0, "n":12345678901234567890 }"#,
            &changes(),
        )
        .expect("it is an object");
        let expected =
            r#"{ "model":"a", "temperature" : 0.2, "n":12345678901234567890 ,"top_k":[1]}"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
        let twice = br#"{"model":"a","temperature":1,"temperature":2}"#;
        assert!(params(&mut out, twice, &changes()).is_err());
    }

    #[test]
    fn googles_words_take_parameters_of_either_name_in_their_places() {
        let check = |body: &str, set: &[(&str, &str)], expected: Option<&str>| {
            let params = set.iter().map(|(key, value)| ((*key).into(), (*value).into()));
            let changes = Changes { params: params.collect(), ..Changes::default() };
            let mut out = Vec::new();
            let told = google_params(&mut out, body.as_bytes(), &changes).ok();
            assert_eq!(
                told.map(|()| String::from_utf8_lossy(&out).into_owned()).as_deref(),
                expected
            );
        };
        let both = &[("max_tokens", "9"), ("stop", "\"x\""), ("thinkingConfig", "{}")];
        check(
            r#"{ "contents":[] , "generationConfig":{"maxOutputTokens" : 1e3,"n":1} }"#,
            both,
            Some(
                r#"{ "contents":[] , "generationConfig":{"maxOutputTokens" : 9,"n":1,"stopSequences":["x"],"thinkingConfig":{}} }"#,
            ),
        );
        check(
            r#"{"contents":[],"generation_config":{"max_output_tokens":5}}"#,
            &[("maxOutputTokens", "9")],
            Some(r#"{"contents":[],"generation_config":{"max_output_tokens":9}}"#),
        );
        check(
            r#"{"contents":[]}"#,
            &[("temperature", "0.1"), ("safety_settings", "[]")],
            Some(r#"{"contents":[],"safetySettings":[],"generationConfig":{"temperature":0.1}}"#),
        );
        check(
            r#"{"generationConfig":{"top_p":0.5}}"#,
            &[("topP", "1")],
            Some(r#"{"generationConfig":{"top_p":1}}"#),
        );
        check("{}", &[("top_p", "1")], Some(r#"{"generationConfig":{"topP":1}}"#));
        let null = r#"{"generationConfig":null}"#;
        check(null, &[("top_p", "1")], Some(r#"{"generationConfig":{"topP":1}}"#));
        check(r#"{"contents":[]}"#, &[("logit_bias", "{}")], None);
        check(r#"{"generationConfig":7}"#, &[("top_p", "1")], None);
        check(r#"{"generationConfig":{},"generation_config":{}}"#, &[("top_p", "1")], None);
    }

    #[test]
    fn lines_of_the_head_are_removed_and_set() {
        let mut out = b"POST /x-old: HTTP/1.1\r\nhost: a\r\nX-Old: 1\r\nx-new: 0\r\n".to_vec();
        headers(&mut out, &changes());
        assert_eq!(out, b"POST /x-old: HTTP/1.1\r\nhost: a\r\nx-new: 1\r\n");
    }
}
