//! The instructions and messages of a request.
//!
//! Instructions stand apart from the conversation; turns alternate, so that what one side says in
//! several turns is one message; results of tools come first in the message that holds them.

use crate::{
    dialect::{
        bedrock::encode::block::{Pen, is_empty},
        pivot::{
            dropped::Dropped,
            part::Content,
            request::{Request, Role, Turn},
            target::Addressee,
        },
        told::{self, is_instruction},
    },
    wire::json::write::{Array, Object},
};

/// Append the members `messages` and `system`.
pub fn push_all(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let is_said = |turn: &&Turn<'_>| turn.parts.iter().any(|part| !is_empty(part));
    let mut turns: Vec<&Turn<'_>> =
        request.turns.iter().filter(|turn| !is_instruction(turn) && is_said(turn)).collect();
    let leading = request.turns.iter().take_while(|turn| is_instruction(turn)).count();
    if request.turns[leading..].iter().any(is_instruction) {
        dropped.name("messages[].role");
    }
    let mut system: Vec<&Turn<'_>> =
        request.turns.iter().filter(|turn| is_instruction(turn)).collect();
    if turns.is_empty() {
        // Instructions alone are a conversation too, but not here.
        turns = std::mem::take(&mut system);
    }
    if turns.iter().chain(&system).any(|turn| turn.name.is_some()) {
        dropped.name("messages[].name");
    }
    let mut pen = Pen {
        dropped,
        keeps_marks: to.abilities.keeps_cache_marks,
        documents: 0,
        path: "messages[]",
    };
    let mut messages = object.array("messages");
    for turns in turns.chunk_by(|a, b| speaker(a.role) == speaker(b.role)) {
        push_message(&mut messages, speaker(turns[0].role), turns, &mut pen);
    }
    messages.close();
    let mut system = system.iter().flat_map(|turn| &turn.parts).filter(|part| !is_empty(part));
    if let Some(first) = system.next() {
        pen.path = "system[]";
        let mut array = object.array("system");
        for part in std::iter::once(first).chain(system) {
            match part.content {
                Content::Text(_) | Content::Foreign(_) => pen.push(&mut array, part),
                _ => pen.dropped.name(format!("system[].{}", part.name())),
            }
        }
        array.close();
    }
}

const fn speaker(role: Role) -> &'static str {
    match role {
        Role::System | Role::Developer | Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    }
}

/// Append several turns of one side as one message.
fn push_message(messages: &mut Array<'_>, role: &str, turns: &[&Turn<'_>], pen: &mut Pen<'_>) {
    let mut message = messages.object();
    message.text("role", role);
    let mut content = message.array("content");
    for part in told::results_first(turns, is_empty) {
        pen.push(&mut content, part);
    }
    content.close();
    message.close();
}
