//! Who may use a model.

use crate::lexicon::ids::{SubjectId, TeamId};

/// A set of subjects, compiled: everyone, or some subjects and the members of some teams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    pub everyone: bool,
    /// Sorted, without duplicates.
    pub subjects: Box<[SubjectId]>,
    /// Sorted, without duplicates.
    pub teams: Box<[TeamId]>,
}

/// Access to one model: granted by its account (or by a permission of a virtual account), and
/// narrowed by the model's own `authorized_subjects` where there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub granted: Grant,
    pub narrowed: Option<Grant>,
}

impl Grant {
    /// A grant of these subjects and teams, in any order.
    #[must_use]
    pub fn new(everyone: bool, mut subjects: Vec<SubjectId>, mut teams: Vec<TeamId>) -> Self {
        subjects.sort_unstable();
        subjects.dedup();
        teams.sort_unstable();
        teams.dedup();
        Self { everyone, subjects: subjects.into(), teams: teams.into() }
    }

    /// Is this subject, a member of these teams, in the set?
    #[must_use]
    pub fn includes(&self, subject: SubjectId, teams: &[TeamId]) -> bool {
        self.everyone
            || self.subjects.binary_search(&subject).is_ok()
            || teams.iter().any(|team| self.teams.binary_search(team).is_ok())
    }
}

impl Access {
    /// May this subject use the model? (An admin may use everything; that is the caller's to ask.)
    #[must_use]
    pub fn allows(&self, subject: SubjectId, teams: &[TeamId]) -> bool {
        self.granted.includes(subject, teams)
            && self.narrowed.as_ref().is_none_or(|narrowed| narrowed.includes(subject, teams))
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Grant};
    use crate::lexicon::ids::{SubjectId, TeamId};

    const ADA: SubjectId = SubjectId(1);
    const BOB: SubjectId = SubjectId(2);
    const CORE: TeamId = TeamId(7);

    #[test]
    fn a_model_of_nobody_is_nobodys() {
        assert!(!Access::default().allows(ADA, &[CORE]));
    }

    #[test]
    fn authorized_subjects_narrow_what_the_account_grants_and_never_widen_it() {
        let core_only = Grant::new(false, vec![], vec![CORE]);
        let ada_only = Grant::new(false, vec![ADA], vec![]);
        let everyone = Grant::new(true, vec![], vec![]);

        let narrowed = Access { granted: everyone, narrowed: Some(ada_only) };
        assert!(narrowed.allows(ADA, &[]));
        assert!(!narrowed.allows(BOB, &[CORE]));

        let widened =
            Access { granted: core_only, narrowed: Some(Grant::new(true, vec![], vec![])) };
        assert!(widened.allows(BOB, &[CORE]));
        assert!(!widened.allows(BOB, &[]));
    }
}
