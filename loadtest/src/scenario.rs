//! What is to be sent, as `scenarios/*.yaml` say it.

use crate::schedule::Schedule;
use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use std::fmt::Write as _;

/// A whole run.
///
/// **Shape**: `{rate: 500, seconds: 10, connections: 64, requests: [{model: plain}]}`
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Requests a second.
    pub rate: Rate,
    /// For how long requests are due.
    pub seconds: u32,
    /// Requests due within the first so many seconds are sent and not counted.
    #[serde(default)]
    pub warmup_seconds: u32,
    /// The most that are open at once, over all threads; opened as they are needed.
    pub connections: usize,
    #[serde(default = "one")]
    pub threads: usize,
    /// A request that found no free connection for so long is given up: `unsent`.
    #[serde(default = "ten_seconds")]
    pub patience_ms: u64,
    /// An answer that took longer from the moment it was due is given up: `timeout`.
    #[serde(default = "a_minute")]
    pub timeout_ms: u64,
    /// The 99th percentile of the client's own lateness beyond which a run says nothing.
    #[serde(default = "five")]
    pub lateness_max_ms: u64,
    /// Sent in turns.
    pub requests: Vec<Request>,
}

/// How many requests a second.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum Rate {
    Fixed(u32),
    Ramp { from: u32, to: u32 },
}

/// One kind of request: a chat completion.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub model: String,
    /// The body's length, as near as the rest of it allows.
    #[serde(default = "a_kibibyte")]
    pub bytes: usize,
    #[serde(default)]
    pub stream: bool,
    /// A stream with another number of events, `[DONE]` included, is an error: `events_lost`.
    pub events: Option<u64>,
}

const fn one() -> usize {
    1
}
const fn five() -> u64 {
    5
}
const fn ten_seconds() -> u64 {
    10_000
}
const fn a_minute() -> u64 {
    60_000
}
const fn a_kibibyte() -> usize {
    1024
}

impl Scenario {
    /// # Errors
    /// Not YAML, not a scenario, or one that can send nothing.
    pub fn read(name: &str, text: &str) -> anyhow::Result<Self> {
        let documents = weir::manifest::yaml::parse(name, text)
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let [document] = &documents[..] else { bail!("{name}: one document is wanted") };
        let scenario: Self =
            serde_json::from_value(document.tree.to_json()).with_context(|| name.to_owned())?;
        scenario.check().with_context(|| name.to_owned())?;
        Ok(scenario)
    }

    /// # Errors
    /// What it can not be obeyed for.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(self.schedule().count() > 0, "rate and seconds amount to no request");
        ensure!(self.warmup_seconds < self.seconds, "warmup_seconds leaves nothing to count");
        ensure!((1..=64).contains(&self.threads), "threads: 1 to 64");
        ensure!(self.connections >= self.threads, "connections: at least one a thread");
        ensure!(!self.requests.is_empty(), "requests: at least one");
        Ok(())
    }

    #[must_use]
    pub fn schedule(&self) -> Schedule {
        let (from, to) = match self.rate {
            Rate::Fixed(rate) => (rate, rate),
            Rate::Ramp { from, to } => (from, to),
        };
        Schedule { from, to, seconds: self.seconds }
    }
}

impl Request {
    /// The bytes that are sent, for `model_prefix` before the model's name.
    #[must_use]
    pub fn wire(&self, host: &str, path: &str, key: &str, model_prefix: &str) -> Vec<u8> {
        let stream = if self.stream {
            r#","stream":true,"stream_options":{"include_usage":true}"#
        } else {
            ""
        };
        let mut body = format!(
            r#"{{"model":"{model_prefix}{}"{stream},"messages":[{{"role":"user","content":""#,
            self.model
        );
        let tail = r#""}]}"#;
        let words = "The river runs and the weir holds. ".chars().cycle();
        body.extend(words.take(self.bytes.saturating_sub(body.len() + tail.len())));
        body.push_str(tail);
        let mut wire = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n",
            body.len()
        );
        if !key.is_empty() {
            let _ = write!(wire, "authorization: Bearer {key}\r\n");
        }
        wire.push_str("\r\n");
        wire.push_str(&body);
        wire.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{Rate, Scenario};

    #[test]
    fn a_scenario_says_what_is_wrong_with_it() {
        for (text, said) in [
            ("rate: 5\nseconds: 1\nconnections: 1\nrequests: [{model: a}]\nspeed: 9", "speed"),
            ("rate: 5\nseconds: 1\nconnections: 1\nrequests: []", "at least one"),
            ("rate: 0\nseconds: 1\nconnections: 1\nrequests: [{model: a}]", "no request"),
            ("rate: 5\nseconds: 1\nconnections: 1\nthreads: 2\nrequests: [{model: a}]", "one a"),
        ] {
            let error = format!("{:#}", Scenario::read("it.yaml", text).expect_err(said));
            assert!(error.contains(said) && error.contains("it.yaml"), "{error}");
        }
    }

    #[test]
    fn a_body_is_json_of_the_length_asked_for() {
        let text = "rate: {from: 1, to: 9}\nseconds: 2\nconnections: 1\n\
                    requests: [{model: a, bytes: 4096, stream: true}]";
        let scenario = Scenario::read("it.yaml", text).expect("it is whole");

        let wire = scenario.requests[0].wire("h", "/v1/chat/completions", "k", "test/");

        let text = String::from_utf8(wire).expect("it is text");
        let (head, body) = text.split_once("\r\n\r\n").expect("there is a body");
        assert!(head.contains("content-length: 4096\r\n") && body.len() == 4096, "{head}");
        let body: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
        assert_eq!((&body["model"], &body["stream"]), (&"test/a".into(), &true.into()));
        assert_eq!(scenario.rate, Rate::Ramp { from: 1, to: 9 });
    }

    #[test]
    fn every_scenario_that_is_kept_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
            let text = std::fs::read_to_string(entry.path()).expect("it is text");
            Scenario::read(&entry.file_name().to_string_lossy(), &text).expect("it is whole");
            count += 1;
        }
        assert!(count >= 4, "{count} scenarios");
    }
}
