//! Where the words of an answer are from: those with an URL are annotations.
//!
//! ```text
//! {"type":"url_citation","start_index":0,"end_index":3,"url":"https://…","title":"…"}
//! ```
//! The indices count characters of the part that the words are. **Source**: the `UrlCitationBody`
//! of OpenAI's own description of its API, 2.3.0.

use crate::{
    dialect::pivot::{citation::Citation, dropped::Dropped, text::Text},
    wire::json::{
        document::Document,
        write::{Array, Object},
    },
};

/// Append the annotations that a list of citations is, of so many characters; one without an URL is
/// named.
pub fn push_all(array: &mut Array<'_>, citations: &str, chars: u64, dropped: &mut Dropped) {
    let mut document = Document::default();
    let Ok(list) = document.parse(citations.as_bytes()) else { return };
    for citation in list.items() {
        match Citation::of(citation) {
            Some(Citation { url, title, .. }) => push(array.object(), &url, &title, (0, chars)),
            None => dropped.name("content.citations"),
        }
    }
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
