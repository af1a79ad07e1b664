//! Recorded traffic of real vendors; it lies beside the project, not in it.

use serde_json::Value;
use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

/// Vendors whose chat answers have OpenAI's shape.
const VENDORS: [&str; 11] = [
    "openai-chat",
    "openai-compatible",
    "azure",
    "groq",
    "together",
    "mistral",
    "deepseek",
    "openrouter",
    "perplexity",
    "vllm",
    "xai",
];

/// One recording.
pub struct Recording {
    pub name: String,
    pub status: u16,
    /// `sse` or `json`.
    pub kind: String,
    pub body: Vec<u8>,
    pub request: Option<Vec<u8>>,
    /// What the answer means, computed from the vendor's own events.
    pub expected: Option<Value>,
}

impl Recording {
    /// Tokens in and out, where the vendor said them.
    pub fn expected_tokens(&self) -> Option<(u64, u64)> {
        let usage = &self.expected.as_ref()?["usage"];
        Some((usage["prompt_tokens"].as_u64()?, usage["completion_tokens"].as_u64()?))
    }
}

/// The folder of recordings; `None`, said in one line, where there is none.
pub fn root() -> Option<PathBuf> {
    let fixtures = std::env::var_os("WEIR_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
        PathBuf::from,
    );
    let recorded = fixtures.join("recorded");
    if recorded.is_dir() {
        return Some(recorded);
    }
    // Not by a macro, whose output a passing test hides.
    let skipped = "skipped: recorded traffic, for there is no folder of it here";
    let _ = writeln!(std::io::stderr(), "{skipped} (WEIR_FIXTURES)");
    None
}

/// Every recording of a chat in OpenAI's shape; `None`, said in one line, where there are none.
pub fn openai_chats() -> Option<Vec<Recording>> {
    recordings(&VENDORS, is_openai_chat)
}

/// Every recording of Anthropic's Messages, likewise.
pub fn anthropic_messages() -> Option<Vec<Recording>> {
    recordings(&["anthropic"], |_, _, text| {
        text.contains("\"type\":\"message\"") || text.contains("\"type\":\"message_start\"")
    })
}

/// Every recording of OpenAI's Responses API, likewise.
pub fn openai_responses() -> Option<Vec<Recording>> {
    let vendors = ["openai-responses", "azure", "bedrock-mantle", "deepseek", "openrouter", "xai"];
    recordings(&vendors, |url, _, text| {
        text.contains("\"object\":\"response\"") || url.ends_with("/responses")
    })
}

/// Every recording of `generateContent`, streamed or not, at AI Studio and Vertex.
pub fn gemini_answers() -> Option<Vec<Recording>> {
    recordings(&["gemini", "vertex-gemini"], |url, _, text| {
        url.to_ascii_lowercase().ends_with("generatecontent")
            || url.is_empty() && text.contains("\"candidates\":")
    })
}

/// Every recording of Cohere's chat, version 2, likewise.
pub fn cohere_chats() -> Option<Vec<Recording>> {
    recordings(&["cohere"], |_, _, text| {
        text.contains("\"finish_reason\"") && text.contains("\"role\":\"assistant\"")
    })
}

/// Every recording of Bedrock's Converse, likewise.
pub fn converses() -> Option<Vec<Recording>> {
    recordings(&["bedrock-converse"], |_, _, text| {
        ["\"stopReason\":", "contentBlock"].iter().any(|word| text.contains(word))
    })
}

/// The recording of this name in this vendor's folder; `None` where it is not there.
pub fn one(vendor: &str, name: &str) -> Option<Recording> {
    read(&root()?.join(vendor).join(name), |_, _, _| true)
}

/// Does a recording of this URL and status, whose body is this text, count?
type Is = fn(url: &str, status: u16, text: &str) -> bool;

fn recordings(vendors: &[&str], is: Is) -> Option<Vec<Recording>> {
    let recorded = root()?;
    let mut found: Vec<Recording> = vendors
        .iter()
        .flat_map(|vendor| std::fs::read_dir(recorded.join(vendor)).into_iter().flatten())
        .filter_map(|entry| read(&entry.ok()?.path(), is))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Some(found)
}

fn read(folder: &Path, is: Is) -> Option<Recording> {
    let meta: Value =
        serde_json::from_slice(&std::fs::read(folder.join("meta.json")).ok()?).ok()?;
    let kind = meta["response_kind"].as_str()?.to_owned();
    let status = u16::try_from(meta["status"].as_u64()?).ok()?;
    let body = std::fs::read(folder.join(format!("response.{kind}"))).ok()?;
    let url = meta["url"].as_str().unwrap_or_default().split('?').next()?;
    let text = String::from_utf8_lossy(&body).replace("\": \"", "\":\"");
    if !is(url, status, &text) {
        return None;
    }
    Some(Recording {
        name: folder.file_name()?.to_string_lossy().into_owned(),
        request: std::fs::read(folder.join("request.json")).ok(),
        expected: std::fs::read(folder.join("expected.json"))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok()),
        status,
        body,
        kind,
    })
}

fn is_openai_chat(url: &str, status: u16, text: &str) -> bool {
    let is_refused_chat = status >= 400 && url.ends_with("/chat/completions");
    let is_broken_stream = url.ends_with("/chat/completions") && text.contains("data:");
    text.contains("\"object\":\"chat.completion") || is_refused_chat || is_broken_stream
}
