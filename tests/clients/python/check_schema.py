"""Bodies and chunks against OpenAI's own description of its API, read from WEIR_FIXTURES (default
../shared/fixtures) and skipped where that is absent. Plain HTTP: an SDK would hide what it forgives."""

import functools
import json
import os
import pathlib
import sys
import urllib.error
import urllib.request

BASE, KEY = os.environ["WEIR_BASE_URL"], os.environ["WEIR_API_KEY"]
MODELS = os.environ.get("WEIR_MODELS", "")
FIXTURES = pathlib.Path(os.environ.get("WEIR_FIXTURES", "../shared/fixtures"))
SCHEMA = FIXTURES / "schemas" / "openai-openapi.json"
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}


def ask(path, body=None, key=KEY):
    """The bodies of the answer: one, or one an event of a stream (without `[DONE]`)."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(BASE + path, body and json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            said = reply.read().decode()
    except urllib.error.HTTPError as error:
        said = error.read().decode()
    if not said.startswith("data:"):
        return [json.loads(said)]
    lines = [line[len("data:") :].strip() for line in said.splitlines() if line.startswith("data:")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def chat(name, **more):
    return {"model": MODELS + name, "messages": [{"role": "user", "content": "a weir"}], **more}


WHOLE, CHUNK, ERROR = "CreateChatCompletionResponse", "CreateChatCompletionStreamResponse", "ErrorResponse"
USAGE = {"stream": True, "stream_options": {"include_usage": True}}
CHECKS = [
    (WHOLE, lambda: ask("/chat/completions", chat("plain"))),
    (WHOLE, lambda: ask("/chat/completions", chat("tool", tools=[TOOL]))),
    (CHUNK, lambda: ask("/chat/completions", chat("plain", stream=True))),
    (CHUNK, lambda: ask("/chat/completions", chat("plain", **USAGE))),
    (CHUNK, lambda: ask("/chat/completions", chat("parallel", tools=[TOOL], stream=True))),
    (WHOLE, lambda: ask("/chat/completions", {**chat(""), "model": "claude/claude"})),
    (ERROR, lambda: ask("/chat/completions", {**chat(""), "model": "claude/claude-e429"})),
    (ERROR, lambda: ask("/chat/completions", {**chat("", stream=True), "model": "claude/claude-cut"})[-1:]),
    (ERROR, lambda: ask("/chat/completions", chat("e429"))),
    (ERROR, lambda: ask("/chat/completions", chat("nonesuch"))),
    (ERROR, lambda: ask("/chat/completions", chat("plain"), key="wrong")),
    (ERROR, lambda: ask("/chat/completions", {"model": 1, "messages": []})),
    (ERROR, lambda: ask("/chat/completions", chat("cut", stream=True))[-1:]),
    ("CreateCompletionResponse", lambda: ask("/completions", {"model": MODELS + "plain", "prompt": "a"})),
    ("CreateEmbeddingResponse", lambda: ask("/embeddings", {"model": MODELS + "plain", "input": "a"})),
    ("ListModelsResponse", lambda: ask("/models")),
    ("Model", lambda: ask(f"/models/{MODELS}plain")),
]
# Of vendors of other languages: words with thoughts, and calls.
for model in ["claude/claude-think", "claude/claude-tool", "aws/think", "aws/tool", "goog/gemini-think", "goog/gemini-tool"]:
    tools = {"tools": [TOOL]} if model.endswith("tool") else {}
    CHECKS.append((WHOLE, functools.partial(ask, "/chat/completions", {**chat("", **tools), "model": model})))
    CHECKS.append((CHUNK, functools.partial(ask, "/chat/completions", {**chat("", **tools, **USAGE), "model": model})))


def with_nulls(schema):
    """OpenAPI 3.0 says `nullable` where JSON Schema says so by a type; OpenAI's file mixes both."""
    if isinstance(schema, list):
        return [with_nulls(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {key: with_nulls(part) for key, part in schema.items()}
    return {"anyOf": [{"type": "null"}, whole]} if schema.get("nullable") is True else whole


def main():
    if not SCHEMA.exists():
        print("skipped: OpenAI's schema, for WEIR_FIXTURES has none")
        return
    from jsonschema import Draft202012Validator

    components = with_nulls(json.loads(SCHEMA.read_text())["components"])
    failed = bodies = 0
    for name, call in CHECKS:
        schema = Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components})
        answers = call()
        bodies += len(answers)
        problems = [(error.json_path, error.message[:200], body) for body in answers for error in schema.iter_errors(body)]
        if problems or not answers:
            failed += 1
            print(f"schema {name}: FAILED", *problems[:3], sep="\n")
    print(f"{len(CHECKS) - failed} passed, {failed} failed ({bodies} bodies against OpenAI's schema)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
