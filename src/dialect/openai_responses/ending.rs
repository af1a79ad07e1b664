//! The end of a stream whose events pass as they came, where its vendor does not come to one: what
//! is open is closed under the vendor's own ids and numbers, and the response is incomplete.
//!
//! ```text
//! response.output_text.done  response.content_part.done  response.output_item.done
//! response.incomplete
//! ```

use crate::{
    dialect::{openai_responses::event, pivot::delta::Malformed},
    wire::json::{
        document::{Document, Value},
        value::push_json_string,
        write::Object,
    },
};

/// What may be kept of an answer that is told once more at its end; the longest answers of models
/// have a tenth of it.
const KEPT_BYTES_MAX: usize = 16 << 20;
/// Items of one answer; the longest on record have a few dozen.
const ITEMS_MAX: usize = 4_096;

/// Watches one stream.
#[derive(Debug, Default)]
pub struct Ending {
    document: Document,
    /// The number that the next event bears.
    sequence: u64,
    /// The response as it was told at its beginning.
    response: Vec<u8>,
    items: Vec<Item>,
    kept_bytes: usize,
}

#[derive(Debug, Default)]
struct Item {
    /// As it was told last: at its beginning, or whole.
    told: Vec<u8>,
    is_whole: bool,
    /// Its parts that are whole, with commas between.
    parts: Vec<u8>,
    open: Option<Part>,
}

#[derive(Debug)]
struct Part {
    kind: Kind,
    index: u64,
    /// The inside of a JSON string.
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Refusal,
    Arguments,
}

impl Kind {
    /// The middle of its last event's name, and how that calls its words.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("response.output_text.done", "text"),
            Self::Refusal => ("response.refusal.done", "refusal"),
            Self::Arguments => ("response.function_call_arguments.done", "arguments"),
        }
    }
}

impl Ending {
    /// See the data of an event that passes.
    ///
    /// # Errors
    /// `Malformed`, and where more would have to be kept than there is room for.
    pub fn see(&mut self, data: &[u8]) -> Result<(), Malformed> {
        // Taken out, so that what is read of it does not hold the rest of this.
        let mut document = std::mem::take(&mut self.document);
        let seen = document.parse(data).map_err(Malformed::from).map(|event| self.event(event));
        self.document = document;
        seen?;
        if self.kept_bytes > KEPT_BYTES_MAX { Err(Malformed) } else { Ok(()) }
    }

    fn event(&mut self, event: Value<'_, '_>) {
        let number = event.get("sequence_number").and_then(Value::as_u64);
        self.sequence = number.unwrap_or(self.sequence).saturating_add(1);
        let Some(kind) = event.get("type").and_then(Value::plain) else { return };
        match &*kind {
            "response.created" | "response.in_progress" => {
                if let Some(response) = event.get("response") {
                    self.response = response.raw().as_bytes().to_vec();
                }
            }
            "response.output_item.added" | "response.output_item.done" => {
                let (Some(item), Some(at)) = (event.get("item"), self.place(event)) else { return };
                self.kept_bytes += item.raw().len();
                let known = &mut self.items[at];
                known.told = item.raw().as_bytes().to_vec();
                known.is_whole = &*kind == "response.output_item.done";
            }
            "response.content_part.added" => {
                let part = event.get("part").and_then(|part| part.get("type"));
                let is_refusal = part.and_then(Value::plain).as_deref() == Some("refusal");
                let kind = if is_refusal { Kind::Refusal } else { Kind::Text };
                let index = event.get("content_index").and_then(Value::as_u64).unwrap_or_default();
                if let Some(at) = self.place(event) {
                    self.items[at].open = Some(Part { kind, index, text: Vec::new() });
                }
            }
            "response.content_part.done" => {
                let (Some(part), Some(at)) = (event.get("part"), self.place(event)) else { return };
                self.kept_bytes += part.raw().len();
                self.items[at].close(part.raw().as_bytes());
            }
            "response.output_text.delta" => self.hear(event, Kind::Text),
            "response.refusal.delta" => self.hear(event, Kind::Refusal),
            "response.function_call_arguments.delta" => self.hear(event, Kind::Arguments),
            _ => {}
        }
    }

    /// Words of a part.
    fn hear(&mut self, event: Value<'_, '_>, kind: Kind) {
        let Some(words) = event.get("delta").and_then(Value::escaped) else { return };
        let Some(at) = self.place(event) else { return };
        self.kept_bytes += words.len();
        let fresh = || Part { kind, index: 0, text: Vec::new() };
        self.items[at].open.get_or_insert_with(fresh).text.extend_from_slice(words.as_bytes());
    }

    /// The item that an event is about.
    fn place(&mut self, event: Value<'_, '_>) -> Option<usize> {
        let at = usize::try_from(event.get("output_index")?.as_u64()?).ok()?;
        if at >= ITEMS_MAX {
            return None;
        }
        if self.items.len() <= at {
            self.items.resize_with(at + 1, Item::default);
        }
        Some(at)
    }

    /// Append the events that end the stream: its answer has reached its bound.
    pub fn cut(&mut self, out: &mut Vec<u8>) {
        let mut output = vec![b'['];
        for (at, mut item) in std::mem::take(&mut self.items).into_iter().enumerate() {
            if item.told.is_empty() {
                continue;
            }
            if !item.is_whole {
                self.end_item(out, at as u64, &mut item);
            }
            if output.len() > 1 {
                output.push(b',');
            }
            output.extend_from_slice(&item.told);
        }
        output.push(b']');
        let replaced: [(&str, &[u8]); 3] = [
            ("status", b"\"incomplete\""),
            ("incomplete_details", b"{\"reason\":\"max_output_tokens\"}"),
            ("output", &output),
        ];
        let response = altered(&self.response, &replaced);
        let mut event = self.begin(out, "response.incomplete");
        event.key("response").extend_from_slice(&response);
        event.close_with(b"\n\n");
    }

    /// Tell what is open of an item whole, and the item.
    fn end_item(&mut self, out: &mut Vec<u8>, at: u64, item: &mut Item) {
        let mut document = Document::default();
        let told = document.parse(&item.told).ok();
        let id = told.and_then(|told| told.get("id")).map_or("null", Value::raw).to_owned();
        let has_content = told.is_some_and(|told| told.get("content").is_some());
        let mut arguments = None;
        if let Some(part) = item.open.take() {
            let (name, word) = part.kind.words();
            let quoted = [b"\"", &part.text[..], b"\""].concat();
            let mut event = self.begin(out, name);
            event.raw("item_id", &id);
            event.number("output_index", at);
            if part.kind != Kind::Arguments {
                event.number("content_index", part.index);
            }
            event.key(word).extend_from_slice(&quoted);
            if part.kind == Kind::Text {
                event.raw("logprobs", "[]");
            }
            event.close_with(b"\n\n");
            if part.kind == Kind::Arguments {
                arguments = Some(quoted);
            } else {
                let whole = whole(part.kind, &quoted);
                let mut event = self.begin(out, "response.content_part.done");
                event.raw("item_id", &id);
                event.number("output_index", at);
                event.number("content_index", part.index);
                event.key("part").extend_from_slice(&whole);
                event.close_with(b"\n\n");
                item.close(&whole);
            }
        }
        let content = [b"[", &item.parts[..], b"]"].concat();
        let mut replaced: Vec<(&str, &[u8])> = vec![("status", b"\"incomplete\"")];
        if has_content {
            replaced.push(("content", &content));
        }
        if let Some(arguments) = &arguments {
            replaced.push(("arguments", arguments));
        }
        item.told = altered(&item.told, &replaced);
        let mut event = self.begin(out, "response.output_item.done");
        event.number("output_index", at);
        event.key("item").extend_from_slice(&item.told);
        event.close_with(b"\n\n");
    }

    fn begin<'o>(&mut self, out: &'o mut Vec<u8>, name: &str) -> Object<'o> {
        event::begin(out, name, &mut self.sequence)
    }
}

impl Item {
    /// A part of it is whole.
    fn close(&mut self, part: &[u8]) {
        if !self.parts.is_empty() {
            self.parts.push(b',');
        }
        self.parts.extend_from_slice(part);
        self.open = None;
    }
}

/// A part of a message; `quoted` is a JSON string.
fn whole(kind: Kind, quoted: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(quoted.len() + 64);
    let mut part = Object::open(&mut whole);
    if kind == Kind::Refusal {
        part.text("type", "refusal");
        part.key("refusal").extend_from_slice(quoted);
    } else {
        part.text("type", "output_text");
        part.raw("annotations", "[]");
        part.raw("logprobs", "[]");
        part.key("text").extend_from_slice(quoted);
    }
    part.close();
    whole
}

/// The object with these members in place of its own, or behind them.
fn altered(object: &[u8], replaced: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = vec![b'{'];
    let mut push = |name: &str, value: &[u8]| {
        if out.len() > 1 {
            out.push(b',');
        }
        push_json_string(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value);
    };
    let mut document = Document::default();
    let members = document.parse(object).ok();
    for (name, value) in members.into_iter().flat_map(Value::members) {
        if !replaced.iter().any(|(other, _)| *other == &*name) {
            push(&name, value.raw().as_bytes());
        }
    }
    for (name, value) in replaced {
        push(name, value);
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use super::Ending;

    #[test]
    fn what_is_open_is_closed_under_its_own_ids_and_the_response_is_incomplete() {
        let mut ending = Ending::default();
        for event in [
            r#"{"type":"response.created","sequence_number":4,"response":{"id":"resp_1","object":"response","status":"in_progress","output":[],"model":"m"}}"#,
            r#"{"type":"response.output_item.added","sequence_number":5,"output_index":0,"item":{"id":"fc_1","type":"function_call","status":"in_progress","arguments":"","name":"f"}}"#,
            r#"{"type":"response.function_call_arguments.delta","sequence_number":6,"output_index":0,"item_id":"fc_1","delta":"{\"a"}"#,
            r#"{"type":"response.output_item.added","sequence_number":7,"output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
            r#"{"type":"response.content_part.added","sequence_number":8,"output_index":1,"content_index":0,"part":{"type":"output_text","text":""}}"#,
            r#"{"type":"response.output_text.delta","sequence_number":9,"output_index":1,"content_index":0,"delta":"a\u00e9"}"#,
        ] {
            ending.see(event.as_bytes()).expect("it is well formed");
        }

        let mut out = Vec::new();
        ending.cut(&mut out);

        let text = String::from_utf8_lossy(&out);
        let lines: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        let call = r#"{"id":"fc_1","type":"function_call","name":"f","status":"incomplete","arguments":"{\"a"}"#;
        let part = r#"{"type":"output_text","annotations":[],"logprobs":[],"text":"a\u00e9"}"#;
        let message = format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","status":"incomplete","content":[{part}]}}"#
        );
        let expected = [
            r#"{"type":"response.function_call_arguments.done","sequence_number":10,"item_id":"fc_1","output_index":0,"arguments":"{\"a"}"#.to_owned(),
            format!(r#"{{"type":"response.output_item.done","sequence_number":11,"output_index":0,"item":{call}}}"#),
            r#"{"type":"response.output_text.done","sequence_number":12,"item_id":"msg_1","output_index":1,"content_index":0,"text":"a\u00e9","logprobs":[]}"#.to_owned(),
            format!(r#"{{"type":"response.content_part.done","sequence_number":13,"item_id":"msg_1","output_index":1,"content_index":0,"part":{part}}}"#),
            format!(r#"{{"type":"response.output_item.done","sequence_number":14,"output_index":1,"item":{message}}}"#),
            format!(r#"{{"type":"response.incomplete","sequence_number":15,"response":{{"id":"resp_1","object":"response","model":"m","status":"incomplete","incomplete_details":{{"reason":"max_output_tokens"}},"output":[{call},{message}]}}}}"#),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_stream_that_says_nothing_of_itself_ends_all_the_same() {
        let mut ending = Ending::default();
        assert!(ending.see(b"{").is_err());
        ending
            .see(br#"{"type":"response.output_text.delta","output_index":9999999}"#)
            .expect("odd");
        let mut out = Vec::new();
        ending.cut(&mut out);
        let text = String::from_utf8_lossy(&out);
        assert!(text.starts_with("event: response.incomplete\n"), "{text}");
        assert!(text.contains(r#""output":[]"#), "{text}");
    }
}
