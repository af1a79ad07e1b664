//! The public prices, by vendor and model: `prices.tsv`, which is compiled in.
//!
//! **Shape**: one model a line, its fields apart by tabs: vendor, model, then `KIND=RATE` or
//! `KIND@TOKENS=RATE` from that size of prompt on, in nano-dollars for a million units. Lines that
//! begin with `#` say where it is from. `examples/price_table.rs` makes it from the catalogue.

use crate::policy::price::{Kind, Price};
use std::collections::HashMap;

/// The prices that this build knows.
pub const COMPILED_IN: &str = include_str!("prices.tsv");

/// Prices by vendor and model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices<'a>(HashMap<&'a str, HashMap<&'a str, Price>>);

/// A line that is none of a price table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub line: usize,
}

impl<'a> Prices<'a> {
    /// # Errors
    /// The first line that cannot be read.
    pub fn read(text: &'a str) -> Result<Self, BadLine> {
        let mut prices: HashMap<&str, HashMap<&str, Price>> = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let ((vendor, model), price) = read_line(line).ok_or(BadLine { line: index + 1 })?;
            prices.entry(vendor).or_default().insert(model, price);
        }
        Ok(Self(prices))
    }

    /// This price holds from now on.
    pub fn insert(&mut self, vendor: &'a str, model: &'a str, price: Price) {
        self.0.entry(vendor).or_default().insert(model, price);
    }

    #[must_use]
    pub fn find(&self, vendor: &str, model: &str) -> Option<&Price> {
        self.0.get(vendor)?.get(model)
    }

    /// How many models have a price.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.values().map(HashMap::len).sum()
    }
}

fn read_line(line: &str) -> Option<((&str, &str), Price)> {
    let mut fields = line.split('\t');
    let name = (fields.next()?, fields.next()?);
    let mut price = Price::default();
    for field in fields {
        let (kind, rate) = field.split_once('=')?;
        let (label, from) = kind.split_once('@').unwrap_or((kind, "0"));
        let kind = Kind::ALL.into_iter().find(|kind| kind.label() == label)?;
        price.set(kind, from.parse().ok()?, rate.parse().ok()?);
    }
    Some((name, price))
}

#[cfg(test)]
mod tests {
    use super::{BadLine, COMPILED_IN, Prices};
    use crate::policy::price::{Kind, Quantities};

    #[test]
    fn the_table_compiled_in_is_whole_and_knows_what_a_well_known_model_costs() {
        let prices = Prices::read(COMPILED_IN).expect("the generator wrote it");
        assert!(prices.count() > 800, "{}", prices.count());
        let price = prices.find("openai", "gpt-4o").expect("it is well known");
        let million = |kind| price.cost(&Quantities::default().with(kind, 1_000_000));
        assert_eq!(million(Kind::Input), Some(2_500_000_000));
        assert_eq!(million(Kind::CacheRead), Some(1_250_000_000));
        assert_eq!(million(Kind::Output), Some(10_000_000_000));
        assert_eq!(million(Kind::BatchInput), Some(1_250_000_000));
        assert_eq!(prices.find("openai", "no-such-model"), None);
    }

    #[test]
    fn a_line_that_is_no_price_is_told_by_its_number() {
        for text in
            ["# a\n\nopenai\tx\tinput", "#\n#\nopenai", "\n\na\tb\tgold=1", "\n\na\tb\tinput=x"]
        {
            assert_eq!(Prices::read(text), Err(BadLine { line: 3 }), "{text}");
        }
    }
}
