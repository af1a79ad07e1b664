//! Whatever stands in Google's words: it is refused, or what is made of it is JSON, in every
//! language, and the same however often it is read.

use crate::judges::translated::{assert_events, reply, request, streamed};
use weir::dialect::pivot::part::Dialect;

pub fn judge(bytes: &[u8]) {
    for other in [Dialect::OpenAiChat, Dialect::Anthropic] {
        for pair in [(Dialect::Gemini, other), (other, Dialect::Gemini)] {
            request(bytes, pair);
            reply(bytes, pair);
            let told = streamed(bytes, pair);
            assert_eq!(streamed(bytes, pair), told, "read again");
            assert_events(&told);
        }
    }
}
