//! Tricks: words in a model's name that bend its answer.
//!
//! **Grammar**: a model's name is split at every character that is no letter or digit; a trick is a
//! word of letters followed by up to two numbers (joined by `x`): `e429`, `stall`, `paced100x50`.
//! Unknown words mean nothing, so `gpt-4o-mini` is a plain name.

/// One word of a model's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trick<'a> {
    word: &'a str,
    first: Option<u64>,
    second: Option<u64>,
}

/// The tricks of one model's name.
pub(super) struct Tricks<'a>(Vec<Trick<'a>>);

impl<'a> Tricks<'a> {
    pub fn of(model: &'a str) -> Self {
        let words = model.split(|c: char| !c.is_ascii_alphanumeric());
        Self(words.filter(|word| !word.is_empty()).map(read).collect())
    }

    pub fn has(&self, word: &str) -> bool {
        self.find(word).is_some()
    }

    /// The number of `word`, or `default` where the word stands without one.
    pub fn number(&self, word: &str, default: u64) -> Option<u64> {
        self.find(word).map(|trick| trick.first.unwrap_or(default))
    }

    /// Both numbers of `word`.
    pub fn pair(&self, word: &str) -> Option<(u64, u64)> {
        self.find(word).map(|trick| (trick.first.unwrap_or(1), trick.second.unwrap_or(1)))
    }

    /// The status of the first `eNNN`.
    pub fn error_status(&self) -> Option<u16> {
        let status = self.number("e", 500)?;
        u16::try_from(status).ok().filter(|status| (300..600).contains(status))
    }

    fn find(&self, word: &str) -> Option<&Trick<'a>> {
        self.0.iter().find(|trick| trick.word == word)
    }
}

fn read(word: &str) -> Trick<'_> {
    let digits = word.find(|c: char| c.is_ascii_digit()).unwrap_or(word.len());
    let (name, numbers) = word.split_at(digits);
    let (first, second) = numbers.split_once('x').unwrap_or((numbers, ""));
    Trick { word: name, first: first.parse().ok(), second: second.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::Tricks;

    #[test]
    fn words_of_a_name_are_tricks_with_numbers() {
        let tricks = Tricks::of("m-e429-paced100x50-stall");
        assert_eq!(tricks.error_status(), Some(429));
        assert_eq!(tricks.pair("paced"), Some((100, 50)));
        assert!(tricks.has("stall") && tricks.has("m") && !tricks.has("st"));
    }

    #[test]
    fn a_vendors_usual_names_hold_no_error() {
        for name in ["gpt-4o-mini", "claude-3-5", "llama3.1:8b", ""] {
            assert_eq!(Tricks::of(name).error_status(), None, "{name}");
        }
    }
}
