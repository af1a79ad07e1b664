//! A `generateContent` request, as the vendor gets it.

use crate::{
    dialect::{
        gemini::encode::{config, tool, turn},
        pivot::{
            dropped::Dropped,
            request::{Output, Request},
            target::{Addressee, FORCED_TOOL, Thinking, Written},
        },
        told,
    },
    wire::json::write::Object,
};

/// Fields that pass as they are, for clients of any dialect may send them on.
const SHARED: [&str; 3] = ["safetySettings", "cachedContent", "labels"];

/// Append the request's body. The model and whether it is streamed stand in the path.
pub fn encode(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) -> Written {
    // Before its third generation a model that may call tools cannot be bound to a form.
    let is_bound = request.output != Output::Text;
    let is_able = request.tools.is_empty() || to.abilities.thinking == Thinking::Effort;
    let is_taken = request.tools.iter().any(|tool| tool.name == *FORCED_TOOL);
    let has_forced_tool = is_bound && !is_able && !is_taken;
    if is_bound && !is_able && is_taken {
        dropped.name("response_format");
    }
    let mut object = Object::open(out);
    turn::push_all(&mut object, request, to, dropped);
    tool::push_all(&mut object, request, has_forced_tool, dropped);
    config::push(&mut object, request, to, is_bound && is_able, dropped);
    told::name_unsaid(request, &["user"], dropped);
    told::push_others(&mut object, request.others.iter(), &SHARED, dropped);
    object.close();
    Written { has_forced_tool }
}
