//! One conversation, streamed and with tools, held by a client of each language through every
//! vendor: as recorded, and with the scripted vendor, which insists on what the vendor's API does.
//!
//! What clients get is read by readers of their own (`dialects/`), no decoder of the gateway's.

mod conversations {
    pub mod clients;
    pub mod vendors;
}
#[allow(dead_code, reason = "whole answers are read elsewhere")]
#[path = "dialects/readers.rs"]
mod dialects;
mod harness;

use conversations::{
    clients::{Client, RESULT},
    vendors::{self, Recorded, Row},
};
use dialects::answer::Answer;
use harness::{House, client::Ask};
use serde_json::Value;

/// A turn in which tools are called, and the turn in which their results are told.
struct Turns {
    called: Answer,
    told: Answer,
}

/// Ask, and read what the client gets.
fn ask(house: &House, client: Client, ask: &Ask, row: &Row) -> Answer {
    let (reply, name) = (house.ask(ask), row.name);
    assert_eq!(reply.status, 200, "{name}, {client:?}: {}", reply.text());
    let answer = client.read(&reply.body, row.is_native(client));
    assert_eq!(answer.error, None, "{name}, {client:?}: {}", reply.text());
    answer
}

/// Both turns of a conversation; before each, `teach` says what the vendor is to answer.
fn converse(
    house: &House,
    client: Client,
    (row, models): (&Row, [&str; 2]),
    (tools, teach): (&[String], impl Fn(usize)),
) -> Turns {
    let name = row.name;
    let model = |index: usize| format!("{name}/{}", models[index]);
    teach(0);
    let called = ask(house, client, &client.first(&model(0), tools), row);
    assert!(!called.tools.is_empty(), "{name}, {client:?}: {called:?}");
    assert_eq!(called.finish.as_deref(), Some(client.stops_for_tools()), "{name}, {client:?}");
    teach(1);
    let second = client.second(&model(1), tools, &called);
    let told = ask(house, client, &second, row);
    assert!(told.tools.is_empty() && !told.text.is_empty(), "{name}, {client:?}: {told:?}");
    insist_on_results(house, client, &called, name);
    Turns { called, told }
}

/// The vendor was told each call and its result.
fn insist_on_results(house: &House, client: Client, called: &Answer, name: &str) {
    let seen = house.vendor.log().pop().expect("the vendor was asked");
    let body = String::from_utf8(seen.body).expect("UTF-8");
    assert_eq!(body.matches(RESULT).count(), called.tools.len(), "{name}, {client:?}: {body}");
    // Google's API knows calls by their names.
    let knows_ids = !seen.path.contains(":streamGenerateContent");
    for tool in &called.tools {
        let wanted = if knows_ids { &tool.id } else { &tool.name };
        let count = body.matches(&format!("\"{wanted}\"")).count();
        assert!(count >= 2, "{name}, {client:?}: {wanted} in {body}");
    }
}

/// The receipts of the last two exchanges say the tokens that the client was told.
fn insist_on_tokens(house: &House, count: usize, turns: &Turns, name: &str) {
    let receipts = house.receipts(count);
    let last = receipts.iter().rev().take(2).rev();
    for (receipt, answer) in last.zip([&turns.called, &turns.told]) {
        let billed = (receipt.number("input_tokens"), receipt.number("output_tokens"));
        // What a vendor does not say is estimated, and no client is told an estimate.
        let is_told = receipt.0["usage_reported"] == true;
        if let Some(tokens) = answer.tokens.filter(|_| is_told) {
            assert_eq!(tokens, billed, "{name}");
        }
        assert_eq!(receipt.text("ending"), "complete", "{name}");
    }
}

#[test]
fn each_client_holds_a_streamed_conversation_with_tools_through_every_vendor() {
    let (house, _cloud) = vendors::house();
    let tools = ["get_weather".to_owned()];
    let mut count = 0;
    for row in vendors::rows() {
        for client in Client::ALL {
            let models = ["tool", "tool"];
            let turns = converse(&house, client, (&row, models), (&tools, |_| ()));
            assert_eq!(turns.called.tools[0].name, "get_weather", "{}", row.name);
            assert!(turns.called.tools[0].value()["city"].is_string(), "{}", row.name);
            count += 2;
            insist_on_tokens(&house, count, &turns, row.name);
        }
    }
}

/// Where a vendor's traffic with tools was recorded it says the calls; else the scripted vendor
/// does, and what was recorded says the end.
#[test]
fn each_client_holds_the_conversation_through_every_vendor_as_recorded() {
    if harness::fixture::root().is_none() {
        return;
    }
    let (house, _cloud) = vendors::house();
    let mut count = 0;
    for row in vendors::rows() {
        for client in Client::ALL {
            let recorded = (row.recorded)(client);
            let Some(turns) = replay(&house, &row, client, &recorded) else { continue };
            count += 2;
            insist_on_tokens(&house, count, &turns, row.name);
        }
    }
    assert!(count >= 2 * 3 * 18, "only {count} turns");
}

/// The conversation as recorded; `None` where nothing of it was.
fn replay(house: &House, row: &Row, client: Client, recorded: &Recorded) -> Option<Turns> {
    let [called, told] = [recorded.called, recorded.told]
        .map(|place| place.map(|(folder, name)| vendors::recording(folder, name)));
    let expected = told.as_ref()?;
    let tools: Vec<String> = called.as_ref().map_or_else(
        || vec!["get_weather".to_owned()],
        |called| called.said.tools.iter().map(|tool| tool.name.clone()).collect(),
    );
    let models = [if called.is_some() { "raw" } else { "tool" }, "raw"];
    let teach = |turn: usize| {
        if let Some(answer) = [&called, &told][turn] {
            house.teach(&vendors::taught(row.name), recorded.framing.steps(&answer.body));
        }
    };
    let turns = converse(house, client, (row, models), (&tools, teach));
    if let Some(called) = &called {
        agree(&turns.called, &called.said, row.name);
    }
    agree(&turns.told, &expected.said, row.name);
    Some(turns)
}

/// The same words, and the same calls.
fn agree(answer: &Answer, said: &Answer, name: &str) {
    assert_eq!(answer.text, said.text, "{name}");
    let calls = |answer: &Answer| -> Vec<(String, Value)> {
        answer.tools.iter().map(|tool| (tool.name.clone(), tool.value())).collect()
    };
    assert_eq!(calls(answer), calls(said), "{name}");
    for (tool, recorded) in answer.tools.iter().zip(&said.tools) {
        assert!(!tool.id.is_empty(), "{name}");
        if !recorded.id.is_empty() {
            assert_eq!(tool.id, recorded.id, "{name}");
        }
    }
}
