// Vercel's AI SDK, unmodified, by each of its providers: OpenAI's chats and responses, whatever is compatible, and
// Anthropic; each on a vendor of its own language and on others, streamed and with tools. It validates every chunk.
// The environment is as for python/check_dialects.py.
import assert from "node:assert/strict";
import { load, run } from "./checks.mjs";

// It warns of every model that it does not know.
globalThis.AI_SDK_LOG_WARNINGS = false;
const { generateText, jsonSchema, stepCountIs, streamText, tool } = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
const { createAnthropic } = await load("@ai-sdk/anthropic");
const { WEIR_BASE_URL: baseURL, WEIR_API_KEY: apiKey } = process.env;
const openai = createOpenAI({ baseURL, apiKey });
const compatible = createOpenAICompatible({ name: "weir", baseURL, apiKey, includeUsage: true });
const anthropic = createAnthropic({ baseURL, apiKey });

const languages = {
  chat: (model) => openai.chat(model),
  responses: (model) => openai.responses(model),
  compatible: (model) => compatible(model),
  anthropic: (model) => anthropic(model),
};
const prompt = "How does a weir hold back a river?";
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const execute = async ({ city }) => `sunny in ${city}`;
const tools = Object.fromEntries(
  ["get_weather", "get_time"].map((name) => [name, tool({ description: name, inputSchema: jsonSchema(schema), execute })]),
);

// All parts of a stream; what goes wrong is a part, too.
const heard = async (ask) => {
  const result = streamText({ ...ask, maxRetries: 0, onError() {} });
  const parts = [];
  for await (const part of result.fullStream) parts.push(part);
  return parts;
};
const words = (parts) => parts.filter((part) => part.type === "text-delta").map((part) => part.text).join("");
const of = (parts, type) => parts.filter((part) => part.type === type);

const checks = {
  async whole() {
    for (const [language, model] of Object.entries(languages)) {
      for (const name of ["test/plain", "claude/claude", "goog/gemini", "aws/plain"]) {
        const reply = await generateText({ model: model(name), prompt, maxRetries: 0 });
        assert.match(reply.text, /weir/, `${language} ${name}`);
        assert.equal(reply.finishReason, "stop", `${language} ${name}`);
        assert.ok(reply.usage.inputTokens > 0 && reply.usage.outputTokens > 0, `${language} ${name}`);
      }
    }
  },
  async streams() {
    for (const [language, model] of Object.entries(languages)) {
      for (const name of ["test/plain", "test/comment", "claude/claude", "claude/claude-think", "goog/gemini", "aws/plain"]) {
        const parts = await heard({ model: model(name), prompt });
        assert.deepEqual(of(parts, "error"), [], `${language} ${name}`);
        assert.match(words(parts), /weir/, `${language} ${name}`);
        const finish = of(parts, "finish")[0];
        assert.equal(finish.finishReason, "stop", `${language} ${name}`);
        assert.ok(finish.totalUsage.outputTokens > 1, `${language} ${name}`);
      }
    }
  },
  async toolConversations() {
    for (const [language, model] of Object.entries(languages)) {
      for (const name of ["test/tool", "test/parallel", "claude/claude-parallel-tool", "goog/gemini-tool", "aws/tool"]) {
        const parts = await heard({ model: model(name), prompt, tools, stopWhen: stepCountIs(3) });
        assert.deepEqual(of(parts, "error"), [], `${language} ${name}`);
        const count = name.includes("parallel") ? 2 : 1;
        assert.equal(of(parts, "tool-call").length, count, `${language} ${name}`);
        const results = of(parts, "tool-result");
        assert.equal(results.length, count, `${language} ${name}`);
        assert.ok(results.every((result) => /sunny in /.test(result.output)), `${language} ${name}`);
        assert.deepEqual(of(parts, "finish-step").map((step) => step.finishReason), ["tool-calls", "stop"]);
        assert.ok(words(parts).length > 10, `${language} ${name}`);
      }
    }
  },
  async brokenStreams() {
    for (const [language, model] of Object.entries(languages)) {
      for (const name of ["test/errchunk", "test/cut", "claude/claude-overloaded", "claude/claude-cut"]) {
        const parts = await heard({ model: model(name), prompt });
        assert.ok(of(parts, "error").length > 0, `${language} ${name} ended as if it were whole`);
      }
    }
  },
  async refusals() {
    for (const [language, model] of Object.entries(languages)) {
      for (const [name, status] of [["test/e429", 429], ["claude/claude-e429", 429], ["test/nobody", 404]]) {
        const refused = await generateText({ model: model(name), prompt, maxRetries: 0 }).catch((error) => error);
        assert.equal(refused.statusCode, status, `${language} ${name}: ${refused}`);
      }
    }
  },
};

await run("ai sdk", checks, "Vercel's AI SDK");
