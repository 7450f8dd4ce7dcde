// What cachewarden-sync.mjs keeps in the browser: which answers, for which requests, and where.

// Numbers that need not fit into a Number.
export const isOlder = (a, b) => a.length < b.length || (a.length === b.length && a < b);

// ---- what requests and answers say ----

function directivesOf(text) {
  const found = (text ?? "").matchAll(/([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,]*)))?/g);
  return new Map([...found].map(([, name, quoted, plain]) => [name.toLowerCase(), quoted ?? plain]));
}

// By the server's clock alone; 0: not at all.
export function lifeOf(headers, mostS) {
  const control = directivesOf(headers.get("cache-control"));
  if (control.has("no-store") || control.has("no-cache")) return 0;
  let statedS = Infinity;
  const [expires, date] = ["expires", "date"].map((name) => Date.parse(headers.get(name)));
  if (control.has("max-age")) statedS = parseInt(control.get("max-age"), 10);
  else if (headers.has("expires")) statedS = (expires - date) / 1000;
  const lifeS = Math.min(statedS - Number(headers.get("age") ?? 0), mostS);
  return lifeS > 0 ? lifeS : 0;
}

// The same in all requests of a user from this browser, and what only the browser knows.
const IMPLIED = /^(authorization|x-api-key|x-xsrf-token|accept-encoding|user-agent|origin|host)$/;
const UNSEEN = /^(\*|cookie2?|referer|dnt|sec-.*|proxy-.*|save-data|width|dpr|viewport-.*|device-.*|downlink|ect|rtt)$/;
const fieldOf = (request, name) =>
  request.headers.get(name) ?? (name === "accept-language" ? (globalThis.navigator?.languages ?? []).join() : null);

// The fields of the request that the answer depends on; null: it cannot be told which requests it is for.
export function variantOf(answer, request) {
  const names = (answer.headers.get("vary") ?? "").toLowerCase().split(",").map((name) => name.trim()).filter(Boolean);
  if (names.some((name) => UNSEEN.test(name))) return null;
  return names.filter((name) => !IMPLIED.test(name)).map((name) => [name, fieldOf(request, name)]);
}

export const fits = (record, request) => record.variant.every(([name, value]) => fieldOf(request, name) === value);

const SINGULAR = ["range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"];
const PLAIN_MODES = ["default", "no-store", "no-cache", "reload"];
export const isPlainRead = (request) =>
  request.method === "GET" && PLAIN_MODES.includes(request.cache) && !request.integrity && request.mode !== "no-cors" &&
  !SINGULAR.some((name) => request.headers.has(name));

// Whether the page wants it anew, and whether it may be kept then.
export function wishOf(request) {
  const control = directivesOf(request.headers.get("cache-control") ?? request.headers.get("pragma"));
  const isPrivate = request.cache === "no-store" || control.has("no-store");
  const isAnew = isPrivate || request.cache !== "default" || control.has("no-cache") || control.get("max-age") === "0";
  return { isAnew, isPrivate };
}

export function isKeepable(answer, lifeS, mostBytes) {
  return (
    answer.status === 200 && lifeS > 0 && !answer.redirected && ["basic", "cors", "default"].includes(answer.type) &&
    !(Number(answer.headers.get("content-length")) > mostBytes) &&
    !(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")
  );
}

// All of it, or null when it is more than that.
export async function readUpTo(stream, most) {
  const parts = [];
  const reader = stream?.getReader();
  for (let size = 0; reader; ) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > most) {
      reader.cancel().catch(() => {}); // it ends when the page's own half does
      return null;
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

// As if it had come from the network, but for X-Cache and Age.
export function answerOf(record, body, ageMs) {
  const headers = new Headers(record.headers);
  headers.set("Age", String(Math.floor(Number(headers.get("age") ?? 0) + ageMs / 1000)));
  headers.set("X-Cache", "COPY");
  headers.delete("Cache-Status");
  return dressed(new Response(body, { status: 200, statusText: record.statusText, headers }), record.url);
}

const dressed = (answer, url) =>
  Object.defineProperties(answer, {
    url: { value: url },
    type: { value: "basic" },
    clone: { value: () => dressed(Response.prototype.clone.call(answer), url) },
  });

// ---- what is kept ----

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function end(transaction) {
  try {
    transaction.abort();
  } catch {
    // It has ended already.
  }
}

const TOUCHED_MOST = 64; // copies whose use is noted with the next fill
const REST_MS = 30_000; // a database that is full or fails is left alone for so long
const STORES = ["answers", "bodies", "users", "meta"];

// The database, which tabs share. `users` has what was last heard of each; the ticket in `meta` changes with what
// makes void what is on its way: a sign-out, a write.
export class Copies {
  #limits;
  #opening = null;
  #restsUntil = 0;
  #fullUntil = 0;
  #touched = new Map();

  constructor(limits) {
    this.#limits = limits;
  }

  close() {
    this.#opening?.then((database) => database.close(), () => {});
    this.#restsUntil = Infinity;
  }

  // Nothing is kept for a while, and what is kept makes room.
  fail(error) {
    if (error?.name !== "QuotaExceededError") return;
    this.#fullUntil = performance.now() + REST_MS;
    return this.empty({ users: false }).catch(() => {});
  }

  async #open() {
    if (performance.now() < this.#restsUntil) throw new Error("it rests");
    this.#opening ??= this.#connect();
    try {
      return await this.#opening;
    } catch (error) {
      this.#opening = null;
      this.#restsUntil = performance.now() + REST_MS;
      throw error;
    }
  }

  async #connect() {
    const opening = indexedDB.open(this.#limits.name, 1);
    opening.onupgradeneeded = () => {
      const database = opening.result;
      database.createObjectStore("answers", { keyPath: ["scope", "url"] }).createIndex("used", ["used", "size"]);
      database.createObjectStore("bodies");
      database.createObjectStore("users", { keyPath: "scope" });
      database.createObjectStore("meta");
    };
    const database = await done(opening);
    database.onclose = () => (this.#opening = null); // the browser took it away
    database.onversionchange = () => {
      database.close();
      this.#opening = null;
    };
    return database;
  }

  // One transaction: all of `work` is done, or nothing.
  async #run(mode, work) {
    const transaction = await this.#begin(mode);
    return new Promise((resolve, reject) => {
      let result;
      transaction.oncomplete = () => resolve(result);
      transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
      work(Object.fromEntries(STORES.map((name) => [name, transaction.objectStore(name)]))).then(
        (value) => (result = value),
        (error) => {
          reject(error);
          end(transaction);
        },
      );
    });
  }

  async #begin(mode) {
    const database = await this.#open();
    try {
      return database.transaction(STORES, mode, { durability: "relaxed" });
    } catch (error) {
      this.#opening = null; // it was closed, and nobody said so
      throw error;
    }
  }

  // What is kept for that user and address, and what a fill has to show.
  async look(scope, url) {
    const [ticket, user, record, body] = await this.#run("readonly", ({ meta, users, answers, bodies }) => {
      const asked = scope === undefined ? [] : [users.get(scope), answers.get([scope, url]), bodies.get([scope, url])];
      return Promise.all([meta.get("ticket"), ...asked].map(done));
    });
    return { ticket: ticket ?? (await this.#newTicket()), hasScope: scope !== undefined, user, record, body };
  }

  #newTicket() {
    return this.#run("readwrite", async ({ meta }) => {
      const other = await done(meta.get("ticket"));
      const ticket = other ?? [Date.now(), Math.random(), Math.random()].join();
      if (other === undefined) meta.put(ticket, "ticket");
      return ticket;
    });
  }

  // What was heard of a user: what is in force afterwards, which another tab may have heard since.
  async tell(scope, news) {
    try {
      return await this.#run("readwrite", async (stores) => {
        const user = await done(stores.users.get(scope));
        const version = news.version ?? user?.version ?? null;
        if (user?.version && !news.isLower && isOlder(version, user.version)) return user;
        if (user?.version === version && user.isOff === news.isOff) return user;
        const isNew = user !== undefined && user.version !== version;
        if (isNew) this.#clear(stores);
        stores.users.put({ scope, version, isOff: news.isOff });
        return { version, isOff: news.isOff, isNew };
      });
    } catch (error) {
      await this.empty({ users: true }); // there is no room for the news, but always for dropping what is old
      throw error;
    }
  }

  #clear({ answers, bodies, meta }) {
    answers.clear();
    bodies.clear();
    meta.delete("total");
  }

  empty({ users: hasUsers }) {
    return this.#run("readwrite", async (stores) => {
      this.#clear(stores);
      stores.meta.delete("ticket");
      if (hasUsers) stores.users.clear();
    });
  }

  touch(record) {
    const key = [record.scope, record.url];
    if (this.#touched.size < TOUCHED_MOST) this.#touched.set(key.join(), key);
  }

  // Unless, since the look, the user's cache was cleared or switched off, somebody signed out or wrote something, or
  // another tab has kept an answer of which nobody knows whether it is the newer one: then neither is.
  async put(record, body, look) {
    if (performance.now() < this.#fullUntil) return this.remove(record.scope, record.url);
    return this.#run("readwrite", async (stores) => {
      const { meta, users, answers, bodies } = stores;
      const [now, user] = await Promise.all([done(meta.get("ticket")), done(users.get(record.scope))]);
      const { kept, total } = await this.#without(stores, [record.scope, record.url]);
      const isOther = look.hasScope && kept?.made !== look.record?.made;
      const isVoid = now !== look.ticket || user?.version !== record.version || user.isOff || isOther;
      if (!isVoid) {
        await this.#note(answers, total);
        const made = Math.random(); // tells it from what is kept in its place
        answers.put({ ...record, made, used: ++total.uses });
        bodies.put(body, [record.scope, record.url]);
        total.bytes += record.size;
        total.count++;
        await this.#makeRoom(stores, total);
      }
      meta.put(total, "total");
    });
  }

  remove(scope, url) {
    return this.#run("readwrite", async (stores) => {
      const { total } = await this.#without(stores, [scope, url]);
      stores.meta.put(total, "total");
    });
  }

  async #without({ meta, answers, bodies }, key) {
    const [kept, total] = await Promise.all([done(answers.get(key)), done(meta.get("total"))]);
    answers.delete(key);
    bodies.delete(key);
    const { bytes, count, uses } = total ?? { bytes: 0, count: 0, uses: 0 };
    return { kept, total: kept ? { bytes: bytes - kept.size, count: count - 1, uses } : { bytes, count, uses } };
  }

  async #note(answers, total) {
    const keys = [...this.#touched.values()];
    this.#touched.clear();
    for (const record of await Promise.all(keys.map((key) => done(answers.get(key)))))
      if (record) answers.put({ ...record, used: ++total.uses });
  }

  async #makeRoom({ answers, bodies }, total) {
    const { maxBytes, maxEntries } = this.#limits;
    const walk = answers.index("used").openKeyCursor();
    for (let at = await done(walk); at && (total.bytes > maxBytes || total.count > maxEntries); at = await done(walk)) {
      answers.delete(at.primaryKey);
      bodies.delete(at.primaryKey);
      total.bytes -= at.key[1];
      total.count--;
      at.continue();
    }
  }

  // What is too old is not there for anybody to find, either.
  sweep(isTooOld) {
    return this.#run("readwrite", async (stores) => {
      for (const { scope, url } of (await done(stores.answers.getAll())).filter(isTooOld)) {
        const { total } = await this.#without(stores, [scope, url]);
        stores.meta.put(total, "total");
      }
    });
  }
}
