//! Reading the fields of a document, each of its kind or refused by its path.
//!
//! ```text
//! root.members(|name, field| match name {        {"temperature":1,"stop":["a","b"]}
//!     "temperature" => field.number_into(slot),
//!     "stop" => field.items(|item| …),           "stop[1]" must be a string.
//! ```

use crate::{
    dialect::pivot::{
        dropped::Dropped,
        text::{Json, Text},
    },
    lexicon::refusal::{Refusal, Refused},
    wire::json::document::{Kind, Value},
};
use std::{borrow::Cow, fmt};

/// Where a field stands in a document: `messages[2].content[0].text`.
#[derive(Clone, Copy, Debug)]
struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'p> {
    /// The document itself.
    Root,
    Name(&'p str),
    Index(usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        let is_first = self.parent.is_none_or(|parent| matches!(parent.step, Step::Root));
        match self.step {
            Step::Root => Ok(()),
            Step::Name(name) if is_first => f.write_str(name),
            Step::Name(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A value, and where it stands.
///
/// **Cost**: copies of a few words; a path is spelled out only where it must be told.
#[derive(Clone, Copy, Debug)]
pub struct Field<'d, 'b, 'p> {
    pub value: Value<'d, 'b>,
    path: Path<'p>,
}

impl<'d, 'b> Field<'d, 'b, '_> {
    /// A whole document.
    #[must_use]
    pub const fn root(value: Value<'d, 'b>) -> Self {
        Self { value, path: Path { parent: None, step: Step::Root } }
    }

    const fn below<'s>(&'s self, step: Step<'s>, value: Value<'d, 'b>) -> Field<'d, 'b, 's> {
        Field { value, path: Path { parent: Some(&self.path), step } }
    }

    /// What stands here, by its path.
    #[must_use]
    pub fn path(&self) -> String {
        self.path.to_string()
    }

    /// Say that it is left out.
    pub fn drop_into(&self, dropped: &mut Dropped) {
        dropped.name(self.path());
    }

    /// A refusal of what stands here.
    #[cold]
    #[must_use]
    pub fn refuse(&self, wanted: &str) -> Refused {
        let path = self.path();
        Refusal::InvalidField.about(&path, format!("\"{path}\" must be {wanted}."))
    }

    /// A refusal of a member that is not there, or not as it must be.
    #[cold]
    #[must_use]
    pub fn refuse_member(&self, name: &str, wanted: &str) -> Refused {
        self.below(Step::Name(name), self.value).refuse(wanted)
    }

    /// Say that a member is left out.
    pub fn drop_member(&self, name: &str, dropped: &mut Dropped) {
        self.below(Step::Name(name), self.value).drop_into(dropped);
    }

    /// Note a value in its place; a second one is refused.
    pub fn once<T>(&self, slot: &mut Option<T>, value: T) -> Result<(), Refused> {
        if slot.replace(value).is_some() {
            let path = self.path();
            return Err(Refusal::DuplicateField.about(&path, format!("\"{path}\" is there twice.")));
        }
        Ok(())
    }

    pub fn text(&self) -> Result<Text<'b>, Refused> {
        Text::of(self.value).ok_or_else(|| self.refuse("a string"))
    }

    pub fn boolean(&self) -> Result<bool, Refused> {
        self.value.as_bool().ok_or_else(|| self.refuse("true or false"))
    }

    pub fn count(&self) -> Result<u64, Refused> {
        self.value.as_u64().ok_or_else(|| self.refuse("a whole number, 0 or more"))
    }

    pub fn number(&self) -> Result<&'b str, Refused> {
        self.value.as_number().ok_or_else(|| self.refuse("a number"))
    }

    pub fn object(&self) -> Result<(), Refused> {
        match self.value.kind() {
            Kind::Object => Ok(()),
            _ => Err(self.refuse("an object")),
        }
    }

    /// An object that passes as it is written.
    pub fn json_object(&self) -> Result<Json<'b>, Refused> {
        self.object().map(|()| Json::of(self.value))
    }

    pub fn text_into(&self, slot: &mut Option<Text<'b>>) -> Result<(), Refused> {
        self.once(slot, self.text()?)
    }

    pub fn boolean_into(&self, slot: &mut Option<bool>) -> Result<(), Refused> {
        self.once(slot, self.boolean()?)
    }

    pub fn count_into(&self, slot: &mut Option<u64>) -> Result<(), Refused> {
        self.once(slot, self.count()?)
    }

    pub fn number_into(&self, slot: &mut Option<&'b str>) -> Result<(), Refused> {
        self.once(slot, self.number()?)
    }

    /// Texts of an array, one by one.
    pub fn texts_into(&self, texts: &mut Vec<Text<'b>>) -> Result<(), Refused> {
        self.items(|item| {
            texts.push(item.text()?);
            Ok(())
        })
    }

    /// The last member of this name that is not null.
    pub fn get<'s>(&'s self, name: &'s str) -> Option<Field<'d, 'b, 's>> {
        self.value.get(name).map(|value| self.below(Step::Name(name), value))
    }

    /// A member that was found by another name.
    #[must_use]
    pub const fn named<'s>(&'s self, name: &'s str, value: Value<'d, 'b>) -> Field<'d, 'b, 's> {
        self.below(Step::Name(name), value)
    }

    /// The last member of this name that is not null, which must be there.
    pub fn need<'s>(&'s self, name: &'s str, wanted: &str) -> Result<Field<'d, 'b, 's>, Refused> {
        self.get(name).ok_or_else(|| self.refuse_member(name, wanted))
    }

    /// A text that must be there.
    pub fn need_text(&self, name: &str) -> Result<Text<'b>, Refused> {
        self.need(name, "a string")?.text()
    }

    /// A text, if it is there and one.
    #[must_use]
    pub fn get_text(&self, name: &str) -> Option<Text<'b>> {
        self.value.get(name).and_then(Text::of)
    }

    /// A member's text to be compared with words; `""` where there is none.
    #[must_use]
    pub fn word(&self, name: &str) -> Cow<'b, str> {
        self.value.get(name).and_then(Value::plain).unwrap_or_default()
    }

    /// Read each member of an object that is not null.
    pub fn members(
        &self,
        mut read: impl FnMut(&Cow<'b, str>, &Field<'d, 'b, '_>) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        self.object()?;
        for (name, value) in self.value.members() {
            if !value.is_null() {
                read(&name, &self.below(Step::Name(&name), value))?;
            }
        }
        Ok(())
    }

    /// The same; those that `read` does not know are named as dropped.
    pub fn known_members(
        &self,
        dropped: &mut Dropped,
        mut read: impl FnMut(&str, &Field<'d, 'b, '_>, &mut Dropped) -> Result<bool, Refused>,
    ) -> Result<(), Refused> {
        self.members(|name, field| {
            if !read(name, field, dropped)? {
                field.drop_into(dropped);
            }
            Ok(())
        })
    }

    /// Name the members that are none of these, and say anything, as dropped.
    pub fn drop_others(&self, known: &[&str], dropped: &mut Dropped) {
        for (name, value) in self.value.members() {
            if !known.contains(&&*name) && !value.is_null() && value.raw() != "[]" {
                self.drop_member(&name, dropped);
            }
        }
    }

    /// Read each item of an array.
    pub fn items(
        &self,
        read: impl FnMut(&Field<'d, 'b, '_>) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        if self.value.kind() != Kind::Array {
            return Err(self.refuse("an array"));
        }
        self.any_items(read)
    }

    /// Read each item, if it is an array.
    pub fn any_items(
        &self,
        mut read: impl FnMut(&Field<'d, 'b, '_>) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        for (index, value) in self.value.items().enumerate() {
            read(&self.below(Step::Index(index), value))?;
        }
        Ok(())
    }

    /// A text, or the items of an array: how most APIs say content.
    pub fn text_or_items(
        &self,
        read: impl FnMut(&Field<'d, 'b, '_>) -> Result<(), Refused>,
    ) -> Result<Option<Text<'b>>, Refused> {
        match self.value.kind() {
            Kind::String => Ok(Text::of(self.value)),
            Kind::Array => self.any_items(read).map(|()| None),
            _ => Err(self.refuse("a string or an array")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Field;
    use crate::{dialect::pivot::dropped::Dropped, wire::json::document::Document};

    #[test]
    fn a_path_reads_as_one_would_write_it() {
        let mut document = Document::default();
        let root = document.parse(br#"{"messages":[1,{"content":3,"x":4}]}"#).expect("valid");
        let mut told = Vec::new();
        let mut dropped = Dropped::default();

        let refused = Field::root(root).need("messages", "there").expect("there").items(|item| {
            told.push(item.path());
            if item.value.as_u64().is_some() {
                return Ok(());
            }
            item.known_members(&mut dropped, |name, field, _| {
                told.push(field.path());
                Ok(name == "content")
            })?;
            Err(item.refuse("an object"))
        });

        assert_eq!(told, ["messages[0]", "messages[1]", "messages[1].content", "messages[1].x"]);
        assert_eq!(dropped.iter().collect::<Vec<_>>(), ["messages[1].x"]);
        let refused = refused.expect_err("the last word");
        assert_eq!(&*refused.detail, "\"messages[1]\" must be an object.");
        assert_eq!(refused.param.as_deref(), Some("messages[1]"));
    }

    #[test]
    fn a_member_that_must_be_there_is_asked_for_by_its_path() {
        let mut document = Document::default();
        let root = Field::root(document.parse(br#"{"a":{"b":null}}"#).expect("valid"));

        let inner = root.need("a", "an object").expect("there");

        assert_eq!(inner.need_text("b").expect_err("null").param.as_deref(), Some("a.b"));
        assert_eq!(root.need_text("c").expect_err("absent").param.as_deref(), Some("c"));
        let twice = inner.once(&mut Some(1), 2).expect_err("twice");
        assert_eq!(&*twice.detail, "\"a\" is there twice.");
    }
}
