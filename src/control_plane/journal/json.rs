//! A receipt as JSON: one line of the access log and of `weir receipts`.

use crate::lexicon::{receipt::Receipt, time::UnixMillis};
use serde::{Serialize, Serializer};

/// **Shape**: the fields below, in their order. Times in milliseconds with microseconds behind the
/// point; 0 where it never came to that.
#[derive(Serialize)]
struct Line<'a> {
    id: String,
    request_id: &'a str,
    started_at: String,
    operation: Option<&'static str>,
    stream: bool,
    client_address: &'a str,
    /// Only where the client showed one.
    #[serde(skip_serializing_if = "str::is_empty")]
    client_certificate: &'a str,
    subject: &'a str,
    teams: Vec<&'a str>,
    #[serde(serialize_with = "object")]
    metadata: &'a [(&'a str, &'a str)],
    requested_model: &'a str,
    resolved_model: &'a str,
    status: u16,
    code: Option<&'a str>,
    fault: Option<&'a str>,
    ending: &'static str,
    bytes_in: u64,
    bytes_out: u64,
    input_tokens: u64,
    output_tokens: u64,
    cached_tokens: u64,
    reasoning_tokens: u64,
    /// These four only where there are some.
    #[serde(skip_serializing_if = "is_none")]
    cache_written_tokens: u32,
    #[serde(skip_serializing_if = "is_none")]
    cache_written_hour_tokens: u32,
    #[serde(skip_serializing_if = "is_none")]
    input_audio_tokens: u32,
    #[serde(skip_serializing_if = "is_none")]
    output_audio_tokens: u32,
    usage_reported: bool,
    cost_nanodollars: Option<u64>,
    ttft_ms: f64,
    inter_token_ms: f64,
    total_ms: f64,
    retries: u16,
    /// Only where a rule routed it.
    #[serde(skip_serializing_if = "str::is_empty")]
    rule: &'a str,
    /// Only where some failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_attempts: Vec<FailedAttempt<'a>>,
    /// What the target was not told of the request, and the client of the answer; only where
    /// something could not be said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    request_dropped: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reply_dropped: Vec<&'a str>,
    /// Only where something was cut.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// One attempt, and the status or the fault that it ended with.
#[derive(Serialize)]
struct FailedAttempt<'a> {
    target: &'a str,
    failed: &'a str,
}

fn failed_attempts(text: &str) -> Vec<FailedAttempt<'_>> {
    let words: Vec<&str> = text.split(' ').collect();
    let (pairs, _) = words.as_chunks();
    pairs.iter().map(|[target, failed]| FailedAttempt { target, failed }).collect()
}

fn names(text: &str) -> Vec<&str> {
    text.split(", ").filter(|name| !name.is_empty()).collect()
}

/// The receipt, to be serialized.
#[must_use]
pub fn receipt_json<'a>(receipt: &'a Receipt<'a>) -> impl Serialize + 'a {
    let outcome = &receipt.outcome;
    let said = |text: &'a str| Some(text).filter(|text| !text.is_empty());
    Line {
        id: receipt.id.to_string(),
        request_id: receipt.request_id,
        started_at: rfc3339(receipt.started),
        operation: receipt.operation.map(crate::lexicon::operation::Operation::label),
        stream: receipt.is_streaming,
        client_address: receipt.client_address,
        client_certificate: receipt.client_certificate,
        subject: receipt.subject,
        teams: receipt.teams.split(',').filter(|team| !team.is_empty()).collect(),
        metadata: &receipt.metadata,
        requested_model: receipt.requested_model,
        resolved_model: outcome.resolved_model,
        status: outcome.status,
        code: said(outcome.code),
        fault: said(outcome.fault),
        ending: outcome.ending.label(),
        bytes_in: outcome.bytes_in,
        bytes_out: outcome.bytes_out,
        input_tokens: outcome.usage.input_tokens,
        output_tokens: outcome.usage.output_tokens,
        cached_tokens: outcome.usage.cached_tokens,
        reasoning_tokens: outcome.usage.reasoning_tokens,
        cache_written_tokens: outcome.usage.cache_written_tokens,
        cache_written_hour_tokens: outcome.usage.cache_written_hour_tokens,
        input_audio_tokens: outcome.usage.input_audio_tokens,
        output_audio_tokens: outcome.usage.output_audio_tokens,
        usage_reported: outcome.usage_is_reported,
        cost_nanodollars: outcome.cost_nanodollars,
        ttft_ms: f64::from(outcome.ttft_us) / 1000.0,
        inter_token_ms: f64::from(outcome.inter_token_us) / 1000.0,
        total_ms: f64::from(outcome.total_us) / 1000.0,
        retries: outcome.retries,
        rule: outcome.rule,
        failed_attempts: failed_attempts(outcome.attempts),
        request_dropped: names(outcome.request_dropped),
        reply_dropped: names(outcome.reply_dropped),
        truncated: receipt.is_truncated,
    }
}

/// The receipt's line with its newline, appended.
pub fn write_line(receipt: &Receipt<'_>, line: &mut Vec<u8>) {
    serde_json::to_writer(&mut *line, &receipt_json(receipt)).expect("keys are strings");
    line.push(b'\n');
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_none(tokens: &u32) -> bool {
    *tokens == 0
}

fn rfc3339(at: UnixMillis) -> String {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.3}")
}

fn object<S: Serializer>(pairs: &&[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}
