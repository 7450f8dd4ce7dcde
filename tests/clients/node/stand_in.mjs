// A server in the place of Cachewarden, with the routes that clients ask: entries, models, checks and clears, in
// memory. A test may answer a request in its own way (answer), and sees what was asked (asked).

import { once } from "node:events";
import http from "node:http";
import https from "node:https";

export const KEY = "cw_stand_in";

export class StandIn {
  // Called with (request, response) before everything else; true: it was answered, or never will be.
  answer = null;
  asked = [];
  connections = 0;
  entries = new Map();
  models = new Map();
  clears = 0;
  epoch = 0;
  users = new Map(); // by token or cookie: { id, clears, isOff }
  waiting = new Map();

  // tls: { key, cert } for https.
  async open(port = 0, tls = null) {
    const take = (request, response) => this.#take(request, response);
    this.server = tls ? https.createServer(tls, take) : http.createServer({ keepAliveTimeout: 0 }, take);
    this.server.on("connection", () => this.connections++);
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = this.server.address().port;
    this.url = `${tls ? "https" : "http"}://127.0.0.1:${this.port}`;
    return this;
  }

  async close() {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }

  // How often something like "GET /api/v1/entries/a" was asked.
  count(what) {
    return this.asked.filter((asked) => asked.startsWith(what)).length;
  }

  async #take(request, response) {
    this.asked.push(`${request.method} ${request.url}`);
    if (this.answer?.(request, response)) return;
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const [path, query] = request.url.split("?");
    const reply = await this.#reply(request, path.replace(/\/$/, ""), new URLSearchParams(query), body);
    const { status, headers = {}, body: text = "" } = reply;
    const isEmpty = request.method === "HEAD" || status === 204;
    response.writeHead(status, { ...headers, ...(status === 204 ? {} : { "content-length": Buffer.byteLength(text) }) });
    response.end(isEmpty ? undefined : text);
  }

  #reply(request, path, query, body) {
    const { method, headers } = request;
    if (path === "/api/cache/check") return this.#check(headers);
    if (path === "/api/server-management/clear-cache") return this.#clearUser(query.get("user_id"));
    if (headers["x-api-key"] !== KEY) return json(401, { detail: "Authentication credentials were not provided." });
    if (path.startsWith("/api/v1/models/")) return this.#clearModel(decodeURIComponent(path.slice(15)));
    if (path === "/api/v1/entries" && query.has("pattern")) return json(202, { id: "1", state: "running" });
    if (path === "/api/v1/entries") return json(200, { cleared: true, generation: ++this.clears + 1 });
    const [, label, verb] = path.match(/^\/api\/v1\/entries\/([^/]+)(\/increment)?$/) ?? [];
    if (label === undefined) return json(404, { detail: "Not found." });
    const name = decodeURIComponent(label);
    if (verb) return this.#increment(name, JSON.parse(body));
    if (method === "PUT") return this.#put(name, query, headers, body);
    if (method === "DELETE") return json(200, { deleted: this.entries.delete(name) });
    return this.#get(name, query);
  }

  #check({ authorization, cookie, "x-api-key": key }) {
    const user = this.users.get(authorization ?? key ?? cookie);
    if (!user) return json(401, { detail: "Authentication credentials were not provided." });
    const headers = { "X-User-Id": String(user.id), "X-Cache-Enabled": String(!user.isOff) };
    if (!user.isOff) headers["X-Cache-Version"] = String(1 + user.clears + this.epoch);
    return { status: 204, headers };
  }

  #clearUser(id) {
    if (id === null) {
      this.epoch++;
      return json(200, { ok: true, message: "Cache cleared" });
    }
    let clears = 0;
    for (const user of this.users.values()) if (String(user.id) === id) clears = ++user.clears;
    return json(200, { ok: true, message: `Cache cleared for user ${id}`, user_id: Number(id), new_version: 1 + clears + this.epoch });
  }

  #clearModel(model) {
    this.models.set(model, (this.models.get(model) ?? 0) + 1);
    return json(200, { model, cleared: true, generation: this.models.get(model) + 1 });
  }

  // What an entry must have been filled under to be served now.
  #numbers(models) {
    return JSON.stringify([this.clears, this.epoch, models.map((model) => [model, this.models.get(model) ?? 0])]);
  }

  #servable(name) {
    const entry = this.entries.get(name);
    return entry && entry.numbers === this.#numbers(entry.models) ? entry : undefined;
  }

  async #get(name, query) {
    const models = query.getAll("model");
    if (!this.#servable(name) && query.has("wait_ms")) {
      if (this.waiting.has(name)) await Promise.race([this.waiting.get(name).promise, after(query.get("wait_ms"))]);
      else this.waiting.set(name, promised());
    }
    const entry = this.#servable(name);
    const lease = Buffer.from(JSON.stringify({ models, numbers: this.#numbers(models) })).toString("base64url");
    if (!entry) return json(404, { detail: "Not found." }, { "X-Cache": "MISS", "X-Cache-Lease": lease });
    const headers = { "content-type": entry.type, "x-cache": "HIT", age: "1", "x-cache-ttl": String(entry.ttl), etag: '"1"' };
    if (entry.isOld) {
      entry.isOld = false; // one reader
      Object.assign(headers, { "x-cache-refresh": "1", "x-cache-lease": lease });
    }
    return { status: 200, headers, body: entry.body };
  }

  #put(name, query, headers, body) {
    if (headers["if-none-match"] === "*" && this.#servable(name)) return json(412, { detail: "Precondition failed." });
    const models = query.getAll("model");
    const lease = headers["x-cache-lease"] && JSON.parse(Buffer.from(headers["x-cache-lease"], "base64url"));
    const numbers = lease ? lease.numbers : this.#numbers(models);
    const isNew = !this.#servable(name);
    this.entries.set(name, { body, type: headers["content-type"], models, numbers, ttl: Number(query.get("ttl") ?? 3600) });
    this.waiting.get(name)?.resolve();
    this.waiting.delete(name);
    return isNew ? { status: 201 } : { status: 204 };
  }

  #increment(name, { by }) {
    const entry = this.#servable(name);
    if (entry && !/^-?[0-9]+$/.test(entry.body)) return json(409, { detail: "Not a counter." });
    const value = BigInt(entry?.body.toString() ?? "0") + BigInt(by);
    this.entries.set(name, { body: Buffer.from(String(value)), type: "text/plain; charset=utf-8", models: [], numbers: this.#numbers([]) });
    return { status: 200, headers: { "content-type": "application/json" }, body: `{"value":${value}}` };
  }
}

const after = (ms) => new Promise((resolve) => setTimeout(resolve, Number(ms)).unref());

export function promised() {
  let resolve;
  const promise = new Promise((take) => (resolve = take));
  return { promise, resolve };
}

function json(status, value, headers = {}) {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) };
}
