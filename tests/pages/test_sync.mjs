// docs/snippets/cachewarden-sync.mjs in a browser, with the gateway behind it: http/test_pages.c starts both.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { cachewardenSync } from "../../docs/snippets/cachewarden-sync.mjs";
import { Chromium } from "./chromium.mjs";
import { Origin } from "./origin.mjs";

const { ALICE, BOB, BOSS, CACHEWARDEN_URL, FOLDER, ORIGIN_SOCKET, PASSWORD } = process.env;
const PAGE = `${CACHEWARDEN_URL}/page/`;
let browser, origin, page, other; // two tabs of one browser
let late; // what the gateway has not been asked for yet
let tests = 0;

before(async () => {
  execFileSync("tsc", ["--project", fileURLToPath(new URL("angular", import.meta.url)), "--outDir", FOLDER]);
  origin = await new Origin().open(ORIGIN_SOCKET, FOLDER);
  browser = await new Chromium().open(FOLDER);
  page = await browser.tab(PAGE);
  other = await browser.tab(PAGE);
});
after(async () => {
  await browser?.close();
  await origin?.close();
});
beforeEach(async () => {
  origin.reset();
  late = `/shop/late/${++tests}`;
  await signIn(page, "alice");
  for (const tab of [page, other]) await tab.run(() => (sent.length = heard.length = 0));
});
afterEach(async () => {
  for (const tab of [page, other]) assert.deepEqual(await tab.run(() => errors.splice(0)), []);
});

const get = (tab, path, init) => tab.run((...values) => get(...values), path, init);
const post = (tab, path, body) => tab.run((...values) => post(...values), path, body);

// What Cachewarden is told by another device.
const elsewhere = (path, authorization = ALICE) =>
  fetch(CACHEWARDEN_URL + path, { method: "POST", headers: { authorization } });

async function signIn(tab, username) {
  const answer = await post(tab, "/auth/login", { username, password: PASSWORD, session: "only" });
  assert.equal(answer.status, 200, answer.text);
}

async function expectCopy(tab, path, init) {
  const answer = await get(tab, path, init);
  assert.deepEqual([answer.status, answer.isCopy], [200, true], `${path}: ${answer.text}`);
  return JSON.parse(answer.text);
}

async function expectNew(tab, path, init) {
  const answer = await get(tab, path, init);
  assert.deepEqual([answer.status, answer.isCopy], [200, false], `${path}: ${answer.text}`);
  return JSON.parse(answer.text);
}

// So many answers, bodies and users are in the database; one that has just been deleted is not made anew.
const countKept = (tab) =>
  tab.run(async () => {
    const ask = (request) =>
      new Promise((resolve) => {
        request.onsuccess = () => resolve(request.result);
        request.onupgradeneeded = () => request.transaction.abort();
        request.onerror = () => resolve(null);
      });
    const database = await ask(indexedDB.open("cachewarden-sync"));
    if (!database) return 0;
    const names = ["answers", "bodies", "users"];
    const counts = names.map((name) => ask(database.transaction(name).objectStore(name).count()));
    const total = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    database.close();
    return total;
  });

test("what was kept is given as it came", async () => {
  const first = await expectNew(page, "/shop/a");
  assert.deepEqual(await expectCopy(page, "/shop/a"), first);
  assert.deepEqual(await expectCopy(other, "/shop/a").catch(() => expectCopy(other, "/shop/a")), first);
  const seen = await page.run(async () => {
    const answer = await sync.fetch("/shop/a#part");
    const clone = answer.clone();
    const { ok, url, type, redirected, statusText, headers } = answer;
    const fields = ["content-type", "x-cache-enabled", "age"].map((name) => headers.get(name));
    const bodies = [await answer.text(), await clone.text()];
    const twice = await answer.text().catch((error) => error.name);
    const rest = [ok, new URL(url).pathname, clone.url === url, type, redirected, statusText, twice];
    return { bodies, fields, rest };
  });
  assert.equal(seen.bodies[0], seen.bodies[1]);
  assert.deepEqual(JSON.parse(seen.bodies[0]), first);
  assert.deepEqual(seen.fields.slice(0, 2), ["application/json", "true"]);
  assert.match(seen.fields[2], /^[0-9]+$/);
  assert.deepEqual(seen.rest, [true, "/shop/a", true, "basic", false, "OK", "TypeError"]);
  assert.deepEqual(await page.run(() => sent), ["GET /shop/a"]);
});

test("the browser's own cache is gone past, and the gateway's is not", async () => {
  origin.say("/shop/twice", { headers: { "Cache-Control": "max-age=3600" } });
  await expectNew(page, "/shop/twice");
  await page.run(() => sync.forget());
  assert.equal(await page.run(async () => (await sync.fetch("/shop/twice")).headers.get("X-Cache")), "HIT");
  await elsewhere("/api/cache/clear/");
  await page.run(() => sync.forget());
  assert.equal(await page.run(async () => (await sync.fetch("/shop/twice")).headers.get("X-Cache")), "MISS");
});

test("no request under the base is answered by the browser's own cache", async () => {
  const versionBy = (sends, path, init) =>
    page.run(
      async (sends, path, init) => {
        globalThis.nobodys ??= opened({ name: "nobodys", user: () => null });
        const send = { nobody: nobodys.fetch, page: fetch, sync: sync.fetch }[sends];
        return send(path, init).then((answer) => answer.headers.get("X-Cache-Version"), (error) => error.name);
      },
      sends,
      path,
      init,
    );
  const old = await versionBy("page", "/shop/stale", { cache: "reload" });
  await expectNew(page, "/shop/a");
  const { version } = await (await elsewhere("/api/cache/clear/")).json();
  assert.notEqual(String(version), old);
  assert.equal(await versionBy("page", "/shop/stale", { method: "HEAD" }), old); // it has one that would do
  assert.equal(await versionBy("sync", "/shop/stale", { method: "HEAD" }), String(version));
  assert.deepEqual(await page.run(() => heard.map(({ reason }) => reason)), ["cleared"]);
  const ranged = { headers: { Range: "bytes=0-5" } };
  const kinds = [{}, { method: "HEAD" }, ranged, ...["force-cache", "reload", "no-store"].map((cache) => ({ cache }))];
  for (const init of kinds)
    assert.equal(await versionBy("sync", "/shop/stale", init), String(version), JSON.stringify(init));
  assert.equal(await versionBy("nobody", "/shop/stale"), String(version));
  const alone = { cache: "only-if-cached", mode: "same-origin" };
  assert.equal(await versionBy("sync", "/shop/stale", alone), old);
  assert.equal(await versionBy("sync", "/shop/stale", { cache: "no-cache" }), String(version));
  // Nor is it filled.
  await versionBy("sync", "/shop/unfilled", { cache: "reload" });
  assert.equal(await versionBy("page", "/shop/unfilled", alone), "TypeError");
});

test("a page that is loaded again asks once, and has what was kept", async () => {
  const a = await expectNew(page, "/shop/a");
  const b = await expectNew(page, "/shop/b");
  await page.go(PAGE);
  await expectNew(page, "/shop/a");
  assert.deepEqual(await expectCopy(page, "/shop/b"), b);
  await page.go(PAGE);
  await elsewhere("/api/cache/clear/");
  assert.notDeepEqual(await expectNew(page, "/shop/a"), a);
  assert.notDeepEqual(await expectNew(page, "/shop/b"), b);
});

const NOT_KEPT = {
  "/shop/no-store": { headers: { "Cache-Control": "no-store" } },
  "/shop/no-cache": { headers: { "Cache-Control": "no-cache" } },
  "/shop/old": { headers: { "Cache-Control": "max-age=0" } },
  "/shop/malformed": { headers: { "Cache-Control": "max-age=soon" } },
  "/shop/over": { headers: { "Cache-Control": "", Expires: "0" } },
  "/shop/any": { headers: { Vary: "*" } },
  "/shop/cookies": { headers: { Vary: "Accept, Cookie" } },
  "/shop/missing": { status: 404 },
  "/shop/failed": { status: 500 },
  "/shop/empty": { status: 204, body: "" },
  "/shop/large": { body: `"${"x".repeat(1 << 20)}"` },
  "/shop/stream": { headers: { "Content-Type": "text/event-stream" }, body: "data: 1\n\n" },
};

test("what is not to be kept is not", async () => {
  for (const [path, answer] of Object.entries(NOT_KEPT)) {
    origin.say(path, answer);
    for (let i = 0; i < 2; i++) assert.equal((await get(page, path)).isCopy, false, path);
  }
  // Nor what is no plain read, or not of these paths.
  await expectNew(page, "/shop/a");
  const ranged = { headers: { Range: "bytes=0-1" } };
  for (const init of [{ method: "HEAD" }, ranged, { cache: "no-store" }, { cache: "reload" }])
    assert.equal((await get(page, "/shop/a", init)).isCopy, false, JSON.stringify(init));
  assert.equal((await get(page, "/shop/a", { headers: { "Cache-Control": "no-cache" } })).isCopy, false);
  for (let i = 0; i < 2; i++) assert.equal((await get(page, "/page/")).isCopy, false);
  // What goes elsewhere is passed on as it is.
  const passed = await page.run(() =>
    opened({ fetch: (...values) => values }).fetch("https://shop.example/a", { method: "POST", mine: true }),
  );
  assert.deepEqual(passed, ["https://shop.example/a", { method: "POST", mine: true }]);
  assert.equal((await get(page, "/shopping")).status, 404);
});

test("an answer is for requests like the one it was for", async () => {
  origin.say("/shop/views", { headers: { Vary: "X-View, Accept-Encoding" } });
  const list = { headers: { "X-View": "list", "X-Trace": "1" } };
  await expectNew(page, "/shop/views", list);
  await expectCopy(page, "/shop/views", { headers: { "X-View": "list", "X-Trace": "2" } });
  await expectNew(page, "/shop/views", { headers: { "X-View": "grid" } });
  await expectNew(page, "/shop/views");
  await expectNew(page, "/shop/views?page=2");
  await expectCopy(page, "/shop/views");
});

test("both tabs drop what they have when one of them clears", async () => {
  const first = await expectNew(page, "/shop/a");
  await expectNew(other, "/shop/b");
  assert.deepEqual(await expectCopy(other, "/shop/a"), first);
  assert.equal((await post(page, "/api/cache/clear/")).status, 200);
  const second = await expectNew(other, "/shop/a");
  assert.notDeepEqual(second, first);
  assert.deepEqual(await expectCopy(page, "/shop/a"), second);
  await other.until(() => heard.some(({ reason, isFromAnotherTab }) => reason === "cleared" && isFromAnotherTab));
  assert.deepEqual(await page.run(() => heard.map(({ reason }) => reason)), ["cleared"]);
});

test("the page of docs/gateway.md shows the news by itself", async () => {
  const shown = () => other.run(() => document.querySelector("#orders").textContent);
  await other.go(`${PAGE}example`);
  const first = JSON.parse(await shown());
  assert.equal((await post(page, "/api/cache/clear/")).status, 200);
  while ((await shown()) === JSON.stringify(first)) await other.turn();
  assert.notEqual(JSON.parse(await shown()).number, first.number);
  assert.equal((await post(page, "/auth/logout")).status, 200);
  while ((await shown()) !== "") await other.turn();
  await other.go(PAGE);
});

test("Angular's HttpClient keeps answers", async () => {
  const order = (path) => other.run((path) => order(path), path);
  const press = (button) => other.run((button) => press(button), button);
  await other.go(`${PAGE}angular.html`);
  const [first, isCopy] = await order("/shop/a");
  assert.equal(isCopy, false);
  assert.deepEqual(await order("/shop/a"), [first, true]);
  const { version } = await press("clear");
  assert.equal((await press("status")).version, version);
  const [second] = await order("/shop/a");
  assert.ok(second > first);
  assert.deepEqual(await order("/shop/a"), [second, true]);
  await other.run(() => send("/shop/orders", {}));
  assert.equal((await order("/shop/a"))[1], false);
  assert.equal((await press("disable")).enabled, false);
  assert.deepEqual([(await order("/shop/a"))[1], (await order("/shop/a"))[1]], [false, false]);
  assert.equal((await press("enable")).enabled, true);
  await post(page, "/api/cache/clear/");
  await other.until(() => heard.length === 4);
  assert.deepEqual(await other.run(() => heard), ["cleared", "switched", "switched", "cleared"]);
  assert.deepEqual(await other.run(() => errors), []);
  await other.run(() => send("/auth/logout", {}));
  assert.equal(await countKept(page), 0);
  await other.go(PAGE);
});

test("any answer brings the news of a clear elsewhere", async () => {
  const first = await expectNew(page, "/shop/a");
  await expectNew(other, "/shop/b");
  await elsewhere("/api/cache/clear/");
  assert.deepEqual(await expectCopy(page, "/shop/a"), first); // nobody has told this browser yet
  origin.say("/shop/news", { status: 404 });
  await get(other, "/shop/news");
  assert.notDeepEqual(await expectNew(page, "/shop/a"), first);
  await elsewhere("/api/cache/clear/");
  await get(page, "/api/cache/status/");
  await expectNew(other, "/shop/a");
});

test("a fill that a clear overtook is not kept", async () => {
  for (const [path, clearing] of [[`${late}/1`, page], [`${late}/2`, other]]) {
    const held = origin.hold(path);
    const coming = get(page, path);
    await held.asked;
    assert.equal((await post(clearing, "/api/cache/clear/")).status, 200);
    held.release();
    const before = JSON.parse((await coming).text);
    assert.equal(await countKept(page), 1); // the user
    assert.notDeepEqual(await expectNew(page, path), before);
    await expectCopy(page, path);
  }
});

test("whoever has seen an answer sees no older one", async () => {
  // One whose answer has left the server, and is held up on its way to the page.
  const begin = (path) =>
    page.run(async (path) => {
      const held = new Promise((release) => (globalThis.release = release));
      const isOnItsWay = new Promise((answered) => {
        const send = async (request) => {
          const answer = await fetch(request);
          if (!request.url.endsWith(path) || !request.headers.has("cache-control")) return answer; // reload
          answered();
          await held;
          return answer;
        };
        globalThis.slow = opened({ fetch: send });
      });
      globalThis.older = get("/shop/a", null, slow).then(() => get(path, null, slow));
      await isOnItsWay;
    }, path);
  const end = () => page.run(async () => (release(), JSON.parse((await older).text).number));
  const look = (path, init) =>
    page.run(async (...values) => JSON.parse((await get(...values, slow)).text).number, path, init);
  const anew = { cache: "reload" };

  await begin(`${late}/here`);
  const here = await look(`${late}/here`, anew);
  assert.ok((await end()) < here);
  assert.ok((await look(`${late}/here`)) >= here);

  await begin(`${late}/there`);
  await expectNew(other, "/shop/b");
  const there = await expectNew(other, `${late}/there`, anew);
  assert.ok((await end()) < there.number);
  assert.ok((await look(`${late}/there`)) >= there.number);

  await begin(`${late}/gone`);
  origin.say(`${late}/gone`, { status: 404 });
  const gone = await look(`${late}/gone`, anew);
  assert.ok((await end()) < gone);
  assert.ok((await look(`${late}/gone`)) >= gone);
});

test("a sign-out forgets, in both tabs and on the disk", async () => {
  await expectNew(page, "/shop/a");
  await expectNew(other, "/shop/b");
  const held = origin.hold(late);
  const coming = get(other, late);
  await held.asked;
  assert.equal((await post(page, "/auth/logout")).status, 200);
  held.release();
  await coming;
  assert.equal((await get(other, "/shop/a")).status, 401);
  assert.equal(await countKept(page), 0);
  await signIn(page, "alice");
  for (const path of ["/shop/a", "/shop/b", late]) await expectNew(page, path);
  await expectCopy(page, "/shop/a");
  assert.equal(await countKept(page), 7);
  await page.run(() => sync.forget());
  assert.equal(await countKept(page), 0);
  await expectNew(other, "/shop/a");
});

test("a session that has ended elsewhere is forgotten", async () => {
  await signIn(page, "boss");
  await expectNew(page, "/shop/a");
  await expectNew(other, "/shop/b");
  assert.equal((await elsewhere("/auth/logout?all=true", BOSS)).status, 200);
  assert.equal((await get(other, "/shop/c")).status, 401);
  assert.equal((await get(page, "/shop/a")).status, 401);
  assert.equal(await countKept(page), 0);
});

test("nobody is given what is another's", async () => {
  const rawSignIn = (username) =>
    other.run(
      async (init) => (await fetch("/auth/login", init)).status,
      {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ username, password: PASSWORD, session: "only" }),
      },
    );
  const hers = await expectNew(page, "/shop/a");
  await expectCopy(page, "/shop/a");
  // A sign-in that no page was told of, while a fill of hers is on its way.
  const held = origin.hold(late);
  const coming = get(page, late);
  await held.asked;
  assert.equal(await rawSignIn("bob"), 200);
  held.release();
  assert.equal(JSON.parse((await coming).text).user, hers.user);
  const his = await expectNew(page, "/shop/a");
  assert.notEqual(his.user, hers.user);
  assert.equal((await expectNew(page, late)).user, his.user);
  assert.deepEqual(await expectCopy(page, "/shop/a"), his);
  assert.equal(await rawSignIn("alice"), 200);
  assert.equal((await expectNew(page, "/shop/a")).user, hers.user);
  assert.equal((await expectNew(other, late)).user, hers.user);
  // Both at once, by tokens.
  const [alice, bob] = [ALICE, BOB].map((authorization) => ({ credentials: "omit", headers: { authorization } }));
  for (const [init, user] of [[alice, hers.user], [bob, his.user]]) {
    assert.equal((await expectNew(page, "/shop/token", init)).user, user);
    assert.equal((await expectCopy(page, "/shop/token", init)).user, user);
  }
  assert.equal((await expectCopy(page, "/shop/token", alice)).user, hers.user);
});

test("a page may say itself who is there", async () => {
  const run = (user, authorization) =>
    page.run(
      async (user, authorization) => {
        globalThis.named ??= opened({ name: "named", user: () => globalThis.userName });
        globalThis.userName = user;
        const { text, isCopy } = await get("/shop/named", { credentials: "omit", headers: { authorization } }, named);
        return isCopy ? "copy" : JSON.parse(text).user;
      },
      user,
      authorization,
    );
  const alice = await run("alice", ALICE);
  assert.equal(await run("alice", ALICE), "copy");
  // It is late: what comes is somebody else's, and kept for nobody.
  const bob = await run("alice", BOB);
  assert.notEqual(bob, alice);
  assert.equal(await run("alice", BOB), bob);
  assert.equal(await run("alice", ALICE), "copy");
  assert.equal(await run("bob", BOB), bob);
  assert.equal(await run(null, ALICE), alice);
  // Nor is it kept when the answer does not say whose it is, and somebody else is there when it comes.
  const held = origin.hold(late);
  const coming = page.run(
    async (path, headers) => {
      const send = async (request) => {
        const { body, headers } = await fetch(request);
        const fields = [...headers].filter(([name]) => name !== "x-user-id");
        return new Response(body, { headers: fields });
      };
      globalThis.unsaid = opened({ name: "unsaid", user: () => globalThis.userName, fetch: send });
      globalThis.ask = async () => (await get(path, { credentials: "omit", headers }, unsaid)).isCopy;
      globalThis.userName = "alice";
      return ask();
    },
    late,
    { authorization: ALICE },
  );
  await held.asked;
  await page.run(() => void (globalThis.userName = "bob"));
  held.release();
  await coming;
  assert.deepEqual(await page.run(async () => ((userName = "alice"), [await ask(), await ask()])), [false, true]);
});

test("what is switched off is gone past", async () => {
  const a = await expectNew(page, "/shop/a");
  const b = await expectNew(page, "/shop/b");
  await expectNew(other, "/shop/c");
  assert.equal((await post(page, "/api/cache/disable/")).status, 200);
  for (const tab of [page, other, page, other]) assert.notDeepEqual(await expectNew(tab, "/shop/a"), a);
  assert.equal((await post(page, "/api/cache/enable/")).status, 200);
  // Unless something newer was seen meanwhile.
  assert.notDeepEqual(await expectNew(other, "/shop/a"), a);
  assert.deepEqual(await expectCopy(other, "/shop/b"), b);
  assert.deepEqual(await page.run(() => heard.map(({ reason }) => reason)), ["switched", "switched"]);
});

test("an application that lost Cachewarden has its page go past copies", async () => {
  const copies = await page.run(async () => {
    let isAway;
    const send = async (request) => {
      const answer = await fetch(request);
      return isAway ? new Response(answer.body, { headers: { "X-Cache-Enabled": "false" } }) : answer;
    };
    const lost = opened({ name: "lost", fetch: send });
    const copies = [];
    for (const [when, path] of [["", "a"], ["", "a"], ["away", "b"], ["away", "a"], ["", "a"], ["", "a"]]) {
      isAway = when === "away";
      copies.push((await get(`/shop/${path}`, null, lost)).isCopy);
    }
    return copies;
  });
  assert.deepEqual(copies, [false, true, false, false, false, true]);
});

test("a write is not hidden by a copy", async () => {
  await expectNew(page, "/shop/a");
  await expectNew(other, "/shop/b");
  const held = origin.hold(late);
  const coming = get(other, late);
  await held.asked;
  assert.equal((await post(page, "/shop/orders", {})).status, 200);
  held.release();
  await coming;
  for (const path of ["/shop/b", late]) await expectNew(other, path);
  await expectNew(page, "/shop/a");
  await expectCopy(page, "/shop/a");
  // What came while it was on its way may be from before it.
  const slow = origin.hold("/shop/orders");
  const writing = post(page, "/shop/orders");
  await slow.asked;
  await expectNew(page, "/shop/a");
  await expectCopy(page, "/shop/a");
  slow.release();
  await writing;
  await expectNew(page, "/shop/a");
});

test("nobody in particular keeps nothing, and drops nothing", async () => {
  await expectNew(page, "/shop/a");
  assert.equal((await get(page, "/shop/a", { credentials: "omit" })).status, 401);
  await expectCopy(page, "/shop/a");
  await page.run(() => (document.cookie = "XSRF-TOKEN=; Path=/; Secure; Max-Age=0"));
  await expectNew(page, "/shop/a");
  await expectNew(page, "/shop/a");
});

test("there is room for the newest", async () => {
  const kept = await page.run(async () => {
    const small = opened({ name: "small", maxEntries: 3, maxBytes: 20_000 });
    for (const path of ["/shop/warm", "/shop/1", "/shop/2", "/shop/3", "/shop/1", "/shop/4"])
      await get(path, null, small);
    const copies = [];
    for (const path of ["/shop/1", "/shop/3", "/shop/4", "/shop/2"])
      copies.push((await get(path, { cache: "default" }, small)).isCopy);
    return copies;
  });
  assert.deepEqual(kept, [true, true, true, false]);
  origin.say("/shop/wide", { body: JSON.stringify("x".repeat(15_000)) });
  assert.deepEqual(
    await page.run(async () => {
      const small = opened({ name: "small", maxEntries: 3, maxBytes: 20_000 });
      for (const path of ["/shop/1", "/shop/wide", "/shop/wide?2"]) await get(path, null, small);
      return [(await get("/shop/wide?2", null, small)).isCopy, (await get("/shop/wide", null, small)).isCopy];
    }),
    [true, false],
  );
});

test("a clock that is set makes nothing younger", async () => {
  const shift = (ms) => page.run((ms) => void (Date.now = ((now) => () => now() + ms)(Date.now)), ms);
  await expectNew(page, "/shop/a");
  await shift(3_601_000);
  await expectNew(page, "/shop/a");
  await expectCopy(page, "/shop/a");
  await shift(-7_200_000);
  await expectNew(page, "/shop/a");
  await expectNew(page, "/shop/a"); // what was kept has been dropped meanwhile, and who knows by whom
  await expectCopy(page, "/shop/a");
  await page.go(PAGE);
});

test("a request that nobody wants any more is given up", async () => {
  await expectNew(page, "/shop/a");
  const held = origin.hold(late);
  const aborted = page.run(async (...paths) => {
    globalThis.controller = new AbortController();
    const ends = [];
    for (const path of paths) ends.push(await sync.fetch(path, controller).catch((error) => error.name));
    return ends;
  }, late, "/shop/a");
  await held.asked;
  await page.run(() => controller.abort());
  assert.deepEqual(await aborted, ["AbortError", "AbortError"]);
  held.release();
  await expectNew(page, late);
  await expectCopy(page, late);
});

for (const lack of ["indexedDB", "leave", "answers", "writes"])
  test(`without ${lack} of the database the network is asked`, async () => {
    await page.go(`${PAGE}?${lack}`);
    for (let i = 0; i < 3; i++) await expectNew(page, "/shop/a");
    assert.equal((await post(page, "/shop/orders")).status, 200);
    assert.equal((await post(page, "/api/cache/clear/")).status, 200);
    await page.run(() => sync.forget());
    await expectNew(page, "/shop/a");
    assert.deepEqual(await page.run(() => errors.splice(0)), []);
    await page.go(PAGE);
  });

test("without a channel the other tab looks", async () => {
  await page.go(`${PAGE}?BroadcastChannel`);
  const first = await expectNew(page, "/shop/a");
  await expectNew(other, "/shop/b");
  await expectCopy(other, "/shop/a");
  assert.equal((await post(page, "/api/cache/clear/")).status, 200);
  assert.notDeepEqual(await expectNew(other, "/shop/a"), first);
  const held = origin.hold(late);
  const coming = get(other, late);
  await held.asked;
  assert.equal((await post(page, "/shop/orders")).status, 200);
  held.release();
  await coming;
  await expectNew(other, late);
  // Nor is kept what a clear overtook that this tab has not heard of.
  const overtaken = origin.hold(`${late}/2`);
  const old = get(page, `${late}/2`);
  await overtaken.asked;
  assert.equal((await post(other, "/api/cache/clear/")).status, 200);
  overtaken.release();
  await old;
  assert.equal(await countKept(page), 1); // the user
  await page.go(PAGE);
});

test("news that cannot be written are heard all the same", async () => {
  await page.go(`${PAGE}?writes`);
  const first = await expectNew(other, "/shop/a");
  await elsewhere("/api/cache/clear/");
  await expectNew(page, "/shop/b");
  assert.notDeepEqual(await expectNew(other, "/shop/a"), first);
  await page.go(PAGE);
});

test("a private window keeps what there is room for, and leaves nothing in the others", async () => {
  const browserContextId = await browser.private();
  const full = await browser.tab(null, browserContextId);
  await full.send("Storage.overrideQuotaForOrigin", { origin: CACHEWARDEN_URL, quotaSize: 1 });
  await full.go(PAGE);
  await signIn(full, "bob");
  for (let i = 0; i < 3; i++) await expectNew(full, "/shop/a");
  assert.equal((await post(full, "/api/cache/clear/")).status, 200);
  await expectNew(full, "/shop/a");
  assert.deepEqual(await full.run(() => errors), []);
  await full.send("Storage.overrideQuotaForOrigin", { origin: CACHEWARDEN_URL });
  await full.go(PAGE);
  await expectNew(full, "/shop/a");
  await full.until(async () => (await get("/shop/a")).isCopy);
  await expectNew(page, "/shop/a");
  await browser.send("Target.disposeBrowserContext", { browserContextId });
  await expectCopy(page, "/shop/a");
});

const WRONG_OPTIONS = [
  [{ bas: "/x" }, TypeError, /the option bas is none of base, user, /],
  [{ base: [] }, TypeError, /^base is an address, as "\/shop", or a list/],
  [{ user: 7 }, TypeError, /^user is a function, not 7$/],
  [{ base: null }, TypeError, /^base is .*, not null$/],
  [{ base: "http://[" }, TypeError, /^base is .*, not "http:\/\/\["$/],
  [{ base: ["/shop", 7] }, TypeError, /^base is /],
  [{ fetch: "fetch" }, TypeError, /^fetch is a function, not "fetch"$/],
  [{ name: "" }, TypeError, /^name is text/],
  [{ name: null }, TypeError, /^name is text/],
  [{ maxAgeS: "300" }, RangeError, /^maxAgeS is a number from 0 on, not "300"$/],
  [{ maxBytes: NaN }, RangeError, /^maxBytes is .*NaN$/],
  [{ maxEntries: -1 }, RangeError, /^maxEntries is .*-1$/],
  [{ patienceMs: 2 ** 31 }, RangeError, /^patienceMs is a number from 0 to 2147483647, not 2147483648$/],
  [null, TypeError, /^the options are an object, not null$/],
  ["/shop", TypeError, /^the options are an object, not \/shop$/],
];

for (const [options, Kind, message] of WRONG_OPTIONS)
  test(`options are checked: ${JSON.stringify(options)}`, () => {
    const isIt = (error) => error.constructor === Kind && message.test(error.message);
    assert.throws(() => cachewardenSync(options).close(), isIt);
  });

test("options that are undefined are not given", () => {
  const urls = [new URL("https://shop.example/"), "/b"];
  cachewardenSync({ base: urls, maxAgeS: undefined, user: undefined, fetch: null }).close();
});
