// Cachewarden in a page: a fetch that keeps answers in the browser until the user's cache is cleared.
//
//   const sync = cachewardenSync({ base: "/shop" });
//   sync.addEventListener("change", showAgain); // a clear, a switch, a sign-out: heard here or in another tab
//   const answer = await sync.fetch("/shop/orders");
//   await sync.forget(); // when somebody signs in or out, unless that is a request to /auth/ by sync.fetch
//
// It needs cachewarden-sync-copies.mjs beside it, and nothing else. Whose an answer is, its X-User-Id says. A page
// whose answers have none gives { user: () => id }; null is nobody. Whatever fails here, the network is asked.
// docs/gateway.md says what is kept.

import {
  Copies, answerOf, fits, isKeepable, isOlder, isPlainRead, lifeOf, readUpTo, variantOf, wishOf,
} from "./cachewarden-sync-copies.mjs";

const MOST_MS = 2 ** 31 - 1; // a timer of more would end at once
const isUpTo = (most) => (value) => typeof value === "number" && value >= 0 && value <= most;
const isAddress = (base) => (typeof base === "string" || base instanceof URL) && URL.canParse(base, here());
const areAddresses = (value) => value?.length !== 0 && [value].flat().every(isAddress);
const ADDRESSES = ['an address, as "/shop", or a list', areAddresses];
const FUNCTION = ["a function", (value) => value === null || typeof value === "function"];
const AMOUNT = ["a number from 0 on", isUpTo(Number.MAX_VALUE)];
const TIME = [`a number from 0 to ${MOST_MS}`, isUpTo(MOST_MS)];
const TEXT = ["text that is not empty", (value) => typeof value === "string" && value !== ""];

const OPTIONS = {
  base: ["/", ADDRESSES], // paths, or addresses, or a list: what is kept
  user: [null, FUNCTION], // () => the user's id, where answers do not say it
  maxAgeS: [300, AMOUNT], // the longest that anything is kept; the application's max-age may be shorter
  maxBytes: [10 << 20, AMOUNT], // of all that is kept: what was not used for the longest time goes first
  maxEntryBytes: [1 << 20, AMOUNT],
  maxEntries: [500, AMOUNT],
  patienceMs: [500, TIME], // a browser that does not give what it keeps within that time is not waited for
  awayMs: [30_000, TIME], // a page that was hidden for so long asks before it believes what is kept
  name: ["cachewarden-sync", TEXT], // of the database, and of the channel between tabs
  fetch: [null, FUNCTION], // what asks the network in the place of the page's own
};
const COPYING_MOST = 16; // bodies that are read for keeping, at once
const UNHEARD = { version: null, isOff: false, number: 0, id: null }; // a user of whom nothing is known

export function cachewardenSync(options = {}) {
  if (typeof options !== "object" || options === null) throw new TypeError(`the options are an object, not ${options}`);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) check(name, value);
  const defaults = Object.entries(OPTIONS).map(([name, [value]]) => [name, value]);
  return new CachewardenSync(Object.fromEntries([...defaults, ...given]));
}

function check(name, value) {
  const names = Object.keys(OPTIONS);
  if (!names.includes(name)) throw new TypeError(`the option ${name} is none of ${names.join(", ")}`);
  const [usual, [what, isRight]] = OPTIONS[name];
  if (isRight(value)) return;
  const Kind = typeof usual === "number" ? RangeError : TypeError;
  throw new Kind(`${name} is ${what}, not ${typeof value === "string" ? JSON.stringify(value) : String(value)}`);
}

// ---- what requests and answers say of users ----

const NUMBER = /^[1-9][0-9]{0,18}$/;

// A version counts only where the cache is on.
function newsOf(headers) {
  const enabled = headers.get("x-cache-enabled");
  const numbers = [headers.get("x-cache-version"), headers.get("x-user-id")];
  const [version, id] = numbers.map((text) => (NUMBER.test(text ?? "") ? text : null));
  return { id, isEnabled: enabled === null ? null : enabled === "true", version: enabled === "true" ? version : null };
}

const here = () => globalThis.document?.baseURI ?? globalThis.location?.href ?? "http://localhost";
const isSafe = (request) => ["GET", "HEAD", "OPTIONS"].includes(request.method);
const SIGNS = /^\/auth\/(login|logout|register)\/?$/;
const isOfService = (url) => url.pathname.startsWith("/api/cache/");
const isUnder = (url, { origin, pathname: path }) =>
  url.origin === origin && (url.pathname === path || url.pathname.startsWith(path.endsWith("/") ? path : `${path}/`));

// XSRF-TOKEN tells sessions apart, and is the part of one that a script can read.
const sessionCookies = () =>
  (globalThis.document?.cookie ?? "").split("; ").filter((pair) => pair.startsWith("XSRF-TOKEN="));

// The newest of them.
function remember(map, key, value, most = 8) {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value);
}

// The browser's own cache would answer after a clear as before it, and everybody. So it is neither asked nor filled;
// with no-cache the server is asked anyway, and only-if-cached wants nothing else. What the browser says to the server
// with no-store (no-cache) is not always meant, so something else stands there; elsewhere that would need a leave of
// the server.
function pastBrowsersCache(request, url) {
  if (["no-store", "no-cache", "only-if-cached"].includes(request.cache)) return request;
  const past = new Request(request, { cache: "no-store" });
  const isOwn = url.origin === globalThis.location?.origin;
  if (isOwn && request.cache !== "reload" && !request.headers.has("cache-control"))
    past.headers.set("Cache-Control", "max-age=31536000");
  return past;
}

// ---- the page ----

class CachewardenSync extends EventTarget {
  #options;
  #bases;
  #send;
  #copies;
  #channel = null;
  #marks = new Map(); // credential: whose it is, as an answer to it said
  #known = new Map(); // user: what was heard of their cache last
  #given = new Map(); // address: the number of the newest request that was answered
  #requests = 0;
  #life = 0; // rises with what makes void what is on its way
  #running = new Set();
  #late = 0; // questions to the database that nobody waits for any more
  #offset = Date.now() - performance.now();
  #hidden = null;
  #replaced = null;

  constructor(options) {
    super();
    this.#options = options;
    this.#bases = [options.base].flat().map((base) => new URL(base, here()));
    this.#send = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.#copies = new Copies(options);
    this.fetch = this.fetch.bind(this);
    try {
      this.#channel = new BroadcastChannel(options.name);
      this.#channel.unref?.(); // where Angular renders on a server
      this.#channel.onmessage = ({ data }) => this.#overhear(data);
    } catch {
      // Other tabs hear of it when they look into the database.
    }
    globalThis.document?.addEventListener("visibilitychange", this.#watch);
    globalThis.addEventListener?.("pageshow", this.#wake);
    this.#inBackground(() => this.#copies.sweep((record) => !this.#isYoung(record)));
  }

  // In the place of the page's own, for what cannot be given another: Angular's HttpClient, a library.
  install() {
    this.#replaced ??= globalThis.fetch;
    globalThis.fetch = this.fetch;
    return this;
  }

  close() {
    if (this.#replaced) globalThis.fetch = this.#replaced;
    globalThis.document?.removeEventListener("visibilitychange", this.#watch);
    globalThis.removeEventListener?.("pageshow", this.#wake);
    this.#channel?.close();
    this.#copies.close();
  }

  // Everything, of everybody: somebody signs in or out.
  async forget() {
    this.#forgetUsers();
    this.#broadcast({ about: "forgotten" });
    await this.#within(() => this.#copies.empty({ users: true }));
    this.#announce({ reason: "forgotten" });
  }

  // When nothing is being kept or dropped any more.
  async settled() {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async fetch(input, init) {
    const url = new URL(input instanceof Request ? input.url : input, here());
    url.hash = "";
    if (!this.#bases.some((base) => base.origin === url.origin)) return this.#send(input, init);
    const request = new Request(input, init);
    if (!isSafe(request)) return this.#write(request, url);
    const isOfBase = this.#bases.some((base) => isUnder(url, base));
    if (isOfBase && isPlainRead(request)) return this.#read(request, url);
    // What the browser's own cache may have answered is no news.
    const isAnswered = isOfService(url) || (isOfBase && request.cache !== "only-if-cached");
    if (!isAnswered) return this.#send(request);
    const sent = isOfBase ? pastBrowsersCache(request, url) : request;
    return (await this.#ask({ request: sent, url, ...this.#whoAsks(request, url) })).answer;
  }

  // ---- requests ----

  #whoAsks(request, url) {
    const named = this.#options.user ? (this.#options.user() ?? "") : undefined;
    const shown = [request.headers.get("authorization"), request.headers.get("x-api-key")];
    if (request.credentials !== "omit" && url.origin === globalThis.location?.origin) shown.push(...sessionCookies());
    const isSomebody = named === undefined ? shown.some(Boolean) : named !== "";
    return { named, mark: isSomebody ? JSON.stringify([String(named), ...shown]) : null };
  }

  async #read(request, url) {
    const wish = wishOf(request);
    for (;;) {
      const who = this.#whoAsks(request, url);
      if (who.mark === null) return this.#send(pastBrowsersCache(request, url));
      const scope = this.#marks.get(who.mark);
      const life = this.#life;
      const ask = () => this.#copies.look(scope, url.href);
      const look = this.#late > 0 ? undefined : await this.#within(ask, request.signal);
      request.signal.throwIfAborted();
      if (this.#whoAsks(request, url).mark !== who.mark || this.#life !== life) continue; // it took too long to be true
      const copy = wish.isAnew ? null : this.#copyFor(request, scope, look);
      return copy ?? this.#fill({ ...who, request, url, wish, scope, look, life });
    }
  }

  // The first request of a page with a credential asks, and so tells whose it is and what is in force.
  #copyFor(request, scope, look) {
    const known = this.#known.get(scope);
    const { user, record, body } = look ?? {};
    if (!known || !user || !record || !body || known.isOff || user.isOff) return null;
    if (known.version !== user.version || record.version !== user.version) return null;
    if (!fits(record, request) || !this.#isYoung(record)) return null;
    this.#copies.touch(record);
    return answerOf(record, body, Date.now() - record.at);
  }

  // A clock that was set back makes all ages unknown.
  #isYoung(record) {
    const offset = Date.now() - performance.now();
    const isSetBack = offset < this.#offset - 1000;
    this.#offset = offset;
    if (isSetBack) this.#inBackground(() => this.#copies.sweep(() => true));
    const ageMs = Date.now() - record.at;
    return !isSetBack && ageMs >= 0 && ageMs < record.lifeMs;
  }

  async #fill(asked) {
    const { request, url, wish, look, life } = asked;
    const sent = { ...asked, request: pastBrowsersCache(request, url) };
    const { answer, number, scope, version } = await this.#ask(sent);
    const isNewest = number > (this.#given.get(url.href) ?? 0);
    if (isNewest) remember(this.#given, url.href, number, 256);
    const { maxAgeS, maxEntryBytes } = this.#options;
    const lifeS = lifeOf(answer.headers, maxAgeS);
    const variant = variantOf(answer, request);
    const mayKeep = version && look && variant && !wish.isPrivate && isKeepable(answer, lifeS, maxEntryBytes);
    if (!isNewest) return answer; // a page that has seen a newer one sees no older
    if (mayKeep && this.#running.size < COPYING_MOST) {
      const copy = answer.clone();
      const record = { scope, url: url.href, version, variant, lifeMs: 1000 * lifeS, at: Date.now() };
      const isGood = () => this.#life === life && this.#given.get(url.href) === number;
      this.#inBackground(() => this.#keep(record, copy, look, isGood));
    } else if (scope && answer.status < 500 && (look?.record || scope !== asked.scope)) {
      this.#inBackground(() => this.#copies.remove(scope, url.href));
    }
    return answer;
  }

  async #keep(record, answer, look, isGood) {
    const { scope, url } = record;
    const body = await readUpTo(answer.body, this.#options.maxEntryBytes).catch(() => null);
    if (!body || !isGood()) return this.#copies.remove(scope, url);
    const headers = [...answer.headers];
    const size = body.byteLength + headers.flat().join().length + 2 * url.length;
    return this.#copies.put({ ...record, statusText: answer.statusText, headers, size }, body, look);
  }

  // What users changed themselves is not hidden from them by a copy. Clears and switches speak for themselves.
  async #write(request, url) {
    const who = this.#whoAsks(request, url);
    if (isOfService(url)) return (await this.#ask({ ...who, request, url })).answer;
    const before = this.#drop();
    try {
      return (await this.#ask({ ...who, request, url })).answer;
    } finally {
      await before;
      await (SIGNS.test(url.pathname) ? this.forget() : this.#drop());
      this.#broadcast({ about: "written" });
    }
  }

  // ---- news ----

  // The answer, when what it says was heard; `scope`: whose it is; `version`: when it may be kept under that.
  async #ask(asked) {
    const number = ++this.#requests;
    const before = this.#known.get(this.#marks.get(asked.mark))?.version;
    const answer = await this.#send(asked.request);
    const heard = asked.mark === null ? {} : await this.#hear(asked, number, before, answer);
    return { answer, number, ...heard };
  }

  async #hear({ request, url, mark, named, look }, number, before, answer) {
    if (answer.status === 401 && this.#marks.has(mark)) await this.forget();
    if (this.#whoAsks(request, url).mark !== mark) return {}; // somebody else is here now
    const news = newsOf(answer.headers);
    const scope = this.#scopeOf(news, mark, named);
    if (answer.status === 401 || news.isEnabled === null || scope === undefined) return {};
    const known = this.#known.get(scope) ?? { ...UNHEARD };
    if (known.id && news.id && known.id !== news.id) return {}; // the page does not know yet who is here
    known.id ??= news.id;
    const isLower = Boolean(known.version && news.version && isOlder(news.version, known.version));
    if (isLower && before !== known.version) return { scope }; // a clear has overtaken it
    const was = { ...known };
    known.version = news.version ?? known.version;
    if (number >= known.number) Object.assign(known, { isOff: !news.isEnabled, number });
    remember(this.#known, scope, known);
    remember(this.#marks, mark, scope);
    let isNews = (was.version !== null && was.version !== known.version) || was.isOff !== known.isOff;
    if (isNews || look?.user?.version !== known.version || look.user.isOff !== known.isOff) {
      const { isOff } = known;
      const told = await this.#within(() => this.#copies.tell(scope, { version: news.version, isOff, isLower }));
      if (told?.version && (!known.version || isOlder(known.version, told.version))) known.version = told.version;
      isNews ||= Boolean(told?.isNew);
    }
    if (isNews) {
      this.#broadcast({ about: "heard", scope, version: known.version, isOff: known.isOff, isLower });
      this.#announceKnown(known, was.isOff);
    }
    return { scope, version: known.isOff || news.version !== known.version ? null : news.version };
  }

  #scopeOf({ id, isEnabled }, mark, named) {
    if (named !== undefined) return `name ${named}`;
    if (id !== null) return `id ${id}`;
    // Nobody's, or of an application that does not know who it is while Cachewarden is away.
    return isEnabled ? undefined : this.#marks.get(mark);
  }

  // From another tab.
  #overhear({ about, scope, version, isOff, isLower } = {}) {
    if (about === "heard") {
      const known = this.#known.get(scope) ?? { ...UNHEARD };
      const wasOff = known.isOff;
      if (version && (isLower || !known.version || isOlder(known.version, version))) known.version = version;
      Object.assign(known, { isOff, number: this.#requests + 1 }); // what was asked before knows less
      remember(this.#known, scope, known);
      this.#announceKnown(known, wasOff, true);
      return;
    }
    if (about === "forgotten") this.#forgetUsers();
    this.#life++;
    this.#announce({ reason: about }, true);
  }

  #forgetUsers() {
    this.#life++;
    this.#marks.clear();
    this.#known.clear();
  }

  #drop() {
    this.#life++;
    return this.#within(() => this.#copies.empty({ users: false }));
  }

  #announceKnown({ version, isOff }, wasOff, isFromAnotherTab) {
    const reason = isOff === wasOff ? "cleared" : "switched";
    this.#announce({ reason, version, isEnabled: !isOff }, isFromAnotherTab);
  }

  #announce(detail, isFromAnotherTab = false) {
    this.dispatchEvent(new CustomEvent("change", { detail: { ...detail, isFromAnotherTab } }));
  }

  #broadcast(message) {
    try {
      this.#channel?.postMessage(message);
    } catch {
      // It was closed.
    }
  }

  // ---- time ----

  // undefined when it fails or is late. While something is late, nothing is waited for.
  #within(work, signal) {
    const given = work().catch(() => {});
    return new Promise((resolve) => {
      const leave = () => {
        this.#late++;
        given.then(() => this.#late--);
        resolve();
      };
      const timer = setTimeout(leave, this.#late > 0 ? 0 : this.#options.patienceMs);
      given.finally(() => clearTimeout(timer)).then(resolve);
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #inBackground(work) {
    const running = work()
      .catch((error) => this.#copies.fail(error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  // Whoever comes back asks before a copy is believed: something may have happened elsewhere.
  #watch = () => {
    const now = [Date.now(), performance.now()]; // one may be set, the other may stand still
    if (document.hidden) this.#hidden = now;
    else if (this.#hidden?.some((at, i) => now[i] - at > this.#options.awayMs)) this.#marks.clear();
  };

  #wake = (event) => {
    if (event.persisted) this.#marks.clear();
  };
}
