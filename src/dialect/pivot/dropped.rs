//! What could not be said in the other language: a list of names, never silence.

use std::borrow::Cow;

/// Names kept; beyond them only their number counts. A header has room for about as many.
const NAMES_MAX: usize = 64;
/// Room for the number of those that have none.
const BEYOND_BYTES_MAX: usize = 12;
/// A name is a path of fields; more of it is not told.
const NAME_BYTES_MAX: usize = 96;

/// Fields that were left out, by their paths: `logit_bias`, `messages[2].content[0].input_audio`.
///
/// **Cost**: a pointer; nothing is allocated before the first name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped(Option<Box<Names>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    names: Vec<Cow<'static, str>>,
    /// How many more there were.
    beyond: usize,
}

impl Dropped {
    /// Name a field, once.
    pub fn name(&mut self, name: impl Into<Cow<'static, str>>) {
        let mut name = name.into();
        if name.len() > NAME_BYTES_MAX {
            let end = name.floor_char_boundary(NAME_BYTES_MAX);
            name = Cow::Owned(name[..end].to_owned());
        }
        let Names { names, beyond } = &mut **self.0.get_or_insert_default();
        if names.contains(&name) {
            return;
        }
        if names.len() < NAMES_MAX { names.push(name) } else { *beyond += 1 }
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|all| &all.names).map(|name| &**name)
    }

    /// The names, fit for a header: what is no visible ASCII, or a comma, becomes `?`.
    ///
    /// **Shape**: `logit_bias, seed, +3` where three more were left unnamed.
    pub fn push(&self, out: &mut Vec<u8>) {
        self.push_within(out, usize::MAX);
    }

    /// The same in so many bytes at most; names that no longer fit are counted.
    pub fn push_within(&self, out: &mut Vec<u8>, bytes_max: usize) {
        let begin = out.len();
        let mut beyond = self.0.as_deref().map_or(0, |names| names.beyond);
        for name in self.iter() {
            let comma: &[u8] = if out.len() > begin { b", " } else { b"" };
            let bytes = out.len() - begin + comma.len() + name.len();
            if bytes > bytes_max.saturating_sub(BEYOND_BYTES_MAX) {
                beyond += 1;
                continue;
            }
            out.extend_from_slice(comma);
            let clean =
                |byte: u8| if byte.is_ascii_graphic() && byte != b',' { byte } else { b'?' };
            out.extend(name.bytes().map(clean));
        }
        if beyond > 0 {
            let comma = if out.len() > begin { ", " } else { "" };
            out.extend_from_slice(format!("{comma}+{beyond}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dropped, NAMES_MAX};

    fn pushed(dropped: &Dropped) -> String {
        let mut out = Vec::new();
        dropped.push(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn a_name_is_told_once_and_cannot_break_a_header() {
        let mut dropped = Dropped::default();
        for name in ["seed", "a\r\nb, c", "seed", "é"] {
            dropped.name(name.to_owned());
        }
        assert_eq!(pushed(&dropped), "seed, a??b??c, ??");
    }

    #[test]
    fn the_list_is_bounded_and_says_so() {
        let mut dropped = Dropped::default();
        for index in 0..NAMES_MAX + 3 {
            dropped.name(format!("x[{index}]"));
        }
        assert!(pushed(&dropped).ends_with("x[63], +3"));
        dropped.name("y".repeat(10_000));
        assert!(pushed(&dropped).len() < 1_000);
        for bytes_max in [20, 62, 100] {
            let mut out = Vec::new();
            dropped.push_within(&mut out, bytes_max);
            let told = String::from_utf8(out).expect("ASCII");
            assert!(told.starts_with("x[0], ") && told.len() <= bytes_max, "{told}");
            let named = told.split(", ").filter(|name| name.starts_with('x')).count();
            assert!(told.ends_with(&format!(", +{}", NAMES_MAX + 4 - named)), "{told}");
        }
    }
}
