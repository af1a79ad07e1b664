//! For whom, for what and when a rule holds: `when`, compiled.
//!
//! A [`Condition`] is one rule's `when`, in either spelling. An [`Index`] holds those of many rules
//! as bitmaps: which of them a subject meets, which a model, which a value under a key of metadata.
//! Those of a request are found once each and combined with `and`. Before its words, each bitmap
//! says which of them are not empty, so that 4,096 rules of which none is met cost one `and` of
//! each bitmap, and what a request pays does not grow with rules that are none of its own.

use crate::{
    lexicon::ids::{ModelId, SubjectId, TeamId},
    policy::access::Grant,
};
use std::{cmp::Ordering, collections::HashMap};

/// One rule's `when`. All parts must hold; an empty one holds for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    pub subjects: Subjects,
    /// Of models as requests name them.
    pub models: Names,
    /// Of the accounts of those models.
    pub accounts: Names,
    pub metadata: Box<[Tag]>,
}

/// Whom a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// None is everyone.
    pub within: Option<Grant>,
    pub without: Option<Grant>,
    /// Besides: only these, such as a team's.
    pub among: Option<Grant>,
}

/// A set of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// None is every name; an empty list is none.
    pub within: Option<Box<[Box<str>]>>,
    pub without: Box<[Box<str>]>,
}

/// What metadata must say under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub key: Box<str>,
    pub values: Names,
}

/// What a request is matched by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub subject: SubjectId,
    /// Where the subject is gone: its teams that are left.
    pub absent: Option<&'a [TeamId]>,
    /// As the request names it.
    pub model: &'a str,
    /// Where that is a model.
    pub model_id: Option<ModelId>,
    pub metadata: &'a [(&'a str, &'a str)],
}

/// The conditions of many rules, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    shape: Shape,
    /// A bitmap a `SubjectId`.
    by_subject: Vec<u64>,
    /// A bitmap a `ModelId`.
    by_model: Vec<u64>,
    /// For names that are no models and that some rule has.
    by_name: HashMap<Box<str>, Box<[u64]>>,
    /// For all other names.
    unnamed: Vec<u64>,
    /// Of the first `KEYS_MAX` keys of metadata that rules name.
    by_key: Vec<Key>,
    /// By rule: what it says of further keys. Most say nothing.
    metadata: Vec<Box<[Tag]>>,
    /// All rules, and by rule for whom it is: for subjects that are gone.
    everyone: Vec<u64>,
    subjects: Vec<Subjects>,
}

/// Keys of metadata that have bitmaps: more than rules name, mostly. One is a look for its value.
const KEYS_MAX: usize = 8;
/// The bitmaps of one request: of its subject, its model and each key.
const BITMAPS_MAX: usize = 2 + KEYS_MAX;

/// How one bitmap is laid out: a bit for each of its words that is not empty, then a bit a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shape {
    summaries: usize,
    words: usize,
}

impl Shape {
    const fn of(conditions: usize) -> Self {
        let words = conditions.div_ceil(64);
        Self { summaries: words.div_ceil(64), words }
    }

    const fn length(self) -> usize {
        self.summaries + self.words
    }

    /// A bit for each condition that holds.
    fn bitmap(self, conditions: &[Condition], holds: impl Fn(&Condition) -> bool) -> Vec<u64> {
        let mut bits = vec![0_u64; self.length()];
        for (at, _) in conditions.iter().enumerate().filter(|(_, it)| holds(it)) {
            let word = at / 64;
            bits[word / 64] |= 1 << (word % 64);
            bits[self.summaries + word] |= 1 << (at % 64);
        }
        bits
    }

    /// The bitmap of this id.
    fn of_id(self, bitmaps: &[u64], id: u32) -> &[u64] {
        let start = id as usize * self.length();
        bitmaps.get(start..start + self.length()).unwrap_or_default()
    }
}

/// Which rules hold for what metadata says under one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Key {
    name: Box<str>,
    /// For the values that some rule has, shorter ones first.
    by_value: Vec<(Box<str>, Box<[u64]>)>,
    /// For all other values, and where nothing is said.
    unnamed: Box<[u64]>,
}

impl Key {
    fn of(name: &str, conditions: &[Condition], shape: Shape) -> Self {
        let own = |it: &'_ Condition, value: Option<&str>| {
            it.metadata.iter().filter(|tag| &*tag.key == name).all(|tag| tag.values.hold(value))
        };
        let bits = |value: Option<&str>| shape.bitmap(conditions, |it| own(it, value)).into();
        let tags = conditions.iter().flat_map(|it| &it.metadata).filter(|tag| &*tag.key == name);
        let values =
            tags.flat_map(|tag| tag.values.within.iter().flatten().chain(&tag.values.without));
        let by_value = values.map(|value| (value.clone(), bits(Some(value))));
        let mut by_value: Vec<(Box<str>, Box<[u64]>)> = by_value.collect();
        by_value.sort_by(|(one, _), (other, _)| by_length(one, other));
        by_value.dedup();
        Self { name: name.into(), by_value, unnamed: bits(None) }
    }

    fn bitmap(&self, metadata: &[(&str, &str)]) -> &[u64] {
        let found = metadata.iter().find(|(key, _)| *key == &*self.name);
        let place =
            found.map(|(_, value)| self.by_value.binary_search_by(|it| by_length(&it.0, value)));
        place.and_then(Result::ok).map_or(&self.unnamed, |at| &self.by_value[at].1)
    }
}

/// Lengths differ mostly, and are compared without a call.
fn by_length(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

impl Subjects {
    #[must_use]
    pub fn hold(&self, subject: SubjectId, teams: &[TeamId]) -> bool {
        self.within.as_ref().is_none_or(|within| within.includes(subject, teams))
            && !self.without.as_ref().is_some_and(|without| without.includes(subject, teams))
            && self.among.as_ref().is_none_or(|among| among.includes(subject, teams))
    }
}

impl Names {
    /// Does the set have this name? (None is the name of nothing known.)
    #[must_use]
    pub fn hold(&self, name: Option<&str>) -> bool {
        let has = |names: &[Box<str>]| {
            names.iter().any(|one| &**one == "*" || name.is_some_and(|name| &**one == name))
        };
        self.within.as_ref().is_none_or(|within| has(within)) && !has(&self.without)
    }
}

impl Tag {
    #[must_use]
    pub fn holds(&self, metadata: &[(&str, &str)]) -> bool {
        let found = metadata.iter().find(|(key, _)| *key == &*self.key);
        self.values.hold(found.map(|(_, value)| *value))
    }
}

impl Index {
    /// An index for these subjects (by id, each with its teams) and models (by id: name, account).
    #[must_use]
    pub fn new<'a>(
        conditions: Vec<Condition>,
        subjects: &[impl AsRef<[TeamId]>],
        models: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let shape = Shape::of(conditions.len());
        let bitmap = |holds: &dyn Fn(&Condition) -> bool| shape.bitmap(&conditions, holds);
        let ids = (0_u32..).map(SubjectId);
        let by_subject = subjects
            .iter()
            .zip(ids)
            .flat_map(|(teams, id)| bitmap(&|it: &Condition| it.subjects.hold(id, teams.as_ref())));
        let by_subject = by_subject.collect();
        let by_model = models.flat_map(|(name, account)| {
            bitmap(&|it| it.models.hold(Some(name)) && it.accounts.hold(Some(account)))
        });
        let by_model = by_model.collect();
        let of_name =
            |name: Option<&str>| bitmap(&|it| it.models.hold(name) && it.accounts.hold(None));
        let written = |it: &Condition| {
            let names = it.models.within.iter().flatten().chain(&it.models.without);
            names.cloned().collect::<Vec<_>>()
        };
        let names = conditions.iter().flat_map(written);
        let by_name = names.map(|name| {
            let bits = of_name(Some(&*name)).into();
            (name, bits)
        });
        let mut keys: Vec<&str> = Vec::new();
        for tag in conditions.iter().flat_map(|it| &it.metadata) {
            if !keys.contains(&&*tag.key) && keys.len() < KEYS_MAX {
                keys.push(&tag.key);
            }
        }
        let further = |it: &Condition| {
            it.metadata.iter().filter(|tag| !keys.contains(&&*tag.key)).cloned().collect()
        };
        Self {
            shape,
            by_subject,
            by_model,
            by_name: by_name.collect(),
            unnamed: of_name(None),
            by_key: keys.iter().map(|key| Key::of(key, &conditions, shape)).collect(),
            metadata: conditions.iter().map(further).collect(),
            everyone: bitmap(&|_| true),
            subjects: conditions.iter().map(|it| it.subjects.clone()).collect(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shape.words == 0
    }

    /// The rules that hold for a request, in their order.
    ///
    /// **Cost**: no allocation; a look for each key that rules name, up to `KEYS_MAX`, and an `and`
    /// of the bitmaps for each 4,096 rules and for each 64 among which some may hold; for what
    /// rules say of further keys, a look for each rule that is left.
    pub fn matches<'a>(&'a self, facts: Facts<'a>) -> impl Iterator<Item = usize> + use<'a> {
        let rules = self.candidates(&facts);
        rules.filter(move |rule| {
            self.metadata[*rule].iter().all(|tag| tag.holds(facts.metadata))
                && facts.absent.is_none_or(|teams| self.subjects[*rule].hold(facts.subject, teams))
        })
    }

    fn candidates<'a>(&'a self, facts: &Facts<'_>) -> Candidates<'a> {
        let shape = self.shape;
        let mut bitmaps: [&[u64]; BITMAPS_MAX] = [&[]; BITMAPS_MAX];
        bitmaps[0] = match facts.absent {
            None => shape.of_id(&self.by_subject, facts.subject.0),
            Some(_) => &self.everyone,
        };
        bitmaps[1] = match facts.model_id {
            Some(id) => shape.of_id(&self.by_model, id.0),
            None => self.by_name.get(facts.model).map_or(&self.unnamed[..], |bits| bits),
        };
        for (bitmap, key) in bitmaps[2..].iter_mut().zip(&self.by_key) {
            *bitmap = key.bitmap(facts.metadata);
        }
        let count = if shape.words == 0 { 0 } else { 2 + self.by_key.len() };
        Candidates { shape, bitmaps, count, summary: 0, words_left: 0, word: 0, rules_left: 0 }
    }
}

/// The rules whose bits are set in all bitmaps.
struct Candidates<'a> {
    shape: Shape,
    bitmaps: [&'a [u64]; BITMAPS_MAX],
    /// So many of them.
    count: usize,
    /// The next summary.
    summary: usize,
    /// Of the last one, the words that are not looked at yet.
    words_left: u64,
    word: usize,
    /// Of that word, the rules that were not given yet.
    rules_left: u64,
}

impl Candidates<'_> {
    /// This word of all bitmaps together.
    fn common(&self, at: usize) -> u64 {
        let bitmaps = self.bitmaps[..self.count].iter();
        bitmaps.fold(u64::MAX, |all, bitmap| all & bitmap.get(at).copied().unwrap_or(0))
    }
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.rules_left == 0 {
            while self.words_left == 0 {
                if self.count == 0 || self.summary == self.shape.summaries {
                    return None;
                }
                self.words_left = self.common(self.summary);
                self.summary += 1;
            }
            self.word = (self.summary - 1) * 64 + self.words_left.trailing_zeros() as usize;
            self.words_left &= self.words_left - 1;
            self.rules_left = self.common(self.shape.summaries + self.word);
        }
        let bit = self.rules_left.trailing_zeros() as usize;
        self.rules_left &= self.rules_left - 1;
        Some(self.word * 64 + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, Facts, Index, Names, Subjects, Tag};
    use crate::{
        lexicon::ids::{ModelId, SubjectId, TeamId},
        policy::access::Grant,
    };

    const ADA: SubjectId = SubjectId(0);
    const BOB: SubjectId = SubjectId(1);
    const CORE: TeamId = TeamId(3);

    fn names(within: &[&str], without: &[&str]) -> Names {
        let boxed = |names: &[&str]| names.iter().map(|it| (*it).into()).collect::<Box<[_]>>();
        Names { within: (!within.is_empty()).then(|| boxed(within)), without: boxed(without) }
    }

    fn tag(key: &str, values: Names) -> Tag {
        Tag { key: key.into(), values }
    }

    /// Ada is of the core team; there are the models `a/x` and `b/y`.
    fn matched(
        conditions: Vec<Condition>,
        subject: SubjectId,
        model: &str,
        metadata: &[(&str, &str)],
    ) -> Vec<usize> {
        let teams = [vec![CORE], vec![]];
        let models = [("a/x", "a"), ("b/y", "b")];
        let index = Index::new(conditions, &teams, models.into_iter());
        let place = models.iter().position(|(name, _)| *name == model);
        let model_id = place.map(|at| ModelId(u32::try_from(at).expect("small")));
        let absent = None;
        index.matches(Facts { subject, absent, model, model_id, metadata }).collect()
    }

    #[test]
    fn what_is_not_said_holds_for_everything_and_what_is_said_must_all_hold() {
        let core = Grant::new(false, vec![], vec![CORE]);
        let of_core = Subjects { within: Some(core), ..Subjects::default() };
        let conditions = || {
            vec![
                Condition::default(),
                Condition { subjects: of_core.clone(), ..Condition::default() },
                Condition {
                    subjects: of_core.clone(),
                    models: names(&["b/y", "logical"], &[]),
                    ..Condition::default()
                },
                Condition {
                    metadata: [tag("env", names(&["prod"], &[]))].into(),
                    ..Condition::default()
                },
            ]
        };
        assert_eq!(matched(conditions(), ADA, "a/x", &[]), [0, 1]);
        assert_eq!(matched(conditions(), ADA, "b/y", &[("env", "prod")]), [0, 1, 2, 3]);
        assert_eq!(matched(conditions(), ADA, "logical", &[("env", "dev")]), [0, 1, 2]);
        assert_eq!(matched(conditions(), ADA, "other", &[]), [0, 1]);
        assert_eq!(matched(conditions(), BOB, "b/y", &[("env", "prod"), ("x", "y")]), [0, 3]);
    }

    #[test]
    fn keys_of_metadata_that_have_no_bitmaps_are_compared_rule_by_rule() {
        let conditions = || {
            let keyed = (0..super::KEYS_MAX + 4).map(|at| {
                let tags = [tag(&format!("k{at}"), names(&["x", "yy"], &[]))];
                Condition { metadata: tags.into(), ..Condition::default() }
            });
            keyed.collect::<Vec<_>>()
        };
        for (at, _) in conditions().iter().enumerate() {
            let key = format!("k{at}");
            for (value, expected) in [("x", vec![at]), ("yy", vec![at]), ("y", vec![])] {
                assert_eq!(matched(conditions(), ADA, "a/x", &[(&key, value)]), expected, "{key}");
            }
        }
    }

    #[test]
    fn who_is_left_out_is_left_out_of_models_accounts_people_and_metadata() {
        let without = Some(Grant::new(false, vec![BOB], vec![]));
        let bob = Subjects { without, ..Subjects::default() };
        let conditions = || {
            vec![
                Condition { subjects: bob.clone(), ..Condition::default() },
                Condition { models: names(&[], &["a/x"]), ..Condition::default() },
                Condition { accounts: names(&["a"], &[]), ..Condition::default() },
                Condition {
                    metadata: [tag("env", names(&[], &["prod"]))].into(),
                    ..Condition::default()
                },
                Condition { models: names(&["*"], &[]), ..Condition::default() },
            ]
        };
        assert_eq!(matched(conditions(), ADA, "a/x", &[]), [0, 2, 3, 4]);
        assert_eq!(matched(conditions(), BOB, "b/y", &[("env", "prod")]), [1, 4]);
        assert_eq!(matched(conditions(), ADA, "logical", &[]), [0, 1, 3, 4]);
    }

    #[test]
    fn a_set_of_nobody_holds_for_nobody() {
        let nobody = Subjects { within: Some(Grant::default()), ..Subjects::default() };
        let none = Names { within: Some(Box::default()), ..Names::default() };
        let conditions = vec![
            Condition { subjects: nobody, ..Condition::default() },
            Condition { models: none, ..Condition::default() },
        ];
        assert_eq!(matched(conditions, ADA, "a/x", &[]), [0_usize; 0]);
    }

    #[test]
    fn the_order_of_more_rules_than_a_word_has_bits_is_kept() {
        let conditions = vec![Condition::default(); 200];
        assert_eq!(matched(conditions, BOB, "b/y", &[]), (0..200).collect::<Vec<_>>());
    }
}
