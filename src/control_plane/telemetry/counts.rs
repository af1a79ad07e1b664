//! Receipts added up.
//!
//! Counters have a series for each model, user, status and chosen metadata; histograms, which are
//! 19 lines a series, only for each model.

use crate::{
    control_plane::telemetry::{
        Histogram,
        exposition::{Exposition, Kind},
    },
    lexicon::receipt::Receipt,
};
use std::{collections::BTreeMap, time::Duration};

/// Names of models as labels of histograms.
const MODELS_MAX: usize = 500;
/// What is counted beyond the bounds.
const OTHER: &str = "other";

/// What requests are told apart by; the texts in the order of `Counts::label_names`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Labels(Vec<Box<str>>);

#[derive(Clone, Copy, Debug, Default)]
struct Tokens {
    input: u64,
    output: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    nanodollars: u128,
    /// Requests whose cost nobody knows.
    unknown: u64,
}

#[derive(Default)]
struct Latencies {
    processing: Histogram,
    first_token: Histogram,
    inter_token: Histogram,
}

pub(super) struct Counts {
    labels_max: usize,
    metadata_keys: Vec<String>,
    /// Model, user, tenant, then one for each metadata key.
    label_names: Vec<String>,
    /// By labels and status.
    requests: BTreeMap<(Labels, u16), u64>,
    tokens: BTreeMap<Labels, Tokens>,
    costs: BTreeMap<Labels, Cost>,
    /// By labels, status and fault.
    failures: BTreeMap<(Labels, u16, Box<str>), u64>,
    /// By model.
    latencies: BTreeMap<Box<str>, Latencies>,
}

impl Counts {
    pub(super) fn new(metadata_keys: Vec<String>, labels_max: usize) -> Self {
        let mut label_names: Vec<String> =
            ["model_name", "username", "tenant_name"].map(str::to_owned).into();
        label_names.extend(metadata_keys.iter().map(|key| metadata_label(key)));
        Self {
            labels_max,
            metadata_keys,
            label_names,
            requests: BTreeMap::new(),
            tokens: BTreeMap::new(),
            costs: BTreeMap::new(),
            failures: BTreeMap::new(),
            latencies: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, receipt: &Receipt<'_>) {
        let outcome = &receipt.outcome;
        let model = model_of(receipt);
        let labels = self.labels(receipt, model);
        let max = self.labels_max;
        let with_status = |labels| (labels, outcome.status);
        // A call beside an exchange is no request, but it uses tokens and costs.
        let is_request = !outcome.ending.is_beside();
        if is_request {
            *bounded(&mut self.requests, max, labels.clone(), with_status) += 1;
        }
        if is_request && !outcome.fault.is_empty() {
            let with_fault = |labels| (labels, outcome.status, Box::from(outcome.fault));
            *bounded(&mut self.failures, max, labels.clone(), with_fault) += 1;
        }
        if outcome.cost_nanodollars != Some(0) {
            let cost = bounded(&mut self.costs, max, labels.clone(), |labels| labels);
            match outcome.cost_nanodollars {
                Some(nanodollars) => cost.nanodollars += u128::from(nanodollars),
                None => cost.unknown += 1,
            }
        }
        if outcome.usage_is_reported {
            let tokens = bounded(&mut self.tokens, max, labels, |labels| labels);
            tokens.input += outcome.usage.input_tokens;
            tokens.output += outcome.usage.output_tokens;
        }
        if is_request {
            self.add_latencies(receipt, model);
        }
    }

    fn add_latencies(&mut self, receipt: &Receipt<'_>, model: &str) {
        let outcome = &receipt.outcome;
        let is_known = self.latencies.contains_key(model) || self.latencies.len() < MODELS_MAX;
        let model = if is_known { model } else { OTHER };
        let latencies = match self.latencies.get_mut(model) {
            Some(latencies) => latencies,
            None => self.latencies.entry(model.into()).or_default(),
        };
        for (histogram, micros) in [
            (&mut latencies.processing, outcome.total_us),
            (&mut latencies.first_token, outcome.ttft_us),
            (&mut latencies.inter_token, outcome.inter_token_us),
        ] {
            // 0 says that it never came to that.
            if micros > 0 {
                histogram.add(Duration::from_micros(u64::from(micros)));
            }
        }
    }

    fn labels(&self, receipt: &Receipt<'_>, model: &str) -> Labels {
        let subject = receipt.subject;
        let user = subject.split_once(':').map_or(subject, |(_, name)| name);
        let mut labels: Vec<Box<str>> = vec![model.into(), user.into(), "".into()];
        for key in &self.metadata_keys {
            let found = receipt.metadata.iter().find(|(name, _)| name == key);
            labels.push(found.map_or("", |(_, value)| *value).into());
        }
        Labels(labels)
    }

    pub(super) fn print(&self, page: &mut Exposition) {
        page.family(
            "ai_gateway_requests_total",
            Kind::Counter,
            "Requests, by what they ended with.",
        );
        for ((labels, status), count) in &self.requests {
            let status = status.to_string();
            page.sample(&self.pairs(labels, &[("status", &status)]), count);
        }
        page.family("ai_gateway_input_tokens_total", Kind::Counter, "Tokens sent to models.");
        for (labels, tokens) in &self.tokens {
            page.sample(&self.pairs(labels, &[]), tokens.input);
        }
        page.family(
            "ai_gateway_output_tokens_total",
            Kind::Counter,
            "Tokens received from models.",
        );
        for (labels, tokens) in &self.tokens {
            page.sample(&self.pairs(labels, &[]), tokens.output);
        }
        page.family(
            "ai_gateway_request_model_inference_failure_total",
            Kind::Counter,
            "Requests that went wrong upstream.",
        );
        for ((labels, status, fault), count) in &self.failures {
            let status = status.to_string();
            let more = [("error_code", &*status), ("exception_class", fault)];
            page.sample(&self.pairs(labels, &more), count);
        }
        self.print_costs(page);
        self.print_latencies(page);
    }

    fn print_costs(&self, page: &mut Exposition) {
        page.family("ai_gateway_request_cost_total", Kind::Counter, "US dollars spent on models.");
        for (labels, cost) in &self.costs {
            page.sample(&self.pairs(labels, &[]), dollars(cost.nanodollars));
        }
        page.family(
            "weir_requests_of_unknown_cost_total",
            Kind::Counter,
            "Requests whose model has no price, or whose usage nobody reported.",
        );
        for (labels, cost) in self.costs.iter().filter(|(_, cost)| cost.unknown > 0) {
            page.sample(&self.pairs(labels, &[]), cost.unknown);
        }
    }

    fn print_latencies(&self, page: &mut Exposition) {
        type Row = (&'static str, &'static str, fn(&Latencies) -> &Histogram);
        let rows: [Row; 3] = [
            (
                "ai_gateway_request_processing_ms",
                "From a request's first byte to the end of its answer.",
                |latencies| &latencies.processing,
            ),
            (
                "ai_gateway_first_token_latency_ms",
                "From a request's first byte to its answer's first content.",
                |latencies| &latencies.first_token,
            ),
            (
                "ai_gateway_inter_token_latency_ms",
                "Mean time between the events of a stream.",
                |latencies| &latencies.inter_token,
            ),
        ];
        for (name, help, histogram) in rows {
            page.family(name, Kind::Histogram, help);
            for (model, latencies) in &self.latencies {
                histogram(latencies).print(page, &[("model_name", model), ("tenant_name", "")]);
            }
        }
    }

    fn pairs<'a>(
        &'a self,
        labels: &'a Labels,
        more: &[(&'a str, &'a str)],
    ) -> Vec<(&'a str, &'a str)> {
        let names = self.label_names.iter().map(String::as_str);
        names.zip(labels.0.iter().map(|text| &**text)).chain(more.iter().copied()).collect()
    }
}

/// Nano-dollars as dollars, exact.
fn dollars(nanodollars: u128) -> String {
    let (whole, rest) = (nanodollars / 1_000_000_000, nanodollars % 1_000_000_000);
    let text = format!("{whole}.{rest:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The number of `labels` in its family; where that has too many, the one of `other`.
fn bounded<K: Ord, V: Default>(
    family: &mut BTreeMap<K, V>,
    labels_max: usize,
    labels: Labels,
    key: impl Fn(Labels) -> K,
) -> &mut V {
    let other = Labels(vec![OTHER.into(); labels.0.len()]);
    let mut key_found = key(labels);
    if family.len() >= labels_max && !family.contains_key(&key_found) {
        key_found = key(other);
    }
    family.entry(key_found).or_default()
}

/// The model that served, or that was tried and failed; a name that only a client wrote is none.
fn model_of<'a>(receipt: &Receipt<'a>) -> &'a str {
    match receipt.outcome.resolved_model {
        "" if !receipt.outcome.fault.is_empty() => receipt.requested_model,
        model => model,
    }
}

/// `ai_gateway_metadata_KEY`, with what a label's name may not hold replaced.
fn metadata_label(key: &str) -> String {
    let safe = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    "ai_gateway_metadata_".chars().chain(safe).collect()
}
