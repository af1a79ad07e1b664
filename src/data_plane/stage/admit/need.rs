//! How much a request will take: about, and at most.

use crate::{
    data_plane::{
        quota::{Bound, Most, Tokens},
        stage::{admit::Asked, route::Plan},
    },
    dialect::bound::{self, Prompt},
    lexicon::refusal::{Refusal, Refused},
    policy::{limit::Counts, price::Price},
    snapshot::{Model, Snapshot},
};

/// What is taken of the meters of one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Need {
    /// By what models have taught.
    tokens: u64,
    /// The same in nano-dollars; 0 where the price is unknown.
    cost: u64,
    /// Where a strict limit holds: the most they can be.
    tokens_most: u64,
    cost_most: u64,
}

impl Need {
    /// Of the dearest model that may be asked.
    pub fn of(snapshot: &Snapshot, plan: &Plan<'_>, about: Tokens) -> Self {
        let cost_of = |model: &Model| {
            let price = model.price.as_ref();
            price.and_then(|price| price.estimate(about.input, about.output)).unwrap_or(0)
        };
        let cost = match plan {
            Plan::Lone(model) => cost_of(model),
            Plan::Ruled(plan) => plan
                .candidates()
                .fold(0, |most, candidate| most.max(cost_of(snapshot.model(candidate.model)))),
        };
        let tokens = about.input.saturating_add(about.output);
        Self { tokens, cost, ..Self::default() }
    }

    pub fn at_most(self, most: &Most) -> Self {
        let tokens_most = most.input_tokens.saturating_add(most.output_tokens);
        Self { tokens_most, cost_most: most.cost_nanodollars.unwrap_or(u64::MAX), ..self }
    }

    /// The units of a meter that counts this.
    pub const fn units(&self, counts: Counts, is_strict: bool) -> u64 {
        match (counts, is_strict) {
            (Counts::Requests, _) => 1,
            (Counts::Tokens, false) => self.tokens,
            (Counts::Tokens, true) => self.tokens_most,
            (Counts::Cost, false) => self.cost,
            (Counts::Cost, true) => self.cost_most,
        }
    }
}

/// A request that strict limits hold for.
pub struct Strict<'s> {
    prompt: Prompt,
    /// Tokens that each answer may have: fewer with each limit that has too little left.
    output: u64,
    prices: Vec<Option<&'s Price>>,
}

impl<'s> Strict<'s> {
    /// # Errors
    /// `Unbounded`, `InvalidJson`: see [`bound::read`].
    pub fn of(snapshot: &'s Snapshot, request: &Asked<'_, 's>) -> Result<Self, Refused> {
        let prompt = bound::read(request.body, request.ask.operation)?;
        let candidates = || request.known.verdict.models(snapshot);
        // What every model of the plan can answer, where the client does not say.
        let usual = candidates().map(|model| model.target.abilities.max_tokens_default).min();
        let asked = request.ask.max_output_tokens.map(u64::from);
        let output = asked.or(usual).unwrap_or(0).min(u64::from(u32::MAX));
        let prices = candidates().map(|model| model.price.as_ref()).collect();
        Ok(Self { prompt, output, prices })
    }

    /// Let the answers be no longer than what is left of a meter covers; false where that is none.
    ///
    /// # Errors
    /// `Unbounded` where money is counted and a model has no price.
    pub fn fit(&mut self, counts: Counts, left: u64) -> Result<bool, Refused> {
        let Prompt { input_tokens, answers, answer_tokens_min } = self.prompt;
        let all = match counts {
            Counts::Requests => return Ok(true),
            Counts::Tokens => left.checked_sub(input_tokens),
            Counts::Cost => {
                let mut least = Some(u64::MAX);
                for price in &self.prices {
                    let price = price.filter(|price| answers == 0 || price.has_output());
                    let price = price.ok_or_else(|| {
                        Refusal::Unbounded.about("model", "It has no price here.")
                    })?;
                    least = least.min(price.output_within(input_tokens, left));
                }
                least
            }
        };
        let Some(all) = all else { return Ok(false) };
        let all = all.checked_div(answers).unwrap_or(u64::MAX);
        if all < self.output {
            self.output = all;
            return Ok(answers == 0 || all >= answer_tokens_min);
        }
        Ok(answers == 0 || self.output > 0)
    }

    /// The bound on the answers; none where they have no tokens.
    pub fn bound(&self) -> Option<Bound> {
        let answer = u32::try_from(self.output).unwrap_or(u32::MAX);
        let all = self.output.saturating_mul(self.prompt.answers);
        (self.prompt.answers > 0).then_some(Bound { answer, all })
    }

    /// All that it can take within that bound.
    pub fn most(&self) -> Most {
        let output_tokens = self.output.saturating_mul(self.prompt.answers);
        let input_tokens = self.prompt.input_tokens;
        let prices = self.prices.iter().flatten();
        let costs = prices.filter_map(|it| it.cost_at_most(input_tokens, output_tokens));
        Most { input_tokens, output_tokens, cost_nanodollars: costs.max() }
    }
}
