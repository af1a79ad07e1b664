//! Rate limits: is there room for this request, and what is the client told of it?

use crate::{
    data_plane::{
        inbound,
        quota::{Charge, Quota, Standing},
        stage::respond,
        trail::Trail,
    },
    dialect::openai_chat::request::Ask,
    lexicon::{
        ids::SubjectId,
        meter::{MeterKey, MeterSpec, NodeMillis, Now, PAST_BUCKETS, Window},
        refusal::{Refusal, Refused},
    },
    policy::limit::{Counts, Limit},
    snapshot::Snapshot,
    wire::http1,
};
use std::fmt::Write as _;

/// What a request is admitted by.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub subject: SubjectId,
    pub ask: &'a Ask<'a>,
    pub body_bytes: u64,
    pub metadata: &'a [(&'a str, &'a str)],
}

impl<'a> Request<'a> {
    pub fn of(
        subject: SubjectId,
        ask: &'a Ask<'a>,
        from: &inbound::Request<'_>,
        metadata: &'a [(&'a str, &'a str)],
    ) -> Self {
        Self { subject, ask, body_bytes: from.body.len() as u64, metadata }
    }
}

/// Take what the request will need; the Trail gives it back.
///
/// # Errors
/// `RateLimited` naming the rule and when to ask again; `MetersFull`.
///
/// **Cost**: nothing where there are no limits; else no allocation and no lock once the meter is
/// known to this core.
pub fn admit<'s>(
    snapshot: &'s Snapshot,
    request: &Request<'_>,
    trail: &mut Trail<'s>,
) -> Result<(), Refused> {
    if snapshot.limits.index.is_empty() {
        return Ok(());
    }
    let found = snapshot.limit(request.subject, &request.ask.model, request.metadata);
    let (Some((limit, key)), model_key) = (found.limit, found.model) else { return Ok(()) };

    let mut quota = trail.quota();
    let now = quota.now(trail.started(), trail.started_wall());
    let pass = quota.open(model_key);
    let taken = take(&mut quota, limit, key, now, snapshot.version, || {
        (request.body_bytes, request.ask.max_output_tokens.map(u64::from), model_key)
    });
    let admitted = match taken {
        Ok(charge) => {
            quota.note(&pass, charge);
            Ok(())
        }
        Err(short) => Err(refuse(&short, limit, quota.told(&pass))),
    };
    drop(quota);
    (trail.pass, trail.limit) = (Some(pass), Some(limit));
    admitted
}

/// Why there is no room.
enum Short {
    Meters,
    Units { now: NodeMillis, frees: Option<NodeMillis>, wanted: u64, standing: Standing },
}

fn take(
    quota: &mut Quota,
    limit: &Limit,
    key: MeterKey,
    now: Now,
    version: u64,
    ask: impl FnOnce() -> (u64, Option<u64>, MeterKey),
) -> Result<Charge, Short> {
    let (window, limit_to) = (limit.window, limit.limit_to);
    let spec = MeterSpec { key, window, limit: limit_to, until: None, version };
    let meter = quota.share().open(&spec, now).map_err(|_| Short::Meters)?;
    let (units, taken) = match limit.counts {
        Counts::Requests => (1, quota.share().spend(meter, 1, now.node)),
        Counts::Tokens => {
            let (body_bytes, output_max, model) = ask();
            let units = quota.estimate(model, body_bytes, output_max);
            (units, quota.share().reserve(meter, units, now.node))
        }
    };
    taken.map_err(|_| Short::Units {
        now: now.node,
        frees: quota.share().meter(meter).frees_at(units, now.node),
        wanted: units,
        standing: Standing {
            counts: limit.counts,
            limit: limit_to,
            left: quota.share().left(meter).min(limit_to),
            reset_ms: window
                .frees_at(window.bucket(now.node))
                .map_or(0, |frees| frees.0.saturating_sub(now.node.0)),
        },
    })?;
    Ok(Charge { meter, counts: limit.counts, units, at: now.node })
}

/// The refusal, and into `told` the headers that say the same to a program.
#[cold]
fn refuse(short: &Short, limit: &Limit, told: &mut Vec<u8>) -> Refused {
    let Short::Units { now, frees, wanted, standing } = short else {
        return Refusal::MetersFull.into();
    };
    let counts = word(limit.counts);
    let mut detail = format!(
        "Rule {:?} allows {} {counts} per {}; {} are left and this request takes {wanted}.",
        limit.id,
        limit.limit_to,
        period(limit.window),
        standing.left,
    );
    if let Some(frees) = frees {
        let seconds = frees.0.saturating_sub(now.0).div_ceil(1_000).max(1);
        let _ = write!(detail, " Try again in {seconds} s.");
        respond::push_header(told, "retry-after", &seconds.to_string());
    } else {
        detail.push_str(" It can never have so many: ask for less.");
        respond::push_header(told, "x-should-retry", "false");
    }
    push_standing(told, standing);
    respond::push_header(told, "x-tfy-applied-configurations", &limit.applied);
    Refused { refusal: Refusal::RateLimited, detail: detail.into(), param: None }
}

/// Append `x-ratelimit-…` as OpenAI's clients know them.
///
/// **Source**: platform.openai.com/docs/guides/rate-limits, "Rate limits in headers", read
/// 2026-11-21: `x-ratelimit-limit-requests: 60`, `…-remaining-requests: 59`,
/// `…-reset-requests: 1m0s`, and the same for tokens.
pub fn push_standing(out: &mut Vec<u8>, standing: &Standing) {
    let counts = word(standing.counts).as_bytes();
    for (name, number) in
        [(&b"x-ratelimit-limit-"[..], standing.limit), (b"x-ratelimit-remaining-", standing.left)]
    {
        out.extend_from_slice(name);
        out.extend_from_slice(counts);
        out.extend_from_slice(b": ");
        http1::push_decimal(out, number);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"x-ratelimit-reset-");
    out.extend_from_slice(counts);
    out.extend_from_slice(b": ");
    push_span(out, standing.reset_ms.div_ceil(1_000));
    out.extend_from_slice(b"\r\n");
}

/// `1h5m3s`, leaving out what is zero before the first.
fn push_span(out: &mut Vec<u8>, seconds: u64) {
    let parts = [(seconds / 3_600, b'h'), (seconds / 60 % 60, b'm'), (seconds % 60, b's')];
    let first = parts.iter().position(|(number, _)| *number > 0).unwrap_or(2);
    for (number, unit) in &parts[first..] {
        http1::push_decimal(out, *number);
        out.push(*unit);
    }
}

const fn word(counts: Counts) -> &'static str {
    match counts {
        Counts::Requests => "requests",
        Counts::Tokens => "tokens",
    }
}

const fn period(window: Window) -> &'static str {
    match window {
        Window::Whole => "period",
        Window::Sliding { bucket_ms } => match bucket_ms as u64 * PAST_BUCKETS {
            60_000 => "minute",
            3_600_000 => "hour",
            _ => "day",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::push_span;

    #[test]
    fn a_span_is_written_as_openai_writes_it() {
        for (seconds, text) in [(0, "0s"), (1, "1s"), (60, "1m0s"), (3_903, "1h5m3s")] {
            let mut out = Vec::new();
            push_span(&mut out, seconds);
            assert_eq!(out, text.as_bytes());
        }
    }
}
