//! The instructions and contents of a request.
//!
//! Instructions stand apart from the conversation; contents alternate, so that what one side says
//! in several turns is one content; results of tools stand in a user's content, by the name of what
//! was called.

use crate::{
    dialect::{
        gemini::{
            encode::part::{self, is_empty},
            id::is_made,
            signature,
        },
        pivot::{
            dropped::Dropped,
            part::{Content, Part, ToolResult},
            request::{Request, Role, Turn},
            target::{Addressee, Thinking},
            text::Text,
        },
        told::is_instruction,
    },
    wire::json::{
        document::{Document, Kind, Value},
        write::{Array, Object},
    },
};

/// Append the members `systemInstruction` and `contents`.
pub fn push_all(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let leading = request.turns.iter().take_while(|turn| is_instruction(turn)).count();
    let (head, rest) = request.turns.split_at(leading);
    // Instructions alone are a conversation too, but not here.
    let (head, rest) = if rest.is_empty() { (rest, head) } else { (head, rest) };
    let is_late = |turn: &&Turn<'_>| is_instruction(turn) && leading < request.turns.len();
    if rest.iter().any(|turn| is_late(&turn)) {
        dropped.name("messages[].role");
    }
    let mut system = head
        .iter()
        .chain(rest.iter().filter(is_late))
        .flat_map(|turn| &turn.parts)
        .filter(|part| !is_empty(part))
        .peekable();
    if system.peek().is_some() {
        let mut instruction = object.object("systemInstruction");
        let mut parts = instruction.array("parts");
        system.for_each(|it| part::push(&mut parts, it, false, dropped));
        parts.close();
        instruction.close();
    }
    let is_said = |turn: &&Turn<'_>| turn.parts.iter().any(|part| !is_empty(part));
    let turns: Vec<_> = rest.iter().filter(|turn| !is_late(turn) && is_said(turn)).collect();
    let mut contents = object.array("contents");
    for turns in turns.chunk_by(|a, b| speaker(a.role) == speaker(b.role)) {
        let all = Conversation { request, needs_proof: to.abilities.thinking == Thinking::Effort };
        all.push(&mut contents, turns, dropped);
    }
    contents.close();
}

const fn speaker(role: Role) -> &'static str {
    match role {
        Role::Assistant => "model",
        _ => "user",
    }
}

struct Conversation<'r, 'b> {
    request: &'r Request<'b>,
    /// The newest models answer 400 to a call without a proof of the thought behind it.
    needs_proof: bool,
}

impl Conversation<'_, '_> {
    /// Append several turns of one side as one content.
    fn push(&self, contents: &mut Array<'_>, turns: &[&Turn<'_>], dropped: &mut Dropped) {
        if turns.iter().any(|turn| turn.name.is_some()) {
            dropped.name("messages[].name");
        }
        let mut content = contents.object();
        content.text("role", speaker(turns[0].role));
        let mut array = content.array("parts");
        let is_result = |part: &&Part<'_>| matches!(part.content, Content::ToolResult(_));
        let parts = || turns.iter().flat_map(|turn| &turn.parts).filter(|part| !is_empty(part));
        let before = self.request.turns.iter().position(|turn| std::ptr::eq(turn, turns[0]));
        let before = &self.request.turns[..before.unwrap_or_default()];
        let mut beyond: Vec<&Part<'_>> = Vec::new();
        for part in parts().filter(is_result) {
            let Content::ToolResult(result) = &part.content else { continue };
            push_result(&mut array, result, before, dropped);
            if part.cache.is_some() {
                dropped.name("messages[].cache_control");
            }
            beyond.extend(result.content.iter().filter(|part| part.as_text().is_none()));
        }
        for part in beyond {
            part::push(&mut array, part, false, dropped);
        }
        // Of calls side by side only the first is proven.
        let mut needs_proof = self.needs_proof;
        for part in parts().filter(|part| !is_result(part)) {
            part::push(&mut array, part, needs_proof, dropped);
            needs_proof &= !matches!(part.content, Content::ToolCall(_));
        }
        array.close();
        content.close();
    }
}

/// `before`: the turns in which the call stands, by whose name it is answered.
fn push_result(
    parts: &mut Array<'_>,
    result: &ToolResult<'_>,
    before: &[Turn<'_>],
    dropped: &mut Dropped,
) {
    let mut object = parts.object();
    let mut inner = object.object("functionResponse");
    let (id, _) = signature::out_of_id(&result.id);
    if !is_made(&id) {
        inner.text("id", &id);
    }
    if let Some(name) = result.name.as_ref().or_else(|| name_of(&result.id, before)) {
        name.push(inner.key("name"));
    } else {
        // Whoever answers what nobody asked is told so by the vendor.
        dropped.name("messages[].tool_call_id");
        inner.text("name", "unknown");
    }
    push_response(inner.key("response"), result);
    inner.close();
    object.close();
}

/// The nearest, for some vendors number the calls of each turn anew.
fn name_of<'t>(id: &Text<'_>, before: &'t [Turn<'_>]) -> Option<&'t Text<'t>> {
    let mut parts = before.iter().rev().flat_map(|turn| &turn.parts);
    parts.find_map(|part| match &part.content {
        Content::ToolCall(call) if call.id == *id => Some(&call.name),
        _ => None,
    })
}

/// Append what came of a call, which must be an object: where the text is one, that; else the text
/// as the output or the error.
fn push_response(out: &mut Vec<u8>, result: &ToolResult<'_>) {
    let mut texts = result.content.iter().filter_map(Part::as_text);
    let (first, second) = (texts.next(), texts.next());
    if let (Some(text), None, false) = (first, second, result.is_error) {
        let plain = text.read();
        let mut document = Document::default();
        if document.parse(plain.as_bytes()).is_ok_and(is_own_object) {
            return out.extend_from_slice(plain.trim_ascii().as_bytes());
        }
    }
    let mut object = Object::open(out);
    let out = object.key(if result.is_error { "error" } else { "output" });
    out.push(b'"');
    for text in result.content.iter().filter_map(Part::as_text) {
        text.push_inside(out);
    }
    out.push(b'"');
    object.close();
}

/// An object that is not one of those which only wrap a text.
fn is_own_object(value: Value<'_, '_>) -> bool {
    let mut members = value.members();
    let only = members.next().filter(|_| members.next().is_none());
    let wraps = only.is_some_and(|(key, value)| {
        value.kind() == Kind::String && matches!(&*key, "output" | "result" | "error")
    });
    value.kind() == Kind::Object && !wraps
}
