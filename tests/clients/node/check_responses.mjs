// The openai package for Node, unmodified, at OpenAI's Responses API; the environment is as for
// python/check_responses.py.
import assert from "node:assert/strict";
import { loadDefault, run } from "./checks.mjs";

const OpenAI = await loadDefault("openai");
const { WEIR_BASE_URL: baseURL, WEIR_API_KEY: apiKey } = process.env;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 20_000 });
const input = "How does a weir hold back a river?";
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", name: "get_weather", parameters, strict: false }];
const plain = ["agents/plain", "test/plain", "claude/claude"];

const checks = {
  async whole() {
    for (const model of plain) {
      const reply = await client.responses.create({ model, input });
      assert.match(reply.output_text, /weir/);
      assert.equal(reply.status, "completed");
    }
  },
  async streams() {
    for (const model of [...plain, "claude/claude-think", "test/crlf"]) {
      const final = await client.responses.stream({ model, input }).finalResponse();
      assert.match(final.output_text, /weir/, model);
      assert(final.usage.output_tokens > 1, model);
    }
  },
  async toolConversation() {
    for (const model of ["agents/tool", "test/tool", "claude/claude-tool"]) {
      const first = await client.responses.stream({ model, input, tools }).finalResponse();
      const call = first.output.find((item) => item.type === "function_call");
      assert("city" in JSON.parse(call.arguments), model);
      const { type, call_id, name, arguments: told } = call;
      const said = { type, call_id, name, arguments: told };
      const result = { type: "function_call_output", call_id, output: "sunny" };
      const after = await client.responses.create({
        model, tools, input: [{ role: "user", content: input }, said, result],
      });
      assert(after.output_text, model);
    }
  },
  async errors() {
    for (const model of ["agents/e429", "test/e429", "claude/claude-e429"]) {
      await assert.rejects(client.responses.create({ model, input }), OpenAI.RateLimitError);
    }
    for (const model of ["agents/cut", "test/cut", "claude/claude-cut"]) {
      await assert.rejects(async () => {
        for await (const _ of await client.responses.create({ model, input, stream: true }));
      }, OpenAI.APIError);
    }
  },
};

await run("responses", checks, "openai at /responses, Node");
