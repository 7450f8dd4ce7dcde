// The cache service: values by label, in one namespace. A service that is away, or talks nonsense, is a miss.

import { Flights } from "./flights.js";
import {
  MAX_WAIT_MS, decode, encode, hasHalves, integerIn, millisecondsOf, modelsOf, modelsToClear, objectIn, optionsIn, patternIn, queryOf,
  refusalOf, segmentOf, shown, ttlOf, typedOf, typeOf, wholeOf,
} from "./values.js";

const ENTRIES = "/api/v1/entries";
const JSON_TYPE = { "content-type": "application/json" };
const MAX_LEASE = 4096;

const READ = ["models", "waitMs"];
const SET = ["ttl", "models", "lease", "onlyIfAbsent", "type"];
const REMEMBER = ["ttl", "models", "waitMs"];

export class Entries {
  #service;
  #credential;
  #namespace;
  #waitMs;
  #flights = new Flights();

  constructor(service, { credential, namespace, waitMs = 250 }) {
    this.#service = service;
    this.#credential = credential;
    this.#namespace = typedOf("namespace", namespace, "string");
    this.#waitMs = millisecondsOf("waitMs", waitMs, MAX_WAIT_MS);
  }

  // What is cached, or undefined.
  async get(label, options) {
    return (await this.read(label, options)).value;
  }

  async exists(label) {
    const request = this.#request("HEAD", label);
    if (request === null) return false;
    const answer = await this.#service.ask({ ...request, mayRepeat: true });
    return answer?.status === 200 && answer.headers["x-cache"] === "HIT";
  }

  // { isHit, value, lease, isRefresh, ageS, ttlS }. With a lease the caller is to fill it: set(label, value,
  // { lease }). waitMs: how long to wait for somebody else who is at it; not at all for a while after a fill that was
  // not kept.
  async read(label, options) {
    const { models, waitMs } = optionsIn(options, READ);
    millisecondsOf("waitMs", waitMs, MAX_WAIT_MS);
    const patienceMs = this.#service.unkept.has(this.#nameOf(label)) ? undefined : waitMs;
    const request = this.#request("GET", label, { model: modelsOf(models), wait_ms: patienceMs });
    if (request === null) return miss();
    const answer = await this.#service.ask({ ...request, mayRepeat: true, extraMs: patienceMs ?? 0 });
    if (answer === null) return miss();
    const { status, headers } = answer;
    const state = headers["x-cache"];
    if (status === 200 && state === "HIT") return this.#hit(label, answer);
    if (status === 404 && state === "MISS") return miss(leaseIn(headers));
    this.#unexpected(answer, request);
    return miss();
  }

  #hit(label, { headers, body }) {
    try {
      const value = decode(headers["content-type"], body);
      const isRefresh = headers["x-cache-refresh"] === "1";
      const lease = isRefresh ? leaseIn(headers) : null;
      return { isHit: true, value, lease, isRefresh, ageS: secondsIn(headers.age), ttlS: secondsIn(headers["x-cache-ttl"]) };
    } catch {
      void this.forget(label); // nobody can read it, so somebody shall fill it
      return miss();
    }
  }

  // Whether it is stored: not so while the user has switched the cache off, or the service is away. What
  // stands in the place of a value that was refused, or lost, is forgotten: with a lease or onlyIfAbsent it is no older.
  async set(label, value, options) {
    const { type, ...how } = optionsIn(options, SET);
    typedOf("onlyIfAbsent", how.onlyIfAbsent, "boolean");
    const entry = encode(value);
    if (entry === null) throw new TypeError("this value is neither bytes, nor text, nor JSON");
    const isStored = await this.#put(label, { ...entry, type: typeOf(type) ?? entry.type }, how);
    if (how.lease) this.#note(label, isStored);
    return isStored;
  }

  #note(label, isKept) {
    this.#service.unkept.note(this.#nameOf(label), isKept);
  }

  #nameOf(label) {
    return JSON.stringify([this.#credential, this.#namespace, label]);
  }

  async #put(label, entry, { ttl, models, lease, onlyIfAbsent = false }) {
    const request = this.#request("PUT", label, { ttl: ttlOf(ttl, models), model: modelsOf(models) }, {
      "content-type": entry.type,
      "content-length": entry.body.length,
      ...(lease ? { "x-cache-lease": lease } : {}),
      ...(onlyIfAbsent ? { "if-none-match": "*" } : {}),
    });
    if (request === null) return false;
    const isNews = !lease && !onlyIfAbsent; // then what was there before is out of date
    if (entry.body.length > this.#service.maxBytes) {
      this.#service.report(`a value of more than ${this.#service.maxBytes} bytes is not cached`, { detail: label });
      if (isNews) await this.forget(label);
      return false;
    }
    // Never sent twice: the second could come after a clear that the first came before.
    const answer = await this.#service.ask({ ...request, body: entry.body });
    if (answer?.status === 201 || answer?.status === 204) return answer.headers["x-cache-enabled"] !== "false";
    if (answer !== null && answer.status !== 412) this.#unexpected(answer, request);
    if (isNews) await this.#forgetOlder(label, answer);
    return false;
  }

  // What was there before a value that was not stored. One that may still be on its way is waited for.
  async #forgetOlder(label, answer) {
    if (answer === null) this.#service.owe(this.#forgetting(label));
    else await this.forget(label);
  }

  // What is cached, or else what fill() gives, which is cached then. Calls of one process for one label at
  // the same time are joined, and one of many is sent to fill it anew shortly before it ends.
  async remember(label, options, fill) {
    optionsIn(options, REMEMBER);
    typedOf("fill", fill ?? null, "function");
    return this.#flights.run(label, () => this.#remember(label, options, fill));
  }

  async #remember(label, { ttl, models, waitMs = this.#waitMs } = {}, fill) {
    ttlOf(ttl, models);
    const found = await this.read(label, { models, waitMs });
    if (found.isHit) {
      if (found.lease !== null) void this.#refresh(label, { ttl, models, lease: found.lease }, fill);
      return found.value;
    }
    // Without a lease nobody knows whether the value is older than a clear.
    if (found.lease === null) return this.#filled(label, fill, () => {});
    let isKept = false;
    try {
      return await this.#filled(label, fill, async (entry) => {
        isKept = await this.#put(label, entry, { ttl, models, lease: found.lease });
      });
    } finally {
      this.#note(label, isKept);
    }
  }

  // What fill() gives, the same as of a hit.
  async #filled(label, fill, keep) {
    const value = await fill();
    const entry = this.#entryOf(label, value);
    if (entry === null) return value;
    await keep(entry);
    return decode(entry.type, entry.body);
  }

  async #refresh(label, options, fill) {
    try {
      const entry = this.#entryOf(label, await fill());
      if (entry !== null) await this.#put(label, entry, options);
    } catch (cause) {
      this.#service.report("an early refresh failed; the value there is still good", { detail: label, cause });
    }
  }

  #entryOf(label, value) {
    const entry = encode(value);
    if (entry === null && value !== undefined) this.#service.report("a value that is no JSON is not cached", { detail: label });
    return entry;
  }

  // Whether there was something; null while the service is away, and then it is done later.
  async forget(label) {
    const clear = this.#forgetting(label);
    return clear === null ? false : this.#service.clear(clear);
  }

  #forgetting(label) {
    const request = this.#request("DELETE", label);
    if (request === null) return null;
    const read = ({ status, body }) => (status === 200 ? booleanIn(body, "deleted") : undefined);
    return { ...clearBy(request, read), whole: this.#clearing() };
  }

  // The counter's new value, or null where it was not counted, or nobody knows. A bigint beyond 2^53.
  async increment(label, by = 1, options) {
    const { ttl } = optionsIn(options, ["ttl"]);
    if (typeof by !== "bigint" && !Number.isSafeInteger(by)) throw new TypeError(`by is a whole number, not ${shown(by)}`);
    const request = this.#request("POST", label, {}, JSON_TYPE, "/increment");
    if (request === null) return null;
    const life = wholeOf("ttl", ttl) === undefined ? "" : `,"ttl":${ttl}`;
    const body = Buffer.from(`{"by":${by}${life}}`);
    request.headers["content-length"] = body.length;
    const answer = await this.#service.ask({ ...request, body });
    if (answer === null) return null;
    const value = answer.status === 200 ? integerIn(answer.body.toString(), "value") : undefined;
    if (value === undefined) this.#unexpected(answer, request);
    return value ?? null;
  }

  // Makes every entry of the model out of date: the model's new generation, or null. Of several models:
  // clears().model(names).send().
  async clearModel(model) {
    const [name, ...more] = modelsToClear(model);
    if (more.length > 0) throw new TypeError("clearModel() clears one model; clears().model(names).send() clears several");
    const path = `/api/v1/models/${encodeURIComponent(name)}${queryOf({ namespace: this.#namespace })}`;
    return this.#service.clear({ ...clearBy(this.#send("DELETE", path), generationIn), whole: this.#clearing() });
  }

  // Makes every entry of the namespace out of date: its new generation, or null. With a pattern (a glob over
  // labels) a job takes them away, one by one: what the service says of the job, or null.
  async clear(...what) {
    if (what.length === 0) return this.#service.clear(this.#clearing());
    const pattern = patternIn(what[0]);
    if (hasHalves(pattern)) {
      this.#service.report("no label matches what UTF-8 cannot hold", { detail: JSON.stringify(pattern) });
      return null;
    }
    const request = this.#send("DELETE", `${ENTRIES}${queryOf({ pattern, namespace: this.#namespace })}`);
    const answer = await this.#service.ask(request);
    return this.#jobIn(answer, 202, request);
  }

  // How far the job is that clear() with a pattern began: { state, progress } and more, or null.
  async job(id) {
    const request = this.#send("GET", `/api/v1/jobs/${encodeURIComponent(String(id))}`);
    return this.#jobIn(await this.#service.ask({ ...request, mayRepeat: true }), 200, request);
  }

  #jobIn(answer, status, request) {
    const job = answer?.status === status ? objectIn(answer.body) : {};
    if (job.id !== undefined) return job;
    if (answer !== null) this.#unexpected(answer, request);
    return null;
  }

  #clearing() {
    return clearBy(this.#send("DELETE", ENTRIES + queryOf({ namespace: this.#namespace })), generationIn);
  }

  // null where the label can be none.
  #request(method, label, query = {}, headers = {}, suffix = "") {
    const segment = segmentOf(label);
    if (segment === null) {
      this.#service.report("what cannot be a label is not cached", { detail: JSON.stringify(label) });
      return null;
    }
    return this.#send(method, `${ENTRIES}/${segment}${suffix}${queryOf({ ...query, namespace: this.#namespace })}`, headers);
  }

  #send(method, path, headers = {}) {
    return { method, path, headers: { ...this.#credential, ...headers } };
  }

  #unexpected(answer, request) {
    this.#service.report(`${answer.status}, which was not expected; going on without it`, { detail: refusalOf(request, answer) });
  }
}

const miss = (lease = null) => ({ isHit: false, value: undefined, lease, isRefresh: false });

const secondsIn = (text) => (/^[0-9]{1,15}$/.test(text) ? Number(text) : undefined);

function leaseIn(headers) {
  const lease = headers["x-cache-lease"];
  return typeof lease === "string" && lease.length <= MAX_LEASE && /^[\w.~=-]+$/.test(lease) ? lease : null;
}

// To clear twice does no harm.
function clearBy(request, read) {
  return { name: JSON.stringify([request.path, request.headers]), request: { ...request, mayRepeat: true }, read };
}

const generationIn = ({ status, body }) => (status === 200 ? integerIn(body.toString(), "generation") : undefined);

function booleanIn(body, member) {
  const value = objectIn(body)[member];
  return typeof value === "boolean" ? value : undefined;
}
