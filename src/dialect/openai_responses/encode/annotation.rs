//! Where the words of an answer are from: those with an URL are annotations.
//!
//! ```text
//! {"type":"url_citation","start_index":0,"end_index":3,"url":"https://…","title":"…"}
//! ```
//! The indices count characters of the part that the words are. **Source**: the `UrlCitationBody`
//! of OpenAI's own description of its API, 2.3.0.

use crate::{
    dialect::pivot::{dropped::Dropped, text::Text},
    wire::json::{
        document::{Document, Value},
        write::{Array, Object},
    },
};

/// Append the annotations that a list of citations is, of so many characters.
pub fn push_all(array: &mut Array<'_>, citations: &str, chars: u64, dropped: &mut Dropped) {
    let mut document = Document::default();
    let Ok(list) = document.parse(citations.as_bytes()) else { return };
    for citation in list.items() {
        if let Some((url, title)) = read(citation, dropped) {
            push(array.object(), &url, &title, (0, chars));
        }
    }
}

/// The URL and the title of a citation; of one without an URL nothing, but it is named.
pub fn read<'b>(citation: Value<'_, 'b>, dropped: &mut Dropped) -> Option<(Text<'b>, Text<'b>)> {
    let Some(url) = citation.get("url").and_then(Text::of) else {
        dropped.name("content.citations");
        return None;
    };
    Some((url, citation.get("title").and_then(Text::of).unwrap_or_default()))
}

/// Write one annotation.
pub fn push(mut object: Object<'_>, url: &Text<'_>, title: &Text<'_>, (start, end): (u64, u64)) {
    object.text("type", "url_citation");
    object.number("start_index", start);
    object.number("end_index", end);
    url.push(object.key("url"));
    title.push(object.key("title"));
    object.close();
}
