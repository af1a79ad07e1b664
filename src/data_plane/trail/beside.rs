//! A line of its own: the Trail of a call that is made beside the client's own, for one request.
//!
//! It has the request's id, and settles and files by itself what the call used.

use crate::{
    bridge::{pulse::Pulse, receipts::pairs::Encoded},
    data_plane::{
        clock::Clock,
        peer::Peer,
        trail::{Ledger, Trail},
    },
    lexicon::{
        operation::Operation,
        receipt::Ending,
        refusal::Refusal,
        time::{Moment, UnixMillis},
    },
    policy::route::Rule,
    snapshot::Caller,
};
use std::borrow::Cow;

/// What the Trail of a call beside begins with.
pub struct Beside<'a> {
    to: (&'a Ledger, &'a Clock, &'a Pulse),
    started: (Moment, UnixMillis),
    rule: Option<&'a Rule>,
    operation: Option<Operation>,
    is_streaming: bool,
    request_id: &'a str,
    client_address: &'a str,
    peer: Option<&'a Peer>,
    caller: Option<&'a Caller>,
    requested_model: Cow<'a, str>,
    bytes_in: u64,
}

impl<'a> Beside<'a> {
    /// The Trail. It files no receipt before [`Trail::admit_beside`].
    pub fn begin(self) -> Trail<'a> {
        let (ledger, clock, pulse) = self.to;
        let mut trail = Trail::begin(ledger, clock, pulse);
        (trail.started, trail.started_wall) = self.started;
        trail.is_forgone = true;
        trail.rule = self.rule;
        trail.operation = self.operation;
        trail.is_streaming = self.is_streaming;
        trail.request_id = self.request_id;
        trail.client_address = self.client_address;
        trail.peer = self.peer;
        trail.caller = self.caller;
        trail.requested_model = self.requested_model;
        trail.bytes_in = self.bytes_in;
        trail
    }

    /// The same for a question of the gateway's own.
    pub fn asking(self, model: &'a str, operation: Operation, bytes_in: usize) -> Self {
        Self {
            requested_model: Cow::Borrowed(model),
            operation: Some(operation),
            is_streaming: false,
            bytes_in: bytes_in as u64,
            ..self
        }
    }
}

impl<'a> Trail<'a> {
    /// What the Trail of a call beside this one begins with.
    pub fn beside(&self) -> Beside<'a> {
        Beside {
            to: (self.ledger, self.clock, self.pulse),
            started: (self.started, self.started_wall),
            rule: self.rule,
            operation: self.operation,
            is_streaming: self.is_streaming,
            request_id: self.request_id,
            client_address: self.client_address,
            peer: self.peer,
            caller: self.caller,
            requested_model: self.requested_model.clone(),
            bytes_in: self.bytes_in,
        }
    }

    /// The call beside is made: from here on it leaves a receipt.
    ///
    /// # Errors
    /// As [`Trail::admit`]; then there is none.
    pub fn admit_beside(&mut self, metadata: Option<&Encoded>) -> Result<(), Refusal> {
        self.admit(metadata)?;
        self.is_forgone = false;
        Ok(())
    }

    /// The call beside has ended. What nobody reported of one that was given up is estimated.
    pub fn file_beside(&mut self, ending: Ending, status: u16) {
        if self.fault.is_none() && self.owes_usage() {
            self.estimate_by_bytes();
        }
        self.seal(ending, status);
    }

    /// The call beside is the one that is told: what is known of both changes places.
    pub fn trade(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.model, &mut other.model);
        std::mem::swap(&mut self.fault, &mut other.fault);
        std::mem::swap(&mut self.sent_us, &mut other.sent_us);
        // Where the first call was passed over, it was sent all the same.
        if self.notes.was_sent() {
            other.notes.note_sent();
        }
        std::mem::swap(&mut self.answered_us, &mut other.answered_us);
    }
}
