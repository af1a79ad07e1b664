//! What limits and budgets did, by rule.
//!
//! **Source**: the names are the reference's (§9, §10.3); `period` tells a budget's caps apart.

use crate::{
    bridge::quota::node::Refusals,
    control_plane::{
        load::now,
        telemetry::exposition::{Exposition, Kind},
        usage::{Book, report},
    },
    lexicon::meter::RuleKind,
};

const ROWS: [(RuleKind, &str, &str, &str, &str); 2] = [
    (
        RuleKind::RateLimit,
        "ai_gateway_rate_limit_nominated_total",
        "Requests that this rate limit held for.",
        "ai_gateway_rate_limit_applied_total",
        "Requests that it refused.",
    ),
    (
        RuleKind::Budget,
        "ai_gateway_budget_nominated_total",
        "Requests that this budget counted or judged.",
        "ai_gateway_budget_applied_total",
        "Requests that it refused.",
    ),
];

pub(super) fn print(page: &mut Exposition, book: &Book, refusals: &Refusals) {
    let nominated = book.nominated();
    for (kind, held, held_help, refused, refused_help) in ROWS {
        let mut rules = nominated.iter().filter(|((it, _), _)| *it == kind).peekable();
        if rules.peek().is_none() {
            continue;
        }
        page.family(held, Kind::Counter, held_help);
        for ((_, id), count) in rules.clone() {
            page.sample(&[("ruleId", id)], count);
        }
        page.family(refused, Kind::Counter, refused_help);
        for (rule, _) in rules {
            page.sample(&[("ruleId", &rule.1)], refusals.get(rule).copied().unwrap_or_default());
        }
    }
    let totals = report::totals(book, now());
    if !totals.is_empty() {
        page.family(
            "ai_gateway_budget_usage",
            Kind::Gauge,
            "Dollars or tokens spent in the period that holds, by all together.",
        );
    }
    for total in &totals {
        page.sample(&[("ruleId", &total.id), ("period", &total.period)], &total.amount);
    }
    let mut unknown = totals.iter().filter_map(|it| Some((it, it.unknown?))).peekable();
    if unknown.peek().is_some() {
        page.family(
            "weir_budget_requests_of_unknown_cost",
            Kind::Gauge,
            "Requests in the period that holds that cost nobody knows what, and spent nothing.",
        );
    }
    for (total, count) in unknown {
        page.sample(&[("ruleId", &total.id), ("period", &total.period)], count);
    }
}
