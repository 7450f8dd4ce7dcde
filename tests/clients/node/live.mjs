// The package against a server: http/test_node_client.c starts it and tells where it is, and keys and tokens.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, beforeEach, test } from "node:test";

import { until } from "./client.mjs";
import { promised } from "./stand_in.mjs";
import { MongoStandIn } from "./mongo_stand_in.mjs";
import { Cachewarden } from "../../../clients/node/lib/index.js";
import { cachePlugin } from "../../../clients/node/lib/mongoose.js";

const { CACHEWARDEN_URL: url, CACHEWARDEN_KEY: apiKey } = process.env;
const ALICE = { authorization: process.env.ALICE };
const BOB = { authorization: process.env.BOB };
const told = [];
const options = { url, apiKey, timeoutMs: 60_000, report: (problem) => told.push(problem) };
const cache = new Cachewarden(options);
const other = new Cachewarden(options); // of another process

beforeEach(async () => {
  assert.notEqual(await cache.clear(), null);
  told.length = 0;
});
after(() => {
  cache.close();
  other.close();
});

const after_ = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test("values come back as what they were, under any label", async () => {
  const values = [0, -1.5, "", "text ☕", "7", null, true, [1, [2]], { a: { b: "c" } }, Buffer.from([0, 255, 10, 13]), Buffer.alloc(0)];
  for (const value of values) {
    assert.equal(await cache.set("a", value, { ttl: 60 }), true);
    assert.deepEqual(await other.get("a"), value);
  }
  const labels = ["a", "a/b", "a%2Fb", "...", ".a/b.", "a?b=c#d", "☕", "a b", "a+b", "A", "a".repeat(512), "%", "a&ttl=1", "increment"];
  for (const label of labels) assert.equal(await cache.set(label, label), true, label);
  for (const label of labels) assert.equal(await cache.get(label), label);
  for (const label of labels) assert.equal(await cache.forget(label), true);
  assert.equal(await cache.forget("a"), false);
  assert.deepEqual(told, []);
});

test("it is filled once, and anew after each kind of clear", async () => {
  let fills = 0;
  const read = (client) => client.remember("a", { ttl: 60, models: ["Order", "Product"] }, () => ++fills);
  const clears = [() => cache.clearModel("Order"), () => other.clearModel("Product"), () => cache.clear(), () => cache.forget("a"),
    () => cache.clearEverybody()];
  for (const [at, clear] of clears.entries()) {
    assert.deepEqual([await read(cache), await read(other), await read(cache)], [at + 1, at + 1, at + 1]);
    assert.ok(await clear());
  }
  assert.equal(await read(cache), clears.length + 1);
  await cache.clearModel("Customer"); // is none of its own
  assert.equal(await read(other), clears.length + 1);
});

test("what was read before a clear is never served", async () => {
  for (const clear of [() => cache.clearModel("Order"), () => cache.clear(), () => cache.clearEverybody()]) {
    const { lease } = await cache.read("a", { models: "Order" });
    assert.ok(lease);
    await clear();
    assert.equal(await cache.set("a", "old", { models: "Order", lease }), true);
    assert.equal(await cache.get("a"), undefined);
  }
});

test("nobody gets what is older than a clear that was heard before they asked", async () => {
  let source = 0; // raised by each write
  let heard = 0; // what every reader must see, at least
  let isOver = false;
  let reads = 0;
  const random = (max) => Math.floor(Math.random() * max);
  const pause = () => (random(2) === 0 ? null : after_(random(4)));
  const fill = async () => {
    const value = source;
    await pause();
    return value;
  };
  const readers = Array.from({ length: 8 }, async (_, at) => {
    for (; !isOver; reads++) {
      const least = heard;
      const value = await (at % 2 ? cache : other).remember("a", { ttl: 60, models: ["Order"], waitMs: 20 }, fill);
      assert.ok(value >= least, `${value} after a clear of ${least}`);
      await pause();
    }
  });
  for (let write = 0; write < 200; write++) {
    const written = ++source;
    const clear = [() => cache.clearModel("Order"), () => other.clear(), () => cache.forget("a")][random(3)];
    assert.notEqual(await clear(), null);
    if (clear.toString().includes("forget")) continue; // a fill under way may bring it back
    heard = written;
    await pause();
  }
  isOver = true;
  await Promise.all(readers);
  assert.ok(reads > 0);
});

test("another process waits for the fill", async () => {
  const isReading = promised();
  let reading;
  const first = cache.remember("a", { ttl: 60 }, async () => {
    reading = other.read("a", { waitMs: 60_000 });
    isReading.resolve();
    await after_(50);
    return "first";
  });
  await isReading.promise;
  assert.equal((await reading).value, "first");
  assert.equal(await first, "first");
});

test("one of many readers is to fill it anew before its end", async () => {
  await until(async () => {
    const { lease } = await cache.read("a");
    await after_(300); // so long a fill takes
    await cache.set("a", "value", { ttl: 1, lease });
    for (;;) {
      const found = await cache.read("a");
      if (!found.isHit) return false; // too slow a machine, or too much luck
      if (found.isRefresh) return found.value === "value" && found.lease !== null;
      await after_(5);
    }
  });
});

test("a job takes away what a pattern names", async () => {
  for (const label of ["products:1", "products:2", "orders:1"]) await cache.set(label, label);
  const job = await cache.clear({ pattern: "products:*" });
  assert.ok(job?.id && job.state, JSON.stringify(job));
  await until(async () => (await cache.job(job.id)).state === "done");
  for (const label of ["products:1", "products:2"]) assert.equal(await cache.exists(label), false);
  assert.equal(await cache.get("orders:1"), "orders:1");
});

test("queries of Mongoose are cached, until a write", async () => {
  const mongoose = createRequire(import.meta.url)("mongoose"); // not there? ./dev test installs it
  const mongo = await new MongoStandIn(mongoose.mongo.BSON).open();
  await mongoose.connect(mongo.url, { autoIndex: false, autoCreate: false });
  const Product = mongoose.model("Product", new mongoose.Schema({ name: String, added: Date }).plugin(cachePlugin(cache)));
  const read = async () => (await Product.find({ name: "Rose" }).cache({ ttl: 60, key: "roses" })).map(({ added }) => added?.getTime());
  await Product.create({ name: "Rose", added: new Date(7) });
  assert.deepEqual([await read(), await read(), mongo.count("find")], [[7], [7], 1]);
  await Product.updateOne({ name: "Rose" }, { $set: { added: new Date(8) } });
  assert.deepEqual([await read(), await read(), mongo.count("find")], [[8], [8], 2]);
  assert.deepEqual(told, []);
  await mongoose.disconnect();
  await mongo.close();
});

test("only where nothing is", async () => {
  assert.equal(await cache.set("a", 1, { onlyIfAbsent: true }), true);
  assert.equal(await cache.set("a", 2, { onlyIfAbsent: true }), false);
  assert.deepEqual([await cache.get("a"), await cache.exists("a")], [1, true]);
  await cache.clear();
  assert.equal(await cache.exists("a"), false);
  assert.equal(await cache.set("a", 3, { onlyIfAbsent: true }), true);
});

test("counters are exact, and begin anew after a clear", async () => {
  assert.deepEqual([await cache.increment("n"), await other.increment("n", 41, { ttl: 60 }), await cache.increment("n", -2)], [1, 42, 40]);
  assert.equal(await cache.get("n"), "40");
  assert.equal(await cache.increment("n", 2n ** 62n), 2n ** 62n + 40n);
  assert.equal(await cache.increment("n", 2n ** 62n), null); // too large
  assert.equal(await cache.get("n"), String(2n ** 62n + 40n));
  await cache.set("text", "abc");
  assert.equal(await cache.increment("text"), null);
  await cache.clear();
  assert.equal(await cache.increment("n"), 1);
});

test("what the service refuses is a problem, and no error", async () => {
  assert.equal(await cache.set("a", "value", { ttl: 60 }), true);
  assert.equal(await cache.set("b", "old"), true);
  assert.equal(await cache.set("b", Buffer.alloc(2 << 20)), false); // more than server.max_body
  assert.equal(await cache.get("b"), undefined);
  assert.equal(await cache.set("a", "forged", { lease: "bm9uZQ" }), false);
  assert.equal(await cache.get("a"), "value");
  assert.equal(told.length > 0, true);
});

test("a user has entries, and a view, and they are one", async () => {
  const view = await cache.check(ALICE);
  assert.match(view.key("orders"), /^user:[0-9]+:[0-9]+:orders$/);
  const own = cache.as(ALICE);
  assert.equal(await own.set("a", "alice's"), true);
  assert.equal(await own.get("a"), "alice's");
  assert.equal(await cache.inNamespace(`user:${view.userId}`).get("a"), "alice's");
  assert.equal(await cache.as(BOB).get("a"), undefined);
  assert.equal(await cache.get("a"), undefined);
  const version = await cache.clearUser(view.userId);
  assert.equal(version, Number(view.version) + 1);
  assert.equal(await own.get("a"), undefined);
  assert.equal((await cache.check(ALICE)).version, String(version));
  await own.set("a", "kept");
  await own.clear();
  assert.equal((await cache.check(ALICE)).version, String(version + 1));
  assert.deepEqual((await cache.check({ authorization: "Bearer none" })).headers, {});
});

test("a user who has switched the cache off has no entries", async () => {
  const own = cache.as(BOB);
  const turn = async (how) => assert.equal((await fetch(`${url}/api/cache/${how}/`, { method: "POST", headers: BOB })).status, 200);
  await own.set("a", 1);
  await turn("disable");
  assert.deepEqual((await cache.check(BOB)).headers["X-Cache-Enabled"], "false");
  assert.equal(await own.get("a"), undefined);
  assert.equal(await own.set("a", 2), false);
  let fills = 0;
  assert.deepEqual([await own.remember("a", {}, () => ++fills), await own.remember("a", {}, () => ++fills)], [1, 2]);
  await turn("enable");
  assert.equal(await own.get("a"), undefined);
});
