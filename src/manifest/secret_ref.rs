//! The name of a secret that is kept elsewhere.

use crate::manifest::tree::Node;

/// What every reference begins with.
pub const SCHEME: &str = "tfy-secret://";

/// The name of a secret.
///
/// **Shape**: `tfy-secret://TENANT:GROUP:KEY`. No part is empty, is `.` or `..`, or has a slash,
/// a backslash, a space or a control character in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    pub tenant: Box<str>,
    pub group: Box<str>,
    pub key: Box<str>,
}

impl std::str::FromStr for SecretRef {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.strip_prefix(SCHEME).ok_or(())?.split(':');
        let (Some(tenant), Some(group), Some(key), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        if [tenant, group, key].into_iter().all(is_plain) {
            Ok(Self { tenant: tenant.into(), group: group.into(), key: key.into() })
        } else {
            Err(())
        }
    }
}

impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}{}:{}:{}", self.tenant, self.group, self.key)
    }
}

/// Every secret that these trees name, sorted, each once.
#[must_use]
pub fn named<'a>(trees: impl Iterator<Item = &'a Node>) -> Vec<SecretRef> {
    let mut names = Vec::new();
    for tree in trees {
        tree.each_text(&mut |text| names.extend(text.parse::<SecretRef>()));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Parts become file names, so what could leave a folder is refused here already.
fn is_plain(part: &str) -> bool {
    !matches!(part, "" | "." | "..")
        && !part.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '/' | '\\'))
}

#[cfg(test)]
mod tests {
    use super::SecretRef;

    #[test]
    fn a_reference_reads_back_as_printed() {
        let text = "tfy-secret://acme:llm:OPENAI_API_KEY";
        assert_eq!(text.parse::<SecretRef>().expect(text).to_string(), text);
    }

    #[test]
    fn a_reference_that_could_leave_its_folder_is_none() {
        for text in [
            "tfy-secret://acme:llm",
            "tfy-secret://acme:llm:KEY:MORE",
            "tfy-secret://acme:..:KEY",
            "tfy-secret://acme:llm:../../etc/passwd",
            "tfy-secret://acme:a/b:KEY",
            "tfy-secret://acme:a\\b:KEY",
            "tfy-secret://acme::KEY",
            "sk-live",
        ] {
            assert_eq!(text.parse::<SecretRef>(), Err(()), "{text}");
        }
    }
}
