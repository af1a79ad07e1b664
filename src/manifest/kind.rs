//! The types a document can have: those obeyed, those known and not built, those to replace.

use crate::manifest::{
    account::{AuthData, Collaborator, Cost, ModelIntegration, ProviderAccount, TlsSettings},
    budget::{
        AppliesTo, BudgetConfig, BudgetRule, CostLimits, Filter, JointBudget, JointSubjects,
        JointWhen, Override,
    },
    channel::{Alerts, NotificationChannel, NotificationTarget, SmtpServer},
    identity::{AuthzRule, AuthzRules, Permission, PersonalAccessToken, Team, VirtualAccount},
    limit::{RateLimitRule, RateLimitingConfig, When},
    price::PriceTable,
    routing::{
        ClassificationFallback, ClassificationStrategy, ConcurrencyConfig, HeadersOverride,
        HedgeConfig, LoadBalancingConfig, RetryConfig, RouteTarget, RoutingConfig, RoutingRule,
        SessionIdentifier, SlaCutoff, StickyRouting, VirtualModel, VirtualModelAccount,
    },
    settings::{GlobalSettings, MetadataConfig, MetadataRule, MetadataWhen},
};
use serde::{Deserialize, de::Error as _, forward_to_deserialize_any};

/// The twin that a type is read into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    Account,
    VirtualAccount,
    PersonalAccessToken,
    Team,
    AuthzRules,
    GlobalSettings,
    MetadataConfig,
    RateLimitingConfig,
    BudgetConfig,
    JointBudget,
    PriceTable,
    NotificationChannel,
    LoadBalancingConfig,
    VirtualModelAccount,
}

/// The types that are obeyed.
pub const OBEYED: &[(&str, Twin)] = &[
    ("provider-account/openai", Twin::Account),
    ("provider-account/self-hosted-model", Twin::Account),
    ("provider-account/custom", Twin::Account),
    ("provider-account/azure-openai", Twin::Account),
    ("provider-account/azure", Twin::Account),
    ("provider-account/azure-foundry", Twin::Account),
    ("provider-account/microsoft-foundry", Twin::Account),
    ("provider-account/aws-bedrock", Twin::Account),
    ("provider-account/aws-bedrock-mantle", Twin::Account),
    ("provider-account/mistral-ai", Twin::Account),
    ("provider-account/groq", Twin::Account),
    ("provider-account/xai", Twin::Account),
    ("provider-account/together-ai", Twin::Account),
    ("provider-account/perplexity-ai", Twin::Account),
    ("provider-account/deepseek", Twin::Account),
    ("provider-account/openrouter", Twin::Account),
    ("provider-account/deepinfra", Twin::Account),
    ("provider-account/cerebras", Twin::Account),
    ("provider-account/sambanova", Twin::Account),
    ("provider-account/baseten", Twin::Account),
    ("provider-account/ollama", Twin::Account),
    ("provider-account/anthropic", Twin::Account),
    ("provider-account/google-gemini", Twin::Account),
    ("provider-account/google-vertex", Twin::Account),
    ("provider-account/cohere", Twin::Account),
    ("virtual-account", Twin::VirtualAccount),
    ("personal-access-token", Twin::PersonalAccessToken),
    ("pat", Twin::PersonalAccessToken),
    ("team", Twin::Team),
    ("authz_rules", Twin::AuthzRules),
    ("gateway-global-settings", Twin::GlobalSettings),
    ("gateway-metadata-config", Twin::MetadataConfig),
    ("gateway-rate-limiting-config", Twin::RateLimitingConfig),
    ("gateway-budget-config", Twin::BudgetConfig),
    ("tenant-budget-config", Twin::JointBudget),
    ("team-budget-config", Twin::JointBudget),
    ("price-table", Twin::PriceTable),
    ("notification-channel", Twin::NotificationChannel),
    ("gateway-load-balancing-config", Twin::LoadBalancingConfig),
    ("provider-account/virtual-model", Twin::VirtualModelAccount),
];

/// Types of the reference that this build does not obey yet.
///
/// **Source**: the unions of appendix A of the reference, and its older spellings (§25).
pub const UNBUILT: &[&str] = &[
    "provider-account/ai21",
    "provider-account/aws-claude-platform",
    "provider-account/aws-sagemaker",
    "provider-account/cartesia",
    "provider-account/cloudera",
    "provider-account/custom-endpoint",
    "provider-account/databricks",
    "provider-account/deepgram",
    "provider-account/elevenlabs",
    "provider-account/guardrail-config-group",
    "provider-account/mcp-server-group",
    "provider-account/nomic",
    "provider-account/palm",
    "provider-account/smallest-ai",
    "provider-account/snowflake-cortex",
    "provider-account/wafer",
    "gateway-fallback-config",
    "gateway-guardrails-config",
    "gateway-otel-config",
    "gateway-data-access-config",
    "gateway-data-routing-config",
    "gateway-logging-config",
    "mcp-server/remote",
    "mcp-server/openapi",
    "mcp-server/virtual",
    "mcp-server/stdio",
    "integration/jwt-auth/custom",
    "chat_prompt",
    "agent",
    "agent-identity",
    "role",
    "role-binding",
    "secret-group",
    "policy",
    "settings/common-tools",
    "settings/ai-features",
    "tracing-project",
];

/// Types that name a place this gateway cannot have, and what says the same here.
pub const REPLACED: &[(&str, &str)] = &[
    (
        "provider-account/truefoundry",
        "models of a hosted platform: name each as provider-account/self-hosted-model with its url",
    ),
    (
        "provider-account/gcp",
        "use provider-account/google-vertex with the key file of a service account",
    ),
    (
        "provider-account/nvidia-nim",
        "use provider-account/self-hosted-model with url and auth_data",
    ),
];

/// Which keys may stand where in a document of this twin: `(pattern of the mapping, its keys)`.
#[must_use]
pub fn fields(twin: Twin) -> Vec<(&'static str, &'static [&'static str])> {
    match twin {
        Twin::Account => vec![
            ("", keys_of::<ProviderAccount>()),
            ("auth_data", keys_of::<AuthData>()),
            ("tls_settings", keys_of::<TlsSettings>()),
            ("collaborators[]", keys_of::<Collaborator>()),
            ("integrations[]", keys_of::<ModelIntegration>()),
            ("integrations[].auth_data", keys_of::<AuthData>()),
            ("integrations[].tls_settings", keys_of::<TlsSettings>()),
            ("integrations[].cost", keys_of::<Cost>()),
        ],
        Twin::VirtualAccount => {
            vec![("", keys_of::<VirtualAccount>()), ("permissions[]", keys_of::<Permission>())]
        }
        Twin::PersonalAccessToken => vec![("", keys_of::<PersonalAccessToken>())],
        Twin::Team => vec![("", keys_of::<Team>())],
        Twin::AuthzRules => {
            vec![("", keys_of::<AuthzRules>()), ("authz_rules[]", keys_of::<AuthzRule>())]
        }
        Twin::GlobalSettings => {
            vec![("", keys_of::<GlobalSettings>()), ("retry_settings", keys_of::<RetryConfig>())]
        }
        Twin::MetadataConfig => vec![
            ("", keys_of::<MetadataConfig>()),
            ("rules[]", keys_of::<MetadataRule>()),
            ("rules[].when", keys_of::<MetadataWhen>()),
        ],
        Twin::RateLimitingConfig => vec![
            ("", keys_of::<RateLimitingConfig>()),
            ("rules[]", keys_of::<RateLimitRule>()),
            ("rules[].when", keys_of::<When>()),
        ],
        Twin::BudgetConfig => vec![
            ("", keys_of::<BudgetConfig>()),
            ("rules[]", keys_of::<BudgetRule>()),
            ("rules[].when", keys_of::<When>()),
            ("rules[].alerts", keys_of::<Alerts>()),
            ("rules[].alerts.notification_target[]", keys_of::<NotificationTarget>()),
        ],
        Twin::PriceTable => vec![("", keys_of::<PriceTable>())],
        Twin::NotificationChannel => {
            vec![("", keys_of::<NotificationChannel>()), ("smtp", keys_of::<SmtpServer>())]
        }
        Twin::JointBudget => joint_fields(),
        Twin::LoadBalancingConfig => rule_fields(),
        Twin::VirtualModelAccount => virtual_fields(),
    }
}

/// The keys of rules that route.
fn rule_fields() -> Vec<(&'static str, &'static [&'static str])> {
    let mut fields = vec![
        ("", keys_of::<LoadBalancingConfig>()),
        ("rules[]", keys_of::<RoutingRule>()),
        ("rules[].when", keys_of::<When>()),
        ("rules[].sticky_routing", keys_of::<StickyRouting>()),
        ("rules[].sticky_routing.session_identifiers[]", keys_of::<SessionIdentifier>()),
        ("rules[].classification_strategy", keys_of::<ClassificationStrategy>()),
        ("rules[].classification_strategy.fallback_strategy", keys_of::<ClassificationFallback>()),
    ];
    fields.extend(target_fields(RULE_TARGETS));
    fields
}

/// The same of virtual models.
fn virtual_fields() -> Vec<(&'static str, &'static [&'static str])> {
    let mut fields = vec![
        ("", keys_of::<VirtualModelAccount>()),
        ("collaborators[]", keys_of::<Collaborator>()),
        ("integrations[]", keys_of::<VirtualModel>()),
        ("integrations[].routing_config", keys_of::<RoutingConfig>()),
        ("integrations[].routing_config.sticky_routing", keys_of::<StickyRouting>()),
        (
            "integrations[].routing_config.sticky_routing.session_identifiers[]",
            keys_of::<SessionIdentifier>(),
        ),
        (
            "integrations[].routing_config.classification_strategy",
            keys_of::<ClassificationStrategy>(),
        ),
        (
            "integrations[].routing_config.classification_strategy.fallback_strategy",
            keys_of::<ClassificationFallback>(),
        ),
    ];
    fields.extend(target_fields(VIRTUAL_TARGETS));
    fields
}

/// Where the targets of a rule stand, and what stands in each of them.
const RULE_TARGETS: [&str; 6] = [
    "rules[].load_balance_targets[]",
    "rules[].load_balance_targets[].retry_config",
    "rules[].load_balance_targets[].headers_override",
    "rules[].load_balance_targets[].sla_cutoff",
    "rules[].load_balance_targets[].hedge",
    "rules[].load_balance_targets[].concurrency",
];

/// The same of a virtual model.
const VIRTUAL_TARGETS: [&str; 6] = [
    "integrations[].routing_config.load_balance_targets[]",
    "integrations[].routing_config.load_balance_targets[].retry_config",
    "integrations[].routing_config.load_balance_targets[].headers_override",
    "integrations[].routing_config.load_balance_targets[].sla_cutoff",
    "integrations[].routing_config.load_balance_targets[].hedge",
    "integrations[].routing_config.load_balance_targets[].concurrency",
];

fn target_fields(places: [&'static str; 6]) -> [(&'static str, &'static [&'static str]); 6] {
    let [target, retry, headers, cutoff, hedge, concurrency] = places;
    [
        (target, keys_of::<RouteTarget>()),
        (retry, keys_of::<RetryConfig>()),
        (headers, keys_of::<HeadersOverride>()),
        (cutoff, keys_of::<SlaCutoff>()),
        (hedge, keys_of::<HedgeConfig>()),
        (concurrency, keys_of::<ConcurrencyConfig>()),
    ]
}

/// The same of a budget that is a document of its own.
fn joint_fields() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("", keys_of::<JointBudget>()),
        ("when", keys_of::<JointWhen>()),
        ("when.subjects", keys_of::<JointSubjects>()),
        ("when.subjects.users", keys_of::<Filter>()),
        ("when.subjects.teams", keys_of::<Filter>()),
        ("when.subjects.virtual_accounts", keys_of::<Filter>()),
        ("when.models", keys_of::<Filter>()),
        ("when.provider_accounts", keys_of::<Filter>()),
        ("limits", keys_of::<CostLimits>()),
        ("applies_to", keys_of::<AppliesTo>()),
        ("applies_to.overrides[]", keys_of::<Override>()),
        ("applies_to.overrides[].limits", keys_of::<CostLimits>()),
        ("alerts", keys_of::<Alerts>()),
        ("alerts.notification_target[]", keys_of::<NotificationTarget>()),
    ]
}

/// Keys that a twin knows and nothing obeys yet, as patterns.
#[must_use]
pub const fn unobeyed(twin: Twin) -> &'static [&'static str] {
    match twin {
        Twin::Account => {
            &["ownedBy", "integrations[].deployment_type", "integrations[].tfy_application_id"]
        }
        Twin::VirtualAccount => &[
            "auto_rotate",
            "notification_target",
            "secret_store_config",
            "ownedBy",
            "identity_provider_mapping",
        ],
        Twin::PersonalAccessToken | Twin::VirtualModelAccount => &["ownedBy"],
        Twin::Team => &["ownedBy", "identity_provider_mapping"],
        Twin::AuthzRules
        | Twin::MetadataConfig
        | Twin::RateLimitingConfig
        | Twin::BudgetConfig
        | Twin::JointBudget
        | Twin::PriceTable
        | Twin::NotificationChannel
        | Twin::LoadBalancingConfig => &[],
        Twin::GlobalSettings => {
            &["logging_settings", "semantic_cache_settings", "guardrail_settings"]
        }
    }
}

/// The keys that a twin's `Deserialize` says it takes.
fn keys_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    let _ = T::deserialize(Probe(&mut keys));
    keys
}

/// Answers no question; remembers the keys that were asked for.
struct Probe<'a>(&'a mut &'static [&'static str]);

impl<'de> serde::Deserializer<'de> for Probe<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_struct<V: serde::de::Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(Self::Error::custom("only asked for its keys"))
    }

    fn deserialize_any<V: serde::de::Visitor<'de>>(
        self,
        _visitor: V,
    ) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("only asked for its keys"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::{OBEYED, REPLACED, UNBUILT, fields, unobeyed};

    #[test]
    fn every_type_stands_in_one_list_once() {
        let obeyed = OBEYED.iter().map(|(name, _)| *name);
        let replaced = REPLACED.iter().map(|(name, _)| *name);
        let mut names: Vec<_> = obeyed.chain(replaced).chain(UNBUILT.iter().copied()).collect();
        let count = names.len();

        names.sort_unstable();
        names.dedup();

        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_is_known_and_not_obeyed_is_a_key_of_its_twin() {
        for (_, twin) in OBEYED {
            let fields = fields(*twin);
            for pattern in unobeyed(*twin) {
                let (parent, key) = pattern.rsplit_once('.').unwrap_or(("", pattern));
                let known = fields.iter().find(|(place, _)| *place == parent);
                assert!(known.is_some_and(|(_, keys)| keys.contains(&key)), "{pattern}");
            }
        }
    }
}
