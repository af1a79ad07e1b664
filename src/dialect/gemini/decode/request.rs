//! A `generateContent` request, read in full.
//!
//! Whether the answer is streamed stands in the path: who knows it sets it.

use crate::{
    dialect::{
        field::{self, Path, once},
        gemini::{
            decode::{tool, turn},
            name::{camel, get},
            schema,
        },
        pivot::{
            dropped::Dropped,
            request::{Effort, Other, Output, Reasoning, Request},
            text::{Json, Text},
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
    let (mut contents, mut system, mut config) = (None, None, None);
    for (key, value) in root.members() {
        let path = Path::root(&key);
        match &*camel(&key) {
            _ if value.is_null() => {}
            "contents" => once(&mut contents, value, &path)?,
            "systemInstruction" => {
                once(&mut system, turn::decode_system(value, &path, dropped)?, &path)?;
            }
            "generationConfig" => once(&mut config, value, &path)?,
            "tools" => {
                for (index, item) in field::array(value, &path)?.items().enumerate() {
                    tool::decode(&mut request, item, &path.index(index), dropped)?;
                }
            }
            "toolConfig" => tool::decode_config(&mut request, value, &path, dropped)?,
            // In the path, and only sometimes here too.
            "model" => request.model = field::text(value, &path)?,
            _ => {
                let name = Cow::Owned(camel(&key).into_owned());
                request.others.push(Other { name, value: Json::of(value) });
            }
        }
    }
    let path = Path::root("contents");
    request.turns.extend(system);
    turn::decode_all(
        &mut request.turns,
        contents.ok_or_else(|| path.refuse("an array"))?,
        &path,
        dropped,
    )?;
    if let Some(config) = config {
        let path = Path::root("generationConfig");
        for (key, value) in field::object(config, &path)?.members() {
            if !value.is_null() {
                read_config(&mut request, &key, value, &path.name(&key), dropped)?;
            }
        }
        request.output = read_output(config, &path)?;
    }
    Ok(request)
}

fn read_config<'b>(
    request: &mut Request<'b>,
    key: &str,
    value: Value<'_, 'b>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<(), Refused> {
    let number = || field::number(value, path);
    match &*camel(key) {
        "temperature" => once(&mut request.temperature, number()?, path)?,
        "topP" => once(&mut request.top_p, number()?, path)?,
        "topK" => once(&mut request.top_k, number()?, path)?,
        "frequencyPenalty" => once(&mut request.frequency_penalty, number()?, path)?,
        "presencePenalty" => once(&mut request.presence_penalty, number()?, path)?,
        "seed" => once(&mut request.seed, number()?, path)?,
        "maxOutputTokens" => once(&mut request.max_tokens, field::count(value, path)?, path)?,
        "candidateCount" => once(&mut request.count, field::count(value, path)?, path)?,
        "responseLogprobs" => {
            once(&mut request.logprobs, field::boolean(value, path)?, path)?;
        }
        "logprobs" => once(&mut request.top_logprobs, field::count(value, path)?, path)?,
        "stopSequences" => {
            for (index, item) in field::array(value, path)?.items().enumerate() {
                request.stop.push(field::text(item, &path.index(index))?);
            }
        }
        "thinkingConfig" => request.reasoning = read_thinking(value, path, dropped)?,
        "responseMimeType" | "responseSchema" | "responseJsonSchema" => {}
        "responseModalities" => {
            let only_text = |one: Value<'_, '_>| {
                one.plain().is_some_and(|word| word.eq_ignore_ascii_case("text"))
            };
            if !field::array(value, path)?.items().all(only_text) {
                dropped.name(path.to_string());
            }
        }
        _ => dropped.name(path.to_string()),
    }
    Ok(())
}

/// `{"includeThoughts":true,"thinkingBudget":-1,"thinkingLevel":"HIGH"}`; 0 is not at all, -1 as
/// the model finds right.
fn read_thinking(
    value: Value<'_, '_>,
    path: &Path<'_>,
    dropped: &mut Dropped,
) -> Result<Reasoning, Refused> {
    let mut reasoning = Reasoning::Unsaid;
    for (key, value) in field::object(value, path)?.members() {
        let path = path.name(&key);
        match &*camel(&key) {
            _ if value.is_null() => {}
            "thinkingBudget" => {
                reasoning = match field::number(value, &path)? {
                    "0" => Reasoning::Off,
                    "-1" => Reasoning::Adaptive(None),
                    _ => Reasoning::Budget(field::count(value, &path)?),
                };
            }
            "thinkingLevel" => {
                let word = field::text(value, &path)?.read().to_ascii_lowercase();
                if word != "thinking_level_unspecified" {
                    let effort = Effort::of(&word);
                    let wanted = "minimal, low, medium or high";
                    reasoning = Reasoning::Effort(effort.ok_or_else(|| path.refuse(wanted))?);
                }
            }
            "includeThoughts" => {
                let wants = field::boolean(value, &path)?;
                if wants && reasoning == Reasoning::Unsaid {
                    reasoning = Reasoning::Adaptive(None);
                }
            }
            _ => dropped.name(path.to_string()),
        }
    }
    Ok(reasoning)
}

/// The media type and the schema, in either of Google's kinds, are one thing.
fn read_output<'b>(config: Value<'_, 'b>, path: &Path<'_>) -> Result<Output<'b>, Refused> {
    let media_type = get(config, "responseMimeType").and_then(Text::of);
    let schema = match (get(config, "responseJsonSchema"), get(config, "responseSchema")) {
        (Some(schema), _) => Some(field::json_object(schema, &path.name("responseJsonSchema"))?),
        (None, Some(schema)) => {
            let schema = field::object(schema, &path.name("responseSchema"))?;
            Some(schema::from_google(schema))
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
            Err(path.name("responseMimeType").refuse("text/plain or application/json"))
        }
    }
}
