//! Writing objects and arrays, comma by comma.
//!
//! ```text
//! let mut object = write::Object::open(out);       {
//! object.text("role", "user");                     "role":"user"
//! object.key("n").extend_from_slice(b"1");         ,"n":1
//! object.close();                                  }
//! ```

use crate::wire::{http1::push_decimal, json::value::push_json_string};

/// An object being written. Names are ours and need no escape.
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_begun: bool,
}

impl<'o> Object<'o> {
    pub fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_begun: false }
    }

    /// Go on in an object whose bracket is written, and nothing else; who wrote it closes it.
    pub const fn resume(out: &'o mut Vec<u8>) -> Self {
        Self { out, is_begun: false }
    }

    /// Write the name; the value is to be appended to what this gives.
    #[inline]
    pub fn key(&mut self, name: &str) -> &mut Vec<u8> {
        self.out.extend_from_slice(if self.is_begun { b",\"" } else { b"\"" });
        self.is_begun = true;
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A member whose value is written JSON.
    pub fn raw(&mut self, name: &str, value: &str) {
        self.key(name).extend_from_slice(value.as_bytes());
    }

    /// Several members as they are to be read, the value of the last of which is to be appended to
    /// what this gives: one copy, where each name would be one.
    pub fn members(&mut self, written: &'static str) -> &mut Vec<u8> {
        if std::mem::replace(&mut self.is_begun, true) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(written.as_bytes());
        self.out
    }

    /// A member whose value is a word of ours, which needs no escape.
    pub fn word(&mut self, name: &str, word: &'static str) {
        let out = self.key(name);
        out.push(b'"');
        out.extend_from_slice(word.as_bytes());
        out.push(b'"');
    }

    /// A member whose value is a text.
    pub fn text(&mut self, name: &str, text: &str) {
        push_json_string(self.key(name), text);
    }

    /// A member whose value is a whole number.
    pub fn number(&mut self, name: &str, number: u64) {
        push_decimal(self.key(name), number);
    }

    pub fn boolean(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    pub fn object(&mut self, name: &str) -> Object<'_> {
        Object::open(self.key(name))
    }

    pub fn array(&mut self, name: &str) -> Array<'_> {
        Array::open(self.key(name))
    }

    pub fn close(self) {
        self.out.push(b'}');
    }

    /// Close it, and append what stands behind it.
    pub fn close_with(self, tail: &[u8]) {
        self.out.push(b'}');
        self.out.extend_from_slice(tail);
    }
}

/// An array being written.
pub struct Array<'o> {
    out: &'o mut Vec<u8>,
    is_begun: bool,
}

impl<'o> Array<'o> {
    pub fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, is_begun: false }
    }

    /// The next element is to be appended to what this gives.
    pub fn item(&mut self) -> &mut Vec<u8> {
        if self.is_begun {
            self.out.push(b',');
        }
        self.is_begun = true;
        self.out
    }

    pub fn object(&mut self) -> Object<'_> {
        Object::open(self.item())
    }

    pub fn close(self) {
        self.out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::{Array, Object};

    #[test]
    fn what_is_written_is_json() {
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        object.text("a", "x\"y");
        object.number("b", 18_446_744_073_709_551_615);
        let mut array = object.array("c");
        array.item().push(b'0');
        array.object().close();
        Array::open(array.item()).close();
        array.close();
        object.boolean("d", true);
        object.raw("e", "null");
        let mut inner = object.object("f");
        inner.number("g", 0);
        inner.close();
        object.members(r#""h":1,"i":"#).push(b'2');
        object.word("j", "k");
        object.close();

        let expected = r#"{"a":"x\"y","b":18446744073709551615,"c":[0,{},[]],"d":true,"e":null,"f":{"g":0},"h":1,"i":2,"j":"k"}"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
