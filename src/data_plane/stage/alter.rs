//! What is said differently to one target of a rule: members of the body, headers.

use crate::{
    lexicon::refusal::{Refusal, Refused},
    policy::route::Changes,
    wire::json::{self, JsonError, splice::Edit},
};

/// Append the client's body with the target's parameters; all else stays byte for byte.
///
/// # Errors
/// `DuplicateField`, where the client says twice what the target says differently; `InvalidJson`.
pub fn params(out: &mut Vec<u8>, body: &[u8], changes: &Changes) -> Result<(), Refused> {
    let mut edits = Vec::with_capacity(changes.params.len());
    let mut added = Vec::new();
    let mut end = body.len();
    for (key, value) in &changes.params {
        let found = json::object::scan_object(body, &[&**key]).map_err(|error| match error {
            JsonError::Duplicate(_) => {
                Refusal::DuplicateField.about(key, format!("\"{key}\" is there twice."))
            }
            _ => Refusal::InvalidJson.into(),
        })?;
        end = found.end;
        if let Some(span) = found.values[0] {
            edits.push(Edit { range: span.range(), with: value.as_bytes() });
            continue;
        }
        // A body that names a model has a member before.
        added.push(b',');
        json::value::push_json_string(&mut added, key);
        added.push(b':');
        added.extend_from_slice(value.as_bytes());
    }
    edits.sort_unstable_by_key(|edit| edit.range.start);
    edits.push(Edit { range: end..end, with: &added });
    json::splice::splice(out, body, &edits);
    Ok(())
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
    use super::{headers, params};
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
    fn lines_of_the_head_are_removed_and_set() {
        let mut out = b"POST /x-old: HTTP/1.1\r\nhost: a\r\nX-Old: 1\r\nx-new: 0\r\n".to_vec();
        headers(&mut out, &changes());
        assert_eq!(out, b"POST /x-old: HTTP/1.1\r\nhost: a\r\nx-new: 1\r\n");
    }
}
