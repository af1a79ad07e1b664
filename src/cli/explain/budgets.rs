//! Which budgets a request meets, which of them decide, and what is left of them.

use crate::{
    cli::explain::{Part, Request, aligned, left_of},
    policy::{
        budget::{Budget, Kind, Mode},
        calendar::Period,
        limit::Counts,
        price::dollars,
        spending::{amount, label},
    },
};
use serde_json::{Value, json};

pub(super) fn explain(request: &Request<'_>) -> Part {
    let Request { snapshot, subject, model, metadata, .. } = *request;
    let matter = snapshot.matter(subject, model, metadata);
    let mut first: Option<*const Budget> = None;
    let (mut rows, mut budgets) = (Vec::new(), Vec::new());
    for (budget, entity) in snapshot.budgets(&matter) {
        let is_first = budget.kind != Kind::Ordered
            || std::ptr::eq(*first.get_or_insert(std::ptr::from_ref(budget)), budget);
        let why = why(budget, is_first);
        let name = entity.map(|key| snapshot.entity_name(budget, &matter, key));
        for cap in budget.caps(entity.unwrap_or_default()) {
            let label = label(budget, cap);
            let standing =
                request.standing.and_then(|it| of(it, &budget.id, name.as_deref(), &label));
            let per = match cap.period {
                Period::Lifetime => "in all".to_owned(),
                period => format!("per {}", period.label()),
            };
            rows.push(vec![
                budget.id.to_string(),
                format!("{} {per}", words(budget, cap.limit)),
                name.as_ref().map_or_else(String::new, |name| format!("of {name}")),
                left_of(standing, |left| written(budget, left)),
                why.to_owned(),
            ]);
            budgets.push(json!({"budget": budget.id, "type": budget.kind.label(),
                "mode": budget.mode.label(), "strict": budget.is_strict, "entity": name,
                "period": label, "limit": amount(budget, cap.limit), "why": why,
                "decides": decides(budget, is_first),
                "used": standing.map(|it| &it["used"]), "left": standing.map(|it| &it["left"])}));
        }
    }
    let table = if rows.is_empty() {
        "budgets: none\n".to_owned()
    } else {
        format!("budgets:\n{}", aligned(&rows))
    };
    Part { table, json: json!(budgets) }
}

fn decides(budget: &Budget, is_first: bool) -> bool {
    budget.mode != Mode::Audit && (is_first || budget.is_strict)
}

fn why(budget: &Budget, is_first: bool) -> &'static str {
    match (budget.mode, is_first) {
        (Mode::Audit, _) => "counts, and refuses nothing",
        (_, false) if budget.is_strict => "decides too, for it is strict",
        (_, false) => "counts; an earlier rule decides",
        (Mode::SoftEnforce, _) => "refuses unless another allows",
        (Mode::Enforce, _) => "decides",
    }
}

/// What is known of one period of one budget.
fn of<'v>(standing: &'v Value, id: &str, name: Option<&str>, label: &str) -> Option<&'v Value> {
    let budget = standing["budgets"].as_array()?.iter().find(|budget| budget["id"] == id)?;
    let mut entities = budget["entities"].as_array()?.iter();
    let entity = entities.find(|entity| entity["entity"].as_str() == name)?;
    entity["periods"].get(label)
}

fn words(budget: &Budget, units: u64) -> String {
    match budget.counts {
        Counts::Cost => format!("${}", dollars(units)),
        Counts::Tokens => format!("{units} tokens"),
        Counts::Requests => format!("{units} requests"),
    }
}

fn written(budget: &Budget, left: &Value) -> String {
    let sign = if budget.counts == Counts::Cost { "$" } else { "" };
    format!("{sign}{left}")
}
