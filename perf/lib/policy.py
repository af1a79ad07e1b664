"""Manifests of a policy as large as a company's: 50 routing rules, 50 limits and 20 budgets."""

import json

RULES, LIMITS, BUDGETS = 50, 50, 20
# The model that is asked for, and what the header says of the request: the last rule and the last limit hold.
MODEL = "test/plain"
METADATA = {"env": "prod", "team": "search"}
OWNER = "user:you@example.com"
# No request is refused: what is measured is the way of one that passes.
PLENTY = 10**9


def write(folder, url):
    """Write the documents into the folder of a house that has `account.yaml`; models answer at `url`."""
    documents = [team(), account(url), routing(), limits(), budgets(), *joint_budgets()]
    for document in documents:
        path = folder / f"policy-{document['type'].split('/')[-1]}-{document['name']}.yaml"
        path.write_text(json.dumps(document))


def team():
    return {"type": "team", "name": "search", "members": ["you@example.com"]}


def account(url):
    """Two models with a price, for budgets count money."""
    price = {"input": 0.15, "output": 0.6}
    models = [
        {"type": "integration/model/self-hosted-model", "name": name, "hosted_model_name": "plain", "url": url + "/v1",
         "model_server": "openai-compatible", "model_types": ["chat"],
         "cost": {"metric": "per_1000_tokens", "value": price}}
        for name in ["first", "second"]
    ]  # fmt: skip
    access = [{"subject": OWNER, "role_id": "provider-account-access"}]
    return {"type": "provider-account/self-hosted-model", "name": "priced", "collaborators": access,
            "integrations": models}  # fmt: skip


def conditions(count):
    """As many `when`s, of which only the last holds: others fail by subject, by model, by metadata."""
    kinds = [
        lambda index: {"subjects": ["user:outsider@example.com"], "metadata": {"lane": f"{index}"}},
        lambda index: {"models": ["priced/second"], "metadata": {"lane": f"{index}"}},
        lambda index: {"models": [MODEL], "metadata": {"env": f"stage-{index}"}},
        lambda index: {"subjects": [OWNER], "metadata": {"team": f"ads-{index}", "env": "prod"}},
    ]
    return [kinds[index % len(kinds)](index) for index in range(count - 1)] + [
        {"subjects": ["team:search"], "models": [MODEL], "metadata": METADATA}
    ]


def routing():
    targets = [{"target": "priced/first", "weight": 90}, {"target": "priced/second", "weight": 10}]
    rules = [
        {"id": f"route-{index}", "type": "weight-based-routing", "when": when, "load_balance_targets": targets}
        for index, when in enumerate(conditions(RULES))
    ]
    return {"type": "gateway-load-balancing-config", "name": "routing", "rules": rules}


def limits():
    units = ["requests_per_minute", "tokens_per_minute", "requests_per_hour", "tokens_per_day"]
    rules = [
        {"id": f"limit-{index}", "when": when, "limit_to": PLENTY, "unit": units[index % 4],
         "rate_limit_applies_per": [["user"], ["model"], ["user", "model"], ["metadata.env"]][index % 4]}
        for index, when in enumerate(conditions(LIMITS))
    ]  # fmt: skip
    return {"type": "gateway-rate-limiting-config", "name": "limits", "rules": rules}


def budgets():
    """The ordered ones: all but four, of which the last holds."""
    units = ["cost_per_day", "tokens_per_day", "cost_per_month", "tokens_per_month"]
    rules = [
        {"id": f"budget-{index}", "when": when, "limit_to": PLENTY, "unit": units[index % 4],
         "budget_applies_per": [["user"], ["model"], ["team"], ["metadata.team"]][index % 4]}
        for index, when in enumerate(conditions(BUDGETS - 4))
    ]  # fmt: skip
    return {"type": "gateway-budget-config", "name": "budgets", "rules": rules}


def joint_budgets():
    """Of everyone and of teams: one of each holds."""
    def budget(kind, name, more):
        return {"type": kind, "name": name, "limits": {"cost_per_month": PLENTY}, "mode": "enforce",
                "applies_to": {"type": "aggregate"}} | more  # fmt: skip

    others = {"when": {"metadata": {"env": {"in": ["stage"]}}}}
    return [
        budget("tenant-budget-config", "everyone", {"applies_to": {"type": "per-user"}}),
        budget("tenant-budget-config", "stage", others),
        budget("team-budget-config", "search", {"team_name": "search"}),
        budget("team-budget-config", "search-stage", {"team_name": "search"} | others),
    ]
