//! Words: pleasant sentences about what was asked, cut into pieces as a tokenizer would.

/// A small generator of repeatable numbers (xorshift64*).
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn throw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }
}

/// FNV-1a: the same text always gives the same answer.
pub(super) fn seed_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

const OPENINGS: [&str; 4] = [
    "Here is a short answer about \u{201c}{}\u{201d}.",
    "Good question. You asked about \u{201c}{}\u{201d}.",
    "Let us look at \u{201c}{}\u{201d} step by step.",
    "Happy to help with \u{201c}{}\u{201d}.",
];

const MIDDLES: [&str; 8] = [
    "The main thing is to start small and check each step before taking the next one.",
    "Two views are common, and both have merit depending on what matters most to you.",
    "A good first move is to write down what you already know and what is still open.",
    "In practice the simple approach works well nine times out of ten.",
    "It helps to picture water finding its way: it takes the shortest path, then widens it.",
    "Keep an eye on the costs, for they tend to hide in the part nobody measures.",
    "If time is short, do the part that can be undone last.",
    "People who do this often say that a clear name for each piece is half the work.",
];

const CLOSINGS: [&str; 4] = [
    "Tell me more about your case and I can be more precise.",
    "Would you like an example next?",
    "That should be enough to begin with.",
    "This answer comes from a rehearsal, so do not build a bridge on it.",
];

/// A believable answer about `topic`.
pub(super) fn answer(topic: &str, dice: &mut Dice) -> String {
    let topic = short(topic);
    let mut text = pick(&OPENINGS, dice).replace("{}", &topic);
    for _ in 0..2 + dice.throw() % 3 {
        text.push(' ');
        text.push_str(pick(&MIDDLES, dice));
    }
    text.push(' ');
    text.push_str(pick(&CLOSINGS, dice));
    text
}

fn pick<'a>(from: &[&'a str], dice: &mut Dice) -> &'a str {
    let index = usize::try_from(dice.throw()).unwrap_or(0) % from.len();
    from[index]
}

/// The first words of a topic, on one line.
fn short(topic: &str) -> String {
    let words: Vec<&str> = topic.split_whitespace().take(9).collect();
    let text: String = words.join(" ").chars().take(80).collect();
    if text.is_empty() { "nothing in particular".to_owned() } else { text }
}

/// Roughly what a tokenizer would make of it: a word with its leading space, long words in two or
/// more; the pieces joined are the text.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    const PIECE_CHARS_MAX: usize = 7;
    let mut pieces = Vec::new();
    let (mut start, mut count) = (0, 0);
    for (index, character) in text.char_indices() {
        if index > start && (character == ' ' || count >= PIECE_CHARS_MAX) {
            pieces.push(&text[start..index]);
            (start, count) = (index, 0);
        }
        count += 1;
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::{Dice, answer, pieces};

    #[test]
    fn pieces_joined_are_the_text() {
        for text in ["", "a", "Hello there, considerably long", "żółć  and\nlines", "   "] {
            assert_eq!(pieces(text).concat(), text);
        }
        assert_eq!(pieces("one two"), ["one", " two"]);
    }

    #[test]
    fn an_answer_speaks_of_what_was_asked() {
        assert!(answer("the tides of  Brest", &mut Dice::new(7)).contains("the tides of Brest"));
    }
}
