// What is asked of the Node package by mistake is an error at once, and nothing is sent.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { clearsModel } from "../../../clients/node/lib/express.js";
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
