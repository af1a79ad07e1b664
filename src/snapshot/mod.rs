//! Everything a core obeys, immutable.
//!
//! `compile.rs` makes one from manifests and secrets, or says every reason why not. Its parts:
//! `people.rs` (who there is), `places.rs` and `call.rs` (models and how they are called),
//! `names.rs` (how a model is found), `doors.rs` (tokens and what they open), `vault.rs`
//! (credentials), `findings.rs` (problems).
//!
//! **Invariants**: nothing in a snapshot changes after it is made; what must outlive it (pools,
//! health, quota) lives elsewhere, keyed by stable ids. A snapshot holds credentials and therefore
//! has no `Debug`.

mod call;
pub mod compile;
pub mod doors;
mod findings;
pub mod names;
mod people;
mod places;
mod vault;

use crate::{
    lexicon::{
        ids::{ModelId, SubjectId, TeamId},
        operation::ModelTypes,
        time::UnixMillis,
    },
    policy::access::Access,
    provider::target::{Endpoint, Target},
};
use std::collections::HashMap;

/// What a core obeys.
#[derive(Default)]
pub struct Snapshot {
    /// Grows with each published snapshot of a process, from 1.
    pub version: u64,
    /// By the SHA-256 of the token's text.
    pub tokens: HashMap<[u8; 32], Token>,
    /// By `SubjectId`.
    pub callers: Vec<Caller>,
    /// By `ModelId`.
    pub models: Vec<Model>,
    /// By `ACCOUNT/MODEL`.
    pub model_names: names::Names,
    pub endpoints: Vec<Endpoint>,
}

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub subject: SubjectId,
    /// The first moment at which it no longer works.
    pub expires: Option<UnixMillis>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `user:…` or `virtualaccount:…`.
    pub subject: Box<str>,
    pub teams: Box<[TeamId]>,
    /// Names of the teams, joined by commas.
    pub teams_label: Box<str>,
    /// May use every model and the admin port.
    pub is_admin: bool,
    /// What operators decided for this caller: rules of `gateway-metadata-config` in their order,
    /// then the virtual account's tags; later wins.
    pub metadata: Box<[(Box<str>, Box<str>)]>,
}

/// A model as clients know it.
pub struct Model {
    /// `ACCOUNT/MODEL`.
    pub name: Box<str>,
    pub account: Box<str>,
    pub types: ModelTypes,
    pub access: Access,
    pub target: Target,
}

impl Snapshot {
    #[must_use]
    pub fn caller(&self, id: SubjectId) -> &Caller {
        &self.callers[id.0 as usize]
    }

    #[must_use]
    pub fn model(&self, id: ModelId) -> &Model {
        &self.models[id.0 as usize]
    }

    /// May this subject use this model?
    #[must_use]
    pub fn allows(&self, subject: SubjectId, model: ModelId) -> bool {
        let caller = self.caller(subject);
        caller.is_admin || self.model(model).access.allows(subject, &caller.teams)
    }
}
