//! What people are told of a budget.

use crate::{
    control_plane::usage::Line,
    lexicon::{meter::MeterKey, time::UnixMillis},
    policy::{
        alert::Address,
        budget::{Budget, Cap, Kind},
        limit::Counts,
        price::dollars,
        spending::label,
    },
};
use serde::{Deserialize, Serialize};

/// One message to one address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Notice {
    /// Of the meter and the threshold: the same for all who are told.
    pub(super) id: String,
    pub(super) address: To,
    pub(super) facts: Facts,
    /// When the threshold was found reached, since 1970.
    pub(super) since_ms: u64,
}

/// `policy::alert::Address`, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct To {
    pub(super) channel: Box<str>,
    pub(super) to: Box<str>,
}

/// What is known of a threshold that was reached, in words.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) budget: String,
    /// The type of its document.
    pub(super) kind: String,
    pub(super) team: Option<String>,
    /// What it is told apart by; none where it is for all together.
    pub(super) entity: Option<String>,
    pub(super) mode: String,
    /// Percent.
    pub(super) threshold: String,
    /// At least the whole limit.
    pub(super) is_spent: bool,
    /// `cost_per_day`.
    pub(super) limit_name: String,
    pub(super) limit: String,
    pub(super) used: String,
    /// UTC, as RFC 3339 writes it; none for a lifetime.
    pub(super) until: Option<String>,
}

impl From<&Address> for To {
    fn from(address: &Address) -> Self {
        Self { channel: address.channel.clone(), to: address.to.clone() }
    }
}

impl Notice {
    /// Is it the same message?
    pub(super) fn is(&self, other: &Self) -> bool {
        self.id == other.id && self.address == other.address
    }
}

pub(super) fn id(meter: MeterKey, threshold: u64) -> String {
    format!("{}{threshold}", id_prefix(meter))
}

/// What the ids of all thresholds of a meter begin with.
pub(super) fn id_prefix(meter: MeterKey) -> String {
    format!("{:x}.", meter.0)
}

pub(super) fn facts(budget: &Budget, cap: &Cap, limit: u64, line: &Line, threshold: u64) -> Facts {
    let amount = |units: u64| match budget.counts {
        Counts::Cost => format!("${}", dollars(units)),
        Counts::Requests | Counts::Tokens => format!("{units} tokens"),
    };
    let team = match &budget.kind {
        Kind::Team(team) => Some(team.to_string()),
        Kind::Ordered | Kind::Tenant => None,
    };
    let moment = |end: UnixMillis| {
        let millis = i64::try_from(end.0).unwrap_or(i64::MAX);
        jiff::Timestamp::from_millisecond(millis).map(|end| end.to_string()).ok()
    };
    let percent = format!("{}.{:02}", threshold / 100, threshold % 100);
    Facts {
        budget: budget.id.to_string(),
        kind: budget.kind.label().to_owned(),
        team,
        entity: line.entity.as_deref().map(str::to_owned),
        mode: budget.mode.label().to_owned(),
        threshold: percent.trim_end_matches('0').trim_end_matches('.').to_owned(),
        is_spent: line.units >= limit,
        limit_name: label(budget, cap),
        limit: amount(limit),
        used: amount(line.units),
        until: line.end.and_then(moment),
    }
}

impl Facts {
    /// One line. Names are quoted with their control characters escaped: whoever wrote them begins
    /// no line of his own.
    pub(super) fn title(&self) -> String {
        format!("Budget {:?}: {}% of {} is spent", self.budget, self.threshold, self.limit_name)
    }

    /// One sentence or two.
    pub(super) fn text(&self) -> String {
        let who = self.entity.as_ref().map_or_else(
            || "All that it is for together".to_owned(),
            |entity| format!("{entity:?}"),
        );
        let until = self.until.as_ref().map_or_else(String::new, |it| format!(" until {it}"));
        let what = match (self.mode.as_str(), self.is_spent) {
            ("audit", _) => " It is only counted: nothing is refused.",
            (_, true) => " Further requests are refused.",
            (_, false) => "",
        };
        format!("{who} spent {} of {}{until}.{what}", self.used, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::Facts;

    #[test]
    fn a_message_is_a_line_and_a_sentence_whatever_a_name_holds() {
        let facts = Facts {
            budget: "each\r\nBcc: x".to_owned(),
            entity: Some("ada\n".to_owned()),
            mode: "enforce".to_owned(),
            threshold: "99.5".to_owned(),
            limit_name: "cost_per_day".to_owned(),
            limit: "$10".to_owned(),
            used: "$9.96".to_owned(),
            until: Some("2026-11-22T00:00:00Z".to_owned()),
            ..Facts::default()
        };

        let title = r#"Budget "each\r\nBcc: x": 99.5% of cost_per_day is spent"#;
        assert_eq!(facts.title(), title);
        let text = r#""ada\n" spent $9.96 of $10 until 2026-11-22T00:00:00Z."#;
        assert_eq!(facts.text(), text);
    }
}
