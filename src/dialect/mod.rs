//! API languages.
//!
//! `openai_chat/` is OpenAI's: chat completions, completions and embeddings share its shapes of
//! request, stream, reply and error.
//!
//! **Invariants**: sans-IO; bytes come in, bytes and values go out; a field that is not ours to
//! change is never re-serialized. No vendor's name appears here.

pub mod openai_chat;
