//! Which targets may answer a request, in which order, and when the next one is asked.
//!
//! A [`Rule`] is one rule of `gateway-load-balancing-config` or the routing of one virtual model,
//! compiled; `order.rs` makes a plan of it, `retry.rs` says when a target is asked again and when
//! the next, `hedge.rs` when a second call is made beside the first, `complexity.rs` how hard a
//! request is.

pub mod complexity;
pub mod hedge;
pub mod order;
pub mod retry;

use crate::{
    lexicon::{
        ids::{ModelId, SubjectId},
        meter::MeterKey,
        operation::ModelTypes,
    },
    policy::{
        access::Grant,
        condition::{Index, Tag},
    },
};
use complexity::Tier;
use hedge::Hedge;
use retry::{Codes, Retry};
use std::collections::HashMap;

/// Targets of one rule: as many as a plan has room for.
pub const CANDIDATES_MAX: usize = 16;

/// All routing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// Of the rules that have a `when`.
    pub index: Index,
    /// Those of `index` in their order, and behind them those of virtual models.
    pub rules: Vec<Rule>,
    pub virtual_models: Vec<VirtualModel>,
    /// By every name that a virtual model is called by: an index into `virtual_models`.
    pub virtual_names: HashMap<Box<str>, u32>,
    /// Names that stand only in rules: they are no models, and may be called.
    pub logical_names: Vec<Logical>,
    /// Every model that is a candidate somewhere, once: a candidate's `place` is an index into it.
    pub targets: Vec<ModelId>,
    /// `gateway-global-settings.retry_settings`: for requests that no rule routes.
    pub retry: Option<Retry>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: Box<str>,
    /// A hash of its id, the same in every snapshot and on every node.
    pub key: u64,
    pub strategy: Strategy,
    pub candidates: Box<[Candidate]>,
    /// `{"loadBalancing":{"ruleId":"…","type":"…"`, in ASCII: how clients are told of it.
    pub told: Box<str>,
}

/// How a rule chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    Weight {
        sticky: Option<Sticky>,
    },
    Latency,
    Priority,
    Complexity {
        /// None: the heuristic.
        classifier: Option<Classifier>,
    },
}

/// A model that is asked how hard a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classifier {
    pub model: ModelId,
    pub timeout_ms: u32,
    /// What counts where it does not say; none is the heuristic's word.
    pub fallback: Option<Tier>,
}

/// How many calls a model has at once, on the whole node, and who waits for a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    pub max: u32,
    /// Requests that wait at most; 0 is nobody.
    pub queue_max: u32,
    pub queue_ms: u32,
}

/// What keeps a session at its target, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    pub ttl_ms: u64,
    pub identifiers: Box<[Identifier]>,
}

/// Where a session's name is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// In lower case.
    Header(Box<str>),
    Metadata(Box<str>),
}

/// A target that a rule may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub model: ModelId,
    /// Where it stands in `Routes::targets`.
    pub place: u16,
    /// A hash of its name, the same in every snapshot and on every node.
    pub key: u64,
    pub weight: u32,
    /// 0 is asked first.
    pub priority: u32,
    pub cutoff: Cutoff,
    pub tier: Tier,
    pub retry: Retry,
    pub hedge: Option<Hedge>,
    /// The statuses on which the next target is asked.
    pub falls_back_on: Codes,
    /// May it be asked after another failed?
    pub takes_fallback: bool,
    /// What the request's metadata must say.
    pub metadata: Box<[Tag]>,
    pub changes: Changes,
    /// `{"loadBalancing":{"ruleId":"…","type":"…","target":"…","reason":"…"}}`, in ASCII: how
    /// clients are told that the rule chose it, for the reason for which it usually does.
    pub told: Box<str>,
}

impl Candidate {
    /// How clients are told that its rule chose it, up to the reason.
    #[must_use]
    pub fn told_to_reason(&self, strategy: &Strategy) -> &str {
        let usual = order::Reason::usual(strategy, self.tier).label();
        let told = self.told.strip_suffix("\"}}").and_then(|told| told.strip_suffix(usual));
        told.unwrap_or_default()
    }
}

/// Means beyond which a target counts as failing; none is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cutoff {
    pub token_us: Option<u64>,
    pub first_us: Option<u64>,
}

/// What is said differently to one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Members of the body: key, and value as JSON.
    pub params: Box<[(Box<str>, Box<str>)]>,
    /// Names of headers that do not go there, in lower case; those that are set among them.
    pub headers_removed: Box<[Box<str>]>,
    /// Whole lines, each with its CRLF.
    pub header_lines: Box<str>,
}

impl Changes {
    #[must_use]
    pub fn touch_headers(&self) -> bool {
        !self.headers_removed.is_empty()
    }
}

/// A model that stands for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualModel {
    /// `GROUP/NAME`.
    pub name: Box<str>,
    pub group: Box<str>,
    pub types: ModelTypes,
    /// Who may use it; its targets are then not asked about.
    pub granted: Grant,
    /// Index into `Routes::rules`.
    pub rule: u32,
}

/// A name that stands only in rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logical {
    pub name: Box<str>,
    /// Indexes into `Routes::rules`: those that name it.
    pub rules: Box<[u32]>,
}

/// What a request is ordered by.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub subject: SubjectId,
    pub caller: MeterKey,
    pub metadata: &'a [(&'a str, &'a str)],
    /// A hash of what its session is known by, where the rule wants one and all of it is there.
    pub session: Option<u64>,
    /// How hard it is, where the rule wants to know.
    pub tier: Tier,
}

impl Routes {
    /// Is there nothing here that could concern a request?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.retry.is_none()
    }

    #[must_use]
    pub fn virtual_model(&self, name: &str) -> Option<&VirtualModel> {
        self.virtual_names.get(name).map(|at| &self.virtual_models[*at as usize])
    }

    #[must_use]
    pub fn is_logical(&self, name: &str) -> bool {
        self.logical_names.iter().any(|logical| &*logical.name == name)
    }
}

impl Strategy {
    /// The name in manifests.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Weight { .. } => "weight-based-routing",
            Self::Latency => "latency-based-routing",
            Self::Priority => "priority-based-routing",
            Self::Complexity { .. } => "complexity-based-routing",
        }
    }
}

/// The places of the bits that are set, from the lowest.
pub fn places(mut bits: u32) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let place = u8::try_from(bits.trailing_zeros()).ok().filter(|_| bits != 0)?;
        bits &= bits - 1;
        Some(place)
    })
}

/// Mixes two numbers into one without a pattern.
///
/// **Source**: the finalizer of `SplitMix64` (Steele, Lea, Flood, 2014).
#[must_use]
pub const fn mix(one: u64, other: u64) -> u64 {
    let mut mixed = one ^ other.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A hash of bytes, the same in every process and build.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let of_words =
        words.iter().fold(bytes.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    mix(of_words, rest.iter().fold(0, |last, byte| last << 8 | u64::from(*byte)))
}
