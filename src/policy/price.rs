//! What tokens cost: integer nano-dollars, from rates by kind and by the size of the prompt.

use crate::lexicon::usage::Usage;

/// Rates are nano-dollars for so many units, so that the cheapest cached token is still a whole
/// number. (A token of $0.0000000375 is 37,500,000 for a million.)
pub const UNITS_PER_RATE: u64 = 1_000_000;
/// Discounts are kept in parts of this: a hundredth of a percent.
const WHOLE: u64 = 10_000;

/// What has a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    Input,
    Output,
    CacheRead,
    /// Kept for five minutes.
    CacheWrite,
    /// Kept for an hour.
    CacheWriteHour,
    AudioInput,
    AudioOutput,
    Reasoning,
    /// An image sent, whole.
    Image,
    BatchInput,
    BatchOutput,
}

const KINDS: usize = 11;

/// How much there was of each kind; none of it is counted under two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantities([u64; KINDS]);

/// What one model costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// By kind, for prompts of any size; nano-dollars for `UNITS_PER_RATE`.
    base: [Option<u64>; KINDS],
    /// Rates for prompts of this size and more, by kind and size.
    tiers: Vec<(Kind, u64, u64)>,
    /// Taken off, in hundredths of a percent.
    discount: u64,
}

impl Kind {
    pub const ALL: [Self; KINDS] = [
        Self::Input,
        Self::Output,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWriteHour,
        Self::AudioInput,
        Self::AudioOutput,
        Self::Reasoning,
        Self::Image,
        Self::BatchInput,
        Self::BatchOutput,
    ];

    /// The name in the price table.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWriteHour => "cache_write_hour",
            Self::AudioInput => "audio_input",
            Self::AudioOutput => "audio_output",
            Self::Reasoning => "reasoning",
            Self::Image => "image",
            Self::BatchInput => "batch_input",
            Self::BatchOutput => "batch_output",
        }
    }

    /// Is it ever charged? No request here is a batch, and vendors count images as tokens.
    #[must_use]
    pub const fn is_charged(self) -> bool {
        !matches!(self, Self::Image | Self::BatchInput | Self::BatchOutput)
    }

    /// Whose rate holds where this kind has none. Batches and whole images have no stand-in: their
    /// price is unknown then.
    const fn stand_in(self) -> Option<Self> {
        match self {
            Self::CacheWriteHour => Some(Self::CacheWrite),
            Self::CacheRead | Self::CacheWrite | Self::AudioInput => Some(Self::Input),
            Self::AudioOutput | Self::Reasoning => Some(Self::Output),
            Self::Input | Self::Output | Self::Image | Self::BatchInput | Self::BatchOutput => None,
        }
    }

    /// Is it part of the prompt, by whose size tiers are chosen?
    const fn is_prompt(self) -> bool {
        matches!(
            self,
            Self::Input
                | Self::CacheRead
                | Self::CacheWrite
                | Self::CacheWriteHour
                | Self::AudioInput
                | Self::BatchInput
        )
    }
}

impl Quantities {
    #[must_use]
    pub const fn with(mut self, kind: Kind, count: u64) -> Self {
        self.0[kind as usize] = count;
        self
    }

    fn prompt(&self) -> u64 {
        let of = Kind::ALL.iter().filter(|kind| kind.is_prompt());
        of.fold(0, |sum: u64, kind| sum.saturating_add(self.0[*kind as usize]))
    }
}

impl Quantities {
    /// The parts of what was used; each token is of one kind. What a vendor tells as parts that are
    /// more than their whole is taken for no more than that, in this order.
    #[must_use]
    pub fn of(usage: &Usage) -> Self {
        let mut input = usage.input_tokens;
        let mut output = usage.output_tokens;
        let take = |whole: &mut u64, part: u64| {
            let part = part.min(*whole);
            *whole -= part;
            part
        };
        let cached = take(&mut input, usage.cached_tokens);
        let mut written = take(&mut input, usage.cache_written_tokens.into());
        let hour = take(&mut written, usage.cache_written_hour_tokens.into());
        let heard = take(&mut input, usage.input_audio_tokens.into());
        let spoken = take(&mut output, usage.output_audio_tokens.into());
        let reasoning = take(&mut output, usage.reasoning_tokens);
        Self::default()
            .with(Kind::Input, input)
            .with(Kind::CacheRead, cached)
            .with(Kind::CacheWrite, written)
            .with(Kind::CacheWriteHour, hour)
            .with(Kind::AudioInput, heard)
            .with(Kind::Output, output)
            .with(Kind::AudioOutput, spoken)
            .with(Kind::Reasoning, reasoning)
    }
}

impl Price {
    /// From this size of prompt on, `rate` holds for `kind`; 0 is any size.
    pub fn set(&mut self, kind: Kind, from: u64, rate: u64) {
        if from == 0 {
            self.base[kind as usize] = Some(rate);
            return;
        }
        self.tiers.push((kind, from, rate));
        self.tiers.sort_unstable();
    }

    /// Take so many hundredths of a percent off; at most all.
    pub fn take_off(&mut self, permyriad: u64) {
        self.discount = permyriad.min(WHOLE);
    }

    /// What these quantities cost, in nano-dollars, rounded up once; none where a rate is missing.
    ///
    /// **Cost**: no allocation.
    #[must_use]
    pub fn cost(&self, quantities: &Quantities) -> Option<u64> {
        let [input, output, others @ ..] = quantities.0;
        if others == [0; KINDS - 2] {
            return self.plain_cost(input, output);
        }
        // Its size matters to tiers alone.
        let prompt = if self.tiers.is_empty() { 0 } else { quantities.prompt() };
        let mut total: u128 = 0;
        for (kind, count) in Kind::ALL.into_iter().zip(quantities.0) {
            if count > 0 {
                total += u128::from(count) * u128::from(self.rate(kind, prompt)?);
            }
        }
        Some(self.billed(total))
    }

    /// What was used costs this, as [`Self::cost`] says.
    #[must_use]
    #[inline]
    pub fn cost_of(&self, usage: &Usage) -> Option<u64> {
        if usage.is_plain() {
            return self.plain_cost(usage.input_tokens, usage.output_tokens);
        }
        self.cost(&Quantities::of(usage))
    }

    /// What about so many tokens in and out cost; none where a rate is missing.
    #[must_use]
    pub fn estimate(&self, input: u64, output: u64) -> Option<u64> {
        let output = if self.has_output() { output } else { 0 };
        self.plain_cost(input, output)
    }

    /// What is neither cached nor heard costs nearly always this: two rates that need no stand-in,
    /// and a sum that has room in 64 bits.
    #[inline]
    fn plain_cost(&self, input: u64, output: u64) -> Option<u64> {
        const { assert!(Kind::Input as usize == 0 && Kind::Output as usize == 1) };
        if let [Some(input_rate), Some(output_rate), ..] = self.base
            && self.tiers.is_empty()
            && self.discount == 0
            && let Some(input) = input.checked_mul(input_rate)
            && let Some(output) = output.checked_mul(output_rate)
            && let Some(total) = input.checked_add(output)
        {
            return Some(total.div_ceil(UNITS_PER_RATE));
        }
        self.rare_cost(input, output)
    }

    /// The same, of any price and any sum.
    #[inline(never)]
    fn rare_cost(&self, input: u64, output: u64) -> Option<u64> {
        let rated = |kind, count: u64| {
            let rate = match self.base[kind as usize] {
                _ if count == 0 => 0,
                Some(rate) if self.tiers.is_empty() => rate,
                _ => self.rate(kind, input)?,
            };
            Some((count, rate))
        };
        let (input, output) = (rated(Kind::Input, input)?, rated(Kind::Output, output)?);
        let product = |(count, rate): (u64, u64)| u128::from(count) * u128::from(rate);
        Some(self.billed(product(input) + product(output)))
    }

    /// The most that a prompt of at most so many tokens and an answer of at most so many can cost,
    /// whatever kinds they are of; none where the price of one is unknown.
    #[must_use]
    pub fn cost_at_most(&self, input: u64, output: u64) -> Option<u64> {
        let (dear_input, dear_output) = self.dearest(input)?;
        let total = u128::from(input) * u128::from(dear_input)
            + u128::from(output) * u128::from(dear_output);
        Some(self.billed(total))
    }

    /// The longest answer that costs, with a prompt of at most `input` tokens, at most
    /// `nanodollars`; none where not even the prompt is covered, or a price is unknown.
    #[must_use]
    pub fn output_within(&self, input: u64, nanodollars: u64) -> Option<u64> {
        let (dear_input, dear_output) = self.dearest(input)?;
        let kept = u128::from(WHOLE - self.discount);
        if kept == 0 {
            return Some(u64::MAX);
        }
        let parts = u128::from(UNITS_PER_RATE) * u128::from(WHOLE);
        let all = u128::from(nanodollars) * parts / kept;
        let left = all.checked_sub(u128::from(input) * u128::from(dear_input))?;
        let output = left.checked_div(u128::from(dear_output)).unwrap_or(u128::MAX);
        Some(u64::try_from(output).unwrap_or(u64::MAX))
    }

    /// The dearest rates of tokens in and out, for prompts of at most so many.
    fn dearest(&self, prompt: u64) -> Option<(u64, u64)> {
        let of = |kinds: &[Kind]| {
            let base = kinds.iter().filter_map(|kind| self.base[*kind as usize]);
            let tiers =
                self.tiers.iter().filter(|(kind, from, _)| *from <= prompt && kinds.contains(kind));
            base.chain(tiers.map(|(_, _, rate)| *rate)).max()
        };
        let input = [
            Kind::Input,
            Kind::CacheRead,
            Kind::CacheWrite,
            Kind::CacheWriteHour,
            Kind::AudioInput,
        ];
        // An answer to no price of its own, as of an embedding, has no tokens to pay for.
        let output = of(&[Kind::Output, Kind::AudioOutput, Kind::Reasoning]);
        Some((of(&input)?, output.unwrap_or(0)))
    }

    /// Of a sum in parts, what is billed: less the discount, rounded up once.
    fn billed(&self, total: u128) -> u64 {
        let kept = u128::from(WHOLE - self.discount);
        let parts = u128::from(UNITS_PER_RATE) * u128::from(WHOLE);
        u64::try_from((total * kept).div_ceil(parts)).unwrap_or(u64::MAX)
    }

    /// Does an answer of tokens have a price?
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.base[Kind::Output as usize].is_some()
    }

    fn rate(&self, kind: Kind, prompt: u64) -> Option<u64> {
        let tier = self.tiers.iter().rfind(|(of, from, _)| *of == kind && *from <= prompt);
        let own = tier.map(|(_, _, rate)| *rate).or(self.base[kind as usize]);
        own.or_else(|| self.rate(kind.stand_in()?, prompt))
    }
}

/// Nano-dollars as dollars, exact and short.
#[must_use]
pub fn dollars(nanodollars: u64) -> String {
    let (whole, rest) = (nanodollars / 1_000_000_000, nanodollars % 1_000_000_000);
    let text = format!("{whole}.{rest:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A decimal number times ten to the `exponent`, rounded to the nearest whole; none where the text
/// is no number that is 0 or more and fits.
///
/// **Shape**: `0.00000125`, `5`, `1.25e-06`.
#[must_use]
pub fn scaled(text: &str, exponent: i32) -> Option<u64> {
    let (number, shift) = match text.split_once(['e', 'E']) {
        Some((number, shift)) => (number, shift.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    // 38 digits fit; what is cut off behind them is far below the rounding.
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let kept = digits.len().min(30);
    let cut = i32::try_from(digits.len() - kept).ok()?;
    let value: u128 = if kept == 0 { 0 } else { digits[..kept].parse().ok()? };
    let places = i32::try_from(fraction.len()).ok()?;
    let power = exponent.checked_add(shift)?.checked_sub(places)?.checked_add(cut)?;
    let ten = 10_u128.checked_pow(power.unsigned_abs());
    let scaled = match (power >= 0, ten) {
        _ if value == 0 => 0,
        (true, ten) => value.checked_mul(ten?)?,
        (false, Some(ten)) => value.checked_add(ten / 2)? / ten,
        (false, None) => 0,
    };
    u64::try_from(scaled).ok()
}

#[cfg(test)]
mod tests {
    use super::{Kind, Price, Quantities, Usage, scaled};

    fn price(rates: &[(Kind, u64, u64)]) -> Price {
        let mut price = Price::default();
        for (kind, from, rate) in rates {
            price.set(*kind, *from, *rate);
        }
        price
    }

    fn tokens(counts: &[(Kind, u64)]) -> Quantities {
        counts.iter().fold(Quantities::default(), |all, (kind, count)| all.with(*kind, *count))
    }

    #[test]
    fn cached_and_written_tokens_cost_their_own_rate_or_that_of_input() {
        // $3 and $15 a million, $0.30 cached, $3.75 written, $6 for an hour.
        let price = price(&[
            (Kind::Input, 0, 3_000_000_000),
            (Kind::Output, 0, 15_000_000_000),
            (Kind::CacheRead, 0, 300_000_000),
            (Kind::CacheWrite, 0, 3_750_000_000),
            (Kind::CacheWriteHour, 0, 6_000_000_000),
        ]);
        for (counts, nanodollars) in [
            (&[(Kind::Input, 1_000), (Kind::Output, 100)][..], 3_000_000 + 1_500_000),
            (&[(Kind::CacheRead, 1_000)], 300_000),
            (&[(Kind::CacheWrite, 1_000), (Kind::CacheWriteHour, 1_000)], 3_750_000 + 6_000_000),
            (&[(Kind::Reasoning, 10), (Kind::AudioInput, 10)], 150_000 + 30_000),
        ] {
            assert_eq!(price.cost(&tokens(counts)), Some(nanodollars), "{counts:?}");
        }
        assert_eq!(price.cost(&tokens(&[(Kind::Image, 1)])), None);
        assert_eq!(Price::default().cost(&tokens(&[(Kind::Input, 1)])), None);
        assert_eq!(Price::default().cost(&Quantities::default()), Some(0));
    }

    #[test]
    fn every_token_of_a_usage_is_of_one_kind_and_none_is_paid_for_twice() {
        let usage = Usage {
            input_tokens: 100,
            output_tokens: 50,
            cached_tokens: 40,
            reasoning_tokens: 20,
            cache_written_tokens: 30,
            cache_written_hour_tokens: 10,
            input_audio_tokens: 5,
            output_audio_tokens: 6,
        };
        let expected = tokens(&[
            (Kind::Input, 25),
            (Kind::CacheRead, 40),
            (Kind::CacheWrite, 20),
            (Kind::CacheWriteHour, 10),
            (Kind::AudioInput, 5),
            (Kind::Output, 24),
            (Kind::AudioOutput, 6),
            (Kind::Reasoning, 20),
        ]);
        assert_eq!(Quantities::of(&usage), expected);

        let odd = Usage { input_tokens: 10, cached_tokens: 11, output_tokens: 1, ..usage };
        let expected = tokens(&[(Kind::CacheRead, 10), (Kind::AudioOutput, 1)]);
        assert_eq!(Quantities::of(&odd), expected);
    }

    #[test]
    fn a_large_prompt_has_the_rates_of_its_tier_for_all_it_holds() {
        let price = price(&[
            (Kind::Input, 0, 1_000_000),
            (Kind::Input, 200_000, 2_000_000),
            (Kind::Output, 0, 10_000_000),
            (Kind::Output, 200_000, 15_000_000),
        ]);
        let cost = |input: u64| price.cost(&tokens(&[(Kind::Input, input), (Kind::Output, 10)]));
        assert_eq!(cost(199_999), Some(199_999 + 100));
        assert_eq!(cost(200_000), Some(400_000 + 150));
        let half_cached = tokens(&[(Kind::Input, 100_000), (Kind::CacheRead, 100_000)]);
        assert_eq!(price.cost(&half_cached), Some(400_000), "cached tokens are of the prompt too");
    }

    #[test]
    fn the_worst_case_covers_every_mix_and_what_is_left_is_spent_to_the_last_token() {
        let mut price = price(&[
            (Kind::Input, 0, 3_000_000),
            (Kind::CacheWrite, 0, 3_750_000),
            (Kind::Input, 1_000, 6_000_000),
            (Kind::Output, 0, 15_000_000),
        ]);
        for discount in [0, 1_234, 10_000] {
            price.take_off(discount);
            for (input, output) in [(0, 1), (7, 3), (999, 250), (1_000, 0), (5_000, 77)] {
                let most = price.cost_at_most(input, output).expect("both have a price");
                for kind in [Kind::Input, Kind::CacheRead, Kind::CacheWrite] {
                    let mix = tokens(&[(kind, input), (Kind::Output, output)]);
                    assert!(price.cost(&mix).expect("known") <= most, "{kind:?} {input} {output}");
                }
                let fits = price.output_within(input, most).expect("it is covered");
                assert!(fits >= output);
                if discount < 10_000 {
                    assert!(price.cost_at_most(input, fits).expect("known") <= most);
                    assert!(price.cost_at_most(input, fits + 1).expect("known") > most);
                }
            }
        }
        price.take_off(0);
        assert_eq!(price.output_within(1_000, 5_999), None, "the prompt alone costs more");
    }

    #[test]
    fn a_discount_is_taken_off_the_sum_and_rounding_is_up_and_once() {
        let mut price = price(&[(Kind::Input, 0, 1), (Kind::Output, 0, 1)]);
        let both = tokens(&[(Kind::Input, 1), (Kind::Output, 1)]);
        assert_eq!(price.cost(&both), Some(1));
        let many = tokens(&[(Kind::Input, 3_000_000)]);
        price.take_off(1_250);
        assert_eq!(price.cost(&many), Some(3), "2.625");
        price.take_off(20_000);
        assert_eq!(price.cost(&many), Some(0));
    }

    #[test]
    fn decimals_become_whole_numbers_without_a_float() {
        for (text, exponent, expected) in [
            ("0.0000000375", 15, Some(37_500_000)),
            ("1.25e-06", 15, Some(1_250_000_000)),
            ("5", 9, Some(5_000_000_000)),
            ("0.00000000000000049", 15, Some(0)),
            ("0.0000000000000005", 15, Some(1)),
            ("0", 15, Some(0)),
            ("-1", 0, None),
            ("", 0, None),
            (".", 0, None),
            ("1e400", 0, None),
            ("nan", 0, None),
        ] {
            assert_eq!(scaled(text, exponent), expected, "{text}");
        }
    }
}
