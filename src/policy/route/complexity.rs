//! How hard a request is, by what it says: a heuristic, in process, with its reasons.
//!
//! Each sign in the newest user message and in the shape of the request gives points; a few take
//! some away. Up to 1 point is simple, up to 4 medium, more is complex. Signs are words of work
//! (prove, refactor, compare …), code and stack traces, mathematics, lists of demands, length,
//! tools and wanted schemas; a short question for a fact, a greeting or a translation takes points
//! away. It reads English; in other languages shape, code and mathematics still speak.

/// How hard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    Simple,
    #[default]
    Medium,
    Complex,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt<'a> {
    /// The newest user message.
    pub text: &'a str,
    /// Of all messages.
    pub context_bytes: usize,
    pub messages: usize,
    pub tools: usize,
    pub wants_schema: bool,
    pub images: usize,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub tier: Tier,
    pub points: i32,
    /// One bit a row of `REASONS`.
    pub reasons: u16,
}

/// The signs, by bit.
pub const REASONS: [&str; 12] = [
    "words of work",
    "code",
    "mathematics",
    "steps",
    "demands",
    "length",
    "context",
    "conversation",
    "tools",
    "schema",
    "images",
    "a short question for a fact",
];

/// Words that are looked at; what stands behind them changes nothing about the tier.
const WORDS_MAX: usize = 2_000;
/// A request of fewer words can be a short question.
const SHORT_WORDS: usize = 25;

/// Two points each, for three of them at most.
const WORK: &[&str] = &[
    "prove",
    "derive",
    "analyze",
    "analyse",
    "analysis",
    "evaluate",
    "compare",
    "contrast",
    "design",
    "architect",
    "architecture",
    "refactor",
    "debug",
    "diagnose",
    "optimize",
    "optimise",
    "tradeoff",
    "tradeoffs",
    "trade",
    "strategy",
    "critique",
    "investigate",
    "justify",
    "synthesize",
    "migrate",
    "migration",
    "vulnerability",
    "vulnerabilities",
    "threat",
    "concurrency",
    "deadlock",
    "distributed",
    "algorithm",
    "implement",
    "reconcile",
    "simulate",
    "root",
];
/// One point each, for two of them at most.
const SOME_WORK: &[&str] = &[
    "summarize",
    "summarise",
    "explain",
    "write",
    "draft",
    "rewrite",
    "review",
    "outline",
    "fix",
    "plan",
    "describe",
    "suggest",
    "improve",
    "why",
    "function",
    "script",
    "email",
    "test",
];
const MATHEMATICS: &[&str] = &[
    "theorem",
    "integral",
    "equation",
    "equations",
    "matrix",
    "eigenvalue",
    "eigenvalues",
    "probability",
    "proof",
    "lemma",
    "derivative",
    "polynomial",
    "modulo",
    "irrational",
];
const DEMANDS: &[&str] =
    &["must", "should", "without", "except", "only", "exactly", "least", "ensure", "constraint"];
const STEPS: &[&str] = &["then", "finally", "afterwards", "step", "steps", "first", "second"];
/// With what a question for a fact, a greeting or a small errand begins.
const SMALL: &[&str] = &[
    "what",
    "who",
    "when",
    "where",
    "which",
    "is",
    "are",
    "does",
    "define",
    "translate",
    "spell",
    "list",
    "name",
    "convert",
    "hello",
    "hi",
    "hey",
    "thanks",
    "thank",
    "good",
    "capitalize",
    "classify",
    "extract",
    "how",
];
/// What stands only in code and its complaints.
const CODE: &[&str] = &[
    "```",
    "Traceback",
    "panicked at",
    "Exception",
    "stack trace",
    "undefined reference",
    "#include",
    "fn ",
    "def ",
    "class ",
    "SELECT ",
    "npm ERR",
    "segfault",
    "NullPointer",
];
const FORMULAS: &[&str] = &["\\frac", "\\int", "\\sum", "∑", "∫", "√", "≤", "≡", "x^", "n^", "^2"];

impl Tier {
    /// The name in manifests.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Medium => "medium",
            Self::Complex => "complex",
        }
    }

    /// How far a target of that tier is: the harder of two neighbors is nearer, for it can do what
    /// was asked.
    #[must_use]
    pub const fn distance(self, other: Self) -> u8 {
        let (wanted, found) = (self as i8, other as i8);
        let apart = 2 * (wanted - found).unsigned_abs();
        if found < wanted { apart + 1 } else { apart }
    }
}

impl Verdict {
    pub fn reasons(self) -> impl Iterator<Item = &'static str> {
        (0..).zip(REASONS).filter(move |(bit, _)| self.reasons >> bit & 1 == 1).map(|(_, it)| it)
    }
}

/// What the words of a text hold.
#[derive(Default)]
struct Counts {
    words: usize,
    work: i32,
    some_work: i32,
    mathematics: i32,
    demands: i32,
    steps: i32,
    starts_small: bool,
}

fn count(text: &str) -> Counts {
    let mut counts = Counts::default();
    let is_part = |c: char| c.is_alphanumeric() || c == '\'';
    let words = text.split(|c: char| !is_part(c)).filter(|word| !word.is_empty());
    for word in words.take(WORDS_MAX) {
        let is_one_of = |list: &[&str]| list.iter().any(|it| it.eq_ignore_ascii_case(word));
        if counts.words == 0 {
            counts.starts_small = is_one_of(SMALL);
        }
        counts.words += 1;
        counts.work += i32::from(is_one_of(WORK));
        counts.some_work += i32::from(is_one_of(SOME_WORK));
        counts.mathematics += i32::from(is_one_of(MATHEMATICS));
        counts.demands += i32::from(is_one_of(DEMANDS));
        counts.steps += i32::from(is_one_of(STEPS));
    }
    counts
}

/// Lines that begin as those of a list.
fn listed(text: &str) -> usize {
    let is_item = |line: &str| {
        let line = line.trim_start();
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_numbered = rest.len() < line.len() && rest.starts_with(['.', ')']);
        is_numbered || line.starts_with("- ") || line.starts_with("* ")
    };
    text.lines().filter(|line| is_item(line)).count()
}

/// Judge a request.
#[must_use]
pub fn classify(prompt: &Prompt<'_>) -> Verdict {
    let text = prompt.text;
    let counts = count(text);
    let has_any = |list: &[&str]| list.iter().any(|it| text.contains(it));
    let code = 2 * i32::from(has_any(CODE));
    let mathematics = 2 * i32::from(counts.mathematics > 0 || has_any(FORMULAS));
    let work = 2 * counts.work.min(3) + counts.some_work.min(2);
    let questions = text.matches('?').count();
    let steps = i32::from(counts.steps >= 2) + i32::from(listed(text) >= 3);
    let is_small = counts.starts_small
        && counts.words <= SHORT_WORDS
        && questions <= 1
        && work + code + mathematics < 2;
    let by_size = |size: usize, bounds: &[usize]| {
        i32::try_from(bounds.iter().filter(|bound| size > **bound).count()).unwrap_or_default()
    };
    let signs = [
        work,
        code,
        mathematics,
        steps,
        i32::from(counts.demands >= 2) + i32::from(questions >= 3),
        by_size(counts.words, &[60, 250, 800]),
        by_size(prompt.context_bytes, &[24 << 10, 96 << 10]),
        by_size(prompt.messages, &[8]),
        by_size(prompt.tools, &[0, 5]),
        i32::from(prompt.wants_schema),
        by_size(prompt.images, &[0]),
        if is_small { -1 } else { 0 },
    ];
    let points = signs.iter().sum();
    let reasons = (0..)
        .zip(signs)
        .filter(|(_, sign)| *sign != 0)
        .fold(0, |bits, (bit, _)| bits | 1_u16 << bit);
    let tier = match points {
        ..=1 => Tier::Simple,
        2..=4 => Tier::Medium,
        _ => Tier::Complex,
    };
    Verdict { tier, points, reasons }
}

#[cfg(test)]
mod tests {
    use super::{Prompt, Tier, classify};

    /// Requests that a person would sort so; a heuristic that is only a length fails on them: the
    /// longest simple one is longer than the shortest complex one.
    const LABELLED: &[(&str, Tier)] = &[
        ("hi", Tier::Simple),
        ("What is the capital of France?", Tier::Simple),
        ("Thanks, that was it!", Tier::Simple),
        ("Translate 'good morning' into Polish.", Tier::Simple),
        ("List the planets of the solar system.", Tier::Simple),
        ("Is 91 a prime number?", Tier::Simple),
        ("When was the Magna Carta signed, and by whom?", Tier::Simple),
        ("Convert 72 degrees Fahrenheit to Celsius.", Tier::Simple),
        (
            "Classify this review as positive or negative: the soup was cold and the staff rude.",
            Tier::Simple,
        ),
        (
            "What is the name of the river that flows through the city of Warsaw and into the sea?",
            Tier::Simple,
        ),
        ("Write a short email that tells my landlord the heating is broken.", Tier::Medium),
        ("Explain why the sky is blue, and write it for a ten-year-old.", Tier::Medium),
        ("Write a Python script that renames all files in a folder by their date.", Tier::Medium),
        ("Compare SQLite and PostgreSQL for a small web shop.", Tier::Medium),
        ("Fix this:\n```python\nprint('a'\n```", Tier::Medium),
        ("Solve the equation x^2 - 5x + 6 = 0.", Tier::Medium),
        ("Summarize this thread and suggest a reply.", Tier::Medium),
        ("Prove that the square root of 2 is irrational.", Tier::Complex),
        (
            "Prove by induction the theorem that every tree with n nodes has n - 1 edges; justify \
          each step.",
            Tier::Complex,
        ),
        ("Design a distributed rate limiter and analyze its failure modes.", Tier::Complex),
        (
            "Refactor this and explain the trade offs:\n```rust\nfn main() { loop {} }\n```",
            Tier::Complex,
        ),
        (
            "Our service dies with this. Find the root cause and write a fix:\n\
          thread 'main' panicked at src/main.rs:4: index out of bounds\nWhy only under load?",
            Tier::Complex,
        ),
        (
            "Plan the migration of our billing database:\n1. without downtime\n2. it must be \
          reversible\n3. exactly one writer at any time\n4. evaluate the risks, then rank them",
            Tier::Complex,
        ),
        (
            "Derive the eigenvalues of the matrix and compare two algorithms to compute them.",
            Tier::Complex,
        ),
        (
            "Analyze this code for vulnerabilities:\n```c\n#include <stdio.h>\nint main(){char b[4];\
          gets(b);}\n```",
            Tier::Complex,
        ),
    ];

    #[test]
    fn labelled_requests_are_sorted_as_a_person_sorts_them() {
        let mut wrong = Vec::new();
        for (text, expected) in LABELLED {
            let verdict = classify(&Prompt { text, ..Prompt::default() });
            if verdict.tier != *expected {
                let reasons: Vec<_> = verdict.reasons().collect();
                wrong.push(format!("{text:?}: {verdict:?} {reasons:?}, not {expected:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let lengths = |tier: Tier| {
            let of_tier = LABELLED.iter().filter(move |(_, it)| *it == tier);
            of_tier.map(|(text, _)| text.len())
        };
        let (longest, shortest) = (lengths(Tier::Simple).max(), lengths(Tier::Complex).min());
        assert!(longest > shortest, "a length alone would do");
    }

    #[test]
    fn the_shape_of_a_request_counts_too() {
        let text = "What is next?";
        let plain = Prompt { text, messages: 1, ..Prompt::default() };
        let agent = Prompt {
            tools: 12,
            messages: 30,
            context_bytes: 200 << 10,
            wants_schema: true,
            ..plain
        };

        assert_eq!(classify(&plain).tier, Tier::Simple);
        let verdict = classify(&agent);
        assert_eq!(verdict.tier, Tier::Complex);
        let reasons: Vec<_> = verdict.reasons().collect();
        let expected =
            ["context", "conversation", "tools", "schema", "a short question for a fact"];
        assert_eq!(reasons, expected);
    }

    #[test]
    fn the_nearest_tier_is_the_harder_one() {
        let mut order = [Tier::Simple, Tier::Medium, Tier::Complex];
        for (wanted, expected) in [
            (Tier::Simple, [Tier::Simple, Tier::Medium, Tier::Complex]),
            (Tier::Medium, [Tier::Medium, Tier::Complex, Tier::Simple]),
            (Tier::Complex, [Tier::Complex, Tier::Medium, Tier::Simple]),
        ] {
            order.sort_by_key(|found| wanted.distance(*found));
            assert_eq!(order, expected);
        }
    }
}
