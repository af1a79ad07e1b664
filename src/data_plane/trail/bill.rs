//! What was used, what it costs, and what limits are charged for it.
//!
//! What a vendor reported counts, of attempts that failed too, each at the price of the model that
//! was asked. What nobody reported is estimated; where a strict limit holds, it is all that was
//! reserved.

use crate::{
    data_plane::{
        quota::{Most, Spent},
        trail::{Trail, notes::Reserved},
    },
    lexicon::{operation::Operation, receipt::Ending, usage::Usage},
};

/// For answers whose usage nobody reported: bytes of JSON that make a token, about.
const BYTES_PER_TOKEN: u64 = 4;

impl Trail<'_> {
    /// The vendor reported these tokens, or none.
    pub fn report(&mut self, usage: Option<Usage>) {
        // What its vendor kept was counted when it was made.
        let usage = match self.operation {
            Some(Operation::StoredResponse) => Some(Usage::default()),
            _ => usage,
        };
        self.usage = usage.unwrap_or_default();
        self.usage_is_reported = usage.is_some();
    }

    /// What was reported was said before so many tokens came back: Anthropic's first event says
    /// what the prompt took, and a token of the answer. The receipt says that it is no report.
    pub fn report_less(&mut self, output_tokens: u64) {
        let is_more = output_tokens > self.usage.output_tokens;
        if is_more || (output_tokens > 0 && self.bound().is_some()) {
            self.usage.output_tokens = self.usage.output_tokens.max(output_tokens);
            self.usage_is_reported = false;
        }
    }

    /// No usage was reported: about what was used, where about so many tokens came back. The
    /// receipt says that nobody reported it.
    pub fn estimate(&mut self, output_tokens: u64) {
        self.usage.input_tokens = self.bytes_in.div_ceil(BYTES_PER_TOKEN);
        self.usage.output_tokens = output_tokens;
    }

    /// The same, by the bytes that came back; to count tokens takes none.
    pub fn estimate_by_bytes(&mut self) {
        let counts = [Operation::CountTokens, Operation::CountContent, Operation::CountConverse];
        if self.usage_is_reported || self.operation.is_some_and(|it| counts.contains(&it)) {
            return;
        }
        let is_text = self.operation != Some(Operation::Embeddings);
        let bytes_out = if is_text { self.bytes_out } else { 0 };
        self.estimate(bytes_out.div_ceil(BYTES_PER_TOKEN));
    }

    /// Was a model asked, and is nothing known of what that used?
    pub fn owes_usage(&self) -> bool {
        self.sent_us > 0 && !self.usage_is_reported && self.usage == Usage::default()
    }

    /// Where a strict limit holds and nobody reported what was used, all that was reserved is
    /// charged, and stands on the receipt: no guess crosses the cap, nor does a restart, which
    /// counts by receipts.
    pub(super) fn charge_untold(&mut self) {
        let is_untold = !self.usage_is_reported
            && self.sent_us > 0
            && (self.fault.is_none() || self.usage != Usage::default());
        if !is_untold {
            return;
        }
        let quota = self.ledger.quota.borrow();
        let Some(most) = self.pass.as_ref().and_then(|pass| quota.most(pass)) else { return };
        let Most { input_tokens, output_tokens, cost_nanodollars } = most;
        self.usage = Usage { input_tokens, output_tokens, ..Usage::default() };
        self.notes.charge_reserved(Reserved { cost_nanodollars });
    }

    /// What all attempts cost; none where nobody knows: a price, or what was used.
    pub(super) fn cost_nanodollars(&self) -> Option<u64> {
        let own = self.attempt_cost();
        match self.notes.earlier() {
            None => own,
            Some(earlier) => Some(own?.saturating_add(earlier.cost_nanodollars?)),
        }
    }

    /// What all attempts used.
    pub(super) fn whole_usage(&self) -> Usage {
        self.notes.earlier().map_or(self.usage, |earlier| self.usage.plus(&earlier.usage))
    }

    /// Is all that is known to have been used what vendors reported?
    pub(super) fn is_reported(&self) -> bool {
        let has_no_other = self.usage == Usage::default() && self.notes.earlier().is_some();
        self.usage_is_reported || has_no_other
    }

    /// What the present attempt cost.
    pub(super) fn attempt_cost(&self) -> Option<u64> {
        let usage = &self.usage;
        if self.sent_us == 0 || (self.fault.is_some() && *usage == Usage::default()) {
            return Some(0);
        }
        if !self.usage_is_reported && *usage == Usage::default() {
            return None;
        }
        if let (Some(reserved), false) = (self.notes.reserved(), self.usage_is_reported) {
            return reserved.cost_nanodollars;
        }
        self.model?.price.as_ref()?.cost_of(usage)
    }

    /// Give back what was taken of limits, but for what was used.
    pub(super) fn settle(&mut self) {
        self.charge_untold();
        let Some(pass) = self.pass.take() else { return };
        let spent = Spent {
            was_sent: self.notes.was_sent() || self.sent_us > 0,
            usage: self.whole_usage(),
            last: self.usage_is_reported.then_some(self.usage),
            cost: self.cost_nanodollars(),
            is_unknown: self.ending == Ending::Complete
                && self.fault.is_none()
                && !self.is_reported()
                && self.usage == Usage::default(),
            bytes_in: self.bytes_in,
        };
        let mut quota = self.quota();
        let now = quota.now(self.clock.recent(), self.started_wall);
        quota.settle(pass, &spent, now.node);
    }
}
