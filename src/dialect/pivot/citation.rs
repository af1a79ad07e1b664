//! Where the words of an answer are from.

use crate::{
    dialect::pivot::{
        part::{Content, Part},
        text::{Json, Text},
    },
    wire::json::{
        document::Value,
        write::{Array, Object},
    },
};
use std::{borrow::Cow, ops::Range};

/// A source with an address: what every API that cites can say.
///
/// Sources without one (a document of the request, by its place there) are told by
/// `Content::Foreign` and `Delta::Foreign`, which only their own API can say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citation<'b> {
    pub url: Text<'b>,
    pub title: Text<'b>,
    /// The words of the source, or those of the answer that it is the source of.
    pub cited_text: Text<'b>,
}

impl<'b> Citation<'b> {
    /// What `Content::Cited` holds a list of; `None` of a source without an address.
    ///
    /// **Shape**: as Anthropic writes them; of its members only these three are read.
    #[must_use]
    pub fn of(value: Value<'_, 'b>) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Text::of).unwrap_or_default();
        let url = value.get("url").and_then(Text::of)?;
        Some(Self { url, title: text("title"), cited_text: text("cited_text") })
    }

    /// Append the members of one.
    pub fn push(&self, object: &mut Object<'_>) {
        object.text("type", "web_search_result_location");
        self.cited_text.push(object.key("cited_text"));
        self.url.push(object.key("url"));
        self.title.push(object.key("title"));
        // What the vendor's own search would say; there was none.
        object.text("encrypted_index", "");
    }

    /// What `Content::Cited` holds.
    #[must_use]
    pub fn list<'c>(citations: impl Iterator<Item = &'c Citation<'c>>) -> Json<'static> {
        let mut json = Vec::new();
        let mut array = Array::open(&mut json);
        for citation in citations {
            let mut object = array.object();
            citation.push(&mut object);
            object.close();
        }
        array.close();
        Json(String::from_utf8(json).unwrap_or_default().into())
    }

    /// One that outlives its event.
    #[must_use]
    pub fn owned(&self) -> Citation<'static> {
        let owned = |text: &Text<'_>| Text::Plain(text.read().into_owned().into());
        Citation {
            url: owned(&self.url),
            title: owned(&self.title),
            cited_text: owned(&self.cited_text),
        }
    }

    /// About how many bytes it is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        [&self.url, &self.title, &self.cited_text].map(|text| text.read().len()).iter().sum()
    }
}

/// Cut a part of words where what is cited of it begins and ends, by places in its text as a person
/// reads it, in bytes; false where not all of them could be told.
pub fn cut<'b>(
    parts: &mut Vec<Part<'b>>,
    at: usize,
    cited: impl Iterator<Item = (Range<usize>, Json<'static>)>,
) -> bool {
    let Some(Content::Text(text)) = parts.get(at).map(|part| &part.content) else { return false };
    let plain = text.read();
    let own = |range: Range<usize>| {
        plain.get(range).map(|piece| Text::Plain(Cow::Owned(piece.to_owned())))
    };
    let (mut pieces, mut done, mut is_all) = (Vec::<Part<'b>>::new(), 0, true);
    for (range, citations) in cited {
        // One that overlaps another, or cuts a character, cannot be told.
        let text = own(range.clone()).filter(|text| range.start >= done && !text.is_empty());
        let (Some(text), Some(before)) = (text, own(done..range.start.max(done))) else {
            is_all = false;
            continue;
        };
        if !before.is_empty() {
            pieces.push(Part::text(before));
        }
        pieces.push(Content::Cited { text, citations }.into());
        done = range.end;
    }
    let rest = own(done..plain.len()).filter(|rest| !rest.is_empty());
    // Where nothing is cited the text stays as it was written.
    if done > 0 {
        pieces.extend(rest.map(Part::text));
        parts.splice(at..=at, pieces);
    }
    is_all
}

/// Sources that wait for the end of their part; a page cites a few.
const PENDING_MAX: usize = 1_024;

/// A source, and which of an answer's words are from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cited<'b> {
    pub from: Extent,
    pub to: Extent,
    pub source: Citation<'b>,
}

/// The sources of one answer as it is streamed.
#[derive(Debug, Default)]
pub struct Sources {
    /// The words so far.
    pub said: Extent,
    /// Those before the part in work.
    before: Extent,
    pending: Vec<Citation<'static>>,
}

impl Sources {
    /// Note where the words in work are from; false where there are too many.
    pub fn cite(&mut self, citation: &Citation<'_>) -> bool {
        let has_room = self.pending.len() < PENDING_MAX;
        if has_room {
            self.pending.push(citation.owned());
        }
        has_room
    }

    /// Take what was noted of the part that ends here.
    pub fn end_part(&mut self) -> Vec<Cited<'static>> {
        let (from, to) = (std::mem::replace(&mut self.before, self.said), self.said);
        let sources = std::mem::take(&mut self.pending);
        sources.into_iter().map(|source| Cited { from, to, source }).collect()
    }
}

/// How long words are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub chars: u64,
    pub bytes: u64,
}

impl Extent {
    /// Words follow. **Cost**: a look at each byte, no allocation.
    pub fn add(&mut self, text: &Text<'_>) {
        let (inside, is_escaped) = match text {
            Text::Escaped(inside) => (*inside, true),
            Text::Plain(text) => (&**text, false),
        };
        self.chars += inside.chars().count() as u64;
        self.bytes += inside.len() as u64;
        let mut rest = inside.as_bytes();
        while let Some(at) = memchr::memchr(b'\\', rest).filter(|_| is_escaped) {
            let escape = &rest[at..];
            let (told, chars, bytes) = meant(escape);
            self.chars -= told - chars;
            self.bytes -= told - bytes;
            rest = escape.get(usize::try_from(told).unwrap_or(2)..).unwrap_or_default();
        }
    }
}

/// How many bytes an escape is told by, and how many characters and bytes it means; of a pair of
/// surrogates the first means the character.
fn meant(escape: &[u8]) -> (u64, u64, u64) {
    let digits = escape.get(2..6).filter(|_| escape.get(1) == Some(&b'u'));
    let code = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    match code.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
        None => (2, 1, 1),
        Some(0..0x80) => (6, 1, 1),
        Some(0x80..0x800) => (6, 1, 2),
        Some(0xd800..0xdc00) => (6, 1, 4),
        Some(0xdc00..0xe000) => (6, 0, 0),
        Some(_) => (6, 1, 3),
    }
}

#[cfg(test)]
mod tests {
    use super::Extent;
    use crate::dialect::pivot::text::Text;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn extent(text: &Text<'_>) -> (u64, u64) {
        let mut extent = Extent::default();
        extent.add(text);
        (extent.chars, extent.bytes)
    }

    #[test]
    fn escapes_count_as_what_they_mean() {
        for told in ["", "abc", r"a\nb", r#"\\\""#, r"\u00e9\u20ac", r"\ud83d\ude00x", "é€😀"]
        {
            let text = Text::Escaped(told);
            let meant = text.read();
            let expected = (meant.chars().count() as u64, meant.len() as u64);
            assert_eq!(extent(&text), expected, "{told}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_as_long_as_it_reads(text in any::<String>()) {
            let written = serde_json::to_string(&text).expect("a text");
            let escaped = Text::Escaped(&written[1..written.len() - 1]);

            let expected = (text.chars().count() as u64, text.len() as u64);

            prop_assert_eq!(extent(&escaped), expected);
            prop_assert_eq!(extent(&Text::plain(&text)), expected);
        }
    }
}
