//! One message of a request.

use crate::{
    dialect::{
        anthropic::decode::block,
        asked,
        field::Field,
        pivot::{
            dropped::Dropped,
            request::{Role, Turn},
        },
    },
    lexicon::refusal::Refused,
};

/// Append the turns that a message is: results of tools, which here stand before a user's words,
/// are a turn of their own.
pub fn decode<'b>(
    turns: &mut Vec<Turn<'b>>,
    message: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let mut role = None;
    let mut parts = None;
    message.known_members(dropped, |name, field, dropped| {
        match name {
            "role" => field.once(&mut role, read_role(field)?)?,
            "content" => {
                let mut content = Vec::new();
                block::decode_all(&mut content, field, dropped)?;
                field.once(&mut parts, content)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let role = role.ok_or_else(|| message.refuse_member("role", "a role"))?;
    let wanted = "a string or an array";
    let parts = parts.ok_or_else(|| message.refuse_member("content", wanted))?;
    asked::push_turn(turns, role, parts);
    Ok(())
}

fn read_role(field: &Field<'_, '_, '_>) -> Result<Role, Refused> {
    match field.value.plain().as_deref() {
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        Some("system") => Ok(Role::System),
        _ => Err(field.refuse("user, assistant or system")),
    }
}
