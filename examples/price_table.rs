//! Makes `src/policy/prices.tsv` from a catalogue of models.
//!
//! `cargo run --example price_table -- CATALOGUE.json > src/policy/prices.tsv`
//!
//! The catalogue is JSON: `{date, commit, licence, providers: {VENDOR: {MODEL: {costs}}}}`, its
//! costs US dollars a unit as decimal text. Models without a price a token or image are left out:
//! what is not in the table has an unknown price.

use anyhow::Context;
use serde_json::Value;
use std::io::Write;
use weir::policy::price::{Kind, scaled};

/// Dollars a unit to nano-dollars a million units.
const EXPONENT: i32 = 15;

/// Keys of the catalogue's costs, and what they are here.
const COSTS: [(&str, Kind); 9] = [
    ("input_cost_per_token", Kind::Input),
    ("output_cost_per_token", Kind::Output),
    ("cache_read_input_token_cost", Kind::CacheRead),
    ("cache_creation_input_token_cost", Kind::CacheWrite),
    ("input_cost_per_audio_token", Kind::AudioInput),
    ("output_cost_per_audio_token", Kind::AudioOutput),
    ("input_cost_per_image", Kind::Image),
    ("input_cost_per_token_batches", Kind::BatchInput),
    ("output_cost_per_token_batches", Kind::BatchOutput),
];

/// Keys of its tiers.
const TIERS: [(&str, Kind); 4] = [
    ("input", Kind::Input),
    ("output", Kind::Output),
    ("cache_read", Kind::CacheRead),
    ("cache_write", Kind::CacheWrite),
];

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("which catalogue?")?;
    let catalogue: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let text = |key: &str| catalogue[key].as_str().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    writeln!(out, "# Nano-dollars for a million units; see price_table.rs for the shape.")?;
    writeln!(
        out,
        "# Facts from github.com/truefoundry/models at {} of {}.",
        text("commit"),
        text("date")
    )?;
    writeln!(out, "# {}.", text("licence"))?;
    let providers = catalogue["providers"].as_object().context("no providers")?;
    for (vendor, models) in providers {
        for (model, facts) in models.as_object().context("no models")? {
            let fields =
                fields(model, &facts["costs"]).with_context(|| format!("{vendor} {model}"))?;
            if !fields.is_empty() {
                writeln!(out, "{vendor}\t{model}\t{}", fields.join("\t"))?;
            }
        }
    }
    Ok(())
}

fn fields(model: &str, costs: &Value) -> anyhow::Result<Vec<String>> {
    let mut fields = Vec::new();
    for (key, kind) in COSTS {
        if let Some(cost) = costs[key].as_str() {
            fields.push(format!("{}={}", kind.label(), rate(cost)?));
        }
    }
    // Of a Claude, whoever sells it, written for an hour costs twice the input, where five minutes
    // cost a quarter more.
    // Source: docs.anthropic.com/en/docs/build-with-claude/prompt-caching, "Pricing".
    let is_claude = model.contains("claude");
    let hour = Kind::CacheWriteHour.label();
    if let (true, Some(_), Some(input)) = (
        is_claude,
        costs["cache_creation_input_token_cost"].as_str(),
        costs["input_cost_per_token"].as_str(),
    ) {
        fields.push(format!("{hour}={}", 2 * rate(input)?));
    }
    for (key, kind) in TIERS {
        for tier in costs["tiered_pricing"][key].as_array().into_iter().flatten() {
            let from = tier["from"].as_str().context("from")?;
            let cost = tier["cost_per_token"].as_str().context("cost_per_token")?;
            fields.push(format!("{}@{from}={}", kind.label(), rate(cost)?));
        }
    }
    let tiers = |key: &str| costs["tiered_pricing"][key].as_array().into_iter().flatten();
    for tier in tiers("input").filter(|_| is_claude) {
        let from = tier["from"].as_str().context("from")?;
        let cost = tier["cost_per_token"].as_str().context("cost_per_token")?;
        if tiers("cache_write").any(|written| written["from"] == tier["from"]) {
            fields.push(format!("{hour}@{from}={}", 2 * rate(cost)?));
        }
    }
    Ok(fields)
}

fn rate(cost: &str) -> anyhow::Result<u64> {
    scaled(cost, EXPONENT).with_context(|| format!("{cost} is no price"))
}
