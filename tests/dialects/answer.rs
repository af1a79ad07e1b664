//! What an answer means, whatever its dialect.

use serde_json::Value;

/// The sense of an answer, as recordings state it and as our readers find it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub text: String,
    pub reasoning: String,
    pub tools: Vec<Tool>,
    pub finish: Option<String>,
    /// In and out; all that went in, caches included.
    pub tokens: Option<(u64, u64)>,
    pub cached: Option<u64>,
    pub error: Option<String>,
    /// URLs of the pages that its words are from.
    pub sources: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tool {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

impl Tool {
    /// The arguments as a value, where they are one; no words at all are an empty object.
    pub fn value(&self) -> Value {
        match self.arguments.trim() {
            "" => serde_json::json!({}),
            text => serde_json::from_str(text).unwrap_or_else(|_| self.arguments.clone().into()),
        }
    }
}

/// Append an URL, which must be there.
pub fn cite(answer: &mut Answer, url: &Value) {
    answer.sources.push(url.as_str().expect("a source has an URL").to_owned());
}

/// Append the text that a value is, if it is one.
pub fn push(text: &mut String, value: &Value) {
    text.push_str(value.as_str().unwrap_or_default());
}
