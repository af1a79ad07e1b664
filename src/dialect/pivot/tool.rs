//! What a model may call.

use crate::{
    dialect::pivot::{
        part::{Dialect, Foreign},
        text::{Json, Text},
    },
    wire::json::document::Document,
};

/// A tool that the client runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tool<'b> {
    pub name: Text<'b>,
    pub description: Option<Text<'b>>,
    /// A JSON schema of its arguments; none is a tool without any.
    pub parameters: Option<Json<'b>>,
    /// The arguments must follow the schema to the letter.
    pub is_strict: Option<bool>,
    pub cache: Option<Json<'b>>,
}

/// A tool that the vendor runs: kept apart, for no client can answer for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTool<'b> {
    pub kind: ServerKind,
    /// As its own dialect writes it.
    pub tool: Foreign<'b>,
}

impl ServerTool<'_> {
    /// Does it say more than which tool it is?
    #[must_use]
    pub fn has_options(&self) -> bool {
        let mut document = Document::default();
        let Ok(root) = document.parse(self.tool.json.0.as_bytes()) else { return false };
        match self.tool.dialect {
            // `{"googleSearch":{…}}`
            Dialect::Gemini => root.members().any(|(_, inner)| inner.members().next().is_some()),
            _ => root
                .members()
                .any(|(name, value)| !matches!(&*name, "type" | "name") && !value.is_null()),
        }
    }
}

/// Server tools that more than one vendor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    WebSearch,
    WebFetch,
    CodeExecution,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'b> {
    Auto,
    None,
    /// Some tool, whichever.
    Required,
    Tool(Text<'b>),
}
