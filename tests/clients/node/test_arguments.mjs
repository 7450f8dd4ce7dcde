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

// Options that could only fail later, and the start of what is said of them.
const WRONG_OPTIONS = [
  [undefined, TypeError, 'url is the address of Cachewarden, such as "http://127.0.0.1:8000", not undefined'],
  [{ url: "x" }, TypeError, 'url is the address of Cachewarden, such as "http://127.0.0.1:8000", not "x"'],
  [{ url: "ftp://shop" }, TypeError, "url is an http or https address"],
  [{ url: "http://shop/?a=1" }, TypeError, "url has a host, a port and a path alone"],
  [{ url: "http://shop/#a" }, TypeError, "url has a host, a port and a path alone"],
  [{ url: "http://me:secret@shop" }, TypeError, "url has a host, a port and a path alone"],
  [{ apiKey: 5 }, TypeError, "apiKey is an API key"],
  [{ apiKey: "a b" }, TypeError, "apiKey is an API key"],
  [{ apiKey: null }, TypeError, "apiKey is an API key"],
  [{ entriesKey: "" }, TypeError, "entriesKey is an API key"],
  [{ connections: -1 }, RangeError, "connections is a whole number above 0, not -1"],
  [{ connections: "x" }, RangeError, 'connections is a whole number above 0, not "x"'],
  [{ timeoutMs: "500" }, RangeError, 'timeoutMs is a whole number from 1 to 2147483647, not "500"'],
  [{ timeoutMs: 0 }, RangeError, "timeoutMs is a whole number from 1 to 2147483647, not 0"],
  [{ timeoutMs: 2 ** 31 }, RangeError, "timeoutMs is a whole number from 1 to 2147483647, not 2147483648"],
  [{ pauseMs: Infinity }, RangeError, "pauseMs is a whole number from 1 to 2147483647, not Infinity"],
  [{ waitMs: 60_001 }, RangeError, "waitMs is a whole number from 1 to 60000, not 60001"],
  [{ maxBytes: null }, RangeError, "maxBytes is a whole number above 0, not null"],
  [{ namespace: 7 }, TypeError, "namespace is text that is not empty, not 7"],
  [{ tls: "ca" }, TypeError, 'tls is an object, not "ca"'],
  [{ report: true }, TypeError, "report is a function, not true"],
];

for (const [options, Kind, message] of WRONG_OPTIONS) {
  test(`a client is not made with ${JSON.stringify(options)}`, () => {
    const given = options && { url: standIn.url, ...options };
    for (const make of [() => new Cachewarden(given), () => cachewarden(given)])
      assert.throws(make, (error) => error.constructor === Kind && error.message.startsWith(message) && !error.message.includes("secret"));
  });
}

test("what is refused is named, and text is quoted", async () => {
  const named = (Kind, message) => ({ name: Kind.name, message });
  await assert.rejects(client.set("a", 1, { ttl: "60" }), named(RangeError, 'ttl is a whole number above 0, not "60"'));
  await assert.rejects(client.get("a", { waitMs: "5" }), named(RangeError, 'waitMs is a whole number from 1 to 60000, not "5"'));
  await assert.rejects(client.set("a", 1, { onlyIfAbsent: "no" }), named(TypeError, 'onlyIfAbsent is true or false, not "no"'));
  await assert.rejects(client.increment("a", "1"), named(TypeError, 'by is a whole number, not "1"'));
  await assert.rejects(async () => client.remember("a", {}), named(TypeError, "fill is a function, not null"));
  for (const id of ["x", 0, 1.5, [7], null])
    await assert.rejects(async () => client.clearUser(id), (error) => error.message.startsWith("a user's id is a whole number above 0, not "));
  for (const none of [undefined, null, "", 7]) assert.throws(() => client.inNamespace(none), /^TypeError: namespace is text/);
  assert.throws(() => cachewarden({ client: "x" }), named(TypeError, 'client is an object, not "x"'));
  assert.throws(() => cachewarden({ client, clearsAfterWrites: "no" }), /^TypeError: clearsAfterWrites is true or false/);
  assert.throws(() => cachePlugin(), /^TypeError: client is an object/);
  assert.throws(() => cachePlugin(client, { ttl: "60" }), /^RangeError: ttl is .*"60"/);
  assert.throws(() => cacheAPIResponse(60, { shared: "yes" }), /^TypeError: shared is true or false, not "yes"/);
  assert.throws(() => cacheAPIResponse(60, { maxBytes: -1 }), /^RangeError: maxBytes is /);
  assert.throws(() => cacheAPIResponse(60, { vary: "Accept" }), /^TypeError: vary is a list of names of headers, not "Accept"/);
  assert.deepEqual(standIn.asked, []);
});
