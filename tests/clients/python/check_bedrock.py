"""boto3, unmodified, with /bedrock/proxy as its endpoint, before vendors of three languages.

The environment is as for check.py; the account `aws` is the scripted vendor spoken to in Bedrock's language. The key
stands beside a signature that boto3 makes with keys of nobody; as a bearer token boto3 sends it over HTTPS alone.
"""

import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

import checks

BASE, KEY = os.environ["WEIR_BASE_URL"].removesuffix("/v1"), os.environ["WEIR_API_KEY"]
SAY = [{"role": "user", "content": [{"text": "How does a weir hold back a river?"}]}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = {
    "tools": [
        {"toolSpec": {"name": name, "description": name, "inputSchema": {"json": CITY}}}
        for name in ["get_weather", "get_time"]
    ]
}
MODELS = ["aws/plain", "claude/claude", "test/plain"]


def unknown():
    config = Config(retries={"total_max_attempts": 1}, read_timeout=20, signature_version="v4")
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=BASE + "/bedrock/proxy",
        config=config,
        aws_access_key_id="nobodys",
        aws_secret_access_key="nobodys",
    )


def client():
    one = unknown()

    def add_key(request, **_):
        request.headers["x-tfy-api-key"] = KEY

    one.meta.events.register("before-sign.bedrock-runtime.*", add_key)
    return one


def converse():
    one = client()
    for model in MODELS:
        reply = one.converse(modelId=model, messages=SAY, system=[{"text": "Be brief."}])
        message = reply["output"]["message"]
        assert message["role"] == "assistant" and "weir" in message["content"][0]["text"], (model, reply)
        assert reply["stopReason"] == "end_turn", model
        usage = reply["usage"]
        assert usage["totalTokens"] > usage["outputTokens"] > 0, (model, usage)


def converse_stream():
    one = client()
    for model in MODELS:
        reply = one.converse_stream(modelId=model, messages=SAY, inferenceConfig={"maxTokens": 400})
        events = list(reply["stream"])
        text = "".join(
            event["contentBlockDelta"]["delta"].get("text", "") for event in events if "contentBlockDelta" in event
        )
        assert "weir" in text, (model, events)
        assert next(iter(events[0])) == "messageStart", model
        assert events[-2]["messageStop"]["stopReason"] == "end_turn", model
        assert events[-1]["metadata"]["usage"]["outputTokens"] > 0, model


def tools():
    one = client()
    for model, count in [
        ("aws/tool", 1), ("aws/parallel-tool", 2), ("claude/claude-parallel-tool", 2), ("test/tool", 1), ("test/parallel", 2),
    ]:  # fmt: skip
        calls, inputs = {}, {}
        for event in one.converse_stream(modelId=model, messages=SAY, toolConfig=TOOLS)["stream"]:
            if "contentBlockStart" in event:
                start = event["contentBlockStart"]
                calls[start["contentBlockIndex"]] = start["start"]["toolUse"]
                inputs[start["contentBlockIndex"]] = ""
            delta = event.get("contentBlockDelta", {})
            if "toolUse" in delta.get("delta", {}):
                inputs[delta["contentBlockIndex"]] += delta["delta"]["toolUse"]["input"]
        assert len(calls) == count and all("city" in text for text in inputs.values()), (model, calls, inputs)
        first = one.converse(modelId=model, messages=SAY, toolConfig=TOOLS)
        assert first["stopReason"] == "tool_use", model
        message = first["output"]["message"]
        results = [
            {"toolResult": {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"json": {"celsius": 21}}]}}
            for block in message["content"]
            if "toolUse" in block
        ]
        assert len(results) == count, (model, message)
        turns = [*SAY, message, {"role": "user", "content": results}]
        after = one.converse(modelId=model, messages=turns, toolConfig=TOOLS)
        assert after["stopReason"] == "end_turn" and after["output"]["message"]["content"][0]["text"], model


def thinking():
    one = client()
    for model in ["aws/think", "claude/claude-think"]:
        reply = one.converse(modelId=model, messages=SAY)
        thought = reply["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]
        assert thought["text"].startswith("Let me think") and thought["signature"], model


def errors():
    one = client()
    for model, code in [
        ("aws/e429", "ThrottlingException"), ("aws/nobody", "ResourceNotFoundException"),
        ("claude/claude-e429", "ThrottlingException"), ("test/e500", "InternalServerException"),
        ("aws/early", "ThrottlingException"),
    ]:  # fmt: skip
        try:
            list(one.converse_stream(modelId=model, messages=SAY)["stream"])
        except ClientError as error:
            assert error.response["Error"]["Code"].lower() == code.lower(), (model, error.response)
            assert error.response["Error"]["Message"], model
            continue
        raise AssertionError(f"{model} was not refused")
    for model in ["aws/throttled", "aws/cut", "claude/claude-overloaded", "claude/claude-cut", "test/errchunk", "test/cut"]:
        try:
            list(one.converse_stream(modelId=model, messages=SAY)["stream"])
        except EventStreamError:
            continue
        raise AssertionError(f"{model} ended as if it were whole")
    try:
        unknown().converse(modelId="aws/plain", messages=SAY)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "UnrecognizedClientException", error.response
        return
    raise AssertionError("a signature alone was taken for a key")


CHECKS = [converse, converse_stream, tools, thinking, errors]


if __name__ == "__main__":
    checks.run("bedrock", CHECKS, f"boto3 {boto3.__version__}")
