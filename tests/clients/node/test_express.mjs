// Views, clears and cached answers in Debian's Express, which NODE_PATH names.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { createRequire } from "node:module";
import { afterEach, beforeEach, test } from "node:test";

import { cacheAPIResponse, cachewarden, clearsModel } from "../../../clients/node/lib/express.js";
import { Local } from "../../../clients/node/lib/local.js";
import { clientOf, until } from "./client.mjs";
import { promised, StandIn } from "./stand_in.mjs";

const express = createRequire(import.meta.url)("express");
const ALICE = { authorization: "Bearer alice" };
const BOB = { authorization: "Bearer bob" };
let standIn;
let client;
let app;
let server;
let made; // how often a handler made an answer

beforeEach(async () => {
  standIn = await new StandIn().open();
  standIn.users.set("Bearer alice", { id: 7, clears: 0 });
  standIn.users.set("Bearer bob", { id: 8, clears: 0 });
  standIn.users.set("__Host-cachewarden=c", { id: 9, clears: 0 });
  client = clientOf(standIn);
  made = 0;
  app = express();
  app.use(cachewarden({ client }));
  server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  client.close();
  server.close();
  server.closeAllConnections();
  await standIn.close();
});

// { status, headers, text }
function ask(path, { method = "GET", headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port: server.address().port, host: "127.0.0.1", path, method, headers, agent: false });
    request.on("error", reject);
    request.on("response", async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() });
    });
    request.end();
  });
}

const state = ({ headers }) => [headers["x-cache-enabled"], headers["x-cache-version"]];

// An answer is kept when its last byte has left.
const stored = (count = 1) => until(() => standIn.count("PUT") >= count && standIn.entries.size >= count);

test("each answer tells whose view it is, and nobody's tells nothing", async () => {
  app.get("/", (req, res) => res.send(String(req.view.userId)));
  assert.deepEqual(state(await ask("/", { headers: ALICE })), ["true", "1"]);
  assert.deepEqual(state(await ask("/", { headers: { cookie: "__Host-cachewarden=c" } })), ["true", "1"]);
  for (const headers of [{}, { cookie: "theme=dark" }, { authorization: "Bearer none" }, { authorization: "Basic x" }])
    assert.deepEqual(state(await ask("/", { headers })), [undefined, undefined]);
  standIn.users.get("Bearer bob").isOff = true;
  assert.deepEqual(state(await ask("/", { headers: BOB })), ["false", undefined]);
  const users = [ALICE, BOB, {}].map(async (headers) => (await ask("/", { headers })).headers["x-user-id"]);
  assert.deepEqual(await Promise.all(users), ["7", "8", undefined]);
});

test("a write makes its user's view out of date, and says so itself", async () => {
  app.post("/orders", (req, res) => res.status(201).send("made"));
  app.post("/refused", (req, res) => res.sendStatus(409));
  const reply = await ask("/orders", { method: "POST", headers: ALICE });
  assert.equal(reply.text, "made");
  assert.deepEqual(state(reply), ["true", "2"]);
  assert.deepEqual(state(await ask("/refused", { method: "POST", headers: ALICE })), ["true", "2"]);
  assert.deepEqual(state(await ask("/orders", { method: "POST", headers: { cookie: "__Host-cachewarden=c" } })), ["true", "2"]);
  assert.equal(standIn.users.get("Bearer bob").clears, 0);
});

test("clears of one request are joined: the old owner's as well as the new one's, and models", async () => {
  app.put("/orders/1", clearsModel("Order"), (req, res) => {
    for (const owner of [7, 8, 7]) req.clears.user(owner).model("Order");
    res.end();
  });
  assert.deepEqual(state(await ask("/orders/1", { method: "PUT", headers: ALICE })), ["true", "2"]);
  assert.deepEqual(standIn.asked.filter((asked) => !asked.startsWith("GET")).sort(), [
    "DELETE /api/v1/models/Order",
    "POST /api/server-management/clear-cache/?user_id=7",
    "POST /api/server-management/clear-cache/?user_id=8",
  ]);
});

test("a write whose clear was not heard has no version", async () => {
  app.post("/orders", async (req, res) => {
    await standIn.close();
    res.sendStatus(201);
  });
  const reply = await ask("/orders", { method: "POST", headers: ALICE });
  assert.equal(reply.status, 201);
  assert.deepEqual(state(reply), ["false", undefined]);
  await standIn.open(standIn.port);
  await until(() => standIn.users.get("Bearer alice").clears === 1);
});

test("a write of who was not known is cleared when the service is back", async () => {
  app.post("/orders", (req, res) => res.sendStatus(201));
  await standIn.close();
  assert.deepEqual(state(await ask("/orders", { method: "POST", headers: ALICE })), ["false", undefined]);
  await standIn.open(standIn.port);
  await until(() => standIn.users.get("Bearer alice").clears === 1);
});

test("a write of who will never be known is owed nothing", async () => {
  app.post("/orders", (req, res) => res.sendStatus(201));
  for (const status of [401, 403, 431]) {
    standIn.answer = (request, response) => response.writeHead(status, { "content-length": 0 }).end();
    await ask("/orders", { method: "POST", headers: { authorization: "Bearer nobody" } });
  }
  standIn.answer = null;
  await ask("/orders", { method: "POST", headers: ALICE });
  assert.equal(standIn.users.get("Bearer alice").clears, 1);
  assert.deepEqual(client.told.map(({ message }) => message.slice(0, 3)), ["431"]); // once in a while
});

test("without the service everything goes on", async () => {
  await standIn.close();
  app.get("/", cacheAPIResponse(60, { shared: true }), (req, res) => res.send(String(++made)));
  app.get("/orders", async (req, res) => res.json(await req.remember("orders", {}, () => ++made)));
  app.post("/", (req, res) => res.sendStatus(201));
  assert.equal((await ask("/")).text, "1");
  assert.equal((await ask("/", { headers: ALICE })).text, "2");
  assert.equal((await ask("/orders", { headers: ALICE })).text, "3");
  assert.equal((await ask("/", { method: "POST", headers: ALICE })).status, 201);
  await standIn.open(standIn.port);
});

for (const [name, keep] of Object.entries({
  "cached(), in memory,": (req, make) => req.cached("orders", make),
  "remember(), in the service,": (req, make) => req.remember("orders", { ttl: 60 }, make),
})) {
  test(`${name} keeps a value for a path and a query`, async () => {
    app.get(["/orders", "/orders/:id"], async (req, res) => res.json(await keep(req, async () => ++made)));
    const numbers = [];
    for (const target of ["/orders", "/orders?page=2", `/orders?q=${"q".repeat(600)}`, "/orders/7", "/orders", "/orders?page=2"])
      numbers.push(Number((await ask(target, { headers: ALICE })).text));
    assert.deepEqual(numbers, [1, 2, 3, 4, 1, 2]);
    assert.equal(Number((await ask(`/orders?q=${"q".repeat(600)}`, { headers: ALICE })).text), 3);
  });

  test(`${name} keeps a value for a user in a version`, async () => {
    app.get("/orders", async (req, res) => res.json(await keep(req, async () => ++made)));
    app.post("/orders", (req, res) => res.end());
    const orders = async (headers) => Number((await ask("/orders", { headers })).text);
    assert.deepEqual([await orders(ALICE), await orders(ALICE), await orders(BOB), await orders(ALICE)], [1, 1, 2, 1]);
    assert.deepEqual([await orders({}), await orders({})], [3, 4]);
    await ask("/orders", { method: "POST", headers: ALICE });
    assert.deepEqual([await orders(ALICE), await orders(ALICE), await orders(BOB)], [5, 5, 2]);
  });
}

test("the memory of cached() is bounded, and keeps no error", async () => {
  const local = new Local(2);
  const read = (name) => local.remember(name, () => `${name} ${++made}`);
  assert.deepEqual([await read("a"), await read("b"), await read("a"), await read("c")], ["a 1", "b 2", "a 1", "c 3"]);
  assert.deepEqual([await read("a"), await read("b")], ["a 1", "b 4"]);
  await assert.rejects(local.remember("d", () => Promise.reject(new Error("no database"))));
  assert.equal(await read("d"), "d 5");
});

test("an answer is kept for each user and query", async () => {
  app.get("/page", cacheAPIResponse(3600), (req, res) => {
    res.set({ "X-Total": "3", "Content-Language": "de" }).json({ made: ++made, user: req.view.userId, query: req.query });
  });
  const first = await ask("/page?a=1", { headers: ALICE });
  assert.equal(first.headers["x-cache"], "MISS");
  await stored();
  const second = await ask("/page?a=1", { headers: ALICE });
  assert.equal(second.headers["x-cache"], "HIT");
  assert.equal(second.text, first.text);
  for (const name of ["content-type", "x-total", "content-language", "etag", "content-length"])
    assert.equal(second.headers[name], first.headers[name]);
  assert.equal(second.headers.age, "1");
  assert.deepEqual(state(second), ["true", "1"]);
  assert.equal((await ask("/page?a=1", { headers: { ...ALICE, "if-none-match": first.headers.etag } })).status, 304);
  const head = await ask("/page?a=1", { method: "HEAD", headers: ALICE });
  assert.deepEqual([head.headers["x-cache"], head.headers["content-length"], head.text], ["HIT", first.headers["content-length"], ""]);
  for (const [path, headers] of [["/page?a=2", ALICE], ["/page", ALICE], ["/page?a=1", BOB], ["/page?a=1", {}], ["/page?a=1", { ...ALICE, host: "b" }]])
    assert.equal((await ask(path, { headers })).headers["x-cache"], "MISS");
  assert.equal(made, 6);
  assert.match(standIn.asked.find((asked) => asked.startsWith("PUT")), /ttl=3600/);
});

test("a clear of the user, of a model, makes it out of date", async () => {
  app.get("/page", cacheAPIResponse(60, { models: ["Product"] }), (req, res) => res.send(String(++made)));
  app.post("/page", (req, res) => res.end());
  app.get("/write", clearsModel("Product"), (req, res) => res.end());
  const expectMade = async (text) => {
    assert.equal((await ask("/page", { headers: ALICE })).text, text);
    await stored(Number(text));
  };
  await expectMade("1");
  await expectMade("1");
  await ask("/page", { method: "POST", headers: ALICE });
  await expectMade("2");
  await ask("/write");
  assert.equal((await ask("/page", { headers: ALICE })).text, "3");
});

test("with shared: true it is kept once", async () => {
  app.get("/page", cacheAPIResponse(60, { shared: true }), (req, res) => res.send(String(++made)));
  await ask("/page", { headers: ALICE });
  await stored();
  for (const headers of [{}, BOB, { cookie: "connect.sid=1" }]) assert.equal((await ask("/page", { headers })).text, "1");
  standIn.users.get("Bearer bob").isOff = true;
  assert.equal((await ask("/page", { headers: BOB })).text, "2");
});

test("who has credentials of others, or a cache that is off, goes by it", async () => {
  app.get("/page", cacheAPIResponse(60), (req, res) => res.send(String(++made)));
  await ask("/page");
  await stored();
  standIn.users.get("Bearer bob").isOff = true;
  for (const headers of [{ cookie: "connect.sid=1" }, { authorization: "Basic x" }, { "x-api-key": "k" }, BOB, { range: "bytes=0-0" }])
    assert.equal((await ask("/page", { headers })).headers["x-cache"], "BYPASS");
  assert.equal(standIn.entries.size, 1);
});

const unstorable = {
  "an error": (res) => res.status(500).send("no"),
  "not found": (res) => res.sendStatus(404),
  "another 2xx": (res) => res.status(202).send("later"),
  "a redirect": (res) => res.redirect("/"),
  "a cookie": (res) => res.cookie("a", "b").send("a"),
  "no-store": (res) => res.set("Cache-Control", "max-age=1, no-store").send("a"),
  private: (res) => res.set("Cache-Control", "private").send("a"),
  "no-cache": (res) => res.set("Cache-Control", 'no-cache="set-cookie"').send("a"),
  "vary by all": (res) => res.set("Vary", "*").send("a"),
  "vary by another header": (res) => res.vary("Accept-Language").send("a"),
  encoded: (res) => res.set("Content-Encoding", "br").send("a"),
  "too large": (res) => res.send("a".repeat(2000)),
  "too large in parts": (res) => {
    for (let part = 0; part < 20; part++) res.write("a".repeat(100));
    res.end();
  },
  "headers that nobody saw": (res) => res.writeHead(200, { "Set-Cookie": "a=b" }).end("a"),
  "shorter than it says": (res) => {
    res.set("Content-Length", "2").write("a");
    res.socket.destroy();
  },
};

for (const [what, answer] of Object.entries(unstorable)) {
  test(`never kept: ${what}`, async () => {
    app.get("/page", cacheAPIResponse(60, { maxBytes: 1000 }), (req, res) => {
      made++;
      answer(res);
    });
    await ask("/page").catch(() => {});
    await ask("/page").catch(() => {});
    assert.equal(made, 2);
    assert.equal(standIn.count("PUT"), 0);
  });
}

test("what was set for every answer before is judged, too, and not kept", async () => {
  app.use((req, res, next) => {
    res.set("X-Request", String(made));
    if (req.query.private) res.set("Cache-Control", "private");
    next();
  });
  app.get("/page", cacheAPIResponse(60), (req, res) => res.send(String(++made)));
  await ask("/page?private=1");
  await ask("/page");
  await stored();
  assert.equal(standIn.count("PUT"), 1);
  const hit = await ask("/page");
  assert.deepEqual([hit.headers["x-cache"], hit.headers["x-request"]], ["HIT", "2"]);
});

test("headers that it varies by can be named", async () => {
  app.get("/page", cacheAPIResponse(60, { vary: ["Accept-Language"] }), (req, res) => {
    res.vary("Accept-Language").send(`${++made} ${req.headers["accept-language"]}`);
  });
  const of = async (language) => (await ask("/page", { headers: { "accept-language": language } })).text;
  assert.equal(await of("de"), "1 de");
  assert.equal(await of("fr"), "2 fr");
  await stored(2);
  assert.equal(await of("de"), "1 de");
});

test("parts, bytes and encodings come back as they were", async () => {
  app.get("/page", cacheAPIResponse(60), (req, res) => {
    made++;
    res.type("application/octet-stream");
    res.write(Buffer.from([0, 255]));
    res.write("6e", "hex");
    res.end("ü");
  });
  const first = await ask("/page");
  await stored();
  const second = await ask("/page");
  assert.equal(second.headers["x-cache"], "HIT");
  assert.equal(second.text, first.text);
});

test("a browser's own copy does not keep an answer from being kept", async () => {
  app.get("/page", cacheAPIResponse(60), (req, res) => res.send("page"));
  app.get("/plain", (req, res) => res.send("page"));
  const { etag } = (await ask("/plain")).headers;
  assert.equal((await ask("/page", { headers: { "if-none-match": etag } })).status, 200);
  await stored();
  const { headers } = await ask("/page");
  assert.equal(headers["x-cache"], "HIT");
  assert.equal((await ask("/page", { headers: { "if-none-match": headers.etag } })).status, 304);
});

test("of many requests at the same time one makes the answer", async () => {
  const isReady = promised();
  app.get("/page", cacheAPIResponse(60), async (req, res) => {
    made++;
    await isReady.promise;
    res.send("page");
  });
  const first = ask("/page");
  await until(() => made === 1);
  const others = Array.from({ length: 20 }, () => ask("/page"));
  isReady.resolve();
  for (const reply of [await first, ...(await Promise.all(others))]) assert.equal(reply.text, "page");
  assert.equal(made, 1);
});

// Leaves when when() is true; done when the server knows.
async function hangUp(path, when) {
  const request = http.request({ port: server.address().port, host: "127.0.0.1", path, agent: false });
  const [response] = await Promise.all([
    new Promise((resolve) => server.once("request", (_req, res) => resolve(res))),
    request.on("error", () => {}).end(),
  ]);
  await until(when);
  request.destroy();
  await until(() => response.destroyed);
}

test("who hangs up while the cache is asked is no reader, and keeps nobody waiting", async () => {
  const isAnswered = promised();
  app.get("/page", cacheAPIResponse(60), (req, res) => res.send(String(++made)));
  standIn.answer = ({ url }, response) => {
    if (!url.startsWith("/api/v1/entries")) return false;
    standIn.answer = null;
    isAnswered.promise.then(() => response.writeHead(404, { "x-cache": "MISS", "x-cache-lease": "a", "content-length": 0 }).end());
    return true;
  };
  await hangUp("/page", () => standIn.answer === null);
  const other = ask("/page");
  isAnswered.resolve();
  assert.equal((await other).text, "1");
  assert.equal(made, 1);
});

test("who hangs up during a fill leaves nothing behind", async () => {
  app.get("/page", cacheAPIResponse(60), async (req, res) => {
    const number = ++made;
    if (number === 1) {
      res.write("half ");
      await until(() => res.destroyed);
    }
    res.end(`answer ${number}`);
  });
  await hangUp("/page", () => made === 1);
  assert.equal((await ask("/page")).text, "answer 2");
  await stored();
  const kept = await ask("/page");
  assert.deepEqual([kept.headers["x-cache"], kept.text, standIn.count("PUT")], ["HIT", "answer 2", 1]);
});

test("nobody waits for an answer that cannot be kept", async () => {
  const isReady = promised();
  app.get("/page", cacheAPIResponse(60), async (req, res) => {
    if (++made > 1) await isReady.promise;
    res.set("Cache-Control", "no-store").send("page");
  });
  await ask("/page");
  const others = Array.from({ length: 5 }, () => ask("/page"));
  await until(() => made === 6);
  isReady.resolve();
  for (const { headers } of await Promise.all(others)) assert.equal(headers["x-cache"], "BYPASS");
});

test("nor for one that a HEAD asked for, which fills nothing", async () => {
  app.get("/page", cacheAPIResponse(60), (req, res) => res.send("page"));
  await ask("/page", { method: "HEAD" });
  await ask("/page");
  const reads = standIn.asked.filter((asked) => asked.startsWith("GET /api/v1/entries"));
  assert.deepEqual(reads.map((asked) => asked.includes("wait_ms")), [false, true]);
});

test("a long address has a label of its own", async () => {
  app.get("/page", cacheAPIResponse(60), (req, res) => res.send(req.query.q));
  const paths = ["a", "b"].map((last) => `/page?q=${"x".repeat(1000)}${last}`);
  for (const path of paths) await ask(path);
  await stored(2);
  for (const path of paths) {
    const reply = await ask(path);
    assert.deepEqual([reply.headers["x-cache"], reply.text.at(-1)], ["HIT", path.at(-1)]);
  }
});

test("one reader makes it anew before its end", async () => {
  app.get("/page", cacheAPIResponse(60), (req, res) => res.send(String(++made)));
  await ask("/page");
  await stored();
  for (const entry of standIn.entries.values()) entry.isOld = true;
  assert.equal((await ask("/page")).text, "2");
  await stored();
  await until(() => standIn.count("PUT") === 2);
  assert.equal((await ask("/page")).text, "2");
});

test("it says what it needs", async () => {
  const bare = express();
  bare.get("/page", cacheAPIResponse(60), (req, res) => res.end());
  bare.use((error, _req, res, _next) => res.status(500).send(error.message));
  const other = bare.listen(0, "127.0.0.1");
  await once(other, "listening");
  const reply = await fetch(`http://127.0.0.1:${other.address().port}/page`);
  assert.match(await reply.text(), /app\.use/);
  other.close();
  assert.throws(() => cacheAPIResponse(-1), RangeError);
});
