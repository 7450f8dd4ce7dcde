// The cache service from Node: values, leases, joined calls, early refresh.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { clientOf, PATIENCE_MS, until } from "./client.mjs";
import { promised, StandIn } from "./stand_in.mjs";
import { Unkept } from "../../../clients/node/lib/unkept.js";

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

test("a value comes back as what it was", async () => {
  const values = [0, -1.5, "", "text ☕", "7", null, true, [1, [2]], { a: { b: "c" } }, Buffer.from([0, 255, 10, 13]), Buffer.alloc(0)];
  for (const value of values) {
    assert.equal(await client.set("a", value), true);
    assert.deepEqual(await client.get("a"), value);
  }
  await client.set("a", new Uint8Array([1, 2, 3]).subarray(1));
  assert.deepEqual(await client.get("a"), Buffer.from([2, 3]));
});

test("any label is one entry", async () => {
  const labels = ["a", "a/b", "a%2Fb", "...", ".a/b.", "a?b=c#d", "☕", "a b", "a+b", "A", "a".repeat(512), "%", "a&ttl=1"];
  for (const label of labels) await client.set(label, label);
  for (const label of labels) assert.equal(await client.get(label), label);
});

test("what cannot be a label is not cached, and no error", async () => {
  for (const label of ["", "a".repeat(513), "a\nb", "\x7f", "\ud800", ".", "..", "a/../b", "a/."]) {
    assert.equal(await client.set(label, 1), false);
    assert.equal(await client.get(label), undefined);
    assert.equal(await client.forget(label), false);
    assert.equal(await client.remember(label, {}, () => "source"), "source");
  }
  assert.equal(standIn.asked.length, 0);
});

test("ttl, models and the namespace are asked for", async () => {
  await client.inNamespace("user:7").set("a", 1, { ttl: 60, models: ["Product", "Größe", "Product"] });
  assert.deepEqual(standIn.asked, ["PUT /api/v1/entries/a?ttl=60&model=Product&model=Gr%C3%B6%C3%9Fe&namespace=user%3A7"]);
});

test("values may have a key of their own", async () => {
  const keys = [];
  standIn.answer = ({ headers }) => void keys.push(headers["x-api-key"]);
  const other = clientOf(standIn, { apiKey: "admin", entriesKey: "entries" });
  await other.get("a");
  await other.clearUser(7);
  await other.inNamespace("user:7").get("a");
  assert.deepEqual(keys, ["entries", "admin", "admin"]);
  other.close();
});

test("a user's own credential asks for the user's entries", async () => {
  let headers;
  standIn.answer = (request) => void ({ headers } = request);
  const own = (given) => client.as(given).get("a");
  await own({ authorization: "Bearer alice", cookie: "a=b" });
  assert.equal(headers.authorization, "Bearer alice");
  assert.equal(headers.cookie, undefined);
  await own({ authorization: "Basic cHJveHk=", cookie: "theme=dark; __Host-cachewarden=s; id=7" });
  assert.equal(headers.authorization, undefined);
  assert.equal(headers.cookie, "__Host-cachewarden=s");
  await own(new Headers({ "x-api-key": "k" }));
  assert.equal(headers["x-api-key"], "k");
  assert.equal(headers.cookie, undefined);
});

test("remember asks the source once", async () => {
  let fills = 0;
  const fill = async () => ({ fills: ++fills });
  for (let turn = 0; turn < 5; turn++) assert.deepEqual(await client.remember("a", { ttl: 60 }, fill), { fills: 1 });
  assert.deepEqual(await client.get("a"), { fills: 1 });
});

test("a value is the same at the first call as at all others", async () => {
  const day = new Date(0);
  const first = await client.remember("a", {}, () => ({ day, nothing: undefined }));
  assert.deepEqual(first, { day: day.toJSON() });
  assert.deepEqual(await client.remember("a", {}, () => 1), first);
  await standIn.close();
  assert.deepEqual(await client.remember("b", {}, () => ({ day })), { day: day.toJSON() });
  await standIn.open(standIn.port);
});

test("calls at the same time are joined", async () => {
  let fills = 0;
  const isReady = promised();
  const fill = async () => {
    fills++;
    await isReady.promise;
    return "value";
  };
  const calls = Array.from({ length: 100 }, () => client.remember("a", { ttl: 60 }, fill));
  await until(() => fills === 1);
  isReady.resolve();
  assert.deepEqual(new Set(await Promise.all(calls)), new Set(["value"]));
  assert.equal(fills, 1);
  assert.equal(standIn.count("GET"), 2);
});

test("nobody is joined to what was read before they asked", async () => {
  let source = "old";
  let begun = 0;
  const isReady = promised();
  const fill = async () => {
    const value = source;
    begun++;
    await isReady.promise;
    return value;
  };
  const early = client.remember("a", { models: "Product" }, fill);
  await until(() => begun === 1);
  source = "new";
  await client.clearModel("Product");
  const late = client.remember("a", { models: "Product" }, fill);
  isReady.resolve();
  assert.equal(await early, "old");
  assert.equal(await late, "new");
  assert.equal(await client.get("a"), "new");
});

test("nor while the service is away", async () => {
  await standIn.close();
  let source = "old";
  const isReady = promised();
  const fill = async () => {
    const value = source;
    await isReady.promise;
    return value;
  };
  const early = client.remember("a", {}, fill);
  await until(() => client.told.length > 0);
  source = "new";
  const late = client.remember("a", {}, fill);
  isReady.resolve();
  assert.equal(await early, "old");
  assert.equal(await late, "new");
  await standIn.open();
});

test("an error of the source is the caller's, and the next one tries", async () => {
  let fills = 0;
  const fill = async () => {
    if (++fills === 1) throw new Error("no database");
    return "value";
  };
  const calls = [client.remember("a", {}, fill), client.remember("a", {}, fill)];
  await assert.rejects(calls[0], /no database/);
  assert.equal(await calls[1], "value");
});

test("without a lease nothing is stored", async () => {
  standIn.answer = (request, response) => {
    if (request.method !== "GET") return false;
    response.writeHead(404, { "x-cache": "MISS", "x-cache-enabled": "false", "content-length": 0 }).end();
    return true;
  };
  assert.equal(await client.remember("a", {}, () => 1), 1);
  assert.equal(standIn.count("PUT"), 0);
});

test("a user who has switched the cache off stores nothing", async () => {
  standIn.answer = (request, response) => {
    response.writeHead(204, { "x-cache-enabled": "false" }).end();
    return true;
  };
  assert.equal(await client.set("a", 1), false);
});

test("one reader fills an entry anew before its end, and nobody waits", async () => {
  let fills = 0;
  const fill = async () => ++fills;
  await client.remember("a", {}, fill);
  standIn.entries.get("a").isOld = true;
  assert.equal(await client.remember("a", {}, fill), 1);
  await until(async () => (await client.get("a")) === 2);
});

test("an early refresh that fails harms nobody", async () => {
  let fills = 0;
  const fill = async () => {
    if (++fills > 1) throw new Error("no database");
    return 1;
  };
  await client.remember("a", {}, fill);
  standIn.entries.get("a").isOld = true;
  assert.equal(await client.remember("a", {}, fill), 1);
  await until(() => client.told.length > 0);
  assert.equal(await client.get("a"), 1);
});

test("another process that fills is waited for", async () => {
  const other = clientOf(standIn);
  const isReady = promised();
  const first = client.remember("a", { waitMs: PATIENCE_MS }, async () => {
    await isReady.promise;
    return "first";
  });
  await until(() => standIn.waiting.has("a"));
  const second = other.remember("a", { waitMs: PATIENCE_MS }, () => "second");
  await until(() => standIn.count("GET") === 2);
  isReady.resolve();
  assert.deepEqual(await Promise.all([first, second]), ["first", "first"]);
  other.close();
});

const refusing = (status) => (request, response) => {
  if (request.method !== "PUT") return false;
  request.resume().on("end", () => response.writeHead(status, { "content-length": 0 }).end());
  return true;
};
const fails = () => Promise.reject(new Error("no database"));

test("nobody waits for a fill after one that was not kept", async () => {
  const never = {
    "an error": () => client.remember("a", {}, fails).catch(() => {}),
    "no JSON": () => client.remember("a", {}, () => 7n),
    "nothing": () => client.remember("a", {}, () => undefined),
    "a refusal": async () => {
      standIn.answer = refusing(429);
      await client.remember("a", {}, () => 1);
      standIn.answer = null;
    },
    "a refusal of what was filled with a lease": async () => {
      const { lease } = await client.read("a", { waitMs: 250 });
      standIn.answer = refusing(413);
      await client.set("a", 1, { lease });
      standIn.answer = null;
    },
  };
  for (const [why, fill] of Object.entries(never)) {
    standIn.asked = [];
    await fill();
    await client.remember("a", {}, () => why);
    await client.forget("a");
    await client.remember("a", {}, () => "kept, so the next one is waited for");
    await client.forget("a");
    const waits = standIn.asked.filter((asked) => asked.startsWith("GET")).map((asked) => asked.includes("wait_ms"));
    assert.deepEqual(waits, [true, false, true], why);
    standIn.waiting.clear();
  }
});

test("that is so for ten seconds, of the label of one user, and of a thousand labels", async () => {
  let now = 0;
  const unkept = new Unkept(() => now);
  for (let label = 0; label <= 1000; label++) unkept.note(label, false);
  assert.deepEqual([0, 1, 1000].map((label) => unkept.has(label)), [false, true, true]);
  now = 10_000;
  assert.equal(unkept.has(1000), false);
  await client.remember("a", {}, fails).catch(() => {});
  await client.inNamespace("user:7").read("a", { waitMs: 1 });
  assert.equal(standIn.count("GET /api/v1/entries/a?wait_ms=1&namespace=user%3A7"), 1);
});

test("what is no JSON is given, and not cached", async () => {
  const loop = {};
  loop.self = loop;
  for (const value of [loop, undefined, 7n, () => 1]) assert.equal(await client.remember("a", { waitMs: 1 }, () => value), value);
  assert.equal(standIn.count("PUT"), 0);
});

test("an entry that nobody can read is taken away", async () => {
  await client.set("a", Buffer.from("{"), { type: "application/json" });
  assert.equal(await client.get("a"), undefined);
  await until(() => standIn.entries.size === 0);
  assert.equal(await client.remember("a", {}, () => 1), 1);
  assert.equal(await client.get("a"), 1);
});

test("text that is no UTF-8 is no text, and taken away", async () => {
  for (const type of ["text/plain; charset=utf-8", "application/json"]) {
    standIn.answer = (request, response) => {
      if (request.method !== "GET") return false;
      const body = Buffer.from([0x22, 0xc3, 0x22]);
      response.writeHead(200, { "content-type": type, "x-cache": "HIT", "content-length": body.length }).end(body);
      return true;
    };
    assert.equal(await client.get("broken"), undefined);
    await until(() => standIn.count("DELETE /api/v1/entries/broken") === 1);
    standIn.asked.length = 0;
  }
});

test("text that UTF-8 cannot hold comes back as it was, and a number that JSON cannot hold is not kept", async () => {
  for (const text of ["\ud800", "a\udc00b", "\ufeffa", "\ufffd"]) {
    assert.equal(await client.set("half", text), true);
    assert.equal(await client.get("half"), text);
  }
  await assert.rejects(client.set("half", NaN), TypeError);
  await assert.rejects(client.set("half", Infinity), TypeError);
});

test("halves of characters are no error, in values, and in labels and patterns that nothing can have", async () => {
  for (const value of [["\ud83d"], { "a\ude00": "\ud800\ud800" }, "\ude00\ud83d"]) {
    assert.equal(await client.set("half", value), true);
    assert.deepEqual(await client.get("half"), value);
  }
  standIn.asked.length = 0;
  assert.equal(await client.clear({ pattern: "a\ud83d*" }), null);
  assert.equal(await client.increment("a\ud83d"), null);
  assert.equal(await client.exists("a\ud83d"), false);
  assert.deepEqual(standIn.asked, []);
  assert.equal((await client.clear({ pattern: "\u{1f600}*" })).id, "1");
});

test("an entry with a model lives for 30 days at most", async () => {
  const most = 30 * 24 * 3600;
  for (const [ttl, models] of [[most + 1, ["Product"]], [most + 1, "Product"], [315_360_001, []]]) {
    await assert.rejects(client.set("long", 1, { ttl, models }), RangeError);
    await assert.rejects(client.remember("long", { ttl, models }, () => 1), RangeError);
  }
  assert.deepEqual(standIn.asked, []);
  assert.equal(await client.set("long", 1, { ttl: most, models: ["Product"] }), true);
  assert.equal(await client.set("long", 1, { ttl: most + 1 }), true);
});

test("forget, clear, and store only where nothing is", async () => {
  assert.equal(await client.set("a", 1, { onlyIfAbsent: true }), true);
  assert.equal(await client.set("a", 2, { onlyIfAbsent: true }), false);
  assert.equal(await client.get("a"), 1);
  assert.equal(await client.exists("a"), true);
  assert.equal(await client.forget("a"), true);
  assert.equal(await client.exists("a"), false);
  assert.equal(await client.forget("a"), false);
  await client.set("a", 1);
  assert.equal(await client.clear(), 2);
  assert.equal(await client.get("a"), undefined);
  assert.deepEqual(await client.clear({ pattern: "products:*" }), { id: "1", state: "running" });
  assert.equal(standIn.count("DELETE /api/v1/entries?pattern=products%3A*"), 1);
});

test("counters are exact", async () => {
  assert.equal(await client.increment("n"), 1);
  assert.equal(await client.increment("n", -3, { ttl: 60 }), -2);
  assert.equal(await client.increment("n", 2n ** 62n), 2n ** 62n - 2n);
  await client.set("text", "abc");
  assert.equal(await client.increment("text"), null);
});

test("a refusal is told with what the service said of it", async () => {
  const calls = [
    ...[(own) => own.increment("a"), (own) => own.get("a"), (own) => own.set("a", 1), (own) => own.clearModel("Order")],
    ...[(own) => own.clear(), (own) => own.clear({ pattern: "a*" }), (own) => own.clearUser(7), (own) => own.userOf("shop", "a")],
    (own) => own.check({ authorization: "Bearer alice" }),
  ];
  standIn.answer = (request, response) => {
    response.writeHead(409, { "content-type": "application/problem+json" }).end('{"detail":"Not a\\ncounter."}');
    return true;
  };
  for (const call of calls) {
    const own = clientOf(standIn); // what was told a moment ago is not told again
    await call(own);
    own.close();
    assert.match(own.told[0]?.detail ?? "", /: Not a counter\.$/, String(call));
  }
});

test("a refusal without a reason is told without one", async () => {
  for (const body of ["", "<html>", "[]", "null", '{"detail":7}', '{"detail":""}']) {
    standIn.answer = (request, response) => response.writeHead(400).end(body);
    const own = clientOf(standIn);
    assert.equal(await own.increment("a"), null);
    own.close();
    assert.equal(own.told[0].detail, "POST /api/v1/entries/a/increment");
  }
});

test("clears of a transaction are joined", async () => {
  standIn.users.set("alice", { id: 7, clears: 4 });
  const clears = client.clears();
  for (let turn = 0; turn < 3; turn++) clears.user(7).user("7").user(8).model("Product").model(["Product", "Order"]).entry("a");
  assert.equal(standIn.asked.length, 0);
  const versions = await clears.send();
  assert.equal(versions.get("7"), 6);
  assert.deepEqual(standIn.asked.sort(), [
    "DELETE /api/v1/entries/a",
    "DELETE /api/v1/models/Order",
    "DELETE /api/v1/models/Product",
    "POST /api/server-management/clear-cache/?user_id=7",
    "POST /api/server-management/clear-cache/?user_id=8",
  ]);
  clears.user(9).drop();
  await clears.send();
  assert.equal(standIn.asked.length, 5);
});
