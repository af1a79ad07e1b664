//! Text, YAML or JSON, to trees that remember their lines.
//!
//! The events of the parser are assembled here rather than by a ready-made loader, for three
//! bounds that loader does not have: aliases are copied at most `NODES_MAX` nodes far (a bomb of
//! aliases of aliases grows without end otherwise), nesting ends at `DEPTH_MAX` without recursion,
//! and a key written twice is an error instead of the later value.
//!
//! A YAML stream may hold several documents, a document may be a list of documents, and each may
//! stand in the wrapper `{"manifest": …}` that the reference's API takes.

use crate::{
    lexicon::problem::{Problem, Severity},
    manifest::tree::{Entry, Node, Value},
};
use saphyr::Scalar;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

/// The largest file that is read. A manifest of a thousand models is about 300 KiB.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// Documents in one file.
pub const DOCUMENTS_MAX: usize = 10_000;
/// Nodes in one file, copies made by aliases counted.
pub const NODES_MAX: usize = 500_000;
/// Nesting; no type that operators write is deeper than ten.
pub const DEPTH_MAX: usize = 64;

/// One document, not yet understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// File name, and `#N` (from 1) where the file holds several documents.
    pub origin: String,
    pub tree: Node,
}

/// The documents in `text`; empty ones are left out.
pub fn parse(file: &str, text: &str) -> Result<Vec<Source>, Box<Problem>> {
    let trees = assemble(text).map_err(|bad| Box::new(bad.problem(file)))?;
    let mut documents = Vec::new();
    for tree in trees {
        match tree.value {
            Value::Null => {}
            Value::List(nodes) => documents.extend(nodes),
            _ => documents.push(tree),
        }
    }
    if documents.len() > DOCUMENTS_MAX {
        let found = format!("{} documents", documents.len());
        let bad = Bad::new(0, found, format!("at most {DOCUMENTS_MAX} in a file"));
        return Err(Box::new(bad.problem(file)));
    }
    let is_only = documents.len() == 1;
    let origin =
        |number: usize| if is_only { file.to_owned() } else { format!("{file}#{}", number + 1) };
    let named = documents.into_iter().enumerate();
    Ok(named
        .map(|(number, tree)| Source { origin: origin(number), tree: unwrapped(tree) })
        .collect())
}

/// `{"manifest": M}` is M.
fn unwrapped(tree: Node) -> Node {
    let is_wrapper = tree.get("manifest").is_some() && tree.get("type").is_none();
    match tree.value {
        Value::Map(entries) if is_wrapper => entries
            .into_iter()
            .find_map(|entry| (entry.key == "manifest").then_some(entry.node))
            .expect("`get` has just found it"),
        value => Node { line: tree.line, value },
    }
}

/// What is wrong with the text as such.
struct Bad {
    line: u32,
    found: String,
    wanted: String,
}

impl Bad {
    fn new(line: u32, found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { line, found: found.into(), wanted: wanted.into() }
    }

    fn problem(self, file: &str) -> Problem {
        Problem {
            severity: Severity::Error,
            document: file.to_owned(),
            line: self.line,
            path: String::new(),
            found: self.found,
            wanted: self.wanted,
            hint: String::new(),
        }
    }
}

/// A list or mapping whose end has not come yet.
struct Unfinished {
    node: Node,
    anchor: usize,
    /// In a mapping: the key whose value comes next.
    key: Option<(String, u32)>,
    /// In a mapping: the keys so far.
    keys: HashSet<String>,
}

#[derive(Default)]
struct Assembly {
    documents: Vec<Node>,
    stack: Vec<Unfinished>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes_count: usize,
}

fn assemble(text: &str) -> Result<Vec<Node>, Bad> {
    if text.len() > FILE_BYTES_MAX {
        let wanted = format!("at most {FILE_BYTES_MAX} bytes");
        return Err(Bad::new(0, format!("{} bytes", text.len()), wanted));
    }
    let mut assembly = Assembly::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let is_of_tabs = error.info().contains("tab");
            let wanted = if is_of_tabs { "spaces, not tabs, to indent" } else { "YAML or JSON" };
            Bad::new(line_number(error.marker().line()), format!("`{}`", error.info()), wanted)
        })?;
        if event == Event::StreamEnd {
            break;
        }
        assembly.take(event, line_number(span.start.line()))?;
    }
    Ok(assembly.documents)
}

impl Assembly {
    fn take(&mut self, event: Event<'_>, line: u32) -> Result<(), Bad> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.put(scalar(text, style, tag.as_deref(), line), anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(Value::List(Vec::new()), anchor, line),
            Event::MappingStart(anchor, _) => self.open(Value::Map(Vec::new()), anchor, line),
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(done) => self.put(merged(done.node), done.anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let (node, count) = self
                    .anchors
                    .get(&anchor)
                    .ok_or_else(|| Bad::new(line, "an alias inside its own anchor", "a tree"))?;
                let (node, count) = (node, *count);
                if self.nodes_count + count > NODES_MAX {
                    return Err(too_many(line));
                }
                let copy = Node { line, value: node.value.clone() };
                self.nodes_count += count - 1;
                self.put(copy, 0)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, value: Value, anchor: usize, line: u32) -> Result<(), Bad> {
        if self.stack.len() == DEPTH_MAX {
            return Err(Bad::new(line, "deeper nesting", format!("at most {DEPTH_MAX} levels")));
        }
        let node = Node { line, value };
        self.stack.push(Unfinished { node, anchor, key: None, keys: HashSet::new() });
        Ok(())
    }

    /// A node is complete: it goes where it belongs.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Bad> {
        self.nodes_count += 1;
        if anchor > 0 {
            // The copy kept for aliases counts as well: anchors in anchors are a bomb, too.
            let count = size(&node);
            self.nodes_count += count;
            if self.nodes_count <= NODES_MAX {
                self.anchors.insert(anchor, (node.clone(), count));
            }
        }
        if self.nodes_count > NODES_MAX {
            return Err(too_many(node.line));
        }
        let Some(parent) = self.stack.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut parent.node.value, parent.key.take()) {
            (Value::List(nodes), _) => nodes.push(node),
            (Value::Map(entries), Some((key, line))) => entries.push(Entry { key, line, node }),
            (Value::Map(_), None) => {
                let key = key_text(&node)?;
                if !parent.keys.insert(key.clone()) {
                    let found = format!("`{}` a second time", quotable(&key));
                    return Err(Bad::new(node.line, found, "each key once"));
                }
                parent.key = Some((key, node.line));
            }
            _ => unreachable!("only lists and mappings are opened"),
        }
        Ok(())
    }
}

/// `<<: {…}` gives what is not written beside it; a list of mappings does so in its order.
fn merged(mut node: Node) -> Node {
    let Value::Map(entries) = &mut node.value else { return node };
    let Some(at) = entries.iter().position(|entry| entry.key == "<<") else { return node };
    let given = entries.remove(at).node;
    let sources = match given.value {
        Value::List(nodes) => nodes,
        value => vec![Node { line: given.line, value }],
    };
    let mut keys: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for source in sources {
        let Value::Map(more) = source.value else { continue };
        for entry in more {
            if keys.insert(entry.key.clone()) {
                entries.push(entry);
            }
        }
    }
    node
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>, line: u32) -> Node {
    let is_text = style != ScalarStyle::Plain
        || tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    let value = if is_text {
        Value::Text(text.into_owned())
    } else if text.is_empty() {
        Value::Null
    } else {
        match Scalar::parse_from_cow(text) {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => Value::Bool(value),
            Scalar::Integer(value) => Value::Integer(value),
            Scalar::FloatingPoint(value) => Value::Float(value.into_inner()),
            Scalar::String(text) => Value::Text(text.into_owned()),
        }
    };
    Node { line, value }
}

fn key_text(node: &Node) -> Result<String, Bad> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Integer(value) => Ok(value.to_string()),
        Value::Float(value) => Ok(value.to_string()),
        Value::Null => Ok("null".to_owned()),
        Value::List(_) | Value::Map(_) => {
            Err(Bad::new(node.line, "a list or a mapping as a key", "text"))
        }
    }
}

/// A key is shown unless it is so long that it may be something else gone astray.
fn quotable(key: &str) -> &str {
    if key.len() <= 40 { key } else { "a key" }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(nodes) => nodes.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| 1 + size(&entry.node)).sum(),
        _ => 0,
    }
}

fn too_many(line: u32) -> Bad {
    Bad::new(line, "more values, aliases counted", format!("at most {NODES_MAX} in a file"))
}

fn line_number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}
