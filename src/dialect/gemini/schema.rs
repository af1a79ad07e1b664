//! Schemas: Google's own kind, and JSON Schema as Google takes it.
//!
//! Google's own (`parameters`, `responseSchema`) writes types in capitals and nullability as a
//! member. Of JSON Schema (`parametersJsonSchema`, `responseJsonSchema`) it knows a part: what it
//! has another word for is said in that, what it does not bind by is left out and named.
//! **Source**: ai.google.dev/api/generate-content (`responseJsonSchema`, the list of what is
//! supported) and ai.google.dev/api/caching#Schema, read 2026-11-21.

use crate::{
    dialect::{
        gemini::name::camel,
        pivot::{dropped::Dropped, text::Json},
    },
    wire::json::{
        document::{Document, Kind, Value},
        value::push_json_string,
        write::{Array, Object},
    },
};
use std::borrow::Cow;

/// Words that take a schema, those that take several by name, and those that take a list.
const ONE: [&str; 2] = ["items", "additionalProperties"];
const NAMED: [&str; 3] = ["properties", "$defs", "definitions"];
const LISTED: [&str; 4] = ["anyOf", "oneOf", "prefixItems", "allOf"];
/// Words that pass as they are.
const PLAIN: [&str; 15] = [
    "type",
    "format",
    "title",
    "description",
    "enum",
    "required",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "propertyOrdering",
    "$id",
    "$anchor",
    "$ref",
    "nullable",
];

/// A schema of Google's own kind as JSON Schema.
pub fn from_google<'b>(schema: Value<'_, 'b>) -> Json<'b> {
    let mut out = Vec::new();
    push_from_google(&mut out, schema);
    // What was UTF-8 is so still.
    Json(String::from_utf8(out).map_or(Cow::Borrowed("{}"), Cow::Owned))
}

fn push_from_google(out: &mut Vec<u8>, schema: Value<'_, '_>) {
    if schema.kind() != Kind::Object {
        return out.extend_from_slice(schema.raw().as_bytes());
    }
    let is_nullable = schema.get("nullable").and_then(Value::as_bool) == Some(true);
    let mut object = Object::open(out);
    for (key, value) in schema.members() {
        let key = camel(&key);
        match &*key {
            // The order of members is Google's alone.
            "nullable" | "propertyOrdering" => {}
            "type" if value.kind() == Kind::String => {
                push_type(object.key("type"), value, is_nullable);
            }
            // Numbers as texts, as Google's JSON writes those of 64 bits.
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
            | "maxProperties" => {
                let digits = value.plain().filter(|text| text.parse::<u64>().is_ok());
                let written = digits.unwrap_or(Cow::Borrowed(value.raw()));
                push_key(&mut object, &key).extend_from_slice(written.as_bytes());
            }
            "anyOf" => {
                let mut array = Array::open(object.key("anyOf"));
                value.items().for_each(|one| push_from_google(array.item(), one));
                array.close();
            }
            "properties" => {
                let mut all = object.object("properties");
                for (name, one) in value.members() {
                    push_from_google(push_key(&mut all, &name), one);
                }
                all.close();
            }
            "items" | "additionalProperties" => {
                push_from_google(push_key(&mut object, &key), value);
            }
            _ => push_key(&mut object, &key).extend_from_slice(value.raw().as_bytes()),
        }
    }
    object.close();
}

/// Names of a client's may have anything in them.
fn push_key<'o>(object: &'o mut Object<'_>, name: &str) -> &'o mut Vec<u8> {
    let is_plain = |byte: u8| byte >= b' ' && !matches!(byte, b'"' | b'\\');
    if name.bytes().all(is_plain) {
        return object.key(name);
    }
    let mut quoted = Vec::new();
    push_json_string(&mut quoted, name);
    let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    object.key(&String::from_utf8_lossy(inside))
}

fn push_type(out: &mut Vec<u8>, value: Value<'_, '_>, is_nullable: bool) {
    let word = value.plain().unwrap_or_default().to_ascii_lowercase();
    if is_nullable && word != "null" {
        let mut array = Array::open(out);
        push_json_string(array.item(), &word);
        push_json_string(array.item(), "null");
        return array.close();
    }
    push_json_string(out, &word);
}

/// Append a JSON schema as Google takes it. `at` is where it stands, for names of what is not
/// said: `response_format.pattern`.
pub fn push_for_google(out: &mut Vec<u8>, schema: &Json<'_>, at: &str, dropped: &mut Dropped) {
    let mut document = Document::default();
    match document.parse(schema.0.as_bytes()) {
        Ok(schema) => push_schema(out, schema, at, dropped),
        // It was checked when it was read.
        Err(_) => schema.push(out),
    }
}

fn push_schema(out: &mut Vec<u8>, schema: Value<'_, '_>, at: &str, dropped: &mut Dropped) {
    if schema.kind() != Kind::Object {
        return out.extend_from_slice(schema.raw().as_bytes());
    }
    let mut object = Object::open(out);
    push_members(&mut object, schema, at, dropped);
    object.close();
}

fn push_members(object: &mut Object<'_>, schema: Value<'_, '_>, at: &str, dropped: &mut Dropped) {
    let has_reference = schema.get("$ref").is_some();
    for (key, value) in schema.members() {
        match &*key {
            // Beside a reference nothing else is taken.
            key if has_reference && !key.starts_with('$') => {
                if key != "description" && key != "title" {
                    dropped.name(format!("{at}.{key}"));
                }
            }
            "$ref" => {
                let target = value.plain().unwrap_or_default();
                let target = target.replacen("#/definitions/", "#/$defs/", 1);
                push_json_string(object.key("$ref"), &target);
            }
            key if PLAIN.contains(&key) => {
                object.key(key).extend_from_slice(value.raw().as_bytes());
            }
            key if ONE.contains(&key) => push_schema(object.key(key), value, at, dropped),
            key if NAMED.contains(&key) => {
                let name = if key == "definitions" { "$defs" } else { key };
                let mut all = object.object(name);
                for (name, one) in value.members() {
                    push_schema(push_key(&mut all, &name), one, at, dropped);
                }
                all.close();
            }
            // All of one is that one.
            "allOf" if value.items().count() == 1 => {
                value.items().for_each(|one| push_members(object, one, at, dropped));
            }
            "allOf" => dropped.name(format!("{at}.allOf")),
            key if LISTED.contains(&key) => {
                let mut array = object.array(key);
                value.items().for_each(|one| push_schema(array.item(), one, at, dropped));
                array.close();
            }
            "const" if matches!(value.kind(), Kind::String | Kind::Number) => {
                let mut array = object.array("enum");
                array.item().extend_from_slice(value.raw().as_bytes());
                array.close();
            }
            // They bind nothing.
            "$schema" | "$comment" | "default" | "examples" | "deprecated" | "readOnly"
            | "writeOnly" => {}
            other => dropped.name(format!("{at}.{other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{from_google, push_for_google};
    use crate::{
        dialect::pivot::{dropped::Dropped, text::Json},
        wire::json::document::Document,
    };
    use serde_json::{Value, json};

    #[test]
    fn googles_own_schema_is_a_json_schema() {
        let own = json!({"type": "OBJECT", "propertyOrdering": ["b", "a"], "required": ["a"],
            "properties": {"a": {"type": "STRING", "nullable": true, "enum": ["x", "y"]},
                "b": {"type": "ARRAY", "min_items": "1", "items": {"type": "INTEGER"}},
                "odd\"name": {"anyOf": [{"type": "NULL"}, {"type": "NUMBER"}]}}});
        let text = own.to_string();
        let mut document = Document::default();

        let Json(out) = from_google(document.parse(text.as_bytes()).expect("valid"));

        let expected = json!({"type": "object", "required": ["a"],
            "properties": {"a": {"type": ["string", "null"], "enum": ["x", "y"]},
                "b": {"type": "array", "minItems": 1, "items": {"type": "integer"}},
                "odd\"name": {"anyOf": [{"type": "null"}, {"type": "number"}]}}});
        assert_eq!(serde_json::from_str::<Value>(&out).expect("JSON"), expected);
    }

    #[test]
    fn what_google_does_not_take_of_a_schema_is_said_otherwise_or_named() {
        let schema = json!({"$schema": "x", "type": "object", "additionalProperties": false,
            "definitions": {"p": {"type": "string", "pattern": "^a"}},
            "properties": {"k": {"const": "v"}, "pattern": {"type": "string"},
                "p": {"$ref": "#/definitions/p", "description": "d"},
                "q": {"allOf": [{"type": "integer", "exclusiveMinimum": 1}]}}});
        let (mut out, mut dropped) = (Vec::new(), Dropped::default());

        push_for_google(&mut out, &Json(schema.to_string().into()), "rf", &mut dropped);

        let expected = json!({"type": "object", "additionalProperties": false,
            "$defs": {"p": {"type": "string"}},
            "properties": {"k": {"enum": ["v"]}, "pattern": {"type": "string"},
                "p": {"$ref": "#/$defs/p"}, "q": {"type": "integer"}}});
        assert_eq!(serde_json::from_slice::<Value>(&out).expect("JSON"), expected);
        let mut names: Vec<&str> = dropped.iter().collect();
        names.sort_unstable();
        assert_eq!(names, ["rf.exclusiveMinimum", "rf.pattern"]);
    }
}
