//! Reading the fields of a request, each of its kind or refused by its path.

use crate::{
    dialect::pivot::text::{Json, Text},
    lexicon::refusal::{Refusal, Refused},
    wire::json::document::{Kind, Value},
};
use std::fmt;

/// Where a field stands in a document: `messages[2].content[0].text`.
#[derive(Clone, Copy, Debug)]
pub struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'p> {
    Name(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    #[must_use]
    pub const fn root(name: &'p str) -> Self {
        Self { parent: None, step: Step::Name(name) }
    }

    #[must_use]
    pub const fn name(&'p self, name: &'p str) -> Self {
        Self { parent: Some(self), step: Step::Name(name) }
    }

    #[must_use]
    pub const fn index(&'p self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// A refusal of what stands here.
    #[cold]
    #[must_use]
    pub fn refuse(&self, wanted: &str) -> Refused {
        let path = self.to_string();
        Refusal::InvalidField.about(&path, format!("\"{path}\" must be {wanted}."))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Name(name) if self.parent.is_some() => write!(f, ".{name}"),
            Step::Name(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Note a value in its place; a second one is refused.
pub fn once<T>(slot: &mut Option<T>, value: T, path: &Path<'_>) -> Result<(), Refused> {
    if slot.replace(value).is_some() {
        let path = path.to_string();
        return Err(Refusal::DuplicateField.about(&path, format!("\"{path}\" is there twice.")));
    }
    Ok(())
}

pub fn text<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Text<'b>, Refused> {
    Text::of(value).ok_or_else(|| path.refuse("a string"))
}

pub fn boolean(value: Value<'_, '_>, path: &Path<'_>) -> Result<bool, Refused> {
    value.as_bool().ok_or_else(|| path.refuse("true or false"))
}

pub fn count(value: Value<'_, '_>, path: &Path<'_>) -> Result<u64, Refused> {
    value.as_u64().ok_or_else(|| path.refuse("a whole number, 0 or more"))
}

pub fn number<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<&'b str, Refused> {
    value.as_number().ok_or_else(|| path.refuse("a number"))
}

pub fn object<'d, 'b>(value: Value<'d, 'b>, path: &Path<'_>) -> Result<Value<'d, 'b>, Refused> {
    match value.kind() {
        Kind::Object => Ok(value),
        _ => Err(path.refuse("an object")),
    }
}

pub fn array<'d, 'b>(value: Value<'d, 'b>, path: &Path<'_>) -> Result<Value<'d, 'b>, Refused> {
    match value.kind() {
        Kind::Array => Ok(value),
        _ => Err(path.refuse("an array")),
    }
}

/// An object that passes as it is written.
pub fn json_object<'b>(value: Value<'_, 'b>, path: &Path<'_>) -> Result<Json<'b>, Refused> {
    object(value, path).map(Json::of)
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_path_reads_as_one_would_write_it() {
        let messages = Path::root("messages");
        let message = messages.index(2);
        assert_eq!(message.name("content").to_string(), "messages[2].content");
        let refused = message.refuse("an object");
        assert_eq!(&*refused.detail, "\"messages[2]\" must be an object.");
        assert_eq!(refused.param.as_deref(), Some("messages[2]"));
    }
}
