//! `generationConfig`: how the model is to answer.

use crate::{
    dialect::{
        gemini::schema,
        pivot::{
            dropped::Dropped,
            request::{Effort, Output, Reasoning, Request},
            target::{Addressee, Thinking},
        },
        told,
    },
    wire::json::write::Object,
};

/// **Source**: ai.google.dev/api/generate-content#generationconfig, read 2026-11-21.
const STOPS_MAX: usize = 5;

/// Append the member `generationConfig`, if anything is to be said. `binds`: the answer's form is
/// said here, and not by a tool.
pub fn push(
    object: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    binds: bool,
    dropped: &mut Dropped,
) {
    let mut out = Vec::new();
    let mut config = Object::open(&mut out);
    if let Some(max_tokens) = request.max_tokens {
        config.number("maxOutputTokens", max_tokens);
    }
    let numbers = [
        ("temperature", request.temperature),
        ("topP", request.top_p),
        ("topK", request.top_k),
        ("presencePenalty", request.presence_penalty),
        ("frequencyPenalty", request.frequency_penalty),
    ];
    told::push_numbers(&mut config, &numbers);
    if let Some(seed) = request.seed {
        // It has 32 bits here.
        match seed.parse::<i32>() {
            Ok(_) => config.raw("seed", seed),
            Err(_) => dropped.name("seed"),
        }
    }
    if let Some(count) = request.count {
        config.number("candidateCount", count);
    }
    if let Some(logprobs) = request.logprobs {
        config.boolean("responseLogprobs", logprobs);
    }
    if let Some(top) = request.top_logprobs {
        config.number("logprobs", top);
    }
    push_stops(&mut config, request, dropped);
    push_thinking(&mut config, request, to, dropped);
    if binds {
        push_output(&mut config, &request.output, dropped);
    }
    config.close();
    if out.len() > b"{}".len() {
        object.key("generationConfig").extend_from_slice(&out);
    }
}

fn push_stops(config: &mut Object<'_>, request: &Request<'_>, dropped: &mut Dropped) {
    let stops = || request.stop.iter().filter(|text| !text.is_empty());
    if stops().count() > STOPS_MAX || stops().count() < request.stop.len() {
        dropped.name("stop");
    }
    told::push_texts(config, "stopSequences", stops().take(STOPS_MAX));
}

/// Thoughts are told only to who asks for them; who says how much shall be thought does.
///
/// **Source**: ai.google.dev/gemini-api/docs/thinking and .../docs/openai ("Thinking"; the budgets
/// of each effort), read 2026-11-21. A level and a budget together are answered 400.
fn push_thinking(
    config: &mut Object<'_>,
    request: &Request<'_>,
    to: &Addressee<'_>,
    dropped: &mut Dropped,
) {
    let is_off = request.reasoning == Reasoning::Off;
    let thinking = to.abilities.thinking;
    if request.reasoning == Reasoning::Unsaid || is_off && thinking == Thinking::None {
        return;
    }
    if thinking == Thinking::None {
        return dropped.name("reasoning_effort");
    }
    let mut said = config.object("thinkingConfig");
    if !is_off {
        said.boolean("includeThoughts", true);
    }
    match thinking {
        Thinking::Budget { min } => push_budget(&mut said, request, min, dropped),
        _ => push_level(&mut said, request, dropped),
    }
    said.close();
}

fn push_budget(said: &mut Object<'_>, request: &Request<'_>, min: u64, dropped: &mut Dropped) {
    // Thoughts are part of the answer's bound, and words need room.
    let fit = |effort: Effort, budget: u64| match request.max_tokens {
        Some(max_tokens) => budget.min(effort.budget(max_tokens, min).unwrap_or(min)),
        None => budget,
    };
    let budget = match request.reasoning {
        Reasoning::Off => 0,
        Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => match effort {
            Effort::Minimal | Effort::Low => fit(effort, 1_024),
            Effort::Medium => fit(effort, 8_192),
            Effort::High | Effort::XHigh | Effort::Max => fit(effort, 24_576),
        },
        Reasoning::Budget(budget) => budget,
        Reasoning::Adaptive(None) | Reasoning::Unsaid => {
            return said.raw("thinkingBudget", "-1");
        }
    };
    if budget < min {
        // A model that cannot think less, or not at all.
        dropped.name("reasoning_effort");
    }
    said.number("thinkingBudget", budget.max(min));
}

fn push_level(said: &mut Object<'_>, request: &Request<'_>, dropped: &mut Dropped) {
    let effort = match request.reasoning {
        // The least that all of them know; none can be told not to think.
        Reasoning::Off => {
            dropped.name("reasoning_effort");
            Effort::Low
        }
        Reasoning::Effort(effort) | Reasoning::Adaptive(Some(effort)) => effort,
        Reasoning::Budget(budget) => Effort::of_budget(budget, request.max_tokens),
        Reasoning::Adaptive(None) | Reasoning::Unsaid => return,
    };
    let level = match effort {
        Effort::Minimal | Effort::Low => "LOW",
        Effort::Medium => "MEDIUM",
        Effort::High => "HIGH",
        Effort::XHigh | Effort::Max => {
            dropped.name("reasoning_effort");
            "HIGH"
        }
    };
    said.text("thinkingLevel", level);
}

fn push_output(config: &mut Object<'_>, output: &Output<'_>, dropped: &mut Dropped) {
    if *output == Output::Text {
        return;
    }
    config.text("responseMimeType", "application/json");
    if let Output::JsonSchema { schema, .. } = output {
        let out = config.key("responseJsonSchema");
        schema::push_for_google(out, schema, "response_format", dropped);
    }
}
