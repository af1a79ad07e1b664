//! Which metadata holds for a request.

/// The longest value a request may send, in characters.
/// **Source**: the reference's `x-tfy-metadata` contract (reference §4).
pub const VALUE_CHARS_MAX: usize = 128;

/// What the request said, with what operators decided over it: `overrides` win, in their order.
///
/// **Cost**: one allocation, none where both are empty.
#[must_use]
pub fn merge<'a>(
    sent: impl Iterator<Item = (&'a str, &'a str)>,
    overrides: &'a [(Box<str>, Box<str>)],
) -> Vec<(&'a str, &'a str)> {
    let mut merged: Vec<(&str, &str)> = Vec::new();
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

        assert_eq!(merged, [("team", "billing"), ("ticket", "T-1")]);
    }
}
