//! Deserialising past the first error, so that every problem is told at once.
//!
//! serde stops where something does not fit. What stands there is put on the list, replaced by a
//! placeholder that fits, and the document is read again, until it reads through. Whoever uses the
//! result must leave out what lies at a repaired place.

use crate::manifest::path::{Path, Step};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Errors told about one document. Whoever has more mends these first.
const ERRORS_MAX: usize = 100;

/// What may stand in for a value of unknown type, tried in this order.
const PLACEHOLDERS: [fn() -> Value; 6] = [
    || Value::String(String::new()),
    || Value::Array(Vec::new()),
    || Value::Object(serde_json::Map::new()),
    || Value::from(0),
    || Value::Bool(false),
    || Value::Null,
];

/// A place that did not fit.
pub(super) struct Misfit {
    pub(super) path: Path,
    pub(super) kind: MisfitKind,
    /// In serde's words.
    pub(super) wanted: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MisfitKind {
    Missing,
    /// Written under two names.
    Twice,
    Wrong,
}

/// What came of a document.
pub(super) struct Reading<T> {
    /// None where it could not be repaired.
    pub(super) twin: Option<T>,
    pub(super) misfits: Vec<Misfit>,
    /// Keys that the twin does not know.
    pub(super) unknown: Vec<Path>,
}

pub(super) fn deserialize<T: DeserializeOwned>(mut json: Value) -> Reading<T> {
    let mut misfits: Vec<Misfit> = Vec::new();
    let mut tries: Vec<usize> = Vec::new();
    loop {
        let mut unknown = Vec::new();
        let mut note = |path: serde_ignored::Path<'_>| unknown.push(of_ignored(&path));
        let reader = serde_ignored::Deserializer::new(&json, &mut note);
        let error = match serde_path_to_error::deserialize(reader) {
            Ok(twin) => return Reading { twin: Some(twin), misfits, unknown },
            Err(error) => error,
        };
        let misfit = misfit(&json, &error);
        let known = misfits.iter().position(|known| known.path == misfit.path);
        let at = known.unwrap_or_else(|| {
            tries.push(0);
            misfits.len()
        });
        let placeholder = placeholder(&misfit, tries[at]);
        tries[at] += 1;
        let is_mended = match (&misfit.kind, placeholder) {
            (MisfitKind::Twice, _) => remove(&mut json, &misfit.path),
            (_, Some(value)) => put(&mut json, &misfit.path, value),
            (_, None) => false,
        };
        if known.is_none() {
            misfits.push(misfit);
        }
        if !is_mended || misfits.len() == ERRORS_MAX {
            return Reading { twin: None, misfits, unknown: Vec::new() };
        }
    }
}

fn misfit(json: &Value, error: &serde_path_to_error::Error<serde_json::Error>) -> Misfit {
    let path: Path = error.path().iter().filter_map(of_segment).collect();
    let message = error.inner().to_string();
    let named = |prefix: &str| Some(message.strip_prefix(prefix)?.split('`').next()?.to_owned());
    if let Some(field) = named("missing field `") {
        return Misfit { path: path.key(&field), kind: MisfitKind::Missing, wanted: String::new() };
    }
    if let Some(field) = named("duplicate field `") {
        // The path ends at the mapping or at the second name, as serde's visitor pleases.
        let is_mapping = at(json, path.steps()).is_some_and(|place| place.get(&field).is_some());
        let parent = if is_mapping { path } else { path.parent() };
        return Misfit { path: parent.key(&field), kind: MisfitKind::Twice, wanted: String::new() };
    }
    // What was found stands before: it may be a credential and is never looked at.
    let wanted =
        message.rfind(", expected ").map(|at| message[at + ", expected ".len()..].to_owned());
    Misfit { path, kind: MisfitKind::Wrong, wanted: wanted.unwrap_or_else(|| "a value".to_owned()) }
}

/// An enumeration says what it takes; for all else, one after the other.
fn placeholder(misfit: &Misfit, tried: usize) -> Option<Value> {
    if let Some(variant) = variants(&misfit.wanted).first() {
        return (tried < PLACEHOLDERS.len()).then(|| Value::String((*variant).to_owned()));
    }
    PLACEHOLDERS.get(tried).map(|make| make())
}

/// The names in "one of `a`, `b`" or "`a`"; none in other words.
pub(super) fn variants(wanted: &str) -> Vec<&str> {
    if !(wanted.starts_with('`') || wanted.starts_with("one of `")) {
        return Vec::new();
    }
    wanted.split('`').skip(1).step_by(2).collect()
}

fn put(json: &mut Value, path: &Path, value: Value) -> bool {
    let Some((last, way)) = path.steps().split_last() else {
        *json = value;
        return true;
    };
    match (walk(json, way), last) {
        (Some(Value::Object(map)), Step::Key(key)) => {
            map.insert(key.clone(), value);
            true
        }
        (Some(Value::Array(list)), Step::Index(index)) => match list.get_mut(*index) {
            Some(place) => {
                *place = value;
                true
            }
            None => false,
        },
        _ => false,
    }
}

fn remove(json: &mut Value, path: &Path) -> bool {
    let Some((Step::Key(key), way)) = path.steps().split_last() else { return false };
    match walk(json, way) {
        Some(Value::Object(map)) => map.remove(key).is_some(),
        _ => false,
    }
}

fn at<'a>(json: &'a Value, way: &[Step]) -> Option<&'a Value> {
    way.iter().try_fold(json, |place, step| match (place, step) {
        (Value::Object(map), Step::Key(key)) => map.get(key),
        (Value::Array(list), Step::Index(index)) => list.get(*index),
        _ => None,
    })
}

fn walk<'a>(json: &'a mut Value, way: &[Step]) -> Option<&'a mut Value> {
    way.iter().try_fold(json, |place, step| match (place, step) {
        (Value::Object(map), Step::Key(key)) => map.get_mut(key),
        (Value::Array(list), Step::Index(index)) => list.get_mut(*index),
        _ => None,
    })
}

fn of_segment(segment: &serde_path_to_error::Segment) -> Option<Step> {
    match segment {
        serde_path_to_error::Segment::Seq { index } => Some(Step::Index(*index)),
        serde_path_to_error::Segment::Map { key } => Some(Step::Key(key.clone())),
        _ => None,
    }
}

fn of_ignored(path: &serde_ignored::Path<'_>) -> Path {
    match path {
        serde_ignored::Path::Root => Path::top(),
        serde_ignored::Path::Seq { parent, index } => of_ignored(parent).index(*index),
        serde_ignored::Path::Map { parent, key } => of_ignored(parent).key(key),
        serde_ignored::Path::Some { parent }
        | serde_ignored::Path::NewtypeStruct { parent }
        | serde_ignored::Path::NewtypeVariant { parent } => of_ignored(parent),
    }
}
