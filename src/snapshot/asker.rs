//! Who asked, by a stored receipt: a caller of today, or one who is gone.
//!
//! What was spent stays spent when a key is revoked and its caller removed: rules that are for all,
//! or for a team, go on counting it.

use crate::{
    lexicon::{
        ids::{SubjectId, TeamId},
        meter::MeterKey,
    },
    policy::{condition::Facts, limit::Entities},
    snapshot::{Matter, Snapshot},
};

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker<'a> {
    Present(SubjectId),
    Gone {
        /// `user:…` or `virtualaccount:…`.
        subject: &'a str,
        /// Those of its teams that are left.
        teams: Vec<TeamId>,
    },
}

impl<'a> Asker<'a> {
    /// The one of this name, and of these teams (joined by commas) where nobody has that name now.
    #[must_use]
    pub fn of(
        snapshot: &Snapshot,
        present: Option<SubjectId>,
        subject: &'a str,
        teams: &str,
    ) -> Self {
        if let Some(id) = present {
            return Self::Present(id);
        }
        let is_own = |name: &str| teams.split(',').any(|own| own == name);
        let own = (0..).zip(&snapshot.teams).filter(|(_, team)| is_own(&team.name));
        Self::Gone { subject, teams: own.map(|(id, _)| TeamId(id)).collect() }
    }

    /// What rules see of its request for this model.
    ///
    /// **Cost**: of who is gone, a block of SHA-256.
    #[must_use]
    pub fn matter<'m>(
        &'m self,
        snapshot: &'m Snapshot,
        model: &'m str,
        metadata: &'m [(&'m str, &'m str)],
    ) -> Matter<'m> {
        let (subject, teams) = match self {
            Self::Present(id) => return snapshot.matter(*id, model, metadata),
            Self::Gone { subject, teams } => (*subject, teams),
        };
        let model_id = snapshot.model_names.get(model).copied();
        let named = || MeterKey::of(&["model", model]);
        let entities = Entities {
            caller: MeterKey::of(&["subject", subject]),
            is_user: subject.starts_with("user:"),
            model: model_id.map_or_else(named, |id| snapshot.model(id).key),
            metadata,
            teams: &snapshot.teams,
            caller_teams: teams,
        };
        let (absent, gone) = (Some(&teams[..]), SubjectId::ABSENT);
        Matter {
            facts: Facts { subject: gone, absent, model, model_id, metadata },
            entities,
            subject,
        }
    }
}
