//! The answers of a vendor under load: one a language, made once, and no body looked at.

use super::{chat, frame};
use serde_json::{Value, json};

/// How clients that are measured with ask for a stream in the body.
const STREAM_ASKED: &[u8] = b"\"stream\":true";

/// Which of the answers a request gets, if it asks for none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    OpenAi,
    Anthropic,
    Google,
}

impl Language {
    /// By the path; `None` where a stream is asked for, which is composed.
    pub fn of(path: &str, body: &[u8]) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default();
        if path.ends_with(":streamGenerateContent")
            || memchr::memmem::find(body, STREAM_ASKED).is_some()
        {
            return None;
        }
        Some(match path {
            path if path.ends_with("/messages") => Self::Anthropic,
            path if path.ends_with(":generateContent") => Self::Google,
            _ => Self::OpenAi,
        })
    }
}

/// One answer of each language.
pub(super) struct Canned {
    openai: Vec<u8>,
    anthropic: Vec<u8>,
    google: Vec<u8>,
}

impl Canned {
    /// Of about so many bytes each.
    pub fn of(bytes: usize) -> Self {
        let text = |envelope_bytes: usize| "x".repeat(bytes.saturating_sub(envelope_bytes));
        Self {
            openai: whole(&openai(&text(330)), "x-request-id"),
            anthropic: whole(&anthropic(&text(300)), "request-id"),
            google: whole(&google(&text(300)), "x-request-id"),
        }
    }

    pub const fn answer(&self, language: Language) -> &Vec<u8> {
        match language {
            Language::OpenAi => &self.openai,
            Language::Anthropic => &self.anthropic,
            Language::Google => &self.google,
        }
    }
}

fn whole(body: &Value, id_header: &str) -> Vec<u8> {
    let headers = [("content-type", "application/json"), (id_header, "req_canned")];
    frame::whole(200, &headers, body.to_string().as_bytes())
}

fn openai(text: &str) -> Value {
    json!({
        "id": "chatcmpl-canned", "object": "chat.completion", "created": chat::CREATED,
        "model": "canned",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text,
            "refusal": null}, "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30},
    })
}

fn anthropic(text: &str) -> Value {
    json!({
        "id": "msg_canned", "type": "message", "role": "assistant", "model": "canned",
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
        "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0, "output_tokens": 20},
    })
}

fn google(text: &str) -> Value {
    json!({
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"},
            "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 20,
            "totalTokenCount": 30},
        "modelVersion": "canned", "responseId": "resp-canned",
    })
}

#[cfg(test)]
mod tests {
    use super::{Canned, Language};

    #[test]
    fn each_language_has_an_answer_of_its_own_and_streams_have_none() {
        let canned = Canned::of(1024);
        for (path, word) in [
            ("/v1/chat/completions", "chat.completion"),
            ("/v1/messages", "\"type\":\"message\""),
            ("/v1beta/models/m:generateContent?a=b", "candidates"),
        ] {
            let language = Language::of(path, b"{}").expect("no stream");
            let answer = String::from_utf8_lossy(canned.answer(language));
            assert!(answer.contains(word), "{path}");
            assert!((900..1200).contains(&answer.len()), "{path}: {}", answer.len());
            assert_eq!(Language::of(path, br#"{"stream":true}"#), None);
        }
        assert_eq!(Language::of("/models/m:streamGenerateContent?alt=sse", b"{}"), None);
    }
}
