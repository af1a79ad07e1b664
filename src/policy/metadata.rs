//! Which metadata holds for a request.

use smallvec::SmallVec;

/// The longest value a request may send, in characters.
/// **Source**: the reference's `x-tfy-metadata` contract (reference §4).
pub const VALUE_CHARS_MAX: usize = 128;

/// Keys and values; as many as most requests have need no allocation.
pub type Pairs<'a> = SmallVec<[(&'a str, &'a str); 8]>;

/// What the request said, with what operators decided over it: `overrides` win, in their order.
///
/// **Cost**: no allocation for up to eight.
#[must_use]
pub fn merge<'a>(
    sent: impl Iterator<Item = (&'a str, &'a str)>,
    overrides: &'a [(Box<str>, Box<str>)],
) -> Pairs<'a> {
    let mut merged = Pairs::new();
    let decided = overrides.iter().map(|(key, value)| (&**key, &**value));
    for (key, value) in sent.chain(decided) {
        match merged.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => merged.push((key, value)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::merge;

    #[test]
    fn what_operators_decide_wins_over_what_a_request_says() {
        let overrides = [("team".into(), "core".into()), ("team".into(), "billing".into())];

        let merged = merge([("team", "mine"), ("ticket", "T-1")].into_iter(), &overrides);

        assert_eq!(&merged[..], [("team", "billing"), ("ticket", "T-1")]);
    }
}
