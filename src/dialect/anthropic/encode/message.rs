//! The instructions and messages of a request.
//!
//! Instructions stand apart from the conversation; turns alternate, so that what one side says in
//! several turns is one message; results of tools come first in the message that holds them.

use crate::{
    dialect::{
        anthropic::encode::block,
        pivot::{
            dropped::Dropped,
            request::{Request, Role, Turn},
            target::Addressee,
        },
        told::{self, is_instruction},
    },
    wire::json::write::{Array, Object},
};

/// Append the members `system` and `messages`.
pub fn push_all(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let leading = request.turns.iter().take_while(|turn| is_instruction(turn)).count();
    if leading == request.turns.len() {
        // Instructions alone are a conversation too, but not here.
        let turns: Vec<_> = request.turns.iter().collect();
        let mut messages = object.array("messages");
        push_message(&mut messages, "user", &turns, dropped);
        return messages.close();
    }
    let (head, rest) = request.turns.split_at(leading);
    let is_hoisted = |turn: &&Turn<'_>| is_instruction(turn) && !to.abilities.has_late_instructions;
    if rest.iter().any(|turn| is_hoisted(&turn)) {
        dropped.name("messages[].role");
    }
    let mut system = head
        .iter()
        .chain(rest.iter().filter(is_hoisted))
        .flat_map(|turn| &turn.parts)
        .filter(|part| !block::is_empty(part))
        .peekable();
    if system.peek().is_some() {
        block::push_all(object.key("system"), system, dropped);
    }
    // A turn in which nothing is said parts no others.
    let is_said = |turn: &&Turn<'_>| turn.parts.iter().any(|part| !block::is_empty(part));
    let turns = rest.iter().filter(|turn| !is_hoisted(turn) && is_said(turn));
    let turns: Vec<_> = turns.collect();
    let mut messages = object.array("messages");
    for turns in turns.chunk_by(|a, b| speaker(a.role) == speaker(b.role)) {
        push_message(&mut messages, speaker(turns[0].role), turns, dropped);
    }
    messages.close();
}

const fn speaker(role: Role) -> &'static str {
    match role {
        Role::System | Role::Developer => "system",
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    }
}

/// Append several turns of one side as one message, unless there is nothing in them.
fn push_message(messages: &mut Array<'_>, role: &str, turns: &[&Turn<'_>], dropped: &mut Dropped) {
    if turns.iter().any(|turn| turn.name.is_some()) {
        dropped.name("messages[].name");
    }
    let mut parts = told::results_first(turns, block::is_empty).peekable();
    if parts.peek().is_none() {
        return;
    }
    let mut message = messages.object();
    message.text("role", role);
    block::push_all(message.key("content"), parts, dropped);
    message.close();
}
