"""httpx over HTTP/2 with TLS, by itself and under the openai and anthropic packages.

WEIR_SECURED_URL is a gateway with the certificate of the file WEIR_CERTIFICATE; the rest is as for check.py.
"""

import asyncio
import os
import ssl

import anthropic
import httpx
import httpx2
import openai

import checks

BASE, KEY = os.environ["WEIR_SECURED_URL"], os.environ["WEIR_API_KEY"]
TRUST = ssl.create_default_context(cafile=os.environ["WEIR_CERTIFICATE"])
SAY = [{"role": "user", "content": "How does a weir hold back a river?"}]
SPOKEN = set()


def note(response):
    SPOKEN.add(response.http_version)


async def note_later(response):
    note(response)


http = httpx.Client(http2=True, verify=TRUST, timeout=20, event_hooks={"response": [note]})
client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, http_client=http)


def plain_httpx():
    bearer = {"authorization": f"Bearer {KEY}"}
    reply = http.post(f"{BASE}/chat/completions", headers=bearer, json={"model": "test/plain", "messages": SAY})
    assert reply.status_code == 200 and reply.http_version == "HTTP/2", reply
    assert reply.json()["choices"][0]["finish_reason"] == "stop"
    assert http.head(f"{BASE}/models", headers=bearer).content == b""
    refused = http.post(f"{BASE}/chat/completions", headers=bearer, content=b"{")
    assert refused.status_code == 400 and refused.json()["error"]["type"] == "invalid_request_error"


def an_upload_larger_than_the_window():
    picture = [{"role": "user", "content": "A" * 3_000_000}]
    assert client.chat.completions.create(model="test/plain", messages=picture).choices[0].message.content


def openai_chats():
    reply = client.chat.completions.create(model="test/plain", messages=SAY)
    assert "weir" in reply.choices[0].message.content and reply.usage.total_tokens
    with client.chat.completions.stream(model="test/plain", messages=SAY) as events:
        assert "weir" in events.get_final_completion().choices[0].message.content
    try:
        client.chat.completions.create(model="test/e429", messages=SAY)
        raise AssertionError("no RateLimitError")
    except openai.RateLimitError as error:
        assert error.response.http_version == "HTTP/2"


def a_stream_that_is_left_does_not_end_the_others():
    for _ in range(5):
        stream = client.chat.completions.create(model="test/paced1000x50", messages=SAY, stream=True)
        next(iter(stream))
        stream.close()
    assert client.chat.completions.create(model="test/plain", messages=SAY).choices


def fifty_at_once_on_one_connection():
    async def ask():
        limits = httpx.Limits(max_connections=1)
        hooks = {"response": [note_later]}
        async with httpx.AsyncClient(http2=True, verify=TRUST, timeout=30, limits=limits, event_hooks=hooks) as http:
            many = openai.AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0, http_client=http)
            create = many.chat.completions.create
            replies = await asyncio.gather(*[create(model="test/plain", messages=SAY) for _ in range(50)])
            assert all("weir" in reply.choices[0].message.content for reply in replies)

    asyncio.run(ask())


def anthropic_over_http2():
    # It brings a successor of httpx, with the same face.
    http = httpx2.Client(http2=True, verify=TRUST, timeout=20, event_hooks={"response": [note]})
    other = anthropic.Anthropic(base_url=BASE.removesuffix("/v1"), api_key=KEY, max_retries=0, http_client=http)
    asked = {"model": "test/plain", "max_tokens": 100, "messages": SAY}
    assert "weir" in other.messages.create(**asked).content[0].text
    with other.messages.stream(**asked) as stream:
        assert "weir" in stream.get_final_text()


CHECKS = [
    plain_httpx, an_upload_larger_than_the_window, openai_chats, a_stream_that_is_left_does_not_end_the_others,
    fifty_at_once_on_one_connection, anthropic_over_http2,
]  # fmt: skip


def spoke_http2():
    assert SPOKEN == {"HTTP/2"}, SPOKEN


if __name__ == "__main__":
    checks.run("http2", CHECKS, f"httpx {httpx.__version__} over HTTP/2", after=spoke_http2)
