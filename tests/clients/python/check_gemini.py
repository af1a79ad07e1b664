"""The google-genai package, unmodified, on Gemini and on vendors of the other languages; and openai on Gemini.

The environment is as for check.py; the account `goog` is the scripted vendor spoken to in Google's language.
"""

import functools
import json
import os

import openai
from google import genai
from google.genai import errors, types

import checks

BASE, KEY = os.environ["WEIR_BASE_URL"], os.environ["WEIR_API_KEY"]
ROOT = BASE.removesuffix("/v1")
SAY = "How does a weir hold back a river?"
WORDS = {"goog": "gemini", "test": "plain", "claude": "claude"}
TOOLS = {"goog": "gemini-think-tool", "test": "tool", "claude": "claude-tool"}


# A client that nobody holds closes its connections, even in the midst of a call.
@functools.cache
def client(account):
    options = types.HttpOptions(base_url=f"{ROOT}/gemini/{account}/proxy", timeout=20_000)
    return genai.Client(api_key=KEY, http_options=options)


def whole_answers():
    for account, model in WORDS.items():
        config = types.GenerateContentConfig(system_instruction="Be brief.", temperature=0.5, max_output_tokens=500)
        reply = client(account).models.generate_content(model=model, contents=SAY, config=config)
        assert "weir" in reply.text and reply.candidates[0].finish_reason == types.FinishReason.STOP, account
        assert reply.usage_metadata.prompt_token_count > 0, account
        assert reply.usage_metadata.candidates_token_count > 0, account


def streams():
    for account, model in WORDS.items():
        chunks = list(client(account).models.generate_content_stream(model=model, contents=SAY))
        assert "weir" in "".join(chunk.text or "" for chunk in chunks), account
        assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP, account
        assert chunks[-1].usage_metadata.total_token_count > 0, account


def get_weather(city: str) -> str:
    """Tell the weather in a city.

    Args:
        city: The city.
    """
    get_weather.asked.append(city)
    return "sunny"


def functions_that_the_sdk_calls_itself():
    for account, model in TOOLS.items():
        get_weather.asked = []
        config = types.GenerateContentConfig(tools=[get_weather])
        contents = "get_weather, please: what is the weather in Paris?"
        reply = client(account).models.generate_content(model=model, contents=contents, config=config)
        assert len(get_weather.asked) == 1 and reply.text, (account, get_weather.asked)


def conversations_with_streamed_calls():
    declaration = types.FunctionDeclaration.from_callable_with_api_option(callable=get_weather)
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declaration])])
    for account, model in TOOLS.items():
        chat = client(account).chats.create(model=model, config=config)
        chunks = list(chat.send_message_stream("get_weather of Paris"))
        calls = [call for chunk in chunks for call in chunk.function_calls or []]
        assert len(calls) == 1 and "city" in calls[0].args, (account, calls)
        result = types.Part.from_function_response(name=calls[0].name, response={"result": "sunny"})
        after = "".join(chunk.text or "" for chunk in chat.send_message_stream(result))
        assert after, account


def thoughts_that_come_back():
    config = types.GenerateContentConfig(
        max_output_tokens=4000,
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2000),
    )
    for account, model in [("goog", "gemini-think"), ("claude", "claude-think")]:
        chat = client(account).chats.create(model=model, config=config)
        for say in [SAY, "And then?"]:
            chunks = list(chat.send_message_stream(say))
            parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
            assert any(part.thought for part in parts), account
            assert any(part.thought_signature for part in parts), account


def forms():
    schema = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
    for account, model in WORDS.items():
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=schema)
        reply = client(account).models.generate_content(model=model, contents=SAY, config=config)
        assert "city" in json.loads(reply.text), (account, reply.text)


def token_counts():
    counted = client("goog").models.count_tokens(model="gemini", contents=SAY)
    assert counted.total_tokens > 0


def refusals():
    for account, model, code in [("goog", "gemini-e429", 429), ("goog", "nobody", 404), ("test", "e429", 429)]:
        try:
            client(account).models.generate_content(model=model, contents=SAY)
        except errors.ClientError as error:
            assert error.code == code and error.message, (model, error)
            continue
        raise AssertionError(f"{model} was not refused")
    try:
        list(client("goog").models.generate_content_stream(model="gemini-unavailable", contents=SAY))
    except errors.APIError:
        return
    raise AssertionError("a stream that failed ended as if it were whole")


def openai_conversation_with_gemini():
    one = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=20)
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": city}}]
    say = [{"role": "user", "content": SAY}]
    asked = {"model": "goog/gemini-think-tool", "tools": tools}
    with one.chat.completions.stream(messages=say, **asked) as events:
        message = events.get_final_completion().choices[0].message
    calls = message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True)
    for call in calls["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
    after = one.chat.completions.create(messages=[*say, calls, result], **asked)
    assert after.choices[0].message.content and after.choices[0].finish_reason == "stop"


CHECKS = [
    whole_answers, streams, functions_that_the_sdk_calls_itself, conversations_with_streamed_calls,
    thoughts_that_come_back, forms, token_counts, refusals, openai_conversation_with_gemini,
]  # fmt: skip


if __name__ == "__main__":
    checks.run("gemini", CHECKS, f"google-genai {genai.__version__}")
