// Requests to the service over connections that are kept, and answers that are whole, or an Unavailable.

import http from "node:http";
import https from "node:https";

import { shown, typedOf, wholeOf } from "./values.js";

// No answer, or none that can be trusted to be one of the service's.
export class Unavailable extends Error {
  constructor(message, cause) {
    super(message, { cause });
    this.name = "Unavailable";
  }
}

// An idle connection is closed before the service closes it (after 75 s, unless it is set otherwise).
const IDLE_MS = 30_000;
// A timer that fires this late says that this process stood still, not that the service did.
const LATE_MS = 50;

export class Connection {
  #base;
  #agent;
  #send;

  // tls: what node:tls takes, such as { ca }.
  constructor({ url, connections = 64, tls = {} }) {
    const base = addressOf(url);
    const { Agent, request } = base.protocol === "https:" ? https : http;
    // A name may have an address of IPv6 where nobody listens, before the one that is meant: localhost has.
    const maxSockets = wholeOf("connections", connections);
    const security = typedOf("tls", tls, "object");
    this.#agent = new Agent({ keepAlive: true, maxSockets, timeout: IDLE_MS, autoSelectFamily: true, ...security });
    this.#send = request;
    this.#base = {
      hostname: base.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: base.port,
      path: base.pathname.replace(/\/$/, ""),
    };
  }

  close() {
    this.#agent.destroy();
  }

  // { status, headers, body }. A call that mayRepeat is made again when the service had closed the kept
  // connection it was sent on, and never otherwise.
  async call(call) {
    const deadline = performance.now() + call.timeoutMs;
    for (;;) {
      const leftMs = Math.max(1, deadline - performance.now());
      try {
        return await this.#once(call, leftMs);
      } catch (error) {
        if (!(call.mayRepeat && error.wasStale && performance.now() < deadline)) throw error;
      }
    }
  }

  #once(call, leftMs) {
    return new Promise((resolve, reject) => {
      let isOver = false;
      let hasAnswered = false;
      const finish = (settle, value) => {
        isOver = true;
        stopTimer();
        settle(value);
      };
      const fail = (message, cause) => {
        if (isOver) return;
        const error = new Unavailable(message, cause);
        error.wasStale = request.reusedSocket && !hasAnswered && isClosing(cause);
        finish(reject, error);
        request.destroy();
      };
      const request = this.#send({
        agent: this.#agent,
        hostname: this.#base.hostname,
        port: this.#base.port,
        path: this.#base.path + call.path,
        method: call.method,
        headers: { "accept-encoding": "identity", ...call.headers },
      });
      const stopTimer = patiently(leftMs, () => fail(`no answer within ${call.timeoutMs} ms`));
      request.on("error", (error) => fail(error.message, error));
      request.on("close", () => hasAnswered || fail("the connection was closed"));
      request.on("upgrade", (_response, socket) => {
        socket.destroy();
        fail("an answer in another protocol");
      });
      request.on("response", (response) => {
        hasAnswered = true;
        collect(response, call, fail, (answer) => isOver || finish(resolve, answer));
      });
      request.end(call.body);
    });
  }
}

function addressOf(url) {
  const example = 'such as "http://127.0.0.1:8000"';
  let base;
  try {
    base = new URL(url);
  } catch {
    throw new TypeError(`url is the address of Cachewarden, ${example}, not ${shown(url)}`);
  }
  if (!/^https?:$/.test(base.protocol)) throw new TypeError(`url is an http or https address, ${example}, not ${shown(url)}`);
  // There may be a password in it.
  if (base.username || base.password || base.search || base.hash)
    throw new TypeError(`url has a host, a port and a path alone, ${example}: no user, no ?query and no #fragment`);
  return base;
}

const isClosing = (error) => error?.code === "ECONNRESET" || error?.code === "EPIPE";

// Calls then() after ms, when what has arrived by then was read; as much later as this process stood still
// meanwhile. Returns what stops it.
function patiently(ms, then) {
  const due = performance.now() + ms;
  let timer = setTimeout(() => {
    const lateMs = performance.now() - due;
    if (lateMs > LATE_MS) timer = setTimeout(setImmediate, Math.min(lateMs, ms), then);
    else setImmediate(then);
  }, ms);
  return () => clearTimeout(timer);
}

function collect(response, { method, maxBytes }, fail, done) {
  const { statusCode: status, headers } = response;
  const chunks = [];
  let length = 0;
  const hasNoBody = method === "HEAD" || status === 204 || status === 304;
  response.on("data", (chunk) => {
    length += chunk.length;
    if (length > maxBytes) fail(`an answer of more than ${maxBytes} bytes`);
    else chunks.push(chunk);
  });
  // Of an answer that was cut short; it has no end.
  response.on("error", (error) => fail("an answer that was cut short", error));
  response.on("close", () => fail("an answer that was cut short"));
  response.on("end", () => {
    if (!hasNoBody && !("content-length" in headers) && !("transfer-encoding" in headers))
      fail("an answer that does not say how long it is");
    else if (![undefined, "identity"].includes(headers["content-encoding"])) fail("an answer that is encoded");
    else done({ status, headers, body: Buffer.concat(chunks) });
  });
}
