//! What a record says, as bytes: the same in the ring and in the store.
//!
//! **Shape**: little-endian; two parts, each padded with zeros to whole words of 8 bytes.
//!
//! ```text
//! opening  version u8, flags u8, operation u8, 0 u8, core u16, words of this part u16,
//!          epoch u64, sequence u64, started u64 (Unix ms),
//!          lengths u16 of request id, subject, teams, requested model; count of metadata u16,
//!          lengths u16 of client address and certificate, days ahead u16; those texts, in that
//!          order; then for each pair: lengths u16 ×2, key, value
//! outcome  ending u8, flags u8, status u16, retries u16, lengths u8 of code and fault,
//!          input, output, cached, reasoning tokens u64 ×4, bytes in and out u64 ×2,
//!          cost u64 (nano-dollars; all ones is unknown),
//!          tokens written to a cache, of those for an hour, heard, spoken u32 ×4,
//!          ttft, inter-token, total u32 ×3 (µs), length u16 of resolved model, 0 u16;
//!          code, fault, resolved model; then, where the flag `routed` is set,
//!          lengths u16 of rule and attempts, rule, attempts; then, where the flag `dropped` is
//!          set, the same of what was dropped of request and reply
//! ```
//!
//! Older stores hold version 1, which has no cost, and version 2, which has none of the four parts
//! behind it.
//!
//! Bounds: each text is cut at its `_BYTES_MAX`, on a character; metadata pairs that no longer fit
//! are left out whole. Either sets the flag `truncated`.

use crate::{
    bridge::receipts::{
        layout::PAYLOAD_WORDS_MAX,
        pairs::{self, Encoded},
    },
    lexicon::{
        ids::ReceiptId,
        operation::Operation,
        receipt::{ATTEMPTS_BYTES_MAX, DROPPED_BYTES_MAX, Ending, Opening, Outcome, Receipt},
        time::UnixMillis,
        usage::Usage,
    },
};

const VERSION: u8 = 3;
const VERSION_WITHOUT_PARTS: u8 = 2;
const VERSION_WITHOUT_COST: u8 = 1;
const COST_UNKNOWN: u64 = u64::MAX;
const STREAMING: u8 = 1;
const USAGE_REPORTED: u8 = 1;
const TRUNCATED: u8 = 2;
const SENT: u8 = 4;
const ROUTED: u8 = 8;
const DROPPED: u8 = 16;

const REQUEST_ID_BYTES_MAX: usize = 128;
const SUBJECT_BYTES_MAX: usize = 256;
const TEAMS_BYTES_MAX: usize = 512;
const MODEL_BYTES_MAX: usize = 256;
/// Codes and fault labels are ours, and short.
const CODE_BYTES_MAX: usize = 32;
/// The longest IPv6 address, with room.
const ADDRESS_BYTES_MAX: usize = 64;
const CERTIFICATE_BYTES_MAX: usize = 256;
const RULE_BYTES_MAX: usize = 76;
/// Rule and attempts with their lengths, in words.
const ROUTED_WORDS_MAX: usize = (4 + RULE_BYTES_MAX + ATTEMPTS_BYTES_MAX) / 8;
/// What was dropped of both sides with its lengths, in words.
const DROPPED_WORDS_MAX: usize = (4 + 2 * DROPPED_BYTES_MAX) / 8;

const OPENING_FIXED_BYTES: usize = 48;
const OUTCOME_FIXED_WORDS: usize = 12;
/// An outcome of which only codes are kept.
pub(super) const OUTCOME_WORDS_MIN: usize = OUTCOME_FIXED_WORDS + 2 * CODE_BYTES_MAX / 8;
pub(super) const OUTCOME_WORDS_MAX: usize =
    OUTCOME_WORDS_MIN + MODEL_BYTES_MAX / 8 + ROUTED_WORDS_MAX + DROPPED_WORDS_MAX;
/// What remains beside two whole outcomes: the sealed one stays true while the closing one is
/// written.
pub(super) const OPENING_BYTES_MAX: usize = (PAYLOAD_WORDS_MAX - 2 * OUTCOME_WORDS_MAX) * 8;

/// The record is not one that we wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// A whole record, for tests and tools; the ring writes its parts one by one.
#[must_use]
pub fn encode(id: ReceiptId, opening: &Opening<'_>, outcome: &Outcome<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_opening(id, opening, None, &mut bytes);
    encode_outcome(outcome, MODEL_BYTES_MAX, &mut bytes);
    bytes
}

/// The opening; where its metadata is `encoded` already, it holds none itself.
pub(super) fn encode_opening(
    id: ReceiptId,
    opening: &Opening<'_>,
    encoded: Option<&Encoded>,
    bytes: &mut Vec<u8>,
) {
    let start = bytes.len();
    let mut is_truncated = false;
    let mut texts = [
        (opening.request_id, REQUEST_ID_BYTES_MAX),
        (opening.subject, SUBJECT_BYTES_MAX),
        (opening.teams, TEAMS_BYTES_MAX),
        (opening.requested_model, MODEL_BYTES_MAX),
        (opening.client_address, ADDRESS_BYTES_MAX),
        (opening.client_certificate, CERTIFICATE_BYTES_MAX),
    ];
    for (text, bytes_max) in &mut texts {
        *text = cut(text, *bytes_max, &mut is_truncated);
    }
    // Flags, this part's words and the count of metadata are set when they are known.
    let mut fixed = [0; OPENING_FIXED_BYTES];
    fixed[0] = VERSION;
    fixed[2] = opening.operation.map_or(0, operation_code);
    fixed[4..6].copy_from_slice(&id.core.to_le_bytes());
    fixed[8..16].copy_from_slice(&id.epoch.to_le_bytes());
    fixed[16..24].copy_from_slice(&id.sequence.to_le_bytes());
    fixed[24..32].copy_from_slice(&opening.started.0.to_le_bytes());
    fixed[46..48].copy_from_slice(&opening.days_ahead.to_le_bytes());
    let length_at = (32..40).chain(42..).step_by(2);
    for (at, (text, _)) in length_at.zip(texts) {
        fixed[at..at + 2].copy_from_slice(&length(text));
    }
    bytes.extend_from_slice(&fixed);
    for (text, _) in texts {
        bytes.extend_from_slice(text.as_bytes());
    }
    let mut room = OPENING_BYTES_MAX - (bytes.len() - start);
    let (metadata_count, has_left_out) = match encoded {
        Some(encoded) => encoded.push(bytes, room),
        None => pairs::push(bytes, &mut room, opening.metadata.iter().copied()),
    };
    is_truncated |= has_left_out;
    pad(bytes, start);
    bytes[start + 40..start + 42].copy_from_slice(&metadata_count.to_le_bytes());
    bytes[start + 1] = flag(opening.is_streaming, STREAMING) | flag(is_truncated, TRUNCATED);
    let words = u16::try_from((bytes.len() - start) / 8).expect("bounded by OPENING_BYTES_MAX");
    bytes[start + 6..start + 8].copy_from_slice(&words.to_le_bytes());
}

/// The outcome, with the model's name cut to `model_bytes_max`; where that is nothing, it does not
/// say how it was routed or what was dropped either.
pub(super) fn encode_outcome(outcome: &Outcome<'_>, model_bytes_max: usize, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    let mut is_truncated = false;
    let code = cut(outcome.code, CODE_BYTES_MAX, &mut is_truncated);
    let fault = cut(outcome.fault, CODE_BYTES_MAX, &mut is_truncated);
    let model_bytes_max = model_bytes_max.min(MODEL_BYTES_MAX);
    let model = cut(outcome.resolved_model, model_bytes_max, &mut is_truncated);
    let routed = [
        cut(outcome.rule, RULE_BYTES_MAX, &mut is_truncated),
        cut(outcome.attempts, ATTEMPTS_BYTES_MAX, &mut is_truncated),
    ];
    let dropped = [outcome.request_dropped, outcome.reply_dropped]
        .map(|names| cut(names, DROPPED_BYTES_MAX, &mut is_truncated));
    let flags = flag(outcome.usage_is_reported, USAGE_REPORTED)
        | flag(is_truncated, TRUNCATED)
        | flag(outcome.was_sent, SENT);
    let pairs = [(routed, ROUTED), (dropped, DROPPED)];
    let is_told = |pair: [&str; 2]| model_bytes_max > 0 && pair != ["", ""];
    let flags = pairs.iter().fold(flags, |all, (pair, bit)| all | flag(is_told(*pair), *bit));
    let mut fixed = [0; 8 * OUTCOME_FIXED_WORDS];
    fixed[..2].copy_from_slice(&[outcome.ending as u8, flags]);
    fixed[2..4].copy_from_slice(&outcome.status.to_le_bytes());
    fixed[4..6].copy_from_slice(&outcome.retries.to_le_bytes());
    fixed[6..8].copy_from_slice(&[length(code)[0], length(fault)[0]]);
    let usage = outcome.usage;
    let numbers = [
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
        outcome.bytes_in,
        outcome.bytes_out,
        outcome.cost_nanodollars.unwrap_or(COST_UNKNOWN),
    ];
    for (at, number) in (8..).step_by(8).zip(numbers) {
        fixed[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    let small = [
        usage.cache_written_tokens,
        usage.cache_written_hour_tokens,
        usage.input_audio_tokens,
        usage.output_audio_tokens,
        outcome.ttft_us,
        outcome.inter_token_us,
        outcome.total_us,
    ];
    for (at, number) in (64..).step_by(4).zip(small) {
        fixed[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    fixed[92..94].copy_from_slice(&length(model));
    bytes.extend_from_slice(&fixed);
    for text in [code, fault, model] {
        bytes.extend_from_slice(text.as_bytes());
    }
    for (pair, _) in pairs.into_iter().filter(|(pair, _)| is_told(*pair)) {
        for text in pair {
            bytes.extend_from_slice(&length(text));
        }
        for text in pair {
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    pad(bytes, start);
}

/// Make an opening of an older version one that an outcome of this version can follow.
pub(super) fn renew(opening: &mut [u8]) {
    if let Some(version) = opening.first_mut() {
        *version = VERSION;
    }
}

/// A receipt from its record.
///
/// **Cost**: one allocation where there is metadata; texts are borrowed.
pub fn decode(record: &[u8]) -> Result<Receipt<'_>, Corrupt> {
    let mut part = Bytes(record);
    let [version, flags, operation, 0] = part.array()? else { return Err(Corrupt) };
    if ![VERSION, VERSION_WITHOUT_PARTS, VERSION_WITHOUT_COST].contains(&version) {
        return Err(Corrupt);
    }
    let (core, words) = (part.u16()?, part.u16()?);
    let (epoch, sequence) = (part.u64()?, part.u64()?);
    let started = UnixMillis(part.u64()?);
    let lengths = [part.u16()?, part.u16()?, part.u16()?, part.u16()?];
    let metadata_count = part.u16()?;
    let client_lengths = [part.u16()?, part.u16()?];
    let days_ahead = part.u16()?;
    let [request_id, subject, teams, requested_model] = [
        part.text(lengths[0])?,
        part.text(lengths[1])?,
        part.text(lengths[2])?,
        part.text(lengths[3])?,
    ];
    let client_address = part.text(client_lengths[0])?;
    let client_certificate = part.text(client_lengths[1])?;
    let mut metadata = Vec::with_capacity(usize::from(metadata_count).min(record.len() / 4));
    for _ in 0..metadata_count {
        let (key, value) = (part.u16()?, part.u16()?);
        metadata.push((part.text(key)?, part.text(value)?));
    }
    let rest = record.get(usize::from(words) * 8..).ok_or(Corrupt)?;
    let (outcome, outcome_flags) = decode_outcome(rest, version)?;
    Ok(Receipt {
        id: ReceiptId { epoch, core, sequence },
        started,
        days_ahead,
        operation: operation_of(operation)?,
        is_streaming: flags & STREAMING != 0,
        is_truncated: (flags | outcome_flags) & TRUNCATED != 0,
        request_id,
        client_address,
        client_certificate,
        subject,
        teams,
        metadata,
        requested_model,
        outcome,
    })
}

fn decode_outcome(record: &[u8], version: u8) -> Result<(Outcome<'_>, u8), Corrupt> {
    let mut part = Bytes(record);
    let [ending, flags] = part.array()?;
    let (status, retries) = (part.u16()?, part.u16()?);
    let [code, fault] = part.array()?;
    let mut usage = Usage {
        input_tokens: part.u64()?,
        output_tokens: part.u64()?,
        cached_tokens: part.u64()?,
        reasoning_tokens: part.u64()?,
        ..Usage::NONE
    };
    let (bytes_in, bytes_out) = (part.u64()?, part.u64()?);
    let cost = if version == VERSION_WITHOUT_COST { COST_UNKNOWN } else { part.u64()? };
    if version == VERSION {
        usage.cache_written_tokens = part.u32()?;
        usage.cache_written_hour_tokens = part.u32()?;
        usage.input_audio_tokens = part.u32()?;
        usage.output_audio_tokens = part.u32()?;
    }
    let (ttft_us, inter_token_us, total_us) = (part.u32()?, part.u32()?, part.u32()?);
    let model = part.u16()?;
    part.take(2)?;
    let (code, fault) = (part.text(u16::from(code))?, part.text(u16::from(fault))?);
    let resolved_model = part.text(model)?;
    let mut pair = |bit: u8| {
        if flags & bit == 0 {
            return Ok(("", ""));
        }
        let (first, second) = (part.u16()?, part.u16()?);
        Ok((part.text(first)?, part.text(second)?))
    };
    let (rule, attempts) = pair(ROUTED)?;
    let (request_dropped, reply_dropped) = pair(DROPPED)?;
    let outcome = Outcome {
        ending: Ending::from_u8(ending).ok_or(Corrupt)?,
        status,
        code,
        fault,
        resolved_model,
        usage,
        usage_is_reported: flags & USAGE_REPORTED != 0,
        was_sent: flags & SENT != 0,
        cost_nanodollars: (cost != COST_UNKNOWN).then_some(cost),
        bytes_in,
        bytes_out,
        ttft_us,
        inter_token_us,
        total_us,
        retries,
        rule,
        attempts,
        request_dropped,
        reply_dropped,
    };
    Ok((outcome, flags))
}

/// 0 says that the request got to no known API.
const fn operation_code(operation: Operation) -> u8 {
    match operation {
        Operation::ChatCompletions => 1,
        Operation::Completions => 2,
        Operation::Embeddings => 3,
        Operation::Messages => 4,
        Operation::CountTokens => 5,
        Operation::Converse => 20,
        Operation::ConverseStream => 21,
        Operation::InvokeModel => 22,
        Operation::InvokeModelStream => 23,
        Operation::CountConverse => 24,
        Operation::Responses => 12,
        Operation::CompactResponse => 13,
        Operation::StoredResponse => 14,
        // Room is left for others of their kind.
        Operation::GenerateContent => 16,
        Operation::CountContent => 17,
    }
}

fn operation_of(code: u8) -> Result<Option<Operation>, Corrupt> {
    if code == 0 {
        return Ok(None);
    }
    let known = Operation::ALL.into_iter().find(|operation| operation_code(*operation) == code);
    known.map(Some).ok_or(Corrupt)
}

const fn flag(is_set: bool, bit: u8) -> u8 {
    if is_set { bit } else { 0 }
}

/// The two bytes of a length that is known to be small.
fn length(text: &str) -> [u8; 2] {
    u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes()
}

fn cut<'a>(text: &'a str, bytes_max: usize, is_truncated: &mut bool) -> &'a str {
    if text.len() <= bytes_max {
        return text;
    }
    *is_truncated = true;
    &text[..text.floor_char_boundary(bytes_max)]
}

fn pad(bytes: &mut Vec<u8>, start: usize) {
    let words = (bytes.len() - start).div_ceil(8);
    bytes.resize(start + words * 8, 0);
}

/// What is left of a record.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Corrupt)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        self.take(N)?.try_into().map_err(|_| Corrupt)
    }

    fn u16(&mut self) -> Result<u16, Corrupt> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Corrupt> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Corrupt> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self, length: u16) -> Result<&'a str, Corrupt> {
        std::str::from_utf8(self.take(usize::from(length))?).map_err(|_| Corrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::{VERSION_WITHOUT_COST, VERSION_WITHOUT_PARTS, decode, encode};
    use crate::lexicon::{
        ids::ReceiptId,
        receipt::{Ending, Opening, Outcome},
        time::UnixMillis,
        usage::Usage,
    };

    #[test]
    fn a_record_of_an_older_version_is_read_and_what_it_does_not_say_is_unknown() {
        let opening = Opening {
            started: UnixMillis(7),
            days_ahead: 3,
            operation: None,
            is_streaming: true,
            request_id: "r-1",
            subject: "user:ada",
            teams: "",
            client_address: "",
            client_certificate: "",
            metadata: &[("k", "v")],
            requested_model: "a/x",
        };
        let outcome = Outcome {
            ending: Ending::Complete,
            status: 200,
            resolved_model: "a/x",
            bytes_out: 9,
            total_us: 11,
            cost_nanodollars: Some(5),
            usage: Usage {
                input_tokens: 3,
                cache_written_tokens: 2,
                cache_written_hour_tokens: 1,
                input_audio_tokens: 7,
                output_audio_tokens: 8,
                ..Usage::NONE
            },
            ..Outcome::UNKNOWN
        };
        let id = ReceiptId { epoch: 1, core: 0, sequence: 2 };
        let mut record = encode(id, &opening, &outcome);
        assert_eq!(decode(&record).map(|it| it.outcome), Ok(outcome));
        assert_eq!(decode(&record).map(|it| it.days_ahead), Ok(3));

        // Before the cost stand eight bytes and six numbers of the outcome, behind it four parts.
        let words = usize::from(u16::from_le_bytes([record[6], record[7]]));
        let cost_at = words * 8 + 8 + 6 * 8;
        record.drain(cost_at + 8..cost_at + 8 + 4 * 4);
        record[0] = VERSION_WITHOUT_PARTS;
        let usage = Usage { input_tokens: 3, ..Usage::NONE };
        let outcome = Outcome { usage, ..outcome };
        assert_eq!(decode(&record).map(|it| it.outcome), Ok(outcome));

        record.drain(cost_at..cost_at + 8);
        record[0] = VERSION_WITHOUT_COST;

        let before = Outcome { cost_nanodollars: None, ..outcome };
        assert_eq!(decode(&record).map(|it| it.outcome), Ok(before));
    }
}
