//! Where in a document.

/// One step down a tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// What is printed of a key: none of ours is as long, and a line of problems stays one line.
const KEY_CHARS_MAX: usize = 64;

/// The way from the top of a document to one of its nodes.
///
/// **Shape**: printed as `integrations[0].auth_data.type`; the top is printed as nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(Vec<Step>);

impl Path {
    #[must_use]
    pub fn top() -> Self {
        Self::default()
    }

    /// The node behind this key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.down(Step::Key(key.to_owned()))
    }

    /// The node at this place of a list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.down(Step::Index(index))
    }

    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The way without its last step; the top stays the top.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// Does this way lead to, or through, the node at `other`?
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The way with `[]` for every index: what tables of fields are written in.
    #[must_use]
    pub fn pattern(&self) -> String {
        self.print(|_| String::new())
    }

    fn down(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    fn print(&self, index_text: impl Fn(usize) -> String) -> String {
        let mut text = String::new();
        for step in &self.0 {
            match step {
                Step::Index(index) => {
                    text.push('[');
                    text.push_str(&index_text(*index));
                    text.push(']');
                }
                Step::Key(key) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.extend(key.chars().take(KEY_CHARS_MAX).flat_map(char::escape_debug));
                }
            }
        }
        text
    }
}

impl FromIterator<Step> for Path {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.print(|index| index.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_path_prints_as_operators_would_write_it() {
        let path = Path::top().key("integrations").index(3).key("auth_data").key("type");

        assert_eq!(path.to_string(), "integrations[3].auth_data.type");
        assert_eq!(path.pattern(), "integrations[].auth_data.type");
        assert!(path.is_within(&path.parent()));
        assert!(!path.parent().is_within(&path));
        assert_eq!(Path::top().parent(), Path::top());
        assert_eq!(Path::top().key("a\nb").to_string(), "a\\nb");
    }
}
