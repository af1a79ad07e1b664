//! Whatever stands in Anthropic's words: it is refused, or what is made of it is JSON, in every
//! language, and the same however often it is read.

use crate::judges::translated;
use weir::dialect::pivot::part::Dialect;

pub fn judge(bytes: &[u8]) {
    translated::judge(bytes, Dialect::Anthropic);
}
