//! Is the JSON that arrives in pieces complete?

use crate::dialect::pivot::text::Text;

/// Follows the brackets of one object that is told as a text, piece by piece.
///
/// **Cost**: a step a byte; used for the arguments of tools only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nesting {
    depth: u32,
    has_begun: bool,
    is_in_string: bool,
    /// Behind a backslash of the object's own.
    is_escaped: bool,
    /// Behind a backslash of the JSON string that tells the object; of `\u` how many digits remain.
    telling: Telling,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telling {
    #[default]
    Plain,
    Escape,
    /// No bracket or quote of an object is told as `\u…` by any vendor; it counts as a letter.
    Unicode(u8),
}

impl Nesting {
    /// See the next piece.
    pub fn see(&mut self, piece: &Text<'_>) {
        match piece {
            Text::Escaped(text) => text.bytes().for_each(|byte| self.see_told(byte)),
            Text::Plain(text) => text.bytes().for_each(|byte| self.see_byte(byte)),
        }
    }

    /// The outermost bracket has been closed.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.has_begun && self.depth == 0
    }

    fn see_told(&mut self, byte: u8) {
        match self.telling {
            Telling::Plain if byte == b'\\' => self.telling = Telling::Escape,
            Telling::Plain => self.see_byte(byte),
            Telling::Escape if byte == b'u' => self.telling = Telling::Unicode(4),
            Telling::Escape => {
                self.telling = Telling::Plain;
                // `\"` and `\\` tell the marks themselves; `\n` and its like tell spaces.
                self.see_byte(if matches!(byte, b'"' | b'\\' | b'/') { byte } else { b' ' });
            }
            Telling::Unicode(1) => {
                self.telling = Telling::Plain;
                self.see_byte(b'u');
            }
            Telling::Unicode(rest) => self.telling = Telling::Unicode(rest - 1),
        }
    }

    fn see_byte(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_in_string => self.is_escaped = true,
            b'"' => self.is_in_string = !self.is_in_string,
            _ if self.is_in_string => {}
            b'{' | b'[' => {
                self.has_begun = true;
                self.depth += 1;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Nesting;
    use crate::dialect::pivot::text::Text;

    #[test]
    fn it_is_whole_when_the_outermost_bracket_closes_however_it_is_cut() {
        let told = r#"{\"a\":\"}\\\"}\\\\\",\"b\":[1,{}],\"c\":\"\\u007d\u00e9\"}"#;
        for cut in 0..told.len() {
            let mut nesting = Nesting::default();
            nesting.see(&Text::Escaped(&told[..cut]));
            assert!(!nesting.is_whole(), "cut at {cut}");
            nesting.see(&Text::Escaped(&told[cut..]));
            assert!(nesting.is_whole(), "cut at {cut}");
        }
        let mut nesting = Nesting::default();
        nesting.see(&Text::plain("{\"a\":{}}"));
        assert!(nesting.is_whole());
    }
}
