// What is asked of the service, and never fails: an answer, or null while there is none. Clears that were
// not heard are owed: until they are made, nothing is read from the cache.

import { Breaker } from "./breaker.js";
import { Connection } from "./connection.js";
import { reporter } from "./reporter.js";
import { Unkept } from "./unkept.js";
import { millisecondsOf, refusalOf, typedOf, wholeOf } from "./values.js";

// Of more than that, each becomes a clear of all it is a part of.
const MAX_OWED = 1000;

export class Service {
  #connection;
  #breaker;
  #timeoutMs;
  #pauseMs;
  #maxBytes;
  #owed = new Map();
  #clears = 0;
  #isClearingOwed = false;
  #clearOwedFrom = 0;
  #timer;
  // Labels of entries, each with whose it is.
  unkept = new Unkept();

  constructor({ url, timeoutMs = 500, pauseMs = 1000, maxBytes = 8 << 20, connections, tls, report }) {
    this.#timeoutMs = millisecondsOf("timeoutMs", timeoutMs);
    this.#pauseMs = millisecondsOf("pauseMs", pauseMs);
    this.#maxBytes = wholeOf("maxBytes", maxBytes);
    this.#connection = new Connection({ url, connections, tls });
    this.#breaker = new Breaker(pauseMs);
    this.report = reporter(typedOf("report", report, "function"));
  }

  get maxBytes() {
    return this.#maxBytes;
  }

  close() {
    clearTimeout(this.#timer);
    this.#connection.close();
  }

  // request: { method, path, headers, body, mayRepeat, extraMs }.
  async ask(request) {
    if (this.#owed.size === 0) return this.#call(request);
    void this.#clearOwed();
    return null;
  }

  // clear: { name, request, read, whole }. read() finds the result in an answer, or undefined where that says
  // nothing of a clear; whole is the clear of all that this one is a part of. null: it was not made.
  async clear(clear) {
    const number = ++this.#clears;
    const answer = await this.#call(clear.request);
    const result = answer === null ? undefined : clear.read(answer);
    if (result !== undefined) {
      // One that was owed since is still to be made.
      if (this.#owed.get(clear.name)?.number < number) this.#owed.delete(clear.name);
      return result;
    }
    if (isRefused(answer)) {
      this.#reportRefused(answer, clear.request);
    } else {
      this.#owe(clear, answer);
      this.report("a clear was not heard. It is tried again, and nothing is cached meanwhile", { isClear: true });
    }
    return null;
  }

  // Without trying it first.
  owe(clear) {
    this.#owe(clear, null);
  }

  async #call({ extraMs = 0, ...request }) {
    const admission = this.#breaker.admit();
    if (admission === null) return null;
    try {
      const limits = { timeoutMs: this.#timeoutMs + extraMs, maxBytes: this.#maxBytes };
      const answer = await this.#connection.call({ ...request, ...limits });
      this.#breaker.record(admission, true);
      if (admission.isProbe) this.report("there are answers again");
      return answer;
    } catch (error) {
      this.#breaker.record(admission, false);
      this.report(`${error.message}; going on without a cache`, { cause: error });
      return null;
    }
  }

  // ---- what is owed ----

  #owe(clear, answer) {
    this.#owed.delete(clear.name);
    this.#owed.set(clear.name, { ...clear, number: ++this.#clears });
    if (this.#owed.size > MAX_OWED) {
      const number = this.#clears;
      const wholes = [...this.#owed.values()].map((debt) => ({ ...(debt.whole ?? debt), number }));
      this.#owed = new Map(wholes.map((debt) => [debt.name, debt]));
    }
    this.#clearOwedLater(answer);
  }

  // After what a limit says, or a pause.
  #clearOwedLater(answer) {
    const waitMs = answer?.status === 429 ? secondsIn(answer.headers["retry-after"]) * 1000 : 0;
    this.#clearOwedFrom = performance.now() + waitMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#clearOwed(), Math.max(waitMs, this.#pauseMs));
    this.#timer.unref();
  }

  async #clearOwed() {
    if (this.#isClearingOwed || performance.now() < this.#clearOwedFrom) return;
    this.#isClearingOwed = true;
    let answer = null;
    for (const debt of [...this.#owed.values()]) {
      answer = await this.#call(debt.request);
      const isMade = answer !== null && debt.read(answer) !== undefined;
      if (!isMade && !isRefused(answer)) break;
      if (!isMade) this.#reportRefused(answer, debt.request);
      if (this.#owed.get(debt.name) === debt) this.#owed.delete(debt.name);
    }
    this.#isClearingOwed = false;
    if (this.#owed.size > 0) this.#clearOwedLater(answer);
  }

  #reportRefused(answer, request) {
    this.report(`${answer.status} for a clear: nothing was cleared`, { detail: refusalOf(request, answer), isClear: true });
  }
}

// Of a Retry-After; a minute at most, so that no answer stops it for good.
const secondsIn = (text) => (/^[0-9]{1,9}$/.test(text) ? Math.min(Number(text), 60) : 0);

// The service heard it, and will say the same the next time.
export const isRefused = (answer) => answer !== null && answer.status >= 400 && answer.status < 500 && answer.status !== 429;
