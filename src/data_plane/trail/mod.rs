//! The facts on the way. Whatever happens, a dropped Trail has filed exactly one receipt.
//!
//! `bill.rs` is what was used and costs, `notes.rs` what few have to tell, `beside.rs` the lines of
//! calls beside the client's own.

mod beside;
mod bill;
mod notes;

pub use beside::Beside;

use crate::{
    bridge::{
        pulse::Pulse,
        receipts::{
            pairs::Encoded,
            writer::{Slot, Writer},
        },
    },
    data_plane::{
        clock::Clock,
        peer::Peer,
        quota::{Bound, Most, PassId, Quota},
        stage::respond,
    },
    lexicon::{
        fault::Fault,
        operation::Operation,
        receipt::{Ending, Opening, Outcome},
        refusal::Refusal,
        settings::ReceiptsFull,
        time::{Moment, UnixMillis},
        usage::Usage,
    },
    policy::route::Rule,
    snapshot::{Caller, Model},
};
use notes::Notes;
use std::{
    borrow::Cow,
    cell::{RefCell, RefMut},
};

/// A last send that took longer is told in the receipt: it is written again.
const LAST_SEND_US_MAX: u32 = 1_000;

/// Where receipts go.
pub struct Ledger {
    pub writer: RefCell<Writer>,
    pub when_full: ReceiptsFull,
    /// What limits have been charged for those exchanges.
    pub quota: RefCell<Quota>,
    /// The request id of the exchange that panicked last, for whoever tells its client.
    pub panicked: RefCell<String>,
}

/// The facts of one exchange.
#[expect(clippy::struct_excessive_bools, reason = "facts seen, independent of each other")]
pub struct Trail<'a> {
    ledger: &'a Ledger,
    clock: &'a Clock,
    pulse: &'a Pulse,
    started: Moment,
    started_wall: UnixMillis,
    slot: Option<Slot>,
    /// The time that the sealed outcome says; 0 while none is sealed.
    sealed_us: u32,
    /// The ring was full.
    is_unrecorded: bool,
    /// There is nothing to bill and nobody to name.
    is_forgone: bool,
    /// What was taken of limits.
    pub pass: Option<PassId>,
    /// What routes it.
    pub rule: Option<&'a Rule>,
    /// Of attempts that failed, and of what could not be said.
    pub notes: Notes,
    pub operation: Option<Operation>,
    pub is_streaming: bool,
    pub request_id: &'a str,
    pub client_address: &'a str,
    pub peer: Option<&'a Peer>,
    pub caller: Option<&'a Caller>,
    pub requested_model: Cow<'a, str>,
    /// The model that is asked.
    pub model: Option<&'a Model>,
    pub ending: Ending,
    pub status: u16,
    pub refusal: Option<Refusal>,
    pub fault: Option<Fault>,
    pub usage: Usage,
    pub usage_is_reported: bool,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub retries: u16,
    /// From the start to: authenticated, sent upstream, answered; of the present attempt. 0 is
    /// never.
    pub authenticated_us: u32,
    pub sent_us: u32,
    pub answered_us: u32,
    /// From the start to the first content; 0 is never.
    first_content_us: u32,
    contents: u32,
    last_content_us: u32,
}

impl<'a> Trail<'a> {
    /// The facts of an exchange that began when `clock` was read last.
    pub fn begin(ledger: &'a Ledger, clock: &'a Clock, pulse: &'a Pulse) -> Self {
        pulse.exchanges_in_flight.add(1);
        Self {
            ledger,
            clock,
            pulse,
            started: clock.recent(),
            started_wall: clock.wall(),
            slot: None,
            sealed_us: 0,
            is_unrecorded: false,
            is_forgone: false,
            pass: None,
            rule: None,
            notes: Notes::default(),
            operation: None,
            is_streaming: false,
            request_id: "",
            client_address: "",
            peer: None,
            caller: None,
            requested_model: Cow::Borrowed(""),
            model: None,
            ending: Ending::Open,
            status: 0,
            refusal: None,
            fault: None,
            usage: Usage::default(),
            usage_is_reported: false,
            bytes_in: 0,
            bytes_out: 0,
            retries: 0,
            authenticated_us: 0,
            sent_us: 0,
            answered_us: 0,
            first_content_us: 0,
            contents: 0,
            last_content_us: 0,
        }
    }

    pub fn started(&self) -> Moment {
        self.started
    }

    pub fn started_wall(&self) -> UnixMillis {
        self.started_wall
    }

    /// The name of the model that is asked, where one is.
    pub fn resolved_model(&self) -> &'a str {
        self.model.map_or("", |model| &model.name)
    }

    /// Microseconds from the start until now.
    pub fn elapsed_us(&self) -> u32 {
        self.clock.now();
        self.recent_us()
    }

    /// Microseconds from the start until the clock was read last, as it is after each wait.
    pub fn recent_us(&self) -> u32 {
        self.clock.recent().micros_since(self.started).max(1)
    }

    pub fn quota(&self) -> RefMut<'a, Quota> {
        self.ledger.quota.borrow_mut()
    }

    /// Append what the client is told of the limit it is held to, where there is one.
    pub fn push_limits(&self, out: &mut Vec<u8>) {
        if let Some(pass) = &self.pass {
            self.ledger.quota.borrow().push_standing(pass, out);
        }
    }

    /// Append the value of `x-tfy-applied-configurations`, an object, with the limits and budgets
    /// that hold for the request.
    pub fn push_applied(&self, out: &mut Vec<u8>, value: &[u8]) {
        let quota = self.ledger.quota.borrow();
        let applied = self.pass.as_ref().map_or(&[][..], |pass| quota.applied(pass));
        if applied.is_empty() {
            return out.extend_from_slice(value);
        }
        out.extend_from_slice(value.strip_suffix(b"}").unwrap_or(b"{"));
        if !out.ends_with(b"{") {
            out.push(b',');
        }
        out.extend_from_slice(applied);
        out.push(b'}');
    }

    /// How long each answer may be, in tokens, where a strict limit holds.
    pub fn answer_max(&self) -> Option<u32> {
        self.bound().map(|bound| bound.answer)
    }

    /// How long the answers may be, where a strict limit holds.
    pub fn bound(&self) -> Option<Bound> {
        self.ledger.quota.borrow().bound(self.pass.as_ref()?)
    }

    /// The header lines that a refused client is told beside the refusal; mostly none.
    pub fn told(&self) -> Vec<u8> {
        let told = self.pass.as_ref().map(|pass| std::mem::take(self.quota().told(pass)));
        let mut told = told.unwrap_or_default();
        let is_plain = told.is_empty();
        // What a refused limit says stands there already.
        if self.refusal == Some(Refusal::TargetBusy) {
            self.notes.push_later(&mut told);
        }
        if let (Some(rule), true) = (self.rule, is_plain) {
            let mut applied = rule.told.as_bytes().to_vec();
            applied.push(b'}');
            self.notes.push_failed(&mut applied);
            applied.push(b'}');
            respond::push_raw(&mut told, b"x-tfy-applied-configurations", &applied);
        }
        told
    }

    /// Another attempt begins: what was known of the last one's answer is not of this one's, but
    /// what it used was used.
    pub fn begin_attempt(&mut self) {
        if self.usage_is_reported && self.usage != Usage::default() {
            self.notes.bill(&self.usage, self.attempt_cost());
        }
        self.retries = self.retries.saturating_add(1);
        (self.fault, self.refusal) = (None, None);
        (self.first_content_us, self.last_content_us, self.contents) = (0, 0, 0);
        (self.usage, self.usage_is_reported) = (Usage::default(), false);
        if self.sent_us > 0 {
            self.notes.note_sent();
        }
        (self.bytes_out, self.sent_us, self.answered_us) = (0, 0, 0);
    }

    /// Of an answer that is whole: µs for each token, and until the first one of a stream. Where
    /// there are no tokens (embeddings), an answer as a whole counts as one.
    pub fn pace(&self) -> (Option<u64>, Option<u64>) {
        let since_sent = |at_us: u32| u64::from(at_us.saturating_sub(self.sent_us));
        let is_known = self.contents > 0 && self.sent_us > 0;
        let tokens = match self.operation {
            Some(Operation::Embeddings | Operation::CountTokens) => 1,
            _ => self.usage.output_tokens,
        };
        let whole = is_known.then(|| since_sent(self.last_content_us));
        let first = (is_known && self.is_streaming).then(|| since_sent(self.first_content_us));
        (whole.and_then(|whole| whole.checked_div(tokens)), first)
    }

    /// Open the receipt: from here on it is in the ring, whatever becomes of this process.
    ///
    /// # Errors
    /// `ReceiptsFull` where the ring is full and the operator would rather refuse.
    pub fn admit(&mut self, metadata: Option<&Encoded>) -> Result<(), Refusal> {
        let opened = self.ledger.writer.borrow_mut().open_with(&self.opening(), metadata);
        match (opened, self.ledger.when_full) {
            (Ok((slot, _)), _) => {
                self.slot = Some(slot);
                self.seal_most();
            }
            (Err(_), ReceiptsFull::Drop) => self.is_unrecorded = true,
            (Err(_), ReceiptsFull::Refuse) => {
                self.is_unrecorded = true;
                return Err(Refusal::ReceiptsFull);
            }
        }
        Ok(())
    }

    /// Does it leave no receipt, as a call beside that is not made yet?
    pub const fn is_forgone(&self) -> bool {
        self.is_forgone
    }

    /// No receipt: the gateway answers by itself, and no model is asked.
    pub fn forgo(&mut self) {
        self.is_forgone = true;
    }

    /// Content for the client came in.
    pub fn content(&mut self, now: Moment) {
        if self.first_content_us == 0 {
            self.first_content_us = now.micros_since(self.started).max(1);
        }
        self.last_content_us = now.micros_since(self.started).max(1);
        self.contents = self.contents.saturating_add(1);
    }

    /// The last bytes are about to leave: from here on the receipt says how it ended.
    pub fn seal(&mut self, ending: Ending, status: u16) {
        self.charge_untold();
        self.ending = ending;
        self.status = status;
        if let Some(slot) = &self.slot {
            self.ledger.writer.borrow_mut().seal(slot, &self.outcome());
            self.sealed_us = self.recent_us();
        }
    }

    /// Where a strict limit holds, its receipt says from here on that all was used that it lets
    /// the exchange take: should the process die, nobody would know what the vendor answered, and
    /// the limit must not be exceeded. For when both are there, the receipt and what was taken.
    #[inline]
    pub fn seal_most(&mut self) {
        let (Some(slot), Some(pass)) = (&self.slot, &self.pass) else { return };
        let Some(most) = self.ledger.quota.borrow().most(pass) else { return };
        let Most { input_tokens, output_tokens, cost_nanodollars } = most;
        let usage = Usage { input_tokens, output_tokens, ..Usage::NONE };
        let outcome = Outcome { was_sent: true, usage, cost_nanodollars, ..self.outcome() };
        self.ledger.writer.borrow_mut().seal(slot, &outcome);
    }

    fn opening(&self) -> Opening<'_> {
        Opening {
            started: self.started_wall,
            days_ahead: self.ledger.quota.borrow().days_ahead(self.started_wall),
            operation: self.operation,
            is_streaming: self.is_streaming,
            request_id: self.request_id,
            client_address: self.client_address,
            client_certificate: self.peer.map_or("", |peer| &peer.certificate),
            subject: self.caller.map_or("", |caller| &caller.subject),
            teams: self.caller.map_or("", |caller| &caller.teams_label),
            metadata: &[],
            requested_model: &self.requested_model,
        }
    }

    fn outcome(&self) -> Outcome<'_> {
        let gaps = self.contents.saturating_sub(1);
        let spoken_us = self.last_content_us;
        Outcome {
            ending: self.ending,
            status: self.status,
            code: self.refusal.map_or("", |refusal| refusal.row().code),
            fault: self.fault.map_or("", Fault::label),
            resolved_model: self.resolved_model(),
            usage: self.whole_usage(),
            usage_is_reported: self.is_reported(),
            was_sent: self.notes.was_sent() || self.sent_us > 0,
            cost_nanodollars: self.cost_nanodollars(),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            ttft_us: self.first_content_us,
            inter_token_us: spoken_us
                .saturating_sub(self.first_content_us)
                .checked_div(gaps)
                .unwrap_or(0),
            total_us: self.recent_us(),
            retries: self.retries,
            rule: self.rule.map_or("", |rule| &rule.id),
            attempts: self.notes.attempts(),
            request_dropped: self.notes.request_dropped(),
            reply_dropped: self.notes.reply_dropped(),
        }
    }

    fn file(&mut self) {
        if self.is_forgone {
            return;
        }
        if std::thread::panicking() {
            self.request_id.clone_into(&mut self.ledger.panicked.borrow_mut());
            self.sealed_us = 0;
            self.ending = Ending::Panicked;
            self.status = Refusal::Internal.row().status;
            self.refusal = Some(Refusal::Internal);
        } else if self.ending == Ending::Open {
            self.ending = Ending::ClientGone;
            self.status = Refusal::ClientGone.row().status;
            self.refusal = Some(Refusal::ClientGone);
        }
        if self.slot.is_none() && !self.is_unrecorded {
            // Refused before it was admitted: the receipt is opened only to be closed.
            let opened = self.ledger.writer.borrow_mut().open(&self.opening());
            self.slot = opened.ok().map(|(slot, _)| slot);
        }
        let is_as_sealed =
            self.sealed_us > 0 && self.recent_us() - self.sealed_us < LAST_SEND_US_MAX;
        match self.slot.take() {
            Some(slot) if is_as_sealed => self.ledger.writer.borrow_mut().close_sealed(slot),
            Some(slot) => self.ledger.writer.borrow_mut().close(slot, &self.outcome()),
            None if self.refusal == Some(Refusal::ReceiptsFull) => {
                self.pulse.receipts_refused_total.add(1);
            }
            None => self.pulse.receipts_dropped_total.add(1),
        }
    }
}

impl Drop for Trail<'_> {
    fn drop(&mut self) {
        self.pulse.exchanges_in_flight.sub(1);
        // Both below go by this reading.
        self.clock.now();
        self.settle();
        self.file();
    }
}

// The promise of the design: the Trail stays small enough to live in an exchange's future.
const _: () = assert!(size_of::<Trail<'_>>() <= 256);
