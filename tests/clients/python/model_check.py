"""A real model through WEIR_BASE_URL: it answers, it streams, and who leaves stops its work (WEIR_MODEL_URL
is the model's own server, which says what it is doing)."""

import json
import os
import time
import urllib.request

from openai import OpenAI

client = OpenAI(
    base_url=os.environ["WEIR_BASE_URL"], api_key=os.environ["WEIR_API_KEY"], max_retries=0, timeout=120
)
MODEL = os.environ["WEIR_MODEL"]
SAY = [{"role": "user", "content": "Tell me a long story about a river and a weir."}]


def is_busy():
    with urllib.request.urlopen(os.environ["WEIR_MODEL_URL"] + "/slots", timeout=5) as reply:
        return any(slot["is_processing"] for slot in json.load(reply))


def until(wanted, what, seconds):
    end = time.monotonic() + seconds
    while is_busy() != wanted:
        assert time.monotonic() < end, what


def main():
    whole = client.chat.completions.create(model=MODEL, messages=SAY, max_tokens=24, temperature=0)
    assert whole.choices[0].message.content and whole.usage.completion_tokens > 4, whole
    options = {"include_usage": True}
    parts = list(
        client.chat.completions.create(
            model=MODEL, messages=SAY, max_tokens=24, temperature=0, stream=True, stream_options=options
        )
    )
    text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert text == whole.choices[0].message.content, (text, whole.choices[0].message.content)
    assert parts[-1].usage.completion_tokens == whole.usage.completion_tokens

    endless = {"ignore_eos": True}
    events = client.chat.completions.create(
        model=MODEL, messages=SAY, max_tokens=3000, stream=True, extra_body=endless
    )
    for _, _ in zip(range(4), events):
        pass
    assert is_busy(), "the model is at work while somebody listens"
    begun = time.monotonic()
    events.close()
    until(False, "the model works on for a client that left", 5)
    print(f"3 passed, 0 failed (a real model; work stopped after {time.monotonic() - begun:.2f} s)")


main()
