// The openai package for Node, unmodified, against WEIR_BASE_URL with WEIR_API_KEY; the environment is as for
// python/check.py.
import assert from "node:assert/strict";
import { loadDefault, run } from "./checks.mjs";

const OpenAI = await loadDefault("openai");
const env = process.env;
const viaWeir = (env.WEIR_VIA ?? "weir") === "weir";
const model = (name) => (env.WEIR_MODELS ?? "") + name;
const messages = [{ role: "user", content: "How does a weir hold back a river?" }];
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const time = { type: "function", function: { name: "get_time", parameters: { type: "object", properties: {} } } };
const make = (more) =>
  new OpenAI({ baseURL: env.WEIR_BASE_URL, apiKey: env.WEIR_API_KEY, maxRetries: 0, timeout: 20_000, ...more });
const client = make();

const seen = async () => (await fetch(env.WEIR_VENDOR_URL + "/rehearsal/log")).json();
const until = async (holds, what) => {
  const end = performance.now() + 5000;
  while (!(await holds())) assert(performance.now() < end, what);
};
const abandoned = async () => (await seen()).at(-1).abandoned;
const raises = async (kind, call) => {
  try {
    await call();
  } catch (error) {
    assert(error instanceof kind, `${error?.constructor?.name} is not ${kind.name}: ${error}`);
    return error;
  }
  assert.fail(`no ${kind.name}`);
};
const ask = (name, more = {}) => client.chat.completions.create({ model: model(name), messages, ...more });
const drain = async (events) => {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
};

const checks = {
  async chat() {
    const reply = await ask("plain");
    assert.match(reply.choices[0].message.content, /weir/);
    assert(reply._request_id, "the request id is surfaced");
  },
  async stream() {
    const chunks = await drain(await ask("plain", { stream: true }));
    assert.match(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), /weir/);
    assert(chunks.every((chunk) => chunk.choices.length === 1), "usage was not asked for");
  },
  async streamHelper() {
    for (const name of ["plain", "crlf", "comment", "nospace", "multiline", "nodone"]) {
      const final = await client.chat.completions.stream({ model: model(name), messages }).finalChatCompletion();
      assert.match(final.choices[0].message.content, /weir/, name);
    }
  },
  async streamUsage() {
    const options = { stream: true, stream_options: { include_usage: true } };
    const last = (await drain(await ask("plain", options))).at(-1);
    assert.deepEqual(last.choices, []);
    assert(last.usage.completion_tokens > 5);
  },
  async tools() {
    const reply = await ask("tool", { tools: [weather] });
    assert.equal(reply.choices[0].message.tool_calls[0].function.name, "get_weather");
  },
  async parallelToolStream() {
    const events = client.chat.completions.stream({ model: model("parallel"), messages, tools: [weather, time] });
    const calls = (await events.finalChatCompletion()).choices[0].message.tool_calls;
    assert.deepEqual(calls.map((call) => call.function.name), ["get_weather", "get_time"]);
    calls.forEach((call) => JSON.parse(call.function.arguments));
  },
  async embeddings() {
    const packed = await client.embeddings.create({ model: model("plain"), input: ["a", "b"] });
    const floats = await client.embeddings.create({
      model: model("plain"), input: ["a", "b"], encoding_format: "float",
    });
    packed.data.forEach((one, index) => {
      const other = floats.data[index].embedding;
      assert.equal(one.embedding.length, other.length);
      one.embedding.forEach((value, at) => assert(Math.abs(value - other[at]) < 1e-6));
    });
  },
  async models() {
    const ids = (await drain(await client.models.list())).map((one) => one.id);
    assert(ids.length > 0 && (!viaWeir || ids.includes(model("plain"))), ids.join());
    if (viaWeir) assert.equal((await client.models.retrieve(model("plain"))).id, model("plain"));
  },
  async errors() {
    for (const [name, kind, status] of [
      ["e400", OpenAI.BadRequestError, 400],
      ["e404", OpenAI.NotFoundError, 404],
      ["e409", OpenAI.ConflictError, 409],
      ["e422", OpenAI.UnprocessableEntityError, 422],
      ["e429", OpenAI.RateLimitError, 429],
      ["e500", OpenAI.InternalServerError, 500],
      ["e503", OpenAI.InternalServerError, 503],
    ]) {
      const error = await raises(kind, () => ask(name));
      assert.equal(error.status, status);
      assert(viaWeir ? error.requestID : true, name);
    }
  },
  async errorsOfTheGateway() {
    if (!viaWeir) return;
    const as = (apiKey, name) => () => make({ apiKey }).chat.completions.create({ model: model(name), messages });
    assert.equal((await raises(OpenAI.AuthenticationError, as("wrong", "plain"))).code, "invalid_api_key");
    const outsider = as(env.WEIR_OUTSIDER_KEY, "plain");
    assert.equal((await raises(OpenAI.PermissionDeniedError, outsider)).code, "model_access_denied");
    assert.equal((await raises(OpenAI.NotFoundError, as(env.WEIR_API_KEY, "no"))).code, "model_not_found");
  },
  async retries() {
    const reply = await make({ maxRetries: 2 }).chat.completions.create({ model: model("flaky-node"), messages });
    assert(reply.choices.length === 1);
  },
  async timeouts() {
    await raises(OpenAI.APIConnectionTimeoutError, () =>
      make({ timeout: 500 }).chat.completions.create({ model: model("never"), messages }),
    );
    await until(abandoned, "the vendor works on for a client that timed out");
  },
  async abort() {
    const events = await ask("paced1000x50", { stream: true });
    for await (const _ of events) break;
    await until(abandoned, "the vendor streams on for a client that left");
  },
  async abortByController() {
    const [controller, before] = [new AbortController(), (await seen()).length];
    const never = { model: model("never"), messages };
    const whole = client.chat.completions.create(never, { signal: controller.signal });
    await until(async () => (await seen()).length > before, "the vendor is asked");
    controller.abort();
    await raises(OpenAI.APIUserAbortError, () => whole);
    await until(abandoned, "the vendor works on for a client that aborted");
  },
  async midStreamErrors() {
    const names = viaWeir ? ["errchunk", "errevent", "cut", "reset"] : ["errchunk", "errevent"];
    for (const name of names) {
      await raises(OpenAI.APIError, async () => drain(await ask(name, { stream: true })));
    }
  },
};

await run("node", checks, "openai for Node");
