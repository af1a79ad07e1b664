//! What a client is told of limits and budgets.

use crate::{
    data_plane::{quota::Standing, stage::respond},
    lexicon::{
        meter::RuleKind,
        refusal::{Refusal, Refused},
    },
    policy::{
        budget::{Budget, Cap},
        calendar::Period,
        limit::{Counts, Limit, Lines},
        price::dollars,
    },
    wire::http1,
};
use std::fmt::Write as _;

/// Asking again after a longer wait is nothing that a client's library should do by itself.
const WAIT_SECONDS_MAX: u64 = 60;

/// Why there is no room.
#[derive(Debug)]
pub enum Short<'s> {
    /// There are as many meters as there may be.
    Meters,
    /// What it may use at most cannot be known.
    Unbounded(Refused),
    /// The rate limit has too little left.
    Limit { limit: &'s Limit, standing: Standing, wanted: u64, frees_in_ms: Option<u64> },
    /// A budget has.
    Budget { budget: &'s Budget, cap: Cap, left: u64, wanted: u64, frees_in_ms: Option<u64> },
}

impl Short<'_> {
    /// The rule that refuses.
    pub fn rule(&self) -> Option<(RuleKind, &str)> {
        match self {
            Self::Limit { limit, .. } => Some((RuleKind::RateLimit, &limit.id)),
            Self::Budget { budget, .. } => Some((RuleKind::Budget, &budget.id)),
            Self::Meters | Self::Unbounded(_) => None,
        }
    }

    /// Might a shorter answer still fit?
    pub const fn is_strict(&self) -> bool {
        match self {
            Self::Limit { limit, .. } => limit.is_strict,
            Self::Budget { budget, .. } => budget.is_strict,
            Self::Meters | Self::Unbounded(_) => false,
        }
    }
}

/// The refusal, and into `told` the headers that say the same to a program.
#[cold]
pub fn refuse(short: Short<'_>, is_payment: bool, told: &mut Vec<u8>) -> Refused {
    match short {
        Short::Meters => Refusal::MetersFull.into(),
        Short::Unbounded(refused) => refused,
        Short::Limit { limit, standing, wanted, frees_in_ms } => {
            let counts = limit.counts.label();
            let mut detail = format!(
                "Rule {:?} allows {} {counts} per {}; {} are left and this request takes {wanted}.",
                limit.id,
                limit.limit_to,
                limit.window.label(),
                standing.left,
            );
            if let Some(millis) = frees_in_ms {
                let seconds = millis.div_ceil(1_000).max(1);
                let _ = write!(detail, " Try again in {seconds} s.");
                respond::push_header(told, "retry-after", &seconds.to_string());
            } else {
                detail.push_str(" It can never have so many: ask for less.");
                respond::push_header(told, "x-should-retry", "false");
            }
            let mut lines = Lines::default();
            lines.set(limit);
            Told::default().push(told, &lines, standing);
            respond::push_header(told, "x-tfy-applied-configurations", &limit.applied);
            Refused { refusal: Refusal::RateLimited, detail: detail.into(), param: None }
        }
        Short::Budget { budget, cap, left, wanted, frees_in_ms } => {
            let detail = over_budget(budget, &cap, (left, wanted), frees_in_ms);
            let seconds = frees_in_ms.map(|millis| millis.div_ceil(1_000).max(1));
            if let Some(seconds) = seconds {
                respond::push_header(told, "retry-after", &seconds.to_string());
            }
            if seconds.is_none_or(|seconds| seconds > WAIT_SECONDS_MAX) {
                respond::push_header(told, "x-should-retry", "false");
            }
            let id = &budget.id_json;
            let applied = format!("{{\"budget\":{{\"ruleIds\":[{id}],\"exceeded\":{id}}}}}");
            respond::push_header(told, "x-tfy-applied-configurations", &applied);
            let refusal =
                if is_payment { Refusal::BudgetExceededPayment } else { Refusal::BudgetExceeded };
            Refused { refusal, detail: detail.into(), param: None }
        }
    }
}

fn over_budget(
    budget: &Budget,
    cap: &Cap,
    (left, wanted): (u64, u64),
    frees_in_ms: Option<u64>,
) -> String {
    let amount = |units: u64| match budget.counts {
        Counts::Cost => format!("${}", dollars(units)),
        Counts::Tokens => format!("{units} tokens"),
        Counts::Requests => format!("{units} requests"),
    };
    let per = match cap.period {
        Period::Lifetime => "in all".to_owned(),
        period => format!("per {} (UTC)", period.label()),
    };
    let mut text = format!(
        "Budget {:?} allows {} {per}; {} is left and this request may take {}.",
        budget.id,
        amount(cap.limit),
        amount(left),
        amount(wanted),
    );
    match frees_in_ms {
        Some(millis) => {
            let _ = write!(text, " It begins anew in {} s.", millis.div_ceil(1_000).max(1));
        }
        None => text.push_str(" Ask whoever manages it for more."),
    }
    text
}

/// The `x-ratelimit-…` headers of a limit as they were told last: from one request to the next a
/// few digits change.
#[derive(Debug, Default)]
pub struct Told {
    /// Nothing, while nobody was told.
    text: Vec<u8>,
    left: u64,
    /// Where the digits of `left` end in the text.
    left_end: usize,
    reset_seconds: u64,
}

impl Told {
    /// Those of another limit are next.
    pub fn clear(&mut self) {
        self.text.clear();
    }

    /// Append the headers.
    ///
    /// **Cost**: a copy and the digits that differ, within one second of the window's end.
    #[inline]
    pub fn push(&mut self, out: &mut Vec<u8>, lines: &Lines, standing: Standing) {
        let reset_seconds = standing.reset_ms.div_ceil(1_000);
        let is_near = !self.text.is_empty() && self.reset_seconds == reset_seconds;
        if !is_near || !self.count_to(standing.left) {
            self.write(lines, standing.left, reset_seconds);
        }
        out.extend_from_slice(&self.text);
    }

    /// Change the digits that differ; false where they become more or fewer.
    fn count_to(&mut self, left: u64) -> bool {
        let (mut old, mut new) = (self.left, left);
        if old == new {
            return true;
        }
        if old.checked_ilog10() != new.checked_ilog10() {
            return false;
        }
        let digits = self.text[..self.left_end].iter_mut().rev();
        for digit in digits {
            *digit = b"0123456789"[(new % 10) as usize];
            (old, new) = (old / 10, new / 10);
            if old == new {
                break;
            }
        }
        self.left = left;
        true
    }

    #[inline(never)]
    fn write(&mut self, lines: &Lines, left: u64, reset_seconds: u64) {
        let text = &mut self.text;
        text.clear();
        text.extend_from_slice(lines.to_left.as_bytes());
        http1::push_decimal(text, left);
        self.left_end = text.len();
        text.extend_from_slice(lines.to_reset.as_bytes());
        push_span(text, reset_seconds);
        text.extend_from_slice(b"\r\n");
        (self.left, self.reset_seconds) = (left, reset_seconds);
    }
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

#[cfg(test)]
mod tests {
    use super::{Lines, Standing, Told, push_span};
    use proptest::{
        collection::vec,
        prelude::{prop_assert_eq, proptest},
    };

    #[test]
    fn a_span_is_written_as_openai_writes_it() {
        for (seconds, text) in [(0, "0s"), (1, "1s"), (60, "1m0s"), (3_903, "1h5m3s")] {
            let mut out = Vec::new();
            push_span(&mut out, seconds);
            assert_eq!(out, text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn what_is_told_after_others_is_what_is_told_at_first(
            // Most are near to the one before, as they are when requests follow each other.
            steps in vec((0..1_u64 << 40, 0..4_u32, 0..4_u64), 1..60),
        ) {
            let lines = Lines { to_left: "left: 9".into(), to_reset: "\r\nreset: ".into() };
            let mut told = Told::default();
            let mut left = 1_000_u64;
            for (far, kind, reset) in steps {
                left = match kind {
                    0 => far,
                    1 => far % 11,
                    _ => left.saturating_sub(far % 3),
                };
                let standing = Standing { left, reset_ms: reset * 500 };
                let (mut out, mut fresh) = (Vec::new(), Vec::new());

                told.push(&mut out, &lines, standing);
                Told::default().push(&mut fresh, &lines, standing);

                prop_assert_eq!(&out, &fresh);
                let expected = format!("left: 9{left}\r\n");
                prop_assert_eq!(out.starts_with(expected.as_bytes()), true);
            }
        }
    }
}
