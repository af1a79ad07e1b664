"""The openai and langchain-openai packages, unmodified, against WEIR_BASE_URL with WEIR_API_KEY.

WEIR_MODELS is put before each model's name (`test/` behind the gateway, nothing at the vendor itself), and
WEIR_VENDOR_URL is where the scripted vendor tells what it saw. WEIR_VIA is `weir` or `vendor`: a few errors
are the gateway's own and exist only there.
"""

import asyncio
import json
import os
import time
import urllib.request

import openai
from openai import AsyncOpenAI, OpenAI

import checks

BASE, KEY = os.environ["WEIR_BASE_URL"], os.environ["WEIR_API_KEY"]
MODELS, VENDOR = os.environ.get("WEIR_MODELS", ""), os.environ["WEIR_VENDOR_URL"]
VIA_WEIR = os.environ.get("WEIR_VIA", "weir") == "weir"
SAY = [{"role": "user", "content": "How does a weir hold back a river?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}

client = OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=20)


def model(name):
    return MODELS + name


def seen():
    """What the vendor saw, oldest first."""
    with urllib.request.urlopen(VENDOR + "/rehearsal/log", timeout=5) as reply:
        return json.load(reply)


def until(holds, what, seconds=5.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def raises(kind, call):
    try:
        call()
    except kind as error:
        assert type(error) is kind, f"{type(error)} is not {kind}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def chat():
    reply = client.chat.completions.create(model=model("plain"), messages=SAY)
    assert "weir" in reply.choices[0].message.content and reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply._request_id, "the request id is surfaced"


def chat_with_raw_headers():
    raw = client.chat.completions.with_raw_response.create(model=model("plain"), messages=SAY)
    assert raw.headers["x-request-id"] == raw.parse()._request_id
    if VIA_WEIR:
        assert raw.headers["x-tfy-resolved-model"] == model("plain")


def stream():
    chunks = list(client.chat.completions.create(model=model("plain"), messages=SAY, stream=True))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "weir" in text and len(chunks) > 5
    assert all(c.choices for c in chunks), "usage was not asked for"
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]


def stream_with_usage():
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(model=model("plain"), messages=SAY, stream=True, stream_options=options)
    )
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 5


def stream_helper():
    with client.chat.completions.stream(model=model("plain"), messages=SAY) as events:
        kinds = {event.type for event in events}
        final = events.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds, kinds
    assert "weir" in final.choices[0].message.content


def odd_streams():
    for odd in ["crlf", "comment", "nospace", "multiline", "nodone", "closing"]:
        with client.chat.completions.stream(model=model(odd), messages=SAY) as events:
            assert "weir" in events.get_final_completion().choices[0].message.content, odd


def tools():
    reply = client.chat.completions.create(model=model("tool"), messages=SAY, tools=[WEATHER])
    call = reply.choices[0].message.tool_calls[0]
    assert reply.choices[0].finish_reason == "tool_calls" and call.function.name == "get_weather"
    messages = SAY + [reply.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    after = client.chat.completions.create(model=model("tool"), messages=messages, tools=[WEATHER])
    assert after.choices[0].message.content


def parallel_tool_stream():
    with client.chat.completions.stream(model=model("parallel"), messages=SAY, tools=[WEATHER, TIME]) as events:
        for _ in events:
            pass
        calls = events.get_final_completion().choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"], calls
    assert all(isinstance(json.loads(call.function.arguments), dict) for call in calls)


def json_mode():
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "size": {"type": "integer"}}}
    shape = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    reply = client.chat.completions.create(model=model("plain"), messages=SAY, response_format=shape)
    assert set(json.loads(reply.choices[0].message.content)) == {"city", "size"}


def embeddings():
    packed = client.embeddings.create(model=model("plain"), input=["a", "b"])
    floats = client.embeddings.create(model=model("plain"), input=["a", "b"], encoding_format="float")
    assert len(packed.data) == 2
    for one, other in zip(packed.data, floats.data):
        assert max(abs(a - b) for a, b in zip(one.embedding, other.embedding, strict=True)) < 1e-6


def completions():
    assert client.completions.create(model=model("plain"), prompt="the river").choices[0].text
    parts = client.completions.create(model=model("plain"), prompt="the river", stream=True)
    assert len(list(parts)) > 3


def models():
    ids = [one.id for one in client.models.list()]
    assert ids and (not VIA_WEIR or model("plain") in ids), ids
    if VIA_WEIR:
        assert client.models.retrieve(model("plain")).id == model("plain")


def errors():
    ask = lambda name: lambda: client.chat.completions.create(model=model(name), messages=SAY)
    for name, kind, status in [
        ("e400", openai.BadRequestError, 400),
        ("e404", openai.NotFoundError, 404),
        ("e409", openai.ConflictError, 409),
        ("e418", openai.APIStatusError, 418),
        ("e422", openai.UnprocessableEntityError, 422),
        ("e429", openai.RateLimitError, 429),
        ("e500", openai.InternalServerError, 500),
        ("e502", openai.InternalServerError, 502),
        ("e503", openai.InternalServerError, 503),
    ]:
        error = raises(kind, ask(name))
        assert error.status_code == status and error.request_id and error.message, name
    assert raises(openai.BadRequestError, ask("ctxlen")).code == "context_length_exceeded"


def errors_of_the_gateway():
    if not VIA_WEIR:
        for name, kind in [("e401", openai.AuthenticationError), ("e403", openai.PermissionDeniedError)]:
            raises(kind, lambda: client.chat.completions.create(model=model(name), messages=SAY))
        return
    ask = lambda key, name: lambda: client.with_options(api_key=key).chat.completions.create(
        model=model(name), messages=SAY
    )
    assert raises(openai.AuthenticationError, ask("wrong", "plain")).code == "invalid_api_key"
    assert raises(openai.NotFoundError, ask(KEY, "nonesuch")).code == "model_not_found"
    outsider = os.environ["WEIR_OUTSIDER_KEY"]
    assert raises(openai.PermissionDeniedError, ask(outsider, "plain")).code == "model_access_denied"
    for refused in ["e401", "e403"]:
        assert raises(openai.InternalServerError, ask(KEY, refused)).code == "upstream_auth", refused
    odd = client.with_options(default_headers={"x-tfy-metadata": '{"team": 1}'})
    error = raises(
        openai.BadRequestError, lambda: odd.chat.completions.create(model=model("plain"), messages=SAY)
    )
    assert "team" in error.message and error.request_id, "the key is named"
    raises(openai.NotFoundError, lambda: client.models.retrieve(model("nonesuch")))
    raises(openai.NotFoundError, lambda: client.images.generate(prompt="a weir"))


def nobody_listens():
    free = OpenAI(base_url="http://127.0.0.1:9/v1", api_key=KEY, max_retries=0)
    raises(openai.APIConnectionError, lambda: free.chat.completions.create(model=model("plain"), messages=SAY))


def retries():
    before = time.monotonic()
    reply = client.with_options(max_retries=2).chat.completions.create(model=model("flaky"), messages=SAY)
    assert reply.choices and 0.15 < time.monotonic() - before < 5, "retry-after-ms: 200 is honoured"


def timeouts():
    raises(
        openai.APITimeoutError,
        lambda: client.with_options(timeout=0.5).chat.completions.create(model=model("never"), messages=SAY),
    )
    until(lambda: seen()[-1]["abandoned"], "the vendor works on for a client that timed out")


def abort():
    events = client.chat.completions.create(model=model("paced1000x50"), messages=SAY, stream=True)
    for _, chunk in zip(range(5), events):
        assert chunk.choices
    events.close()
    until(lambda: seen()[-1]["abandoned"], "the vendor streams on for a client that left")


def abort_async():
    async def run():
        asynchronous = AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0)
        events = await asynchronous.chat.completions.create(
            model=model("paced1000x50"), messages=SAY, stream=True
        )
        async for _ in events:
            break
        await events.close()
        await asynchronous.close()

    asyncio.run(run())
    until(lambda: seen()[-1]["abandoned"], "the vendor streams on for a client that left")


def twenty_streams_at_once():
    async def one(asynchronous, options):
        parts = await asynchronous.chat.completions.create(
            model=model("plain"), messages=SAY, stream=True, **options
        )
        return "".join([part.choices[0].delta.content or "" async for part in parts if part.choices])

    async def run():
        async with AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0) as asynchronous:
            return await asyncio.gather(*[one(asynchronous, {}) for _ in range(20)])

    texts = asyncio.run(run())
    assert all("weir" in text for text in texts), texts


def mid_stream_errors():
    for broken in ["errchunk", "errevent"]:
        raises(
            openai.APIError,
            lambda: list(client.chat.completions.create(model=model(broken), messages=SAY, stream=True)),
        )
    if VIA_WEIR:
        for broken in ["cut", "reset"]:
            error = raises(
                openai.APIError,
                lambda: list(client.chat.completions.create(model=model(broken), messages=SAY, stream=True)),
            )
            assert error.code == "stream_truncated", broken


def langchain():
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    chain = ChatOpenAI(base_url=BASE, api_key=KEY, model=model("plain"), max_retries=0, stream_usage=True)
    assert "weir" in chain.invoke("How does a weir hold back a river?").content
    whole = None
    for part in chain.stream("How does a weir hold back a river?"):
        whole = part if whole is None else whole + part
    assert "weir" in whole.content and whole.usage_metadata["output_tokens"] > 5
    bound = ChatOpenAI(base_url=BASE, api_key=KEY, model=model("tool"), max_retries=0).bind_tools([WEATHER])
    assert bound.invoke("weather").tool_calls[0]["name"] == "get_weather"
    vectors = OpenAIEmbeddings(
        base_url=BASE, api_key=KEY, model=model("plain"), check_embedding_ctx_length=False
    )
    assert len(vectors.embed_documents(["a", "b"])) == 2


CHECKS = [
    chat, chat_with_raw_headers, stream, stream_with_usage, stream_helper, odd_streams, tools,
    parallel_tool_stream, json_mode, embeddings, completions, models, errors, errors_of_the_gateway,
    nobody_listens, retries, timeouts, abort, abort_async, twenty_streams_at_once, mid_stream_errors, langchain,
]  # fmt: skip


if __name__ == "__main__":
    checks.run("python", CHECKS, f"openai {openai.__version__}")
