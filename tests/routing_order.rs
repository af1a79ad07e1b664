//! The order of targets: shares, sessions, health.

use weir::{
    lexicon::{
        health::{Health, Readings},
        ids::{ModelId, SubjectId},
        meter::MeterKey,
    },
    policy::{
        condition::{Names, Tag},
        route::{
            Asked, Candidate, Changes, Cutoff, Rule, Sticky, Strategy,
            complexity::Tier,
            mix,
            order::{Moment, Plan, Reason, plan},
            retry::{Codes, Retry},
        },
    },
};

const NOW: u64 = 5_000_000;

fn candidate(index: u16, weight: u32, priority: u32) -> Candidate {
    Candidate {
        model: ModelId(u32::from(index)),
        place: index,
        key: mix(77, u64::from(index)),
        weight,
        priority,
        cutoff: Cutoff::default(),
        tier: [Tier::Simple, Tier::Medium, Tier::Complex][usize::from(index) % 3],
        retry: Retry::default(),
        hedge: None,
        falls_back_on: Codes::default(),
        takes_fallback: true,
        metadata: Box::default(),
        changes: Changes::default(),
        told: "\"a/b\"".into(),
    }
}

fn rule(strategy: Strategy, candidates: Vec<Candidate>) -> Rule {
    Rule { id: "r".into(), key: 99, strategy, candidates: candidates.into(), told: "".into() }
}

fn sticky(ttl_ms: u64) -> Strategy {
    Strategy::Weight { sticky: Some(Sticky { ttl_ms, identifiers: Box::default() }) }
}

const ASKED: Asked<'static> = Asked {
    subject: SubjectId(0),
    caller: MeterKey(4),
    metadata: &[],
    session: None,
    tier: Tier::Medium,
};

fn moment(health: &[Health], random: u64) -> Moment<'_> {
    Moment { health, node_ms: NOW, wall_ms: NOW, random: mix(1, random) }
}

fn order(plan: &Plan<'_>) -> Vec<u32> {
    (0..plan.len()).filter_map(|at| plan.candidate(at)).map(|it| it.model.0).collect()
}

/// How often each target is first in so many plans.
fn firsts(rule: &Rule, asked: &Asked<'_>, health: &[Health], times: u64) -> Vec<u64> {
    let mut firsts = vec![0; rule.candidates.len()];
    for random in 0..times {
        let plan = plan(rule, asked, &moment(health, random), |_| true);
        firsts[order(&plan)[0] as usize] += 1;
    }
    firsts
}

fn pace(per_token_us: u64, count: u64) -> Health {
    let readings = Readings { sum_us: per_token_us * count, count };
    Health { token_recent: readings, token_long: readings, ..Health::default() }
}

fn failing() -> Health {
    Health { failing_until_ms: NOW + 1, ..Health::default() }
}

/// 99: shares are as the weights say, within four standard deviations.
#[test]
fn weights_share_requests_as_they_say() {
    let weights = [70, 20, 10, 0];
    let candidates = (0..).zip(weights).map(|(at, weight)| candidate(at, weight, 0)).collect();
    let rule = rule(Strategy::Weight { sticky: None }, candidates);

    let firsts = firsts(&rule, &ASKED, &[], 100_000);

    for (first, expected) in firsts.iter().zip([70_000_i64, 20_000, 10_000, 0]) {
        let apart = first.cast_signed().abs_diff(expected);
        assert!(apart <= 600, "{firsts:?}");
    }
    // What follows is drawn by weight too: of those behind the first of 70, two thirds are the 20.
    let seconds = (0..10_000)
        .map(|random| order(&plan(&rule, &ASKED, &moment(&[], random), |_| true)))
        .filter(|order| order[0] == 0 && order[1] == 1)
        .count();
    assert!((4_400..=4_950).contains(&seconds), "{seconds}");
}

/// 106: a session stays for its ttl whatever chance says, and sessions share as the weights say.
#[test]
fn a_session_stays_at_its_target_until_its_epoch_ends() {
    let rule = rule(sticky(3_600_000), vec![candidate(0, 60, 0), candidate(1, 40, 0)]);
    let first = |session: u64, wall_ms: u64, random: u64| {
        let asked = Asked { session: Some(mix(3, session)), ..ASKED };
        let moment = Moment { wall_ms, ..moment(&[], random) };
        let plan = plan(&rule, &asked, &moment, |_| true);
        assert_eq!(plan.reason, Reason::Sticky);
        order(&plan)[0]
    };
    let mut changes = 0;
    let mut of_first = 0;
    for session in 0..2_000 {
        let begun = first(session, NOW, 0);
        of_first += u32::from(begun == 0);
        assert_eq!(begun, first(session, NOW, 1), "chance has no say");
        let minutes: Vec<u32> = (0..60).map(|it| first(session, NOW + it * 60_000, it)).collect();
        changes += minutes.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let within_an_hour = minutes.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(within_an_hour <= 1, "one epoch ends in an hour at most: {minutes:?}");
    }
    assert!((1_100..=1_300).contains(&of_first), "{of_first}");
    // Their epochs end at different moments, half of them at the other target.
    assert!((700..=1_200).contains(&changes), "{changes}");
}

/// A session whose target fails goes elsewhere, all others stay, and it comes back.
#[test]
fn only_the_sessions_of_a_failing_target_move() {
    let rule = rule(sticky(60_000), (0..4).map(|at| candidate(at, 25, 0)).collect());
    let health = [Health::default(), failing()];
    for session in 0..500 {
        let asked = Asked { session: Some(mix(9, session)), ..ASKED };
        let well = order(&plan(&rule, &asked, &moment(&[], 0), |_| true));
        let ill = order(&plan(&rule, &asked, &moment(&health, 5), |_| true));
        let expected: Vec<u32> = well.iter().copied().filter(|it| *it != 1).chain([1]).collect();
        assert_eq!(ill, expected);
    }
}

/// 100, 101: the faster ones share, the slow one is not asked, the unknown one is.
#[test]
fn latency_asks_the_fast_ones_and_explores_what_is_unknown() {
    let rule = rule(Strategy::Latency, (0..4).map(|at| candidate(at, 0, 0)).collect());
    let health = [pace(10_000, 50), pace(11_000, 50), pace(30_000, 50), pace(1, 2)];
    let mut total = [0; 4];
    for caller in 0..400_u128 {
        let asked = Asked { caller: MeterKey(caller * 7 + 1), ..ASKED };
        let counts = firsts(&rule, &asked, &health, 40);
        let stays = counts[0] == 0 || counts[1] == 0;
        assert!(stays, "a caller stays with one of the fast: {counts:?}");
        total.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    assert_eq!(total[2], 0, "three times as slow");
    assert!(total[0] > 5_500 && total[1] > 5_000, "{total:?}");
    assert!((1_600..=2_400).contains(&total[3]), "one in eight explores: {total:?}");

    let known = [pace(10_000, 50), pace(11_000, 50), pace(30_000, 50), pace(9_000, 3)];
    let one = order(&plan(&rule, &ASKED, &moment(&known, 0), |_| true));
    assert_eq!(one[3], 2, "the slow one is last: {one:?}");
}

/// Nothing flaps: while means wander within the band, no caller moves.
#[test]
fn a_caller_does_not_move_while_means_wander_within_the_band() {
    let rule = rule(Strategy::Latency, vec![candidate(0, 0, 0), candidate(1, 0, 0)]);
    let mut moves = 0;
    for caller in 0..200_u128 {
        let asked = Asked { caller: MeterKey(caller * 31 + 5), ..ASKED };
        let first = |wobble: u64| {
            let health = [pace(10_000 + wobble, 90), pace(10_400 - wobble, 90)];
            order(&plan(&rule, &asked, &moment(&health, wobble), |_| true))[0]
        };
        let seen: Vec<u32> = (0..400).step_by(10).map(first).collect();
        moves += usize::from(seen.iter().any(|it| *it != seen[0]));
    }
    assert!(moves <= 10, "{moves} of 200 callers moved");
}

/// 103, 104, 105: in order of priority; who misses the cutoff of its means moves to the end.
#[test]
fn priority_is_kept_but_for_those_that_fail_or_are_too_slow() {
    let mut first = candidate(0, 0, 0);
    first.cutoff = Cutoff { token_us: Some(50_000), first_us: Some(400_000) };
    let rule = rule(Strategy::Priority, vec![candidate(1, 0, 2), candidate(2, 0, 1), first]);
    let of = |health: [Health; 3]| {
        let plan = plan(&rule, &ASKED, &moment(&health, 3), |_| true);
        order(&plan)
    };
    let well = Health::default();
    let late =
        Health { first_recent: Readings { sum_us: 3 * 400_001, count: 3 }, ..Health::default() };

    assert_eq!(of([well; 3]), [0, 2, 1]);
    assert_eq!(of([pace(50_001, 3), well, well]), [2, 1, 0]);
    assert_eq!(of([pace(50_001, 2), well, well]), [0, 2, 1], "two readings say nothing");
    assert_eq!(of([pace(50_000, 3), well, well]), [0, 2, 1]);
    assert_eq!(of([late, well, well]), [2, 1, 0]);
    assert_eq!(of([well, failing(), failing()]), [0, 2, 1]);
    assert_eq!(of([failing(); 3]), [0, 2, 1], "never out");
}

/// 120: the tier of the request, then the nearest.
#[test]
fn complexity_asks_the_tier_first_and_the_others_after_it() {
    let rule = rule(
        Strategy::Complexity { classifier: None },
        (0..3).map(|at| candidate(at, 0, 0)).collect(),
    );
    for (tier, expected) in
        [(Tier::Simple, [0, 1, 2]), (Tier::Medium, [1, 2, 0]), (Tier::Complex, [2, 1, 0])]
    {
        let plan = plan(&rule, &Asked { tier, ..ASKED }, &moment(&[], 0), |_| true);
        assert_eq!(order(&plan), expected);
        assert_eq!(plan.reason, Reason::Complexity(tier));
    }
}

/// 111, 116: who takes no fallback is asked first or not at all; who is not meant is left out.
#[test]
fn who_is_not_meant_is_left_out() {
    let mut shy = candidate(1, 0, 1);
    shy.takes_fallback = false;
    let mut regional = candidate(2, 0, 2);
    let values = Names { within: Some(["eu".into()].into()), ..Names::default() };
    regional.metadata = [Tag { key: "region".into(), values }].into();
    let rule = rule(Strategy::Priority, vec![candidate(0, 0, 0), shy, regional]);
    let of = |metadata: &[(&str, &str)], health: &[Health], forbidden: u32| {
        let asked = Asked { metadata, ..ASKED };
        let plan = plan(&rule, &asked, &moment(health, 0), |it| it.model.0 != forbidden);
        order(&plan)
    };

    assert_eq!(of(&[], &[], 9), [0]);
    assert_eq!(of(&[("region", "eu"), ("more", "x")], &[], 9), [0, 2]);
    assert_eq!(of(&[("region", "us")], &[failing()], 9), [1, 0], "it is the first now");
    assert_eq!(of(&[], &[], 0), [1]);
    assert!(plan(&rule, &ASKED, &moment(&[], 0), |_| false).is_empty());
}
