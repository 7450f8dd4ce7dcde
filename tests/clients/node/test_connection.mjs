// What reaches an application when the service is slow, away, or talks nonsense: nothing but a miss.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { Breaker } from "../../../clients/node/lib/breaker.js";
import { clientOf, until } from "./client.mjs";
import { KEY, StandIn } from "./stand_in.mjs";

const ALICE = { authorization: "Bearer alice" };
let standIn;

beforeEach(async () => {
  standIn = await new StandIn().open();
  standIn.users.set(ALICE.authorization, { id: 7, clears: 0 });
});
afterEach(() => standIn.close());

const raw = (text) => (request) => {
  request.socket.end(text);
  return true;
};
const whole = (head, body) => raw(`HTTP/1.1 ${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
const HIT = "200 OK\r\nX-Cache: HIT\r\nContent-Type: application/json";

const BROKEN = {
  "the connection closed": raw(""),
  garbage: raw("\x16\x03\x01 what?\r\n\r\n"),
  "a 200 without headers": raw("HTTP/1.1 200 OK\r\n\r\n"),
  "an empty 200": whole("200 OK", ""),
  "a 200 of another program": whole("200 OK\r\nContent-Type: text/html", "<h1>Welcome</h1>"),
  "a hit that is no JSON": whole(HIT, '{"a":'),
  "a hit cut short": raw(`HTTP/1.1 ${HIT}\r\nContent-Length: 100\r\n\r\n"abc`),
  "a hit of unknown length": raw(`HTTP/1.1 ${HIT}\r\n\r\n"abc"`),
  "a hit in pieces, cut short": raw(`HTTP/1.1 ${HIT}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n"ab\r\n`),
  "a hit in pieces that are none": raw(`HTTP/1.1 ${HIT}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`),
  "a hit that is encoded": whole(`${HIT}\r\nContent-Encoding: gzip`, '"abc"'),
  "a huge hit": whole(HIT, `"${"a".repeat(100_000)}"`),
  "a huge head": whole(`${HIT}\r\nX-Long: ${"a".repeat(100_000)}`, '"abc"'),
  "a miss with a lease that is none": whole("404 Not Found\r\nX-Cache: MISS\r\nX-Cache-Lease: <a b>", "{}"),
  "two versions": whole("200 OK\r\nX-User-Id: 7\r\nX-Cache-Version: 5\r\nX-Cache-Version: 6\r\nX-Cache-Enabled: true", ""),
  "a job that is none": whole("202 Accepted\r\nContent-Type: application/json", "[]"),
  "JSON of another kind": whole("200 OK\r\nContent-Type: application/json", '[null,{"value":"1","generation":1.5,"deleted":1}]'),
  "another protocol": raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
  "somewhere else": whole("302 Found\r\nLocation: http://127.0.0.1:1/", ""),
  "a 500": whole("500 Internal Server Error", "oops"),
  "a status that is none": raw("HTTP/1.1 abc\r\n\r\n"),
};

// What each call gives when there is no answer to it.
const CALLS = {
  check: [async (client) => (await client.check(ALICE)).headers, { "X-Cache-Enabled": "false" }],
  get: [(client) => client.get("a"), undefined],
  set: [(client) => client.set("a", 1), false],
  remember: [(client) => client.remember("a", { ttl: 60 }, () => "source"), "source"],
  increment: [(client) => client.increment("a"), null],
  forget: [(client) => client.forget("a"), null],
  clearModel: [(client) => client.clearModel("Product"), null],
  clear: [(client) => client.clear(), null],
  "clear by pattern": [(client) => client.clear({ pattern: "a*" }), null],
  clearCaller: [async (client) => (await client.clearCaller(ALICE)).version, null],
  job: [(client) => client.job("1"), null],
  clearUser: [(client) => client.clearUser(7), null],
  clearEverybody: [(client) => client.clearEverybody(), false],
  userOf: [(client) => client.userOf("shop", "a"), null],
};

for (const [answer, give] of Object.entries(BROKEN)) {
  test(`no error of the application: ${answer}`, async () => {
    standIn.answer = give;
    for (const [name, [call, nothing]] of Object.entries(CALLS)) {
      const client = clientOf(standIn, { maxBytes: 10_000 });
      assert.deepEqual(await call(client), nothing, name);
      client.close();
    }
  });
}

test("an answer that is cut anywhere, or has another byte, is none", async () => {
  const hit = `HTTP/1.1 ${HIT}\r\nContent-Length: 9\r\n\r\n{"a":"b"}`;
  const read = async (text) => {
    standIn.answer = raw(text);
    const client = clientOf(standIn);
    const value = await client.get("a");
    client.close();
    return value;
  };
  assert.deepEqual(await read(hit), { a: "b" });
  for (let end = 0; end < hit.length; end++) assert.equal(await read(hit.slice(0, end)), undefined, `cut at ${end}`);
  for (let at = 0; at < hit.length; at++) {
    for (const byte of ["\0", "\n", ":", "\xff"]) await read(hit.slice(0, at) + byte + hit.slice(at + 1)); // no error
  }
});

test("a view is of a number, in a version that is one", async () => {
  const client = clientOf(standIn);
  for (const [id, version, enabled] of [["x", "5", "true"], ["7", "x", "true"], ["7", "5", "false"], ["7", "5", ""], ["07", "5", "true"]]) {
    standIn.answer = raw(
      `HTTP/1.1 204 No Content\r\nX-User-Id: ${id}\r\nX-Cache-Version: ${version}\r\nX-Cache-Enabled: ${enabled}\r\n\r\n`,
    );
    assert.equal((await client.check(ALICE)).version, null);
  }
  client.close();
});

test("a service that hangs is waited for once", async () => {
  standIn.answer = () => true;
  const client = clientOf(standIn, { timeoutMs: 50, pauseMs: 3_600_000 });
  for (let turn = 0; turn < 100; turn++)
    for (const [call, nothing] of Object.values(CALLS)) assert.deepEqual(await call(client), nothing);
  assert.ok(standIn.asked.length <= 1); // none, on a machine that needs longer for the first
  assert.equal(client.told.filter(({ message }) => message.startsWith("no answer within")).length, 1);
  client.close();
});

test("after a pause one call tries, and the others wait no more", async () => {
  let now = 0;
  const breaker = new Breaker(1000, () => now);
  const [first, second] = [breaker.admit(), breaker.admit()];
  breaker.record(first, false);
  breaker.record(second, true); // old news
  assert.equal(breaker.admit(), null);
  now = 1000;
  const probe = breaker.admit();
  assert.equal(probe.isProbe, true);
  assert.equal(breaker.admit(), null);
  now = 1500;
  breaker.record(probe, false);
  now = 2000;
  assert.equal(breaker.admit(), null);
  now = 2500;
  breaker.record(breaker.admit(), true);
  assert.equal(breaker.admit().isProbe, false);
});

test("it is used again when it is back", async () => {
  const client = clientOf(standIn);
  await standIn.close();
  assert.equal(await client.get("a"), undefined);
  const { port } = standIn;
  standIn = await new StandIn().open(port);
  await until(() => client.set("a", 1, { onlyIfAbsent: true }));
  assert.equal(await client.get("a"), 1);
  client.close();
});

test("connections are kept", async () => {
  const client = clientOf(standIn);
  for (let turn = 0; turn < 50; turn++) await client.set("a", turn);
  assert.equal(standIn.connections, 1);
  client.close();
});

test("over TLS only a service that is known is asked", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cachewarden-"));
  const [keyFile, certFile] = ["key", "cert"].map((name) => join(folder, name));
  const certificate = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=stand-in"];
  execFileSync("openssl", ["req", ...certificate, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", keyFile, "-out", certFile], { stdio: "ignore" });
  const [key, cert] = [keyFile, certFile].map((file) => readFileSync(file));
  rmSync(folder, { recursive: true });
  const secured = await new StandIn().open(0, { key, cert });
  const [knowing, another] = [clientOf(secured, { tls: { ca: cert } }), clientOf(secured)];
  for (let turn = 0; turn < 3; turn++) assert.equal(await knowing.set("a", turn), true);
  assert.equal(await knowing.get("a"), 2);
  assert.equal(secured.connections, 1);
  assert.equal(await another.get("a"), undefined);
  assert.equal(secured.count("GET"), 1);
  for (const client of [knowing, another]) client.close();
  await secured.close();
});

test("a name's first address may be one where nobody listens", async () => {
  const addresses = [
    { address: "::1", family: 6 },
    { address: "127.0.0.1", family: 4 },
  ];
  const lookup = (_name, { all }, give) => (all ? give(null, addresses) : give(null, "::1", 6));
  const client = clientOf({ url: `http://localhost:${standIn.port}` }, { tls: { lookup } });
  assert.equal(await client.set("a", 1), true);
  client.close();
});

test("a service behind a path is asked there", async () => {
  const client = clientOf({ url: `${standIn.url}/cw/` });
  await client.get("a");
  assert.deepEqual(standIn.asked, ["GET /cw/api/v1/entries/a"]);
  client.close();
});

// Closes the connection of the next request, instead of an answer.
function closeOnce() {
  standIn.answer = (request) => {
    standIn.answer = null;
    request.socket.destroy();
    return true;
  };
}

test("what a kept connection lost is asked again, unless it counts", async () => {
  const client = clientOf(standIn, { pauseMs: 3_600_000 });
  await client.set("a", "kept");
  closeOnce();
  assert.equal(await client.get("a"), "kept");
  closeOnce();
  assert.equal(await client.clearModel("Product"), 2);
  standIn.asked = [];
  closeOnce();
  assert.equal(await client.increment("n"), null);
  assert.equal(standIn.asked.length, 1);
  client.close();
});

test("a value is never stored twice: a clear may have come in between", async () => {
  const client = clientOf(standIn);
  await client.set("price", "old");
  for (const how of [{}, { lease: "bGVhc2U" }, { onlyIfAbsent: true }]) {
    standIn.asked = [];
    closeOnce();
    assert.equal(await client.set("price", "older than a clear", how), false);
    await until(async () => (await client.check(ALICE)).version !== null);
    assert.equal(standIn.count("PUT"), 1, JSON.stringify(how));
  }
  client.close();
});

test("a new connection that is closed is not asked again", async () => {
  const client = clientOf(standIn, { pauseMs: 3_600_000 });
  closeOnce();
  assert.equal(await client.get("a"), undefined);
  assert.equal(await client.exists("a"), false);
  assert.equal(standIn.asked.length, 1);
  client.close();
});

test("a process that stood still blames nobody", async () => {
  const client = clientOf(standIn, { timeoutMs: 2000 });
  await client.set("a", 1);
  const answer = client.get("a");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000);
  assert.equal(await answer, 1);
  client.close();
});

test("a clear that was not heard is made before anything is read again", async () => {
  const client = clientOf(standIn);
  await client.set("a", "old", { models: "Product" });
  standIn.answer = whole("503 Service Unavailable", "");
  assert.equal(await client.clearModel("Product"), null);
  assert.equal(await client.clearUser(7), null);
  assert.equal(client.told.some(({ isClear }) => isClear), true);
  assert.equal(await client.get("a"), undefined);
  standIn.answer = null;
  standIn.asked = [];
  await until(async () => {
    assert.equal(await client.get("a"), undefined);
    return (await client.check(ALICE)).version !== null;
  });
  const before = standIn.asked.slice(0, standIn.asked.findIndex((asked) => asked.startsWith("GET")));
  assert.deepEqual([...new Set(before)], ["DELETE /api/v1/models/Product", "POST /api/server-management/clear-cache/?user_id=7"]);
  assert.equal((await client.check(ALICE)).version, "2");
  client.close();
});

test("a value that could not be replaced is not served", async () => {
  const client = clientOf(standIn);
  await client.set("a", "old");
  standIn.answer = raw("");
  assert.equal(await client.set("a", "new"), false);
  standIn.answer = null;
  await until(async () => (await client.check(ALICE)).version !== null);
  assert.equal(await client.get("a"), undefined);
  client.close();
});

// Takes every value, and refuses it.
const refusing = (status) => (request, response) => {
  if (request.method !== "PUT") return false;
  request.resume().on("end", () => response.writeHead(status, { "content-length": 0 }).end());
  return true;
};

test("nor is what stood in the place of a value that was refused", async () => {
  for (const status of [400, 413, 429, 507]) {
    const client = clientOf(standIn);
    await client.set("price", "old");
    standIn.answer = refusing(status);
    assert.equal(await client.set("price", "new"), false);
    assert.equal(standIn.entries.has("price"), false, String(status));
    standIn.answer = null;
    assert.equal(await client.get("price"), undefined);
    client.close();
  }
});

test("what is there stays when a fill with a lease was refused, or one for where nothing is", async () => {
  const client = clientOf(standIn);
  await client.set("price", "old");
  standIn.answer = refusing(429);
  for (const how of [{ lease: "bGVhc2U" }, { onlyIfAbsent: true }]) assert.equal(await client.set("price", "new", how), false);
  assert.equal(await client.get("price"), "old");
  client.close();
});

test("many clears that were not heard become one of everything", async () => {
  const client = clientOf(standIn);
  standIn.answer = raw("");
  for (let id = 1; id <= 1001; id++) await client.clearUser(id);
  standIn.answer = null;
  standIn.asked = [];
  await until(async () => (await client.check(ALICE)).version !== null);
  assert.equal(standIn.epoch, 1);
  assert.ok(standIn.count("POST") <= 2); // the one that was under way
  client.close();
});

test("a clear that is limited waits for as long as it is told to", async () => {
  const client = clientOf(standIn);
  standIn.answer = whole("429 Too Many Requests\r\nRetry-After: 1", "");
  assert.equal(await client.clear(), null);
  const begin = performance.now();
  for (let turn = 0; turn < 10; turn++) assert.equal(await client.get("a"), undefined);
  if (performance.now() - begin < 900) assert.equal(standIn.asked.length, 1);
  standIn.answer = null;
  await until(async () => (await client.check(ALICE)).version !== null);
  assert.ok(performance.now() - begin > 900);
  assert.equal(standIn.count("DELETE"), 2);
  client.close();
});

test("a clear that is refused is told, and not tried again", async () => {
  const client = clientOf(standIn, { apiKey: "another" });
  assert.equal(await client.clear(), null);
  assert.match(client.told[0].message, /401/);
  assert.notEqual((await client.check(ALICE)).version, null);
  client.close();
});

test("a key from a file has the end of a line", async () => {
  const client = clientOf(standIn, { apiKey: `${KEY}\n` });
  assert.equal(await client.set("a", 1), true);
  client.close();
});

test("who listens to problems cannot break a call", async () => {
  standIn.answer = raw("");
  const report = () => {
    throw new Error("no disk");
  };
  const client = clientOf(standIn, { report });
  assert.equal(await client.get("a"), undefined);
  client.close();
});

test("wrong arguments are errors, at once", async () => {
  const client = clientOf(standIn);
  await assert.rejects(client.get(7), TypeError);
  await assert.rejects(client.set("a", 1, { ttl: 0 }), RangeError);
  await assert.rejects(client.set("a", 1, { ttl: 1.5 }), RangeError);
  await assert.rejects(client.set("a", () => 1), TypeError);
  await assert.rejects(client.increment("a", 0.5), TypeError);
  await assert.rejects(client.clearModel("a/b"), TypeError);
  assert.throws(() => client.clearUser("7 or 8"), TypeError);
  assert.throws(() => clientOf({ url: "redis://127.0.0.1" }), TypeError);
  assert.throws(() => clientOf(standIn, { apiKey: "" }), TypeError);
  assert.throws(() => clientOf(standIn, { apiKey: "a\nb" }), TypeError);
  client.close();
});
