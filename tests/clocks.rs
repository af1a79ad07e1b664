//! Fault 51 over sockets: the clock on the wall is set forward by a day and back by an hour, while
//! it serves and while it does not, and no window comes free early or stays locked.
//!
//! `tests/quota.rs` has the races at a window's border, `control_plane/clocks.rs` every jump by
//! injection.

mod harness;

use harness::{
    House,
    client::{Ask, Reply, chat_body},
    counted,
    faketime::{Clock, HOUR_SECONDS},
    gateway::Gateway,
    hook::Hook,
    manifest,
};
use serde_json::{Value, json};

/// A unit of an hour's window counts for at least that, and at most a twelfth longer.
const HOLDS_SECONDS: std::ops::RangeInclusive<u64> = 3_600..=3_900;
/// Longer than this test takes.
const TEST_SECONDS: u64 = 120;

/// A house under this clock, with these documents.
fn house(clock: &Clock, documents: &[Value]) -> House {
    let vendor = harness::vendor();
    let folder = manifest::folder();
    manifest::write_usual(&folder, vendor.address(), &["open", "raw-counted"]);
    manifest::write_each(&folder, documents);
    let gateway = Gateway::start_by(clock.command(), folder, manifest::folder(), &[]);
    House { gateway, vendor }
}

/// The same after a kill.
fn start(house: &mut House, clock: &Clock) {
    let data = house.gateway.take_data();
    let folder = std::mem::replace(&mut house.gateway.manifests, manifest::folder());
    house.gateway = Gateway::start_by(clock.command(), folder, data, &[]);
}

/// The clock is set, and the gateway knows.
fn set(house: &mut House, clock: &Clock, seconds: i64) {
    clock.set(seconds);
    assert!(house.gateway.wait_for_line("the clock on the wall was set").is_some());
}

fn retry_after(reply: &Reply) -> u64 {
    assert_eq!(reply.status, 429, "{}", reply.text());
    let seconds = reply.header("retry-after").expect("it says when");
    seconds.parse().expect("seconds")
}

#[test]
fn fault_51_a_clock_that_is_set_forward_a_day_or_back_an_hour_frees_no_window_and_locks_none() {
    let clock = Clock::at_noon();
    let limits = json!({"type": "gateway-rate-limiting-config", "name": "limits", "rules": [
        {"id": "two", "limit_to": 2, "unit": "requests_per_hour"}]});
    let mut house = house(&clock, &[limits]);
    for _ in 0..2 {
        assert_eq!(house.ask(&Ask::chat("open")).status, 200);
    }
    let begun = retry_after(&house.ask(&Ask::chat("open")));
    assert!(HOLDS_SECONDS.contains(&begun), "{begun}");
    let is_as_begun = |reply: &Reply| {
        let seconds = retry_after(reply);
        assert!(seconds <= begun && seconds + TEST_SECONDS >= begun, "{seconds} of {begun}");
    };

    // While it serves.
    for seconds in [24 * HOUR_SECONDS, -HOUR_SECONDS, 3 * HOUR_SECONDS, -3 * HOUR_SECONDS] {
        set(&mut house, &clock, seconds);
        is_as_begun(&house.ask(&Ask::chat("open")));
    }
    // While it does not, again and again.
    for seconds in [24 * HOUR_SECONDS, -HOUR_SECONDS, 0, -25 * HOUR_SECONDS] {
        house.gateway.kill();
        clock.set(seconds);
        start(&mut house, &clock);
        is_as_begun(&house.ask(&Ask::chat("open")));
    }
    assert_eq!(house.vendor.log().len(), 2);
}

/// What waits to be tried again does not wait for the hour to come back.
#[test]
fn fault_51_a_message_that_is_owed_is_sent_though_the_clock_was_set_back() {
    let clock = Clock::at_noon();
    let hook = Hook::start();
    hook.answer(503, "later");
    let channel = json!({"type": "notification-channel", "name": "hook",
        "kind": "slack-webhook", "url": hook.url("/")});
    let target = json!({"type": "slack-webhook", "notification_channel": "hook"});
    let budget = json!({"type": "gateway-budget-config", "name": "budgets", "rules": [
        {"id": "day", "limit_to": 1, "unit": "tokens_per_day", "audit_mode": true,
            "alerts": {"thresholds": [100], "notification_target": [target]}}]});
    let mut house = house(&clock, &[channel, budget]);
    assert_eq!(house.ask(&Ask::chat("open")).status, 200);
    let refused = hook.next();

    set(&mut house, &clock, -HOUR_SECONDS);

    assert_eq!(hook.next().body, refused.body);
}

/// Calendars follow the time of day, and never back into a period that was left.
#[test]
fn fault_51_a_budget_begins_anew_when_the_day_does_and_a_clock_set_back_gives_nothing_back() {
    let clock = Clock::at_noon();
    let budget = json!({"type": "gateway-budget-config", "name": "budgets", "rules": [
        {"id": "day", "limit_to": 1_000, "unit": "tokens_per_day"}]});
    let mut house = house(&clock, &[budget]);
    house.teach("counted", counted(600, 400));
    let ask = Ask::post("/v1/chat/completions", chat_body("raw-counted", r#","max_tokens":400"#));
    let status = |house: &House| house.ask(&ask).status;
    assert_eq!((status(&house), status(&house)), (200, 429), "the day's thousand is spent");

    set(&mut house, &clock, -HOUR_SECONDS);
    assert_eq!(status(&house), 429);
    set(&mut house, &clock, 24 * HOUR_SECONDS);
    house.ask_until(&ask, |reply| reply.status == 200);
    assert_eq!(status(&house), 429, "a day of its own");
    set(&mut house, &clock, 0);
    assert_eq!(status(&house), 429, "the day that was left is over");

    for seconds in [0, 24 * HOUR_SECONDS] {
        house.gateway.kill();
        clock.set(seconds);
        start(&mut house, &clock);
        assert_eq!(status(&house), 429, "each day's thousand stays spent");
    }
    assert_eq!(house.vendor.log().len(), 2);
}

/// What is sent after a clock was set back over midnight is counted in the day that its meter is
/// in, by who tells of budgets and by the next start as well.
#[test]
fn fault_51_what_is_sent_under_a_clock_set_back_over_midnight_is_told_of_the_day_it_counts_in() {
    let clock = Clock::at_noon();
    let budget = json!({"type": "gateway-budget-config", "name": "budgets", "rules": [
        {"id": "day", "limit_to": 1_000_000, "unit": "tokens_per_day"}]});
    let settings = json!({"type": "gateway-global-settings", "admins": [manifest::OWNER]});
    let mut house = house(&clock, &[budget, settings]);
    house.teach("counted", counted(600, 400));
    let ask = Ask::post("/v1/chat/completions", chat_body("raw-counted", r#","max_tokens":400"#));
    let used = |house: &House| {
        let asked =
            json!({"subject": manifest::OWNER, "model": "test/raw-counted", "metadata": {}});
        let found = harness::admin_post(house, "/api/svc/v1/llm-gateway/standing", &asked);
        found["budgets"][0]["entities"][0]["periods"]["tokens_per_day"]["used"].clone()
    };
    assert_eq!(house.ask(&ask).status, 200);
    house.receipts(1);
    assert_eq!(used(&house), 1_000);

    set(&mut house, &clock, 24 * HOUR_SECONDS);
    assert_eq!(used(&house), 0, "a day of its own");
    // Cores notice with the next turn of their wheels.
    let mut sent = 1;
    while used(&house) == 0 {
        assert_eq!(house.ask(&ask).status, 200);
        sent += 1;
        house.receipts(sent);
    }
    assert_eq!(used(&house), 1_000);
    set(&mut house, &clock, 0);
    for _ in 0..3 {
        assert_eq!(house.ask(&ask).status, 200);
        sent += 1;
        house.receipts(sent);
    }

    assert_eq!(used(&house), 4_000, "the later day goes on");
    house.gateway.kill();
    clock.set(24 * HOUR_SECONDS);
    start(&mut house, &clock);
    assert_eq!(used(&house), 4_000, "as the next process counts them");
}
