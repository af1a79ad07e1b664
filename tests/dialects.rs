//! From one dialect into another: what is kept, how it is said, and what is named as left out.
//!
//! Sans-IO. What the gateway writes is read here by readers of their own, on `serde_json`; no
//! decoder of the gateway's judges an encoder of it.

mod dialects {
    mod answer;
    mod anthropic;
    mod bedrock;
    mod frames;
    mod gemini;
    mod gemini_pains;
    mod gemini_recordings;
    mod golden;
    mod likeness;
    mod losses;
    mod openai;
    mod pains;
    mod recordings;
    mod responses;
    mod round_trip;
    mod splits;
    mod stream;
}
mod harness;
