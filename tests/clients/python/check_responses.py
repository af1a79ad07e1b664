"""The openai and langchain-openai packages, unmodified, at OpenAI's Responses API: on a vendor that speaks it, on
one that knows chats alone, and on one that speaks Anthropic's language.

The environment is as for check.py; the account `agents` is the scripted vendor spoken to as OpenAI is.
"""

import asyncio
import json
import os

import langchain_openai
import openai

import checks

BASE, KEY = os.environ["WEIR_BASE_URL"], os.environ["WEIR_API_KEY"]
SAY = "How does a weir hold back a river?"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {"type": "function", "name": name, "parameters": CITY, "strict": False} for name in ["get_weather", "get_time"]
]
PLAIN = ["agents/plain", "test/plain", "claude/claude"]
CALLING = [("agents/tool", 1), ("test/tool", 1), ("claude/claude-tool", 1), ("claude/claude-parallel-tool", 2)]

client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=20)


def whole():
    for model in PLAIN:
        reply = client.responses.create(model=model, input=SAY, instructions="Be brief.")
        assert "weir" in reply.output_text and reply.status == "completed", model
        assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens, model
        assert reply._request_id, "the request id is surfaced"


def stream():
    for model in [*PLAIN, "test/crlf", "test/comment", "test/nodone"]:
        events = list(client.responses.create(model=model, input=SAY, stream=True))
        assert [event.sequence_number for event in events] == list(range(len(events))), model
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert events[0].type == "response.created" and events[-1].type == "response.completed", model
        assert "weir" in text and events[-1].response.output_text == text, model


def stream_helper():
    for model in [*PLAIN, "claude/claude-think"]:
        with client.responses.stream(model=model, input=SAY) as events:
            kinds = {event.type for event in events}
            final = events.get_final_response()
        assert {"response.output_text.delta", "response.output_text.done", "response.completed"} <= kinds, kinds
        assert "weir" in final.output_text and final.usage.output_tokens > 1, model


def tool_conversation():
    for model, count in CALLING:
        asked = {"model": model, "tools": TOOLS, "store": False}
        with client.responses.stream(input=SAY, **asked) as events:
            first = events.get_final_response()
        calls = [item for item in first.output if item.type == "function_call"]
        assert len(calls) == count and all("city" in json.loads(call.arguments) for call in calls), (model, first)
        results = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]
        said = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
        after = client.responses.create(input=[{"role": "user", "content": SAY}, *said, *results], **asked)
        assert after.output_text and after.status == "completed", model


def thinking_comes_back():
    asked = {"model": "claude/claude-think", "reasoning": {"effort": "low"}, "max_output_tokens": 9000}
    first = client.responses.create(input=SAY, include=["reasoning.encrypted_content"], **asked)
    thought = first.output[0]
    assert thought.type == "reasoning" and thought.summary[0].text and thought.encrypted_content, first
    said = [item.model_dump(exclude_none=True) for item in first.output]
    history = [{"role": "user", "content": SAY}, *said, {"role": "user", "content": "Go on."}]
    assert client.responses.create(input=history, **asked).output_text


def errors():
    for model in ["agents/e429", "test/e429", "claude/claude-e429"]:
        try:
            client.responses.create(model=model, input=SAY)
        except openai.RateLimitError as error:
            assert error.response.headers["retry-after"], model
            continue
        raise AssertionError(f"{model} was answered")
    for model in ["agents/cut", "test/cut", "claude/claude-cut", "claude/claude-overloaded"]:
        try:
            kinds = [event.type for event in client.responses.create(model=model, input=SAY, stream=True)]
        except openai.APIError:
            continue
        raise AssertionError(f"{model} ended as if it were whole: {kinds[-2:]}")
    try:
        client.responses.create(model="test/plain", input=SAY, previous_response_id="resp_1")
    except openai.BadRequestError as error:
        assert error.param == "previous_response_id"


def what_a_vendor_keeps():
    named = client.with_options(default_headers={"x-tfy-provider-name": "agents"})
    assert named.responses.create(model="plain", input=SAY).output_text
    assert named.responses.retrieve("resp_1").id == "resp_1"
    assert named.responses.input_items.list("resp_1").data
    assert named.responses.cancel("resp_1").status == "cancelled"
    named.responses.delete("resp_1")


def at_once():
    async def ask(model):
        one = openai.AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=20)
        async with one.responses.stream(model=model, input=SAY) as events:
            return (await events.get_final_response()).output_text

    async def all_of_them():
        return await asyncio.gather(*[ask(model) for model in PLAIN * 3])

    assert all("weir" in text for text in asyncio.run(all_of_them()))


def langchain():
    for model in PLAIN:
        chat = langchain_openai.ChatOpenAI(
            model=model, base_url=BASE, api_key=KEY, use_responses_api=True, max_retries=0, timeout=20
        )
        reply = chat.invoke(SAY)
        assert "weir" in reply.text and reply.usage_metadata["output_tokens"] > 0, model
        pieces = list(chat.stream(SAY))
        assert "weir" in "".join(piece.text for piece in pieces), model
    for model, _ in CALLING:
        chat = langchain_openai.ChatOpenAI(
            model=model, base_url=BASE, api_key=KEY, use_responses_api=True, max_retries=0, timeout=20
        )
        called = chat.bind_tools([{"name": "get_weather", "description": "Tells.", "parameters": CITY}]).invoke(SAY)
        assert called.tool_calls[0]["name"] == "get_weather", called


CHECKS = [
    whole, stream, stream_helper, tool_conversation, thinking_comes_back, errors, what_a_vendor_keeps, at_once,
    langchain,
]  # fmt: skip


if __name__ == "__main__":
    checks.run("responses", CHECKS, f"openai {openai.__version__} at /responses")
