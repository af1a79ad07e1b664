//! Who there is: users, virtual accounts, teams.
//!
//! A user exists by being named; a virtual account and a team by having a document.

use crate::{
    lexicon::{
        ids::{SubjectId, TeamId},
        meter::MeterKey,
        subject::{Subject, SubjectKind},
    },
    manifest::{
        path::Path,
        read::{Document, Manifest, describe},
    },
    policy::{access::Grant, limit::Team},
    snapshot::{Caller, findings::Findings},
};
use std::collections::HashMap;

/// Everyone who is named, as small integers.
#[derive(Default)]
pub(super) struct People {
    subjects: Vec<Subject>,
    subject_ids: HashMap<Subject, SubjectId>,
    team_names: Vec<Box<str>>,
    team_ids: HashMap<Box<str>, TeamId>,
    teams_of: Vec<Vec<TeamId>>,
}

/// A subject as written in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Everyone,
    Subject(SubjectId),
    Team(TeamId),
}

/// A grant in the making.
#[derive(Clone, Default)]
pub(super) struct Draft {
    everyone: bool,
    subjects: Vec<SubjectId>,
    teams: Vec<TeamId>,
}

/// Kinds of the reference that this build has no subjects of.
const UNBUILT_KINDS: &[&str] =
    &["external-identity", "agent", "agent-identity", "agent-channel-identity", "role"];

impl Draft {
    pub(super) fn add(&mut self, who: Who) {
        match who {
            Who::Everyone => self.everyone = true,
            Who::Subject(id) => self.subjects.push(id),
            Who::Team(id) => self.teams.push(id),
        }
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.everyone |= other.everyone;
        self.subjects.extend(&other.subjects);
        self.teams.extend(&other.teams);
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.everyone && self.subjects.is_empty() && self.teams.is_empty()
    }

    pub(super) fn finish(self) -> Grant {
        Grant::new(self.everyone, self.subjects, self.teams)
    }
}

impl People {
    /// Everyone who has a document of his own.
    pub(super) fn of(documents: &[Document], findings: &mut Findings) -> Self {
        let mut people = Self::default();
        let mut first: HashMap<(&str, &str), &Document> = HashMap::new();
        for document in documents {
            let (kind, name) = match &document.manifest {
                Manifest::Team(team) => ("team", team.name.as_str()),
                Manifest::VirtualAccount(account) => ("virtualaccount", account.name.as_str()),
                Manifest::PersonalAccessToken(token) => ("token", token.name.as_str()),
                _ => continue,
            };
            let path = Path::top().key("name");
            if let Some(first) = first.get(&(kind, name)) {
                findings.twice(document, &path, &first.origin, "");
                continue;
            }
            first.insert((kind, name), document);
            if !is_name(name) {
                let found = describe(&document.tree, &path);
                findings.error(document, &path, found, "a name without spaces", "");
            } else if kind == "team" && name == "everyone" {
                let hint = "team:everyone is the whole organisation";
                findings.error(document, &path, "\"everyone\"", "another name", hint);
            } else if kind == "team" {
                people.team_ids.insert(name.into(), TeamId(count(people.team_names.len())));
                people.team_names.push(name.into());
            } else if kind == "virtualaccount" {
                people.id_of(Subject { kind: SubjectKind::VirtualAccount, name: name.into() });
            }
        }
        for document in documents {
            people.enrol(document, findings);
        }
        people
    }

    /// Members and managers of a team.
    fn enrol(&mut self, document: &Document, findings: &mut Findings) {
        let Manifest::Team(team) = &document.manifest else { return };
        let Some(team_id) = self.team_ids.get(team.name.as_str()).copied() else { return };
        let managers = team.managers.iter().flatten().enumerate();
        let members = team.members.iter().enumerate();
        let named = members
            .map(|(index, text)| (Path::top().key("members").index(index), text))
            .chain(managers.map(|(i, text)| (Path::top().key("managers").index(i), text)));
        for (path, text) in named {
            match self.who(document, &path, text, true, findings) {
                Some(Who::Subject(id)) => self.teams_of[id.0 as usize].push(team_id),
                Some(Who::Team(_) | Who::Everyone) => {
                    let found = describe(&document.tree, &path);
                    findings.error(document, &path, found, "a user or a virtual account", "");
                }
                None => {}
            }
        }
    }

    /// The subject written at `path`; `is_bare_user` where a name without a kind is a user's.
    pub(super) fn who(
        &mut self,
        document: &Document,
        path: &Path,
        written: &str,
        is_bare_user: bool,
        findings: &mut Findings,
    ) -> Option<Who> {
        if matches!(written, "*" | "team:everyone") {
            return Some(Who::Everyone);
        }
        if written.split_once(':').is_some_and(|(kind, _)| UNBUILT_KINDS.contains(&kind)) {
            let found = describe(&document.tree, path);
            findings.warn(document, path, found, "user, team or virtualaccount", "not obeyed yet");
            return None;
        }
        let text = if is_bare_user && !written.contains(':') {
            format!("user:{written}")
        } else {
            written.to_owned()
        };
        let subject = match text.parse::<Subject>() {
            Ok(subject) => subject,
            Err(why) => {
                findings.error(document, path, describe(&document.tree, path), "KIND:NAME", why);
                return None;
            }
        };
        match subject.kind {
            SubjectKind::Team => {
                let id = self.team_ids.get(&subject.name).copied();
                if id.is_none() {
                    let found = describe(&document.tree, path);
                    findings.warn(document, path, found, "a team that has a document", "");
                }
                id.map(Who::Team)
            }
            SubjectKind::VirtualAccount if !self.subject_ids.contains_key(&subject) => {
                let found = describe(&document.tree, path);
                findings.warn(document, path, found, "a virtual account that has a document", "");
                None
            }
            SubjectKind::VirtualAccount | SubjectKind::User => {
                Some(Who::Subject(self.id_of(subject)))
            }
        }
    }

    /// The draft of a grant to everyone in this list.
    pub(super) fn draft(
        &mut self,
        document: &Document,
        path: &Path,
        written: &[String],
        is_bare_user: bool,
        findings: &mut Findings,
    ) -> Draft {
        let mut draft = Draft::default();
        for (index, text) in written.iter().enumerate() {
            if let Some(who) = self.who(document, &path.index(index), text, is_bare_user, findings)
            {
                draft.add(who);
            }
        }
        draft
    }

    pub(super) fn virtual_account(&self, name: &str) -> Option<SubjectId> {
        let subject = Subject { kind: SubjectKind::VirtualAccount, name: name.into() };
        self.subject_ids.get(&subject).copied()
    }

    pub(super) fn team(&self, name: &str) -> Option<TeamId> {
        self.team_ids.get(name).copied()
    }

    /// By `TeamId`.
    pub(super) fn teams(&self) -> Vec<Team> {
        self.team_names.iter().map(|name| Team::new(name)).collect()
    }

    fn id_of(&mut self, subject: Subject) -> SubjectId {
        if let Some(id) = self.subject_ids.get(&subject) {
            return *id;
        }
        let id = SubjectId(count(self.subjects.len()));
        self.subjects.push(subject.clone());
        self.subject_ids.insert(subject, id);
        self.teams_of.push(Vec::new());
        id
    }

    /// The callers, by their ids. `admins` and `metadata` are asked once all are known.
    pub(super) fn finish(
        self,
        admins: &Grant,
        metadata: impl Fn(SubjectId, &[TeamId]) -> Box<[(Box<str>, Box<str>)]>,
    ) -> Vec<Caller> {
        let names = &self.team_names;
        let caller = |(index, (subject, mut teams)): (usize, (Subject, Vec<TeamId>))| {
            let id = SubjectId(count(index));
            teams.sort_unstable();
            teams.dedup();
            let labels: Vec<&str> = teams.iter().map(|team| &*names[team.0 as usize]).collect();
            Caller {
                key: MeterKey::of(&["subject", &subject.to_string()]),
                is_user: subject.kind == SubjectKind::User,
                subject: subject.to_string().into(),
                teams_label: labels.join(",").into(),
                is_admin: admins.includes(id, &teams),
                metadata: metadata(id, &teams),
                teams: teams.into(),
            }
        };
        self.subjects.into_iter().zip(self.teams_of).enumerate().map(caller).collect()
    }
}

/// What meters know a user by, whether named `user:ada` or `ada`.
pub(super) fn user_key(name: &str) -> MeterKey {
    let name = name.strip_prefix("user:").unwrap_or(name);
    MeterKey::of(&["subject", &format!("user:{name}")])
}

/// The same of a virtual account.
pub(super) fn virtual_account_key(name: &str) -> MeterKey {
    let bare = ["virtualaccount:", "virtual-account:"].iter().find_map(|it| name.strip_prefix(it));
    MeterKey::of(&["subject", &format!("virtualaccount:{}", bare.unwrap_or(name))])
}

/// May this be a name at all?
pub(super) fn is_name(text: &str) -> bool {
    (1..=200).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Ids are `u32`; a file of 4 MiB has no room for as many names.
pub(super) fn count(length: usize) -> u32 {
    u32::try_from(length).expect("manifests are bounded well below 2^32 names")
}
