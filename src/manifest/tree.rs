//! A document as a tree that remembers its lines.

use crate::manifest::path::{Path, Step};

/// One node and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// From 1.
    pub line: u32,
    pub value: Value,
}

/// What stands there.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub line: u32,
    pub node: Node,
}

impl Node {
    /// The value behind a key, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The text, if this is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The node at `path`.
    #[must_use]
    pub fn at(&self, path: &Path) -> Option<&Self> {
        path.steps().iter().try_fold(self, |node, step| node.child(step))
    }

    /// The line of the node at `path`, or of the nearest one above that is there. A key's own line
    /// where there is one: that is what operators look for.
    #[must_use]
    pub fn line_of(&self, path: &Path) -> u32 {
        let mut node = self;
        let mut line = self.line;
        for step in path.steps() {
            let entry_line = match (&node.value, step) {
                (Value::Map(entries), Step::Key(key)) => {
                    entries.iter().find(|entry| entry.key == *key).map(|entry| entry.line)
                }
                (Value::List(nodes), Step::Index(index)) => nodes.get(*index).map(|node| node.line),
                _ => None,
            };
            let (Some(entry_line), Some(child)) = (entry_line, node.child(step)) else { break };
            (line, node) = (entry_line, child);
        }
        line
    }

    /// The same tree as JSON; lines are lost.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            // Infinities and NaN do not exist in JSON; no field of ours wants one.
            Value::Float(value) => serde_json::Number::from_f64(*value).map_or_else(
                || serde_json::Value::String(value.to_string()),
                serde_json::Value::Number,
            ),
            Value::Text(text) => text.as_str().into(),
            Value::List(nodes) => nodes.iter().map(Self::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// Calls `visit` with every text in the tree.
    pub fn each_text<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        match &self.value {
            Value::Text(text) => visit(text),
            Value::List(nodes) => nodes.iter().for_each(|node| node.each_text(visit)),
            Value::Map(entries) => entries.iter().for_each(|entry| entry.node.each_text(visit)),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
        }
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.value, step) {
            (Value::Map(_), Step::Key(key)) => self.get(key),
            (Value::List(nodes), Step::Index(index)) => nodes.get(*index),
            _ => None,
        }
    }
}
