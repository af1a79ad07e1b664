"""The openai and anthropic packages, unmodified, each on a vendor of its own language and on one of the other.

The environment is as for check.py; the account `claude` is the scripted vendor spoken to in Anthropic's language.
"""

import json
import os

import anthropic
import openai

import checks

BASE, KEY = os.environ["WEIR_BASE_URL"], os.environ["WEIR_API_KEY"]
SAY = [{"role": "user", "content": "How does a weir hold back a river?"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OPENAI_TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": CITY}} for name in ["get_weather", "get_time"]
]
ANTHROPIC_TOOLS = [{"name": name, "input_schema": CITY} for name in ["get_weather", "get_time"]]

one = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=20)
other = anthropic.Anthropic(base_url=BASE.removesuffix("/v1"), api_key=KEY, max_retries=0, timeout=20)


def openai_chat_with_claude():
    reply = one.chat.completions.create(model="claude/claude", messages=SAY)
    assert "weir" in reply.choices[0].message.content and reply.choices[0].finish_reason == "stop"
    assert reply.usage.prompt_tokens_details.cached_tokens == 11
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def openai_stream_of_claude():
    with one.chat.completions.stream(model="claude/claude-think", messages=SAY) as events:
        final = events.get_final_completion()
    assert "weir" in final.choices[0].message.content and final.choices[0].finish_reason == "stop"


def openai_tool_conversation_with_claude():
    for model, count in [("claude/claude-tool", 1), ("claude/claude-parallel-tool", 2)]:
        with one.chat.completions.stream(model=model, messages=SAY, tools=OPENAI_TOOLS) as events:
            message = events.get_final_completion().choices[0].message
        assert len(message.tool_calls) == count, message
        assert all("city" in json.loads(call.function.arguments) for call in message.tool_calls)
        results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
        calls = message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True)
        for call in calls["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
        after = one.chat.completions.create(model=model, messages=[*SAY, calls, *results], tools=OPENAI_TOOLS)
        assert after.choices[0].message.content and after.choices[0].finish_reason == "stop"


def openai_errors_of_claude():
    try:
        one.chat.completions.create(model="claude/claude-e429", messages=SAY)
    except openai.RateLimitError as error:
        assert error.response.headers["retry-after"] == "7" and error.type == "rate_limit_error"
    for model in ["claude/claude-overloaded", "claude/claude-cut"]:
        try:
            list(one.chat.completions.create(model=model, messages=SAY, stream=True))
        except openai.APIError:
            continue
        raise AssertionError(f"{model} ended as if it were whole")


def anthropic_messages():
    for model in ["claude/claude", "test/plain"]:
        reply = other.messages.create(model=model, max_tokens=500, messages=SAY, system="Be brief.")
        assert "weir" in reply.content[0].text and reply.stop_reason == "end_turn", model
        assert reply.usage.input_tokens > 0 and reply.usage.output_tokens > 0, model
        assert reply._request_id, "the request id is surfaced"


def anthropic_streams():
    for model in ["claude/claude", "claude/claude-think", "test/plain", "test/comment", "test/crlf"]:
        with other.messages.stream(model=model, max_tokens=500, messages=SAY) as events:
            kinds = {event.type for event in events}
            final = events.get_final_message()
        assert {"message_start", "content_block_delta", "message_stop"} <= kinds, (model, kinds)
        assert "weir" in final.content[-1].text and final.stop_reason == "end_turn", model
        assert final.usage.output_tokens > 1 and final.usage.input_tokens > 0, (model, final.usage)


def anthropic_tool_conversation():
    for model in ["claude/claude-tool", "claude/claude-parallel-tool", "test/tool", "test/parallel"]:
        asked = {"model": model, "max_tokens": 500, "tools": ANTHROPIC_TOOLS}
        with other.messages.stream(messages=SAY, **asked) as events:
            first = events.get_final_message()
        calls = [block for block in first.content if block.type == "tool_use"]
        assert first.stop_reason == "tool_use" and len(calls) == (2 if "parallel" in model else 1), first
        assert all("city" in call.input for call in calls), first
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in calls]
        turns = [*SAY, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        after = other.messages.create(messages=turns, **asked)
        assert after.content[0].text and after.stop_reason == "end_turn", model


def anthropic_errors():
    for model in ["claude/claude-e429", "test/e429"]:
        try:
            other.messages.create(model=model, max_tokens=5, messages=SAY)
        except anthropic.RateLimitError as error:
            assert error.body["error"]["type"] == "rate_limit_error", model
            continue
        raise AssertionError(f"{model} was not refused")
    for model in ["claude/claude-overloaded", "claude/claude-cut", "test/errchunk", "test/cut"]:
        try:
            with other.messages.stream(model=model, max_tokens=500, messages=SAY) as events:
                events.get_final_message()
        except anthropic.APIError:
            continue
        raise AssertionError(f"{model} ended as if it were whole")
    try:
        other.messages.create(model="claude/nobody", max_tokens=5, messages=SAY)
    except anthropic.NotFoundError as error:
        assert error.body["error"]["type"] == "not_found_error"


def anthropic_token_counts():
    assert other.messages.count_tokens(model="claude/claude", messages=SAY).input_tokens > 0


CHECKS = [
    openai_chat_with_claude, openai_stream_of_claude, openai_tool_conversation_with_claude, openai_errors_of_claude,
    anthropic_messages, anthropic_streams, anthropic_tool_conversation, anthropic_errors, anthropic_token_counts,
]  # fmt: skip


if __name__ == "__main__":
    checks.run("dialects", CHECKS, f"openai {openai.__version__}, anthropic {anthropic.__version__}")
