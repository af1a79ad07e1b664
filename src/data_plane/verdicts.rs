//! What policy says of requests like one that this core has seen before.
//!
//! Callers repeat themselves: the same key asks for the same model with the same metadata. What
//! depends on nothing else is worked out once: the metadata that holds, and the [`Verdict`] of the
//! rules. It is found by a hash and known by the very bytes it was made from and by the version of
//! its snapshot, so that nothing is taken for another and nothing outlives its snapshot.

use crate::{
    bridge::{quota::share::Handle, receipts::pairs::Encoded},
    data_plane::stage::{admit::Told, directives},
    lexicon::{ids::SubjectId, refusal::Refused, time::UnixMillis},
    policy::metadata::{self, Pairs},
    snapshot::{Snapshot, names::NameHasher, verdict::Verdict},
    wire::json::flat,
};
use std::{
    cell::{Cell, RefCell},
    hash::Hasher,
    rc::Rc,
};

/// Two entries each: those of a thousand callers, models and metadata that take turns.
const SETS: usize = 512;
/// Names and headers longer than these together are not remembered, so that all entries of a core
/// take a few megabytes at most.
const SOUGHT_BYTES_MAX: usize = 1 << 10;

/// A core's memory of verdicts.
pub struct Verdicts {
    /// Of each set the one used last stands first.
    sets: Box<[[Option<Rc<Known>>; 2]]>,
}

/// What is known of requests that are alike.
#[derive(Default)]
pub struct Known {
    pub verdict: Verdict,
    /// Where this core found the meter of each of the verdict's caps last, then of its limit.
    pub meters: Vec<Cell<Handle>>,
    /// Up to then they are meters of periods that hold.
    until: Cell<UnixMillis>,
    /// How clients were told of the limit last.
    pub told: RefCell<Told>,
    /// The metadata, for receipts.
    pub encoded: Encoded,
    /// None while it says nothing.
    of: Option<(u64, SubjectId)>,
    name: String,
    header: Vec<u8>,
    has_header: bool,
    /// Keys and values, one behind the other.
    texts: String,
    /// Of each pair, the ends of its key and its value.
    ends: Vec<(usize, usize)>,
}

/// What it is known by.
#[derive(Clone, Copy)]
struct Sought<'a> {
    version: u64,
    subject: SubjectId,
    name: &'a str,
    /// `x-tfy-metadata`, as it came.
    header: Option<&'a [u8]>,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self { sets: (0..SETS).map(|_| [None, None]).collect() }
    }
}

impl Verdicts {
    /// What is known of a request of `subject` for `name`, whose metadata header is `header`; none
    /// where there is no metadata and no rule that could concern it.
    ///
    /// # Errors
    /// `InvalidMetadata` naming the key; that is not remembered.
    ///
    /// **Cost**: a hash and a comparison of name and header, where it is known; else as parsing the
    /// header and matching the rules. It allocates where it grows, or where the exchange that used
    /// the place last still goes on.
    #[inline]
    pub fn look(
        &mut self,
        snapshot: &Snapshot,
        subject: SubjectId,
        name: &str,
        header: Option<&[u8]>,
    ) -> Result<Option<Rc<Known>>, Refused> {
        let has_metadata = header.is_some() || !snapshot.caller(subject).metadata.is_empty();
        if !has_metadata && !snapshot.has_rules() {
            return Ok(None);
        }
        self.find(snapshot, &Sought { version: snapshot.version, subject, name, header }).map(Some)
    }

    fn find(&mut self, snapshot: &Snapshot, sought: &Sought<'_>) -> Result<Rc<Known>, Refused> {
        if sought.bytes() > SOUGHT_BYTES_MAX {
            let mut known = Known::default();
            known.set(snapshot, sought)?;
            return Ok(Rc::new(known));
        }
        let set = &mut self.sets[sought.set()];
        for at in 0..2 {
            if let Some(known) = set[at].as_ref().filter(|it| it.is(sought)) {
                let known = Rc::clone(known);
                if at > 0 {
                    set.swap(0, at);
                }
                return Ok(known);
            }
        }
        // The other one makes room.
        set.swap(0, 1);
        renew(&mut set[0], snapshot, sought)
    }
}

#[inline(never)]
fn renew(
    place: &mut Option<Rc<Known>>,
    snapshot: &Snapshot,
    sought: &Sought<'_>,
) -> Result<Rc<Known>, Refused> {
    let known = place.get_or_insert_default();
    if let Some(own) = Rc::get_mut(known) {
        own.set(snapshot, sought)?;
    } else {
        let mut own = Known::default();
        own.set(snapshot, sought)?;
        *known = Rc::new(own);
    }
    Ok(Rc::clone(known))
}

impl Sought<'_> {
    fn bytes(&self) -> usize {
        self.name.len() + self.header.map_or(0, <[u8]>::len)
    }

    fn set(&self) -> usize {
        let mut hasher = NameHasher::default();
        hasher.write(self.name.as_bytes());
        hasher.write(self.header.unwrap_or_default());
        let hash = hasher.finish() ^ u64::from(self.subject.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(hash >> 32).unwrap_or_default() % SETS
    }
}

impl Known {
    /// With what operators decided over it.
    #[must_use]
    #[inline]
    pub fn metadata(&self) -> Pairs<'_> {
        let mut pairs = Pairs::new();
        let mut at = 0;
        for (key, value) in &self.ends {
            pairs.push((&self.texts[at..*key], &self.texts[*key..*value]));
            at = *value;
        }
        pairs
    }

    /// Until `until` the same periods hold: where meters of others were is forgotten.
    #[inline]
    pub fn hold_until(&self, until: UnixMillis) {
        if self.until.replace(until) != until {
            self.meters.iter().for_each(|meter| meter.set(Handle::default()));
        }
    }

    fn is(&self, sought: &Sought<'_>) -> bool {
        self.of == Some((sought.version, sought.subject))
            && self.has_header == sought.header.is_some()
            && self.name == sought.name
            && self.header == sought.header.unwrap_or_default()
    }

    fn set(&mut self, snapshot: &Snapshot, sought: &Sought<'_>) -> Result<(), Refused> {
        // What is refused midway is not remembered.
        self.of = None;
        let Sought { version, subject, name, header } = *sought;
        let sent = header.map_or_else(|| Ok(flat::Pairs::new()), directives::metadata)?;
        let sent = sent.iter().map(|(key, value)| (&**key, &**value));
        let metadata = metadata::merge(sent, &snapshot.caller(subject).metadata);
        self.verdict.set(snapshot, &snapshot.matter(subject, name, &metadata));
        self.meters.clear();
        self.meters.resize(self.verdict.caps.len() + 1, Cell::default());
        self.told.get_mut().clear();
        self.encoded.set(&metadata);
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
    use std::rc::Rc;

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
                let Ok(Some(known)) = known else { panic!("{name} {header:?} is sound") };
                prop_assert_eq!(&known.verdict, &fresh);
                prop_assert_eq!(&known.metadata()[..], &merged[..]);
            }
        }
    }

    #[test]
    fn what_is_known_is_not_worked_out_again_and_what_is_too_long_is_not_remembered() {
        let snapshot = snapshot(1);
        let mut verdicts = Verdicts::default();
        let header = format!("{{\"env\":\"{}\"}}", "x".repeat(100));
        let long = format!("{header}{}", " ".repeat(1 << 10));
        let mut look = |header: &str| {
            let known = verdicts.look(&snapshot, SubjectId(0), "one", Some(header.as_bytes()));
            let Ok(Some(known)) = known else { panic!("it is sound") };
            known
        };

        let (first, again) = (look(&header), look(&header));
        let (long_first, long_again) = (look(&long), look(&long));

        assert!(Rc::ptr_eq(&first, &again));
        assert!(!Rc::ptr_eq(&long_first, &long_again));
        assert_eq!(long_first.metadata(), first.metadata());
    }

    #[test]
    fn an_exchange_keeps_what_it_was_told_when_its_place_is_taken() {
        let snapshots = [1, 2].map(snapshot);
        let mut verdicts = Verdicts::default();
        let mut look = |at: usize| {
            let known = verdicts.look(&snapshots[at], SubjectId(0), "two", Some(b"{}"));
            let Ok(Some(known)) = known else { panic!("it is sound") };
            known
        };

        let kept = look(0);
        let before = kept.verdict.clone();
        let others = [look(1), look(0), look(1), look(0)];

        assert_eq!(kept.verdict, before);
        assert_ne!(others[0].verdict, before, "the rules have turned");
        assert_eq!(others[1].verdict, before);
    }

    #[test]
    fn where_no_rule_and_no_metadata_is_nothing_is_looked_for() {
        let ruled = snapshot(1);
        let plain = Snapshot { callers: ruled.callers.clone(), ..Snapshot::default() };
        let mut verdicts = Verdicts::default();
        let mut has = |snapshot: &Snapshot, subject: u32, header: Option<&[u8]>| {
            matches!(verdicts.look(snapshot, SubjectId(subject), "one", header), Ok(Some(_)))
        };

        assert!(!has(&plain, 0, None));
        assert!(has(&plain, 1, None), "its team is decided");
        assert!(has(&plain, 0, Some(b"{}")));
        assert!(has(&ruled, 0, None));
    }
}
