//! A ring and its receipts, for tests.

use weir::lexicon::{
    operation::Operation,
    receipt::{Ending, Opening, Outcome},
    time::UnixMillis,
    usage::Usage,
};

/// Header page and so many blocks.
pub const fn ring_bytes(blocks: u64) -> u64 {
    4096 + blocks * 512
}

pub fn opening<'a>(request_id: &'a str, metadata: &'a [(&'a str, &'a str)]) -> Opening<'a> {
    Opening {
        started: UnixMillis(1_700_000_000_123),
        days_ahead: 0,
        operation: Some(Operation::ChatCompletions),
        is_streaming: true,
        request_id,
        client_address: "203.0.113.7",
        client_certificate: "CN=ci",
        subject: "user:ada@example.com",
        teams: "core,billing",
        metadata,
        requested_model: "openai/gpt-5",
    }
}

pub fn outcome(tokens: u64, model: &str) -> Outcome<'_> {
    Outcome {
        ending: Ending::Complete,
        status: 200,
        resolved_model: model,
        usage: Usage { input_tokens: tokens, output_tokens: tokens * 2, ..Usage::default() },
        usage_is_reported: true,
        was_sent: true,
        cost_nanodollars: Some(7_250),
        bytes_out: tokens * 7,
        total_us: 1234,
        ..Outcome::UNKNOWN
    }
}
