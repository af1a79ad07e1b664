"""LlamaIndex, LiteLLM's client and instructor, unmodified: each on a vendor of its own language and on one of
another, streamed and with tools. They want older openai packages than check.py has, and so live apart.

The environment is as for check_dialects.py.
"""

import json
import os

# Before it is imported: it would ask the network for prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import anthropic
import instructor
import litellm
import openai
import pydantic
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

import checks

BASE, KEY = os.environ["WEIR_BASE_URL"], os.environ["WEIR_API_KEY"]
ROOT = BASE.removesuffix("/v1")
QUESTION = "How does a weir hold back a river?"
SAY = [{"role": "user", "content": QUESTION}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in ["get_weather", "get_time"]]


def raises(kinds, call):
    try:
        call()
    except kinds as error:
        return error
    raise AssertionError(f"none of {kinds}")


# LlamaIndex


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def get_time(city: str) -> str:
    """The time in a city."""
    return f"noon in {city}"


def llama(model):
    return OpenAILike(
        model=model, api_base=BASE, api_key=KEY, is_chat_model=True, is_function_calling_model=True,
        max_retries=0, timeout=20, context_window=8000,
    )  # fmt: skip


def llama_index_chats():
    for model in ["test/plain", "claude/claude", "goog/gemini", "aws/plain"]:
        reply = llama(model).chat([ChatMessage(role="user", content=QUESTION)])
        assert "weir" in reply.message.content, model
        assert reply.raw.choices[0].finish_reason == "stop", model


def llama_index_streams():
    for model in ["test/plain", "test/crlf", "test/comment", "claude/claude", "claude/claude-think", "goog/gemini"]:
        parts = list(llama(model).stream_chat([ChatMessage(role="user", content=QUESTION)]))
        assert "".join(part.delta or "" for part in parts) == parts[-1].message.content, model
        assert "weir" in parts[-1].message.content, model


def llama_index_tools():
    tools = [FunctionTool.from_defaults(get_weather), FunctionTool.from_defaults(get_time)]
    # Not `test/parallel`, whose vendor tells two calls by turns: it joins pieces of a call in a row alone.
    for model in ["test/tool", "claude/claude-parallel-tool", "goog/gemini-tool", "aws/tool"]:
        llm, asked = llama(model), ChatMessage(role="user", content=QUESTION)
        last = list(llm.stream_chat_with_tools(tools, chat_history=[asked], allow_parallel_tool_calls=True))[-1]
        calls = llm.get_tool_calls_from_response(last)
        assert len(calls) == (2 if "parallel" in model else 1), (model, calls)
        by_name = {tool.metadata.name: tool for tool in tools}
        results = [
            ChatMessage(
                role="tool", content=str(by_name[call.tool_name].call(**call.tool_kwargs)),
                additional_kwargs={"tool_call_id": call.tool_id},
            )
            for call in calls
        ]  # fmt: skip
        after = list(llm.stream_chat_with_tools(tools, chat_history=[asked, last.message, *results]))[-1]
        assert after.message.content and not llm.get_tool_calls_from_response(after, error_on_no_tool_call=False), model


def llama_index_errors():
    for model in ["test/errchunk", "test/cut", "claude/claude-overloaded", "claude/claude-cut"]:
        raises(openai.APIError, lambda: list(llama(model).stream_chat([ChatMessage(role="user", content=QUESTION)])))
    for model in ["test/e429", "claude/claude-e429"]:
        raises(openai.RateLimitError, lambda: llama(model).chat([ChatMessage(role="user", content=QUESTION)]))


# LiteLLM

litellm.suppress_debug_info = True
# How it is told the language, and where.
LITE = {"openai": BASE, "anthropic": ROOT}


def lite(language, model, messages=SAY, **more):
    return litellm.completion(
        model=f"{language}/{model}", api_base=LITE[language], api_key=KEY, messages=messages, num_retries=0,
        timeout=20, max_tokens=500, **more,
    )  # fmt: skip


def litellm_chats():
    for language in LITE:
        for model in ["test/plain", "claude/claude", "goog/gemini", "aws/plain"]:
            reply = lite(language, model)
            assert "weir" in reply.choices[0].message.content, (language, model)
            assert reply.choices[0].finish_reason == "stop", (language, model)
            assert reply.usage.prompt_tokens > 0 and reply.usage.completion_tokens > 0, (language, model)


def lite_stream(language, model, messages=SAY, **more):
    """The whole answer that the pieces make."""
    parts = list(lite(language, model, messages, stream=True, stream_options={"include_usage": True}, **more))
    return litellm.stream_chunk_builder(parts, messages=messages)


def litellm_streams():
    for language in LITE:
        for model in ["test/plain", "test/comment", "claude/claude", "claude/claude-think", "goog/gemini"]:
            reply = lite_stream(language, model)
            assert "weir" in reply.choices[0].message.content, (language, model)
            assert reply.choices[0].finish_reason == "stop", (language, model)
            assert reply.usage.completion_tokens > 1, (language, model)


def litellm_tools():
    for language in LITE:
        for model in ["test/tool", "test/parallel", "claude/claude-parallel-tool", "goog/gemini-tool", "aws/tool"]:
            message = lite_stream(language, model, tools=TOOLS).choices[0].message
            assert len(message.tool_calls) == (2 if "parallel" in model else 1), (language, model, message)
            assert all("city" in json.loads(call.function.arguments) for call in message.tool_calls)
            results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
            after = lite_stream(language, model, [*SAY, message.model_dump(exclude_none=True), *results], tools=TOOLS)
            assert after.choices[0].message.content, (language, model)
            assert after.choices[0].finish_reason == "stop", (language, model)


def litellm_errors():
    for language in LITE:
        for model in ["test/e429", "claude/claude-e429"]:
            raises(litellm.RateLimitError, lambda: lite(language, model))
        for model in ["test/errchunk", "test/cut", "claude/claude-overloaded", "claude/claude-cut"]:
            broken = (litellm.APIError, litellm.APIConnectionError, litellm.exceptions.MidStreamFallbackError)
            raises(broken, lambda: lite_stream(language, model))


# instructor


class Weather(pydantic.BaseModel):
    city: str
    degrees: float


def instructed(mode):
    client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=20)
    return instructor.from_openai(client, mode=mode)


def instructor_models():
    for model in ["test/plain", "claude/claude", "goog/gemini", "aws/plain"]:
        for mode in [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA]:
            asked = {"model": model, "messages": SAY, "response_model": Weather, "max_retries": 0}
            weather = instructed(mode).chat.completions.create(**asked)
            assert isinstance(weather, Weather) and weather.city, (model, mode)


def instructor_streams():
    for model in ["test/plain", "claude/claude", "goog/gemini"]:
        for mode in [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA]:
            asked = {"model": model, "messages": SAY, "response_model": Weather, "max_retries": 0}
            parts = list(instructed(mode).chat.completions.create_partial(**asked))
            assert parts[-1].city and parts[-1].degrees is not None, (model, mode, parts)


def instructor_of_anthropic():
    client = anthropic.Anthropic(base_url=ROOT, api_key=KEY, max_retries=0, timeout=20)
    wrapped = instructor.from_anthropic(client, mode=instructor.Mode.ANTHROPIC_TOOLS)
    for model in ["claude/claude", "test/plain"]:
        asked = {"model": model, "messages": SAY, "response_model": Weather, "max_retries": 0, "max_tokens": 500}
        weather = wrapped.messages.create(**asked)
        assert isinstance(weather, Weather) and weather.city, model


CHECKS = [
    llama_index_chats, llama_index_streams, llama_index_tools, llama_index_errors,
    litellm_chats, litellm_streams, litellm_tools, litellm_errors,
    instructor_models, instructor_streams, instructor_of_anthropic,
]  # fmt: skip


if __name__ == "__main__":
    checks.run("frameworks", CHECKS, "LlamaIndex, LiteLLM, instructor")
