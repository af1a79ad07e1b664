//! Prometheus text exposition, version 0.0.4.
//!
//! ```text
//! # HELP ai_gateway_requests_total Requests answered.
//! # TYPE ai_gateway_requests_total counter
//! ai_gateway_requests_total{model_name="openai/gpt-5",username="ada"} 12
//! ```
//!
//! **Source**: `prometheus.io/docs/instrumenting/exposition_formats` (read 2026-11-21): in label
//! values backslash, quote and newline are escaped.

use std::fmt::{Display, Write};

/// What is sent as its content type.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A family: its name, its type, what it says, and the value of one of its samples.
pub(super) type Family<T> = (&'static str, Kind, &'static str, fn(&T) -> u64);

/// What a sample is of, by its labels.
pub(super) type Sampled<'a, T> = (Vec<(&'a str, &'a str)>, &'a T);

/// A page being written.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    family: &'static str,
}

impl Exposition {
    /// The samples that follow belong to `name`.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.family = name;
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.part("", labels, value);
    }

    /// One family a row, each with one sample of each of these.
    pub(super) fn table<T>(&mut self, rows: &[Family<T>], sampled: &[Sampled<'_, T>]) {
        for (name, kind, help, value) in rows {
            self.family(name, *kind, help);
            for (labels, of) in sampled {
                self.sample(labels, value(of));
            }
        }
    }

    /// A sample of a histogram: `_bucket`, `_sum` or `_count`.
    pub(super) fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        for (at, (name, text)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(text, &mut self.text);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.line(format_args!(" {value}\n"));
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a String takes everything");
    }
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}
