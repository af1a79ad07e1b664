//! A `generateContent` request, read in full.
//!
//! Whether the answer is streamed stands in the path: who knows it sets it.

use crate::{
    dialect::{
        asked,
        field::Field,
        gemini::{
            decode::{tool, turn},
            name::{camel, get},
            schema,
        },
        pivot::{
            dropped::Dropped,
            request::{Effort, Output, Reasoning, Request},
            text::Text,
        },
    },
    lexicon::refusal::Refused,
    wire::json::document::Value,
};
use std::borrow::Cow;

/// Read a request.
///
/// # Errors
/// `InvalidField` and `DuplicateField`, each with the path of the field.
pub fn decode<'b>(root: Value<'_, 'b>, dropped: &mut Dropped) -> Result<Request<'b>, Refused> {
    let mut request = Request { wants_usage: true, ..Request::default() };
    let (mut turns, mut system, mut config) = (None, None, None);
    let root = Field::root(root);
    root.members(|name, field| {
        match &*camel(name) {
            "contents" => field.once(&mut turns, turn::decode_all(field, dropped)?)?,
            "systemInstruction" => {
                field.once(&mut system, turn::decode_system(field, dropped)?)?;
            }
            "generationConfig" => {
                field.once(&mut config, ())?;
                read_config(&mut request, field, dropped)?;
            }
            "tools" => field.items(|item| tool::decode(&mut request, item, dropped))?,
            "toolConfig" => tool::decode_config(&mut request, field, dropped)?,
            // In the path, and only sometimes here too.
            "model" => request.model = field.text()?,
            camel => {
                let name = Cow::Owned(camel.to_owned());
                request.others.push(asked::other(&name, field));
            }
        }
        Ok(())
    })?;
    request.turns.extend(system);
    request.turns.extend(turns.ok_or_else(|| root.refuse_member("contents", "an array"))?);
    Ok(request)
}

fn read_config<'b>(
    request: &mut Request<'b>,
    config: &Field<'_, 'b, '_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    config.known_members(dropped, |name, field, dropped| {
        match &*camel(name) {
            "maxOutputTokens" => field.count_into(&mut request.max_tokens)?,
            "candidateCount" => field.count_into(&mut request.count)?,
            "responseLogprobs" => field.boolean_into(&mut request.logprobs)?,
            "logprobs" => field.count_into(&mut request.top_logprobs)?,
            "stopSequences" => field.texts_into(&mut request.stop)?,
            "thinkingConfig" => request.reasoning = read_thinking(field, dropped)?,
            "responseMimeType" | "responseSchema" | "responseJsonSchema" => {}
            "responseModalities" => {
                let mut is_text = true;
                field.items(|item| {
                    let word = item.value.plain();
                    is_text &= word.is_some_and(|word| word.eq_ignore_ascii_case("text"));
                    Ok(())
                })?;
                return Ok(is_text);
            }
            name => return asked::sampling(request, name, field),
        }
        Ok(true)
    })?;
    request.output = read_output(config)?;
    Ok(())
}

/// `{"includeThoughts":true,"thinkingBudget":-1,"thinkingLevel":"HIGH"}`; 0 is not at all, -1 as
/// the model finds right.
fn read_thinking(config: &Field<'_, '_, '_>, dropped: &mut Dropped) -> Result<Reasoning, Refused> {
    let mut reasoning = Reasoning::Unsaid;
    config.known_members(dropped, |name, field, _| {
        match &*camel(name) {
            "thinkingBudget" => {
                reasoning = match field.number()? {
                    "0" => Reasoning::Off,
                    "-1" => Reasoning::Adaptive(None),
                    _ => Reasoning::Budget(field.count()?),
                };
            }
            "thinkingLevel" => {
                let word = field.text()?.read().to_ascii_lowercase();
                if word != "thinking_level_unspecified" {
                    let effort = Effort::of(&word);
                    let wanted = "minimal, low, medium or high";
                    reasoning = Reasoning::Effort(effort.ok_or_else(|| field.refuse(wanted))?);
                }
            }
            "includeThoughts" => {
                let wants = field.boolean()?;
                if wants && reasoning == Reasoning::Unsaid {
                    reasoning = Reasoning::Adaptive(None);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(reasoning)
}

/// The media type and the schema, in either of Google's kinds, are one thing.
fn read_output<'b>(config: &Field<'_, 'b, '_>) -> Result<Output<'b>, Refused> {
    let media_type = get(config, "responseMimeType").and_then(|it| Text::of(it.value));
    let schema = match (get(config, "responseJsonSchema"), get(config, "responseSchema")) {
        (Some(schema), _) => Some(schema.json_object()?),
        (None, Some(schema)) => {
            schema.object()?;
            Some(schema::from_google(schema.value))
        }
        (None, None) => None,
    };
    match (media_type.as_ref().map(Text::read).as_deref(), schema) {
        (_, Some(schema)) => {
            Ok(Output::JsonSchema { name: None, description: None, schema, is_strict: None })
        }
        (Some("application/json"), None) => Ok(Output::JsonObject),
        (None | Some("" | "text/plain"), None) => Ok(Output::Text),
        (Some(_), None) => {
            Err(config.refuse_member("responseMimeType", "text/plain or application/json"))
        }
    }
}
