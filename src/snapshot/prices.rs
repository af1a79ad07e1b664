//! What each model costs: by its own document, else by the tables that are written, else by the
//! vendors' lists.

use crate::{
    manifest::{
        account::{Cost, ModelIntegration},
        path::Path,
        read::{Document, Manifest, describe},
    },
    policy::{
        price::{Kind, Price, scaled},
        price_table::{COMPILED_IN, Prices},
    },
    provider::vendor,
    snapshot::{
        findings::Findings,
        places::{AccountContext, Places},
    },
};
use serde_json::{Number, Value};
use std::collections::{BTreeMap, HashMap};

/// Dollars for a thousand units to nano-dollars for a million.
const PER_THOUSAND: i32 = 12;
/// Dollars for a million units to nano-dollars for as many.
const PER_MILLION: i32 = 9;
/// Dollars a unit to nano-dollars for a million.
const PER_UNIT: i32 = 15;

/// What the vendors' lists call the vendor of an account type, where that is not its own name.
const LISTED_AS: [(&str, &str); 5] = [
    ("xai", "x-ai"),
    ("azure", "azure-openai"),
    ("azure-foundry", "azure-ai-foundry"),
    ("microsoft-foundry", "azure-ai-foundry"),
    ("aws-bedrock-mantle", "aws-bedrock"),
];

/// Mantle leaves a version out that Bedrock's own names end in.
const BEDROCK_VERSION: &str = "-1:0";

/// Gives every model its price.
pub(super) fn set(documents: &[Document], places: &mut Places, findings: &mut Findings) {
    let compiled_in =
        Prices::read(COMPILED_IN).expect("a test reads the table that is compiled in");
    let public = public(documents, compiled_in, findings);
    // `Places` has a model for each integration, in the order of the documents.
    let mut models = places.models.iter_mut();
    for document in documents {
        let Manifest::Account(account) = &document.manifest else { continue };
        let slug = account.kind.strip_prefix("provider-account/").unwrap_or_default();
        let Some(vendor) = vendor::of(slug) else { continue };
        let context = AccountContext { document, account, vendor };
        for (index, integration) in account.integrations.iter().enumerate() {
            let path = Path::top().key("integrations").index(index);
            let price = price(&context, &path, integration, &public, findings);
            if let Some(model) = models.next() {
                model.price = price;
            }
        }
    }
}

/// The public prices: those compiled in, under those that are written.
fn public<'a>(
    documents: &'a [Document],
    compiled_in: Prices<'a>,
    findings: &mut Findings,
) -> Prices<'a> {
    let tables = documents.iter().filter_map(|document| match &document.manifest {
        Manifest::PriceTable(table) => Some((document, table)),
        _ => None,
    });
    let replaces = tables.clone().any(|(_, table)| table.replaces == Some(true));
    let mut prices = if replaces { Prices::default() } else { compiled_in };
    let mut first: HashMap<(&str, &str), &Document> = HashMap::new();
    for (document, table) in tables {
        let path = Path::top().key("dollars_per_million");
        for (slug, models) in &table.dollars_per_million {
            let path = path.key(slug);
            let Some(vendor) = vendor::of(slug) else {
                let hint = "the name behind provider-account/";
                findings.error(document, &path, format!("{slug:?}"), "a vendor", hint);
                continue;
            };
            for (model, rates) in models {
                let path = path.key(model);
                if let Some(first) = first.insert((slug, model), document) {
                    findings.twice(document, &path, &first.origin, "one price for each model");
                }
                prices.insert(vendor.account_type, model, listed(document, &path, rates, findings));
            }
        }
    }
    prices
}

/// One row of a table.
fn listed(
    document: &Document,
    path: &Path,
    rates: &BTreeMap<String, Number>,
    findings: &mut Findings,
) -> Price {
    let mut price = Price::default();
    for (written, dollars) in rates {
        let path = path.key(written);
        let (label, from) = written.split_once('@').unwrap_or((written, "0"));
        let kind = Kind::ALL.into_iter().find(|kind| kind.label() == label);
        let rate = scaled(&dollars.to_string(), PER_MILLION);
        match (kind, from.parse(), rate) {
            (Some(kind), Ok(from), Some(rate)) => {
                if !kind.is_charged() {
                    let hint = "kept, and charged for nothing: what is sent through is no batch, \
                        and images count as tokens";
                    let found = format!("{label:?}");
                    findings.warn(document, &path, found, "a rate of tokens", hint);
                }
                price.set(kind, from, rate);
            }
            (None, ..) => {
                let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.label()).collect();
                findings.error(document, &path, format!("{label:?}"), known.join(", "), "");
            }
            (_, Err(_), _) => {
                findings.error(document, &path, format!("{from:?}"), "a number of tokens", "");
            }
            (.., None) => {
                let found = describe(&document.tree, &path);
                findings.error(document, &path, found, "dollars: a number, 0 or more", "");
            }
        }
    }
    price
}

/// A model's price; none where nobody knows it.
fn price(
    context: &AccountContext<'_>,
    path: &Path,
    model: &ModelIntegration,
    public: &Prices<'_>,
    findings: &mut Findings,
) -> Option<Price> {
    let vendor = context.vendor.account_type;
    let id = model.model_id.as_deref().unwrap_or(&model.name);
    let listed = || listed_as(public, vendor, id).cloned();
    let is_vendors_own = model.url.is_none() && context.account.base_url.is_none();
    let path = path.key("cost");
    let mut price = match &model.cost {
        // What stands behind another address may be anything under that name.
        None if is_vendors_own => listed(),
        None => None,
        Some(cost) if cost.metric == "public_cost" => {
            let listed = listed();
            if listed.is_none() {
                let found = format!("public_cost for {id:?} of {vendor}");
                let hint = "its cost is counted as unknown; give it a price of your own";
                findings.warn(context.document, &path, found, "a model with a public price", hint);
            }
            listed
        }
        Some(cost) => Some(own(context, &path, cost, findings)),
    };
    let discount = discount(context, findings);
    if let Some(price) = &mut price {
        price.take_off(discount);
    }
    price
}

/// The price of a model by the public lists.
fn listed_as<'p>(public: &'p Prices<'_>, vendor: &str, id: &str) -> Option<&'p Price> {
    let own = public.find(vendor, id);
    let other = || {
        let (_, list) = LISTED_AS.iter().find(|(known, _)| *known == vendor)?;
        let versioned = || public.find(list, &format!("{id}{BEDROCK_VERSION}"));
        public.find(list, id).or_else(|| (vendor == "aws-bedrock-mantle").then(versioned)?)
    };
    own.or_else(other)
}

/// Off the list price, in hundredths of a percent.
fn discount(context: &AccountContext<'_>, findings: &mut Findings) -> u64 {
    let Some(percent) = &context.account.discount_percent else { return 0 };
    let permyriad = scaled(&percent.to_string(), 2).filter(|permyriad| *permyriad <= 10_000);
    if permyriad.is_none() {
        let path = Path::top().key("discount_percent");
        let found = describe(&context.document.tree, &path);
        findings.error(context.document, &path, found, "a number from 0 to 100", "");
    }
    permyriad.unwrap_or(0)
}

/// A price of the operator's own.
fn own(context: &AccountContext<'_>, path: &Path, cost: &Cost, findings: &mut Findings) -> Price {
    let mut reading =
        Reading { context, price: Price::default(), path: path.key("value"), findings };
    let value = cost.value.as_ref().unwrap_or(&Value::Null);
    match cost.metric.as_str() {
        "per_1000_tokens" => {
            reading.rates(value);
            reading.tiers(value);
        }
        "per_1000_embedding_tokens" => {
            let path = reading.path.clone();
            reading.rate(&path, Kind::Input, 0, value, PER_THOUSAND);
        }
        "per_million_characters" | "per_minute_of_audio" | "per_1000_pages" => {
            let hint = "its cost would be counted as unknown";
            let found = format!("{:?}", cost.metric);
            let wanted = "a metric of tokens";
            reading.findings.error(context.document, &path.key("metric"), found, wanted, hint);
        }
        _ => {
            let wanted = "public_cost, per_1000_tokens or per_1000_embedding_tokens";
            let path = path.key("metric");
            let found = describe(&context.document.tree, &path);
            reading.findings.error(context.document, &path, found, wanted, "");
        }
    }
    reading.price
}

/// A private price being read.
struct Reading<'a, 'f> {
    context: &'a AccountContext<'a>,
    price: Price,
    path: Path,
    findings: &'f mut Findings,
}

impl Reading<'_, '_> {
    fn rates(&mut self, value: &Value) {
        for (key, kind, is_needed) in [
            ("input", Kind::Input, true),
            ("output", Kind::Output, true),
            ("cache_read", Kind::CacheRead, false),
            ("cache_write", Kind::CacheWrite, false),
            // Ours: the reference has no word for these.
            ("cache_write_hour", Kind::CacheWriteHour, false),
            ("audio_input", Kind::AudioInput, false),
            ("audio_output", Kind::AudioOutput, false),
            ("reasoning", Kind::Reasoning, false),
        ] {
            let rate = &value[key];
            if is_needed || !rate.is_null() {
                let path = self.path.key(key);
                self.rate(&path, kind, 0, rate, PER_THOUSAND);
            }
        }
    }

    fn tiers(&mut self, value: &Value) {
        for (key, kind) in [
            ("input_tiers", Kind::Input),
            ("output_tiers", Kind::Output),
            ("cache_read_tiers", Kind::CacheRead),
            ("cache_write_tiers", Kind::CacheWrite),
            // Ours, as the rate is.
            ("cache_write_hour_tiers", Kind::CacheWriteHour),
        ] {
            for (index, tier) in value[key].as_array().into_iter().flatten().enumerate() {
                let path = self.path.key(key).index(index);
                match tier["from"].as_u64() {
                    Some(from) => {
                        let path = path.key("cost_per_token");
                        self.rate(&path, kind, from, &tier["cost_per_token"], PER_UNIT);
                    }
                    None => self.refuse(&path.key("from"), "a whole number of tokens"),
                }
            }
        }
    }

    fn rate(&mut self, path: &Path, kind: Kind, from: u64, value: &Value, exponent: i32) {
        match value.as_number().and_then(|dollars| scaled(&dollars.to_string(), exponent)) {
            Some(rate) => self.price.set(kind, from, rate),
            None => self.refuse(path, "dollars: a number, 0 or more"),
        }
    }

    fn refuse(&mut self, path: &Path, wanted: &str) {
        let document = self.context.document;
        self.findings.error(document, path, describe(&document.tree, path), wanted, "");
    }
}

#[cfg(test)]
mod tests {
    use super::{LISTED_AS, listed_as};
    use crate::{
        lexicon::usage::Usage,
        policy::{
            price::Quantities,
            price_table::{COMPILED_IN, Prices},
        },
        provider::vendor::VENDORS,
    };

    /// Vendors of the list that no account type reaches, and why.
    const UNREACHED: [(&str, &str); 2] =
        [("ai21", "there is no account of AI21"), ("databricks", "there is no account of theirs")];
    /// Account types without a list, and why.
    const LISTLESS: [(&str, &str); 5] = [
        ("deepseek", "the catalogue has its models at other vendors only"),
        ("self-hosted-model", "whoever runs it knows what it costs"),
        ("custom", "whoever runs it knows what it costs"),
        ("baseten", "what is deployed there is paid by the minute"),
        ("ollama", "whoever runs it knows what it costs"),
    ];

    #[test]
    fn every_vendor_of_the_price_list_is_reached_by_an_account_type_or_known_to_be_out_of_reach() {
        let mut listed: Vec<&str> = COMPILED_IN
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split('\t').next())
            .collect();
        listed.dedup();
        let list_of = |slug: &'static str| {
            LISTED_AS.iter().find(|(known, _)| *known == slug).map_or(slug, |(_, list)| *list)
        };

        for list in &listed {
            let is_reached = VENDORS.iter().any(|vendor| list_of(vendor.account_type) == *list);
            let is_known = UNREACHED.iter().any(|(known, _)| known == list);
            assert_ne!(is_reached, is_known, "{list}");
        }
        for vendor in &VENDORS {
            let slug = vendor.account_type;
            let is_known = LISTLESS.iter().any(|(known, _)| *known == slug);
            assert_ne!(listed.contains(&list_of(slug)), is_known, "{slug}");
        }
    }

    #[test]
    fn a_model_has_the_public_price_of_its_vendor_whatever_the_account_type_is_called() {
        let public = Prices::read(COMPILED_IN).expect("the generator wrote it");
        let million = Usage { input_tokens: 1_000_000, ..Usage::default() };
        for (vendor, id, input) in [
            ("xai", "grok-3", 3_000_000_000),
            ("azure-foundry", "grok-3", 3_000_000_000),
            ("microsoft-foundry", "claude-haiku-4-5", 1_000_000_000),
            ("azure", "gpt-4o", 2_500_000_000),
            ("aws-bedrock-mantle", "openai.gpt-oss-120b", 150_000_000),
        ] {
            let price = listed_as(&public, vendor, id);
            let cost = price.and_then(|price| price.cost(&Quantities::of(&million)));
            assert_eq!(cost, Some(input), "{vendor} {id}");
        }
        assert_eq!(listed_as(&public, "openai", "grok-3"), None);
        assert_eq!(listed_as(&public, "aws-bedrock", "openai.gpt-oss-120b"), None);
    }

    #[test]
    fn what_a_claude_keeps_for_an_hour_costs_twice_its_input_wherever_and_however_long() {
        let public = Prices::read(COMPILED_IN).expect("the generator wrote it");
        let kept = |tokens: u32| Usage {
            input_tokens: tokens.into(),
            cache_written_tokens: tokens,
            cache_written_hour_tokens: tokens,
            ..Usage::default()
        };
        for (vendor, id) in [
            ("anthropic", "claude-sonnet-4-5"),
            ("aws-bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            ("google-vertex", "anthropic/claude-sonnet-4-5@20250929"),
        ] {
            let price = listed_as(&public, vendor, id).expect(id);
            let cost = |usage: &Usage| price.cost(&Quantities::of(usage)).expect("it has rates");
            let plain = |tokens: u32| Usage { input_tokens: tokens.into(), ..Usage::default() };
            for tokens in [1_000, 199_999, 200_000, 1_000_000] {
                assert_eq!(cost(&kept(tokens)), 2 * cost(&plain(tokens)), "{id} {tokens}");
            }
        }
    }
}
