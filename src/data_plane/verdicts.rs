//! What policy says of requests like one that this core has seen before.
//!
//! Callers repeat themselves: the same key asks for the same model with the same metadata. What
//! depends on nothing else is worked out once: the metadata that holds, and the [`Verdict`] of the
//! rules. An entry is found by a hash and known by the very bytes it was made from and by the
//! version of its snapshot, so that nothing is taken for another and nothing outlives its snapshot.

use crate::{
    data_plane::stage::directives,
    lexicon::{ids::SubjectId, refusal::Refused},
    policy::metadata::{self, Pairs},
    snapshot::{Snapshot, names::NameHasher, verdict::Verdict},
    wire::json::flat,
};
use std::hash::Hasher;

/// Two entries each: those of a thousand callers, models and metadata that take turns.
const SETS: usize = 512;
/// Names and headers longer than these together are not remembered, so that all entries of a core
/// take a few megabytes at most.
const SOUGHT_BYTES_MAX: usize = 1 << 10;

/// What is known of a request.
pub struct Known<'a> {
    /// With what operators decided over it.
    pub metadata: Pairs<'a>,
    pub verdict: &'a Verdict,
}

/// A core's memory of verdicts.
pub struct Verdicts {
    /// Of each set the one used last stands first.
    sets: Box<[[Option<Box<Entry>>; 2]]>,
    /// For what is not remembered.
    spare: Box<Entry>,
}

/// What an entry is known by.
#[derive(Clone, Copy)]
struct Sought<'a> {
    version: u64,
    subject: SubjectId,
    name: &'a str,
    /// `x-tfy-metadata`, as it came.
    header: Option<&'a [u8]>,
}

#[derive(Default)]
struct Entry {
    /// None while it says nothing.
    of: Option<(u64, SubjectId)>,
    name: String,
    header: Vec<u8>,
    has_header: bool,
    /// Keys and values, one behind the other.
    texts: String,
    /// Of each pair, the ends of its key and its value.
    ends: Vec<(usize, usize)>,
    verdict: Verdict,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self { sets: (0..SETS).map(|_| [None, None]).collect(), spare: Box::default() }
    }
}

impl Verdicts {
    /// What is known of a request of `subject` for `name`, whose metadata header is `header`.
    ///
    /// # Errors
    /// `InvalidMetadata` naming the key; that is not remembered.
    ///
    /// **Cost**: a hash and a comparison of name and header, where it is known; else as parsing the
    /// header and matching the rules. No allocation once an entry's parts have grown.
    pub fn look<'a>(
        &'a mut self,
        snapshot: &Snapshot,
        subject: SubjectId,
        name: &str,
        header: Option<&[u8]>,
    ) -> Result<Known<'a>, Refused> {
        let sought = Sought { version: snapshot.version, subject, name, header };
        let (entry, is_known) = self.entry(&sought);
        if !is_known {
            entry.set(snapshot, &sought)?;
        }
        Ok(Known { metadata: entry.metadata(), verdict: &entry.verdict })
    }

    /// The entry of what is sought, or the one that makes room for it.
    fn entry(&mut self, sought: &Sought<'_>) -> (&mut Entry, bool) {
        let bytes = sought.name.len() + sought.header.map_or(0, <[u8]>::len);
        if bytes > SOUGHT_BYTES_MAX {
            return (&mut self.spare, false);
        }
        let set = &mut self.sets[sought.set()];
        let is_sought = |it: &Option<Box<Entry>>| it.as_ref().is_some_and(|it| it.is(sought));
        let mut is_known = is_sought(&set[0]);
        if !is_known {
            set.swap(0, 1);
            is_known = is_sought(&set[0]);
        }
        (set[0].get_or_insert_default(), is_known)
    }
}

impl Sought<'_> {
    fn set(&self) -> usize {
        let mut hasher = NameHasher::default();
        hasher.write(self.name.as_bytes());
        hasher.write(self.header.unwrap_or_default());
        let hash = hasher.finish() ^ u64::from(self.subject.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(hash >> 32).unwrap_or_default() % SETS
    }
}

impl Entry {
    fn is(&self, sought: &Sought<'_>) -> bool {
        self.of == Some((sought.version, sought.subject))
            && self.has_header == sought.header.is_some()
            && self.name == sought.name
            && self.header == sought.header.unwrap_or_default()
    }

    fn metadata(&self) -> Pairs<'_> {
        let mut at = 0;
        let pairs = self.ends.iter().map(|(key, value)| {
            let start = std::mem::replace(&mut at, *value);
            (&self.texts[start..*key], &self.texts[*key..*value])
        });
        pairs.collect()
    }

    #[inline(never)]
    fn set(&mut self, snapshot: &Snapshot, sought: &Sought<'_>) -> Result<(), Refused> {
        // What is refused midway is not remembered.
        self.of = None;
        let Sought { version, subject, name, header } = *sought;
        let sent = header.map_or_else(|| Ok(flat::Pairs::new()), directives::metadata)?;
        let sent = sent.iter().map(|(key, value)| (&**key, &**value));
        let metadata = metadata::merge(sent, &snapshot.caller(subject).metadata);
        self.verdict.set(snapshot, &snapshot.matter(subject, name, &metadata));
        self.texts.clear();
        self.ends.clear();
        for (key, value) in &metadata {
            self.texts.push_str(key);
            let end = self.texts.len();
            self.texts.push_str(value);
            self.ends.push((end, self.texts.len()));
        }
        name.clone_into(&mut self.name);
        self.header.clear();
        self.header.extend_from_slice(header.unwrap_or_default());
        self.has_header = header.is_some();
        self.of = Some((version, subject));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Verdicts;
    use crate::{
        data_plane::stage::directives,
        lexicon::{
            ids::SubjectId,
            meter::{MeterKey, Window},
        },
        policy::{
            access::Grant,
            condition::{Condition, Index, Names, Subjects, Tag},
            limit::{Counts, Entity, Limit, Limits},
            metadata,
        },
        snapshot::{Caller, Snapshot, verdict::Verdict},
    };
    use proptest::{
        collection::vec,
        prelude::{Strategy, prop_assert_eq, proptest},
        sample::select,
    };

    const NAMES: [&str; 3] = ["one", "two", "on"];
    const HEADERS: [Option<&str>; 7] = [
        None,
        Some("{}"),
        Some(r#"{"env":"prod"}"#),
        Some(r#"{"env":"dev"}"#),
        Some(r#" {"env":"dev"}"#),
        Some(r#"{"env":"prod","team":"mine"}"#),
        Some(r#"{"env":7}"#),
    ];

    fn names(of: &[&str]) -> Names {
        Names { within: Some(of.iter().map(|it| (*it).into()).collect()), without: Box::default() }
    }

    /// Two callers, of which the second's team is decided; three limits, which `turn` by version.
    fn snapshot(version: u64) -> Snapshot {
        let caller = |name: &str, decided: &[(&str, &str)]| Caller {
            subject: name.into(),
            key: MeterKey::of(&[name]),
            is_user: true,
            teams: Box::default(),
            teams_label: "".into(),
            is_admin: false,
            metadata: decided.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        };
        let callers = vec![caller("ada", &[]), caller("bob", &[("team", "core")])];
        let within = Some(Grant::new(false, vec![SubjectId(1)], vec![]));
        let tag = |value: &str| Tag { key: "env".into(), values: names(&[value]) };
        let mut conditions = vec![
            Condition { metadata: [tag("prod")].into(), ..Condition::default() },
            Condition { models: names(&["two"]), ..Condition::default() },
            Condition {
                subjects: Subjects { within, ..Subjects::default() },
                ..Condition::default()
            },
        ];
        let mut ids = ["prod", "two", "bob"];
        let turn = usize::try_from(version).unwrap_or_default() % 3;
        conditions.rotate_left(turn);
        ids.rotate_left(turn);
        let limit = |id: &str| Limit {
            id: id.into(),
            applied: "{}".into(),
            key: MeterKey::of(&[id]),
            counts: Counts::Requests,
            window: Window::Sliding { bucket_ms: 1 },
            limit_to: 1,
            is_strict: false,
            applies_per: match turn {
                0 => [Entity::Metadata("team".into())].into(),
                _ => [Entity::Model].into(),
            },
        };
        let index = Index::new(conditions, &callers, std::iter::empty());
        let limits = Limits { index, limits: ids.into_iter().map(limit).collect() };
        Snapshot { version, callers, limits, ..Snapshot::default() }
    }

    /// Caller, name, header, version.
    fn asked() -> impl Strategy<Value = (u32, &'static str, Option<&'static str>, u64)> {
        (0..2_u32, select(&NAMES[..]), select(&HEADERS[..]), 1..4_u64)
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_what_would_be_worked_out_anew(asked in vec(asked(), 1..200)) {
            let snapshots = [1, 2, 3].map(snapshot);
            let mut verdicts = Verdicts::default();

            for (subject, name, header, version) in asked {
                let snapshot = &snapshots[usize::try_from(version).expect("small") - 1];
                let (subject, header) = (SubjectId(subject), header.map(str::as_bytes));
                let known = verdicts.look(snapshot, subject, name, header);

                let Ok(sent) = directives::metadata(header.unwrap_or(b"{}")) else {
                    prop_assert_eq!(known.is_err(), true);
                    continue;
                };
                let sent = sent.iter().map(|(key, value)| (&**key, &**value));
                let merged = metadata::merge(sent, &snapshot.caller(subject).metadata);
                let mut fresh = Verdict::default();
                fresh.set(snapshot, &snapshot.matter(subject, name, &merged));
                let Ok(known) = known else { panic!("{name} {header:?} is sound") };
                prop_assert_eq!(known.verdict, &fresh);
                prop_assert_eq!(&known.metadata[..], &merged[..]);
            }
        }
    }

    #[test]
    fn what_is_known_is_not_worked_out_again_and_what_is_too_long_is_not_remembered() {
        let snapshot = snapshot(1);
        let mut verdicts = Verdicts::default();
        let long = format!("{{\"env\":\"{}\"}}", "x".repeat(100));
        let longer = format!("{{\"a\":\"{}\"{}}}", "x".repeat(100), " ".repeat(1 << 10));

        let places = [&long, &long, &longer].map(|header| {
            let known = verdicts.look(&snapshot, SubjectId(0), "one", Some(header.as_bytes()));
            let Ok(known) = known else { panic!("it is sound") };
            std::ptr::from_ref(known.verdict)
        });

        assert_eq!(places[0], places[1]);
        assert_ne!(places[1], places[2]);
        let spare: *const Verdict = &raw const verdicts.spare.verdict;
        assert_eq!(places[2], spare);
    }
}
