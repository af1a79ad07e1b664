//! What the APIs are told by the same words, written once for all of them.

use crate::{
    dialect::{
        gemini::id::Seed,
        pivot::{
            dropped::Dropped,
            part::{Content, Part},
            request::{Effort, Other, Output, Reasoning, Request, Role, Turn},
            target::{Abilities, Off, Thinking},
            text::Text,
            tool::ToolChoice,
        },
    },
    wire::json::{
        value::push_json_string,
        write::{Array, Object},
    },
};

/// Append the numbers that are there.
pub fn push_numbers(object: &mut Object<'_>, numbers: &[(&str, Option<&str>)]) {
    for (name, number) in numbers {
        if let Some(number) = number {
            object.raw(name, number);
        }
    }
}

/// Append a list of texts, unless it is empty.
pub fn push_texts<'t, 'b: 't>(
    object: &mut Object<'_>,
    name: &str,
    texts: impl Iterator<Item = &'t Text<'b>>,
) {
    let mut texts = texts.peekable();
    if texts.peek().is_none() {
        return;
    }
    let mut array = object.array(name);
    for text in texts {
        text.push(array.item());
    }
    array.close();
}

/// Append those fields without a noun that mean here what their name says; the others are named.
pub fn push_others<'t, 'b: 't>(
    object: &mut Object<'_>,
    others: impl Iterator<Item = &'t Other<'b>>,
    shared: &[&str],
    dropped: &mut Dropped,
) {
    for other in others {
        if shared.contains(&&*other.name) {
            object.raw(&other.name, &other.value.0);
        } else {
            dropped.name(other.name.clone().into_owned());
        }
    }
}

/// Name those of these fields that ask for something: the API has no word for them.
pub fn name_unsaid(request: &Request<'_>, names: &[&'static str], dropped: &mut Dropped) {
    let asks = |number: Option<&str>| number.is_some_and(|number| number != "0");
    for name in names {
        let is_asked = match *name {
            "frequency_penalty" => asks(request.frequency_penalty),
            "presence_penalty" => asks(request.presence_penalty),
            "seed" => request.seed.is_some(),
            "top_k" => request.top_k.is_some(),
            "stop" => !request.stop.is_empty(),
            "n" => request.count.is_some_and(|count| count != 1),
            "logprobs" => request.logprobs == Some(true),
            "top_logprobs" => request.top_logprobs.is_some_and(|top| top > 0),
            "user" => request.user.is_some(),
            "parallel_tool_calls" => request.parallel_tools == Some(false),
            _ => true,
        };
        if is_asked {
            dropped.name(*name);
        }
    }
}

/// Append a `tool_choice` in the words that OpenAI's APIs share; a tool is named by `push_tool`.
pub fn push_choice(
    object: &mut Object<'_>,
    choice: Option<&ToolChoice<'_>>,
    push_tool: impl FnOnce(&mut Object<'_>, &Text<'_>),
) {
    match choice {
        None => {}
        Some(ToolChoice::Auto) => object.text("tool_choice", "auto"),
        Some(ToolChoice::None) => object.text("tool_choice", "none"),
        Some(ToolChoice::Required) => object.text("tool_choice", "required"),
        Some(ToolChoice::Tool(name)) => {
            let mut choice = object.object("tool_choice");
            choice.text("type", "function");
            push_tool(&mut choice, name);
            choice.close();
        }
    }
}

/// What of a request's choice holds where the form of the answer may be said by a tool that must
/// be called, and where a model that thinks cannot be forced to call.
#[must_use]
pub fn choice_beside<'r, 'b>(
    request: &'r Request<'b>,
    forced: Option<&'r ToolChoice<'b>>,
    thinks: bool,
    dropped: &mut Dropped,
) -> Option<&'r ToolChoice<'b>> {
    let choice = request.tool_choice.as_ref();
    match (choice, forced) {
        // Either an answer, which is in the form, or a call of the client's own tools.
        (None | Some(ToolChoice::Auto | ToolChoice::Required), Some(_))
            if !request.tools.is_empty() =>
        {
            Some(&ToolChoice::Required)
        }
        (Some(choice @ ToolChoice::Tool(_)), Some(_)) => Some(choice),
        (_, Some(forced)) => Some(forced),
        (Some(ToolChoice::Required | ToolChoice::Tool(_)), None) if thinks => {
            dropped.name("tool_choice");
            Some(&ToolChoice::Auto)
        }
        (choice, None) => choice,
    }
}

/// Append the members of a schema that an answer is bound to, as OpenAI's APIs name them.
pub fn push_json_schema(object: &mut Object<'_>, output: &Output<'_>) {
    let Output::JsonSchema { name, description, schema, is_strict } = output else { return };
    match name {
        Some(name) => name.push(object.key("name")),
        // The APIs want one.
        None => object.text("name", "answer"),
    }
    if let Some(description) = description {
        description.push(object.key("description"));
    }
    schema.push(object.key("schema"));
    if let Some(is_strict) = is_strict {
        object.boolean("strict", *is_strict);
    }
}

/// The word of the effort that a model of OpenAI's kind is told, if it was asked for and it thinks.
pub fn effort(
    request: &Request<'_>,
    abilities: &Abilities,
    dropped: &mut Dropped,
) -> Option<&'static str> {
    let effort = match request.reasoning {
        Reasoning::Unsaid | Reasoning::Adaptive(None) => return None,
        Reasoning::Off => {
            // Models that think cannot all be told not to; others need not be told.
            if abilities.off == Off::Never && abilities.thinking != Thinking::None {
                dropped.name("thinking");
            }
            return (abilities.off == Off::Effort).then_some("none");
        }
        Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => effort,
        Reasoning::Budget(budget) => Effort::of_budget(budget, request.max_tokens),
    };
    if abilities.thinking == Thinking::None {
        dropped.name("reasoning_effort");
        return None;
    }
    let [least, most] = abilities.efforts;
    let said = match effort {
        // The most that nearly every model which thinks can be told.
        Effort::Max if most < Effort::Max => Effort::High.clamp(least, most),
        effort => effort.clamp(least, most),
    };
    if said != effort {
        dropped.name("reasoning_effort");
    }
    Some(said.word())
}

#[must_use]
pub const fn is_instruction(turn: &Turn<'_>) -> bool {
    matches!(turn.role, Role::System | Role::Developer)
}

/// Parts of several turns of one side as one message holds them: results of tools come first.
pub fn results_first<'t, 'b: 't>(
    turns: &'t [&'t Turn<'b>],
    is_empty: fn(&Part<'_>) -> bool,
) -> impl Iterator<Item = &'t Part<'b>> {
    let is_result = |part: &&Part<'_>| matches!(part.content, Content::ToolResult(_));
    let parts =
        move || turns.iter().flat_map(|turn| &turn.parts).filter(move |part| !is_empty(part));
    parts().filter(is_result).chain(parts().filter(move |part| !is_result(part)))
}

/// The longest id of a call that OpenAI takes, in a chat and in the Responses API.
/// **Source**: its answers to longer ones ("Expected a string with maximum length 40", and 64),
/// as users report them; read 2026-11-21.
pub const CHAT_ID_BYTES_MAX: usize = 40;
pub const RESPONSES_ID_BYTES_MAX: usize = 64;

/// Append an id of a call or of its result in so many bytes at most, quotes not counted.
///
/// An id of another vendor's may be long, for it may carry a proof. What is cut off is told by a
/// hash, so that a call and its result still meet and two calls stay two.
pub fn push_id(out: &mut Vec<u8>, id: &Text<'_>, bytes_max: usize) {
    let plain = id.read();
    if plain.len() <= bytes_max {
        return id.push(out);
    }
    let mut hash = Seed::default();
    hash.feed(plain.as_bytes());
    let cut = plain.floor_char_boundary(bytes_max - HASH_BYTES);
    push_json_string(out, &format!("{}_{:016x}", &plain[..cut], hash.value()));
}

/// An underscore and sixteen digits.
const HASH_BYTES: usize = 17;

/// Append a call of a tool as OpenAI and Cohere write it.
pub fn push_function(
    array: &mut Array<'_>,
    (id, id_bytes_max): (&Text<'_>, usize),
    push_members: impl FnOnce(&mut Object<'_>),
) {
    let mut object = array.object();
    push_id(object.key("id"), id, id_bytes_max);
    object.text("type", "function");
    let mut function = object.object("function");
    push_members(&mut function);
    function.close();
    object.close();
}

#[cfg(test)]
mod tests {
    use super::{CHAT_ID_BYTES_MAX, push_id};
    use crate::dialect::pivot::text::Text;

    fn pushed(id: &str) -> String {
        let mut out = Vec::new();
        push_id(&mut out, &Text::plain(id), CHAT_ID_BYTES_MAX);
        serde_json::from_slice(&out).expect("a text")
    }

    #[test]
    fn a_long_id_is_cut_and_stays_the_only_one_of_its_kind() {
        let fit = "x".repeat(CHAT_ID_BYTES_MAX);
        assert_eq!(pushed(&fit), fit);
        let long = |end: &str| format!("call_0123456789abcdef-thought-{}{end}", "é".repeat(2_000));

        let (first, second) = (pushed(&long("a")), pushed(&long("b")));

        assert!(first.len() <= CHAT_ID_BYTES_MAX && first.starts_with("call_0123456789abcdef"));
        assert_eq!(first, pushed(&long("a")));
        assert_ne!(first, second);
    }
}
