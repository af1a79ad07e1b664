//! Names in either spelling: Google's JSON may be written in camel case and in snake case.

use crate::dialect::field::Field;
use std::borrow::Cow;

/// A name as Google writes it: `system_instruction` is `systemInstruction`.
pub fn camel(name: &str) -> Cow<'_, str> {
    let inside = name.trim_start_matches('_');
    if !inside.contains('_') {
        return Cow::Borrowed(inside);
    }
    let mut out = String::with_capacity(inside.len());
    for (index, word) in inside.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => {
                out.extend(first.to_uppercase());
                out.push_str(letters.as_str());
            }
            _ => out.push_str(word),
        }
    }
    Cow::Owned(out)
}

/// The last member of this name, in either spelling, that is not null; it goes by the name that is
/// asked for.
pub fn get<'d, 'b, 's>(field: &'s Field<'d, 'b, '_>, name: &'s str) -> Option<Field<'d, 'b, 's>> {
    field.get(name).or_else(|| {
        let members = field.value.members().filter(|(key, it)| key.contains('_') && !it.is_null());
        let value = members.filter(|(key, _)| camel(key) == name).map(|(_, it)| it).last();
        value.map(|value| field.named(name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::camel;

    #[test]
    fn a_name_reads_the_same_in_either_spelling() {
        for name in ["response_json_schema", "responseJsonSchema", "_responseJsonSchema"] {
            assert_eq!(camel(name), "responseJsonSchema");
        }
        assert_eq!(camel("parts"), "parts");
        assert_eq!(camel("top_p"), "topP");
    }
}
