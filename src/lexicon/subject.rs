//! Who asks, as operators write it: `user:ada@example.com`, `virtualaccount:billing`, `team:core`.

/// The kind of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectKind {
    User,
    VirtualAccount,
    Team,
}

/// A subject: kind and name.
///
/// **Shape**: `KIND:NAME`. `virtual-account:` and `serviceaccount:` are older spellings of
/// `virtualaccount:`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub kind: SubjectKind,
    pub name: Box<str>,
}

impl SubjectKind {
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::VirtualAccount => "virtualaccount",
            Self::Team => "team",
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind.label(), self.name)
    }
}

impl std::str::FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text
            .split_once(':')
            .ok_or("a subject is KIND:NAME, e.g. user:you@example.com or virtualaccount:billing")?;
        let kind = match kind {
            "user" => SubjectKind::User,
            "virtualaccount" | "virtual-account" | "serviceaccount" => SubjectKind::VirtualAccount,
            "team" => SubjectKind::Team,
            _ => return Err(format!("unknown kind {kind:?}: use user, virtualaccount or team")),
        };
        if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("the name after the colon is empty or has spaces in it".to_owned());
        }
        Ok(Self { kind, name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Subject, SubjectKind};

    #[test]
    fn older_spellings_of_a_virtual_account_are_one_kind() {
        for text in ["virtualaccount:a", "virtual-account:a", "serviceaccount:a"] {
            let subject: Subject = text.parse().expect(text);
            assert_eq!(subject.kind, SubjectKind::VirtualAccount);
            assert_eq!(subject.to_string(), "virtualaccount:a");
        }
    }

    #[test]
    fn a_subject_without_kind_or_name_is_an_error() {
        for text in ["", "ada", "user:", "robot:x", "user:a b", "user:a\n"] {
            assert!(text.parse::<Subject>().is_err(), "{text:?}");
        }
    }
}
