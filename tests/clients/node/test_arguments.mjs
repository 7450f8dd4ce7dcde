// What is asked of the Node package by mistake is an error at once, and nothing is sent.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { cacheAPIResponse, cachewarden, clearsModel } from "../../../clients/node/lib/express.js";
import { Cachewarden } from "../../../clients/node/lib/index.js";
import { cachePlugin } from "../../../clients/node/lib/mongoose.js";
import { clientOf } from "./client.mjs";
import { StandIn } from "./stand_in.mjs";

let standIn;
let client;

beforeEach(async () => {
  standIn = await new StandIn().open();
  client = clientOf(standIn);
});
afterEach(async () => {
  client.close();
  await standIn.close();
});

const NO_MODEL = [undefined, null, "", [], [""], [undefined], 7, "a/b", ".", ".."];

test("an answer with a model lives for 30 days at most", () => {
  assert.throws(() => cacheAPIResponse(30 * 24 * 3600 + 1, { models: ["Product"] }), RangeError);
  assert.equal(typeof cacheAPIResponse(30 * 24 * 3600 + 1), "function");
});

test("a clear of a model names one", async () => {
  for (const wrong of [...NO_MODEL, ["Product", "Order"]]) await assert.rejects(client.clearModel(wrong), TypeError, String(wrong));
  await assert.rejects(client.clearModel(), TypeError);
  assert.deepEqual(standIn.asked, []);
  assert.equal(await client.clearModel(["Product"]), 2);
});

test("clears that are joined name models, as many as there are", async () => {
  const clears = client.clears();
  for (const none of NO_MODEL) assert.throws(() => clears.model(none), TypeError, String(none));
  assert.throws(() => clears.model(), TypeError);
  assert.equal(clears.isEmpty, true);
  const names = Array.from({ length: 20 }, (_, at) => `Model${at}`);
  await clears.model(names).send();
  assert.deepEqual(standIn.asked.sort(), names.map((name) => `DELETE /api/v1/models/${name}`).sort());
});

test("a route that clears models says which, when it is made", () => {
  for (const none of NO_MODEL) assert.throws(() => clearsModel(none), TypeError, String(none));
  assert.throws(() => clearsModel("Product", undefined), TypeError);
  assert.throws(() => clearsModel(), TypeError);
  const named = [];
  const req = { clears: { model: (name) => named.push(name) } };
  for (const one of [clearsModel("Product", "Order"), clearsModel(["Product", "Order"])]) one(req, {}, () => {});
  assert.deepEqual(named.flat(), ["Product", "Order", "Product", "Order"]);
});

test("a clear by pattern has one, or else it would be everything", async () => {
  const wrong = [{}, { pattern: undefined }, { pattern: null }, { pattern: "" }, { pattern: 7 }, { patern: "a*" }, "a*", undefined, null];
  for (const what of wrong) await assert.rejects(client.clear(what), TypeError, JSON.stringify(what));
  assert.deepEqual(standIn.asked, []);
  assert.equal(await client.clear(), 2);
});

// A call with options, and one of them with a slip in its name.
const SLIPS = {
  "model is none of ttl, models, lease, onlyIfAbsent, type": () => client.set("a", 1, { model: "Order" }),
  "model is none of models, waitMs": () => client.get("a", { model: "Order" }),
  "wait_ms is none of models, waitMs": () => client.read("a", { wait_ms: 5 }),
  "tl is none of ttl, models, waitMs": () => client.remember("a", { tl: 60 }, () => 1),
  "tll is none of ttl": () => client.increment("a", 1, { tll: 5 }),
  "limit is none of pattern": () => client.clear({ pattern: "a*", limit: 5 }),
  "timeout is none of": () => new Cachewarden({ url: standIn.url, timeout: 5 }),
  "apikey is none of": () => cachewarden({ url: standIn.url, apikey: "k" }),
  "url is none of client, clearsAfterWrites": () => cachewarden({ client, url: standIn.url }),
  "share is none of": () => cacheAPIResponse(60, { share: true }),
  "clearAfterWrites is none of ttl, clearsAfterWrites": () => cachePlugin(client, { clearAfterWrites: false }),
  "model is none of ttl, key, models": () => queryOf(cachePlugin(client, { clearsAfterWrites: false })).cache({ model: "Order" }),
};

// A query of a schema with the plugin.
function queryOf(plugin) {
  const schema = { query: {} };
  plugin(schema);
  return schema.query;
}

for (const [message, call] of Object.entries(SLIPS)) {
  test(`an option that there is not is told: ${message}`, async () => {
    await assert.rejects(async () => call(), (error) => error instanceof TypeError && error.message.includes(message));
    assert.deepEqual(standIn.asked, []);
  });
}

test("options are an object", async () => {
  for (const wrong of [60, "ttl", null, true, () => 1]) {
    await assert.rejects(client.set("a", 1, wrong), TypeError, String(wrong));
    await assert.rejects(client.get("a", wrong), TypeError);
    await assert.rejects(client.increment("a", 1, wrong), TypeError);
    await assert.rejects(async () => client.remember("a", wrong, () => 1), TypeError);
  }
  assert.deepEqual(standIn.asked, []);
});

test("options of an application in Express are those of a client, too", () => {
  assert.equal(typeof cachewarden({ url: standIn.url, apiKey: "k", timeoutMs: 5, clearsAfterWrites: false }), "function");
  assert.equal(typeof cachewarden({ client: undefined, url: standIn.url }), "function");
});
