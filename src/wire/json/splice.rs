//! Replacing parts of a body and leaving the rest byte for byte.

use std::ops::Range;

/// Bytes to put where others were.
///
/// To add a member to an object, put `,"key":value` at the empty range before its closing brace
/// (`Object::end`), without the comma if it is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit<'a> {
    pub range: Range<usize>,
    pub with: &'a [u8],
}

/// Appends the body with all edits applied.
///
/// Edits are in the order of their ranges, which do not overlap; what breaks this rule is a mistake
/// of ours and ends in a debug assertion, in a release in text that is odd but within bounds.
pub fn splice(out: &mut Vec<u8>, body: &[u8], edits: &[Edit<'_>]) {
    let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
    out.reserve(body.len() + added);
    let mut done = 0;
    for edit in edits {
        debug_assert!(done <= edit.range.start && edit.range.start <= edit.range.end);
        debug_assert!(edit.range.end <= body.len());
        out.extend_from_slice(body.get(done..edit.range.start).unwrap_or_default());
        out.extend_from_slice(edit.with);
        done = edit.range.end;
    }
    out.extend_from_slice(body.get(done..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::{Edit, splice};
    use crate::wire::json::object::scan_object;

    #[test]
    fn a_value_is_replaced_and_a_member_added() {
        let body = br#" {"model": "a" , "big":12345678901234567890123} "#;
        let object = scan_object(body, &["model"]).expect("an object");
        let model = object.values[0].expect("it has one");
        let mut out = b"> ".to_vec();

        splice(
            &mut out,
            body,
            &[
                Edit { range: model.range(), with: b"\"bee\"" },
                Edit { range: object.end..object.end, with: b",\"n\":1" },
            ],
        );

        assert_eq!(out, br#">  {"model": "bee" , "big":12345678901234567890123,"n":1} "#);
    }

    #[test]
    fn no_edit_is_no_change() {
        let mut out = Vec::new();

        splice(&mut out, b"{ }", &[]);

        assert_eq!(out, b"{ }");
    }
}
