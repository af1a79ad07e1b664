//! Which rules hold for a request: what is compiled for speed says what reading every rule says.

use proptest::{
    collection::{btree_map, vec},
    option::weighted,
    prelude::{ProptestConfig, Strategy, prop_assert_eq, prop_oneof, proptest},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use weir::{
    control_plane::token::sha256_hex,
    lexicon::{ids::SubjectId, time::UnixMillis},
    manifest::{read, yaml},
    provider::auth::{Credentials, surroundings::Surroundings},
    snapshot::{
        Snapshot,
        compile::{CompileOptions, compile},
        verdict::Verdict,
    },
};

/// Who asks: of these the first is in the team.
const CALLERS: [&str; 3] = ["user:ada@example.com", "user:bob@example.com", "virtualaccount:robot"];
/// Whom rules name.
const SUBJECTS: [&str; 5] = [CALLERS[0], CALLERS[1], CALLERS[2], "team:core", "*"];
const MODELS: [&str; 4] = ["a/m0", "a/m1", "b/m0", "no/model"];
const ACCOUNTS: [&str; 2] = ["a", "b"];
/// More than have bitmaps.
const KEYS: usize = 12;
const PER: [&[&str]; 6] =
    [&[], &["user"], &["virtualaccount"], &["model"], &["metadata.k0"], &["user", "metadata.k1"]];

type Metadata = BTreeMap<usize, usize>;

/// Of names, by their numbers: those in it and those left out.
#[derive(Clone, Debug, Default)]
struct Filter {
    within: Option<Vec<usize>>,
    without: Option<Vec<usize>>,
}

/// A rule's `when`, and what its meter is told apart by.
#[derive(Clone, Debug)]
struct Rule {
    subjects: Filter,
    models: Filter,
    accounts: Filter,
    metadata: BTreeMap<usize, Filter>,
    per: usize,
}

/// A request.
#[derive(Clone, Debug)]
struct Asked {
    caller: usize,
    model: usize,
    metadata: Metadata,
}

fn key() -> impl Strategy<Value = usize> {
    prop_oneof![5 => 0..2_usize, 1 => 0..KEYS]
}

/// In the spelling that knows only "is one of".
fn rule() -> impl Strategy<Value = Rule> {
    let within = |names: usize| {
        weighted(0.4, vec(0..names, 1..3)).prop_map(|within| Filter { within, without: None })
    };
    let value = (0..3_usize).prop_map(|value| Filter { within: Some(vec![value]), without: None });
    let parts = (within(5), within(4), btree_map(key(), value, 0..3), 0..PER.len());
    parts.prop_map(|(subjects, models, metadata, per)| Rule {
        subjects,
        models,
        accounts: Filter::default(),
        metadata,
        per,
    })
}

/// In the spelling that knows "is none of" too.
fn joint_rule() -> impl Strategy<Value = Rule> {
    let filter = |names: usize| {
        (weighted(0.3, vec(0..names, 1..3)), weighted(0.3, vec(0..names, 1..2)))
            .prop_map(|(within, without)| Filter { within, without })
    };
    // Of subjects, users alone: the first two.
    let parts = (filter(2), filter(4), filter(2), btree_map(key(), filter(3), 0..3), 0..5_usize);
    parts.prop_map(|(subjects, models, accounts, metadata, per)| Rule {
        subjects,
        models,
        accounts,
        metadata,
        per,
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let parts = (0..CALLERS.len(), 0..MODELS.len(), btree_map(key(), 0..3_usize, 0..4));
    parts.prop_map(|(caller, model, metadata)| Asked { caller, model, metadata })
}

impl Filter {
    fn plain(&self, is: impl Fn(usize) -> bool) -> bool {
        self.within.as_ref().is_none_or(|within| within.iter().any(|name| is(*name)))
            && !self.without.iter().flatten().any(|name| is(*name))
    }

    fn lists(&self, name: impl Fn(usize) -> String) -> Value {
        let list = |names: &Option<Vec<usize>>| {
            names.as_ref().map(|names| names.iter().map(|it| name(*it)).collect::<Vec<_>>())
        };
        let mut lists = serde_json::Map::new();
        for (key, names) in [("in", list(&self.within)), ("not_in", list(&self.without))] {
            if let Some(names) = names {
                lists.insert(key.into(), json!(names));
            }
        }
        Value::Object(lists)
    }
}

impl Rule {
    /// Does it hold, by reading it?
    fn plain(&self, asked: &Asked) -> bool {
        let is_subject =
            |at: usize| at == asked.caller || (at == 3 && asked.caller == 0) || SUBJECTS[at] == "*";
        let account = MODELS[asked.model].split('/').next();
        let has_account = |at: usize| asked.model < 3 && account == Some(ACCOUNTS[at]);
        let entities = PER[self.per].iter().all(|per| match *per {
            "user" => asked.caller < 2,
            "virtualaccount" => asked.caller == 2,
            "metadata.k0" => asked.metadata.contains_key(&0),
            "metadata.k1" => asked.metadata.contains_key(&1),
            _ => true,
        });
        self.subjects.plain(is_subject)
            && self.models.plain(|at| at == asked.model)
            && self.accounts.plain(has_account)
            && self
                .metadata
                .iter()
                .all(|(key, filter)| filter.plain(|value| asked.metadata.get(key) == Some(&value)))
            && entities
    }

    fn when(&self) -> Value {
        let mut when = serde_json::Map::new();
        if let Some(subjects) = &self.subjects.within {
            let names: Vec<&str> = subjects.iter().map(|it| SUBJECTS[*it]).collect();
            when.insert("subjects".into(), json!(names));
        }
        if let Some(models) = &self.models.within {
            let names: Vec<&str> = models.iter().map(|it| MODELS[*it]).collect();
            when.insert("models".into(), json!(names));
        }
        let value = |filter: &Filter| filter.within.as_ref().map(|of| format!("v{}", of[0]));
        let metadata = self.metadata.iter().map(|(key, it)| (format!("k{key}"), value(it)));
        when.insert("metadata".into(), json!(metadata.collect::<BTreeMap<_, _>>()));
        Value::Object(when)
    }

    fn joint_when(&self) -> Value {
        let user = |at: usize| CALLERS[at].trim_start_matches("user:").to_owned();
        let value = |at: usize| format!("v{at}");
        let metadata = self.metadata.iter().map(|(key, it)| (format!("k{key}"), it.lists(value)));
        json!({
            "subjects": {"users": self.subjects.lists(user)},
            "models": self.models.lists(|at| MODELS[at].to_owned()),
            "provider_accounts": self.accounts.lists(|at| ACCOUNTS[at].to_owned()),
            "metadata": metadata.collect::<BTreeMap<_, _>>(),
        })
    }
}

/// What all need: two accounts, three callers, one team.
fn world() -> Vec<Value> {
    let model = |name: &str| {
        json!({"type": "integration/model/self-hosted-model", "name": name,
            "hosted_model_name": name, "url": "http://127.0.0.1:9/v1",
            "model_server": "openai-compatible", "model_types": ["chat"]})
    };
    let account = |name: &str, models: &[&str]| {
        json!({"type": "provider-account/self-hosted-model", "name": name,
            "collaborators": [{"subject": "team:everyone", "role_id": "provider-account-access"}],
            "integrations": models.iter().map(|it| model(it)).collect::<Vec<_>>()})
    };
    let token = |name: &str| {
        json!({"type": "personal-access-token", "name": name, "token_sha256": sha256_hex(name),
            "subject": format!("user:{name}@example.com")})
    };
    vec![
        account("a", &["m0", "m1"]),
        account("b", &["m0"]),
        token("ada"),
        token("bob"),
        json!({"type": "virtual-account", "name": "robot", "permissions": [],
            "token_sha256": sha256_hex("robot")}),
        json!({"type": "team", "name": "core", "members": ["ada@example.com"]}),
    ]
}

fn documents(routes: &[Rule], limits: &[Rule], ordered: &[Rule], joint: &[Rule]) -> Vec<Value> {
    let rules = |rules: &[Rule], more: &dyn Fn(&Rule) -> Value| {
        let rule = |(at, rule): (usize, &Rule)| {
            let mut whole = more(rule);
            whole["id"] = json!(format!("r{at}"));
            whole["when"] = rule.when();
            whole
        };
        json!(rules.iter().enumerate().map(rule).collect::<Vec<_>>())
    };
    let routed = |_: &Rule| {
        json!({"type": "weight-based-routing",
            "load_balance_targets": [{"target": "a/m0", "weight": 100}]})
    };
    let limited = |it: &Rule| {
        json!({"limit_to": 9, "unit": "requests_per_minute",
            "rate_limit_applies_per": PER[it.per]})
    };
    let budgeted = |it: &Rule| json!({"limit_to": 9, "unit": "tokens_per_day", "budget_applies_per": PER[it.per]});
    let mut documents = world();
    documents.extend([
        json!({"type": "gateway-load-balancing-config", "name": "routes",
            "rules": rules(routes, &routed)}),
        json!({"type": "gateway-rate-limiting-config", "name": "limits",
            "rules": rules(limits, &limited)}),
        json!({"type": "gateway-budget-config", "name": "budgets",
            "rules": rules(ordered, &budgeted)}),
    ]);
    let applies_to = |it: &Rule| match PER[it.per] {
        ["user"] => json!({"type": "per-user"}),
        ["virtualaccount"] => json!({"type": "per-virtual-account"}),
        ["model"] => json!({"type": "per-model"}),
        ["metadata.k0"] => json!({"type": "metadata", "metadata": "k0"}),
        _ => json!({"type": "aggregate"}),
    };
    documents.extend(joint.iter().enumerate().map(|(at, it)| {
        json!({"type": "tenant-budget-config", "name": format!("j{at}"), "mode": "enforce",
            "limits": {"cost_per_month": 9}, "applies_to": applies_to(it),
            "when": it.joint_when()})
    }));
    documents
}

fn snapshot(documents: &[Value]) -> Snapshot {
    let texts: Vec<_> = documents.iter().map(ToString::to_string).collect();
    let text = texts.join("\n---\n");
    let sources = yaml::parse("all.yaml", &text).expect("JSON is YAML").into_iter();
    let documents: Vec<_> = sources.filter_map(|source| read::read(source).0).collect();
    let options = CompileOptions {
        now: UnixMillis(1),
        version: 1,
        known_secrets: &HashSet::new(),
        tokens: &Credentials::default(),
        surroundings: &Surroundings::read(|_| None),
    };
    match compile(&documents, &HashMap::new(), &options) {
        Ok(compiled) => compiled.snapshot,
        Err(problems) => panic!("{problems:#?}"),
    }
}

fn subject(snapshot: &Snapshot, caller: usize) -> SubjectId {
    let mut callers = snapshot.callers.iter().zip(0..);
    let found = callers.find(|(it, _)| &*it.subject == CALLERS[caller]);
    SubjectId(found.expect("it is one of the callers").1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_verdict_says_what_reading_every_rule_in_its_order_says(
        routes in vec(rule(), 0..140),
        limits in vec(rule(), 0..140),
        ordered in vec(rule(), 0..12),
        joint in vec(joint_rule(), 0..12),
        requests in vec(asked(), 1..12),
    ) {
        let snapshot = snapshot(&documents(&routes, &limits, &ordered, &joint));
        let mut used = Verdict::default();

        for asked in &requests {
            let metadata: Vec<(String, String)> =
                asked.metadata.iter().map(|(k, v)| (format!("k{k}"), format!("v{v}"))).collect();
            let metadata: Vec<(&str, &str)> =
                metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
            let (id, model) = (subject(&snapshot, asked.caller), MODELS[asked.model]);
            let matter = snapshot.matter(id, model, &metadata);
            used.set(&snapshot, &matter);

            let mut fresh = Verdict::default();
            fresh.set(&snapshot, &matter);
            prop_assert_eq!(&used, &fresh, "what it said before leaves no trace");
            let name = |at: usize| format!("r{at}");
            // A routing rule is told apart by nothing.
            let routed = |it: &Rule| Rule { per: 0, ..it.clone() }.plain(asked);
            let rule = used.routing(&snapshot).rule.map(|rule| rule.id.to_string());
            prop_assert_eq!(rule, routes.iter().position(routed).map(name), "{:?}", asked);
            let limit = used.limit(&snapshot).map(|(limit, _)| limit.id.to_string());
            let plain = limits.iter().position(|it| it.plain(asked)).map(name);
            prop_assert_eq!(limit, plain, "{:?}", asked);

            let mut decides = true;
            let mut plain: Vec<(String, bool)> = Vec::new();
            for (at, _) in ordered.iter().enumerate().filter(|(_, it)| it.plain(asked)) {
                plain.push((name(at), std::mem::take(&mut decides)));
            }
            let holding = joint.iter().enumerate().filter(|(_, it)| it.plain(asked));
            plain.extend(holding.map(|(at, _)| (format!("j{at}"), true)));
            let held = used.caps.iter();
            let held = held.map(|it| (it.budget(&snapshot).id.to_string(), it.decides));
            prop_assert_eq!(held.collect::<Vec<_>>(), plain, "{:?}", asked);
        }
    }
}
