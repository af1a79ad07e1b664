// The openai and @anthropic-ai/sdk packages for Node, unmodified, each on a vendor of its own language and on one
// of the other; the environment is as for python/check_dialects.py.
import assert from "node:assert/strict";
import { loadDefault, run } from "./checks.mjs";

const [OpenAI, Anthropic] = [await loadDefault("openai"), await loadDefault("@anthropic-ai/sdk")];
const { WEIR_BASE_URL: base, WEIR_API_KEY: apiKey } = process.env;
const more = { apiKey, maxRetries: 0, timeout: 20_000 };
const one = new OpenAI({ baseURL: base, ...more });
const other = new Anthropic({ baseURL: base.replace(/\/v1$/, ""), ...more });
const messages = [{ role: "user", content: "How does a weir hold back a river?" }];
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const names = ["get_weather", "get_time"];
const openaiTools = names.map((name) => ({ type: "function", function: { name, parameters: schema } }));
const anthropicTools = names.map((name) => ({ name, input_schema: schema }));
const raises = async (kind, call) => {
  try {
    await call();
  } catch (error) {
    assert(error instanceof kind, `${error?.constructor?.name} is not ${kind.name}: ${error}`);
    return error;
  }
  assert.fail(`no ${kind.name}`);
};

const checks = {
  async openaiChatWithClaude() {
    const reply = await one.chat.completions.create({ model: "claude/claude", messages });
    assert.match(reply.choices[0].message.content, /weir/);
    assert.equal(reply.usage.prompt_tokens_details.cached_tokens, 11);
  },
  async openaiStreamsOfClaude() {
    for (const model of ["claude/claude", "claude/claude-think"]) {
      const final = await one.chat.completions.stream({ model, messages }).finalChatCompletion();
      assert.match(final.choices[0].message.content, /weir/);
      assert.equal(final.choices[0].finish_reason, "stop");
    }
  },
  async openaiToolsOfClaude() {
    const ask = { model: "claude/claude-parallel-tool", messages, tools: openaiTools };
    const final = await one.chat.completions.stream(ask).finalChatCompletion();
    const calls = final.choices[0].message.tool_calls;
    assert.deepEqual(calls.map((call) => call.function.name), names);
    assert(calls.every((call) => "city" in JSON.parse(call.function.arguments)));
  },
  async anthropicStreams() {
    for (const model of ["claude/claude", "claude/claude-think", "test/plain", "test/comment"]) {
      const final = await other.messages.stream({ model, max_tokens: 500, messages }).finalMessage();
      assert.match(final.content.at(-1).text, /weir/);
      assert.equal(final.stop_reason, "end_turn");
      assert(final.usage.output_tokens > 1 && final.usage.input_tokens > 0, model);
    }
  },
  async anthropicToolConversation() {
    for (const model of ["claude/claude-parallel-tool", "test/parallel"]) {
      const ask = { model, max_tokens: 500, tools: anthropicTools };
      const first = await other.messages.stream({ ...ask, messages }).finalMessage();
      const calls = first.content.filter((block) => block.type === "tool_use");
      assert.equal(calls.length, 2, model);
      assert(calls.every((call) => "city" in call.input), model);
      const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "sunny" }));
      const turns = [...messages, { role: "assistant", content: first.content }, { role: "user", content: results }];
      const after = await other.messages.create({ ...ask, messages: turns });
      assert(after.content[0].text, model);
    }
  },
  async errors() {
    const ask = (model) => ({ model, max_tokens: 500, messages });
    await raises(Anthropic.RateLimitError, () => other.messages.create(ask("test/e429")));
    await raises(OpenAI.RateLimitError, () => one.chat.completions.create(ask("claude/claude-e429")));
    for (const model of ["claude/claude-overloaded", "test/errchunk", "test/cut"]) {
      await raises(Anthropic.APIError, () => other.messages.stream(ask(model)).finalMessage());
    }
    for (const model of ["claude/claude-overloaded", "claude/claude-cut"]) {
      await raises(OpenAI.APIError, () => one.chat.completions.stream(ask(model)).finalChatCompletion());
    }
  },
};

await run("dialects", checks, "openai and anthropic for Node");
