// cacheAPIResponse: answers of handlers, kept in the cache service.
//
// Kept for each user and each version of their cache, by host, path and query; with { shared: true } once for
// everybody. A request with credentials that are not Cachewarden's goes by it, and so do parts of a file.

import { createHash } from "node:crypto";

import { capture, isStorable, pack, unpack } from "./express_capture.js";
import { Flights } from "./flights.js";
import { Unkept } from "./unkept.js";
import { MAX_WAIT_MS, millisecondsOf, modelsOf, optionsIn, shown, ttlOf, typedOf, wholeOf } from "./values.js";

const OPTIONS = ["shared", "models", "vary", "maxBytes", "waitMs"];
const MAX_LABEL_BYTES = 512;
// How long others wait for the handler whose answer they want as well.
const MAX_FLIGHT_MS = 5000;
const CONDITIONS = ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since"];

// vary: names of headers of the request that make another answer. maxBytes: what is larger is not kept.
export function cacheAnswers(ttl, options) {
  const { shared = false, models, vary = [], maxBytes = 1 << 20, waitMs = 250 } = optionsIn(options, OPTIONS);
  ttlOf(ttl, modelsOf(models));
  typedOf("shared", shared, "boolean");
  wholeOf("maxBytes", maxBytes);
  millisecondsOf("waitMs", waitMs, MAX_WAIT_MS);
  if (!Array.isArray(vary) || !vary.every((name) => typeof name === "string"))
    throw new TypeError(`vary is a list of names of headers, not ${shown(vary)}`);
  const varied = vary.map((name) => name.toLowerCase());
  const flights = new Flights();
  const unkept = new Unkept();

  return async function (req, res, next) {
    const client = req.cachewarden;
    if (!client) return next(new Error("cacheAPIResponse needs app.use(cachewarden(…)) before it"));
    const label = labelOf(req, shared, varied);
    if (label === null || unkept.has(label)) return pass(res, next);

    let isFilling = false;
    const lookUp = async () => {
      // Who waits may be promised to others as the one who fills it, which a HEAD does not.
      const found = await client.read(label, { models, waitMs: req.method === "GET" ? waitMs : undefined });
      const kept = found.isHit ? unpack(found) : null;
      if (res.destroyed) return kept; // its client left meanwhile: nothing would tell that an answer has ended
      // Without a lease nobody knows whether an answer is older than a clear.
      if (found.lease === null || req.method !== "GET") return kept;
      isFilling = true;
      for (const name of CONDITIONS) delete req.headers[name]; // the whole answer is wanted
      const made = capture(res, maxBytes).then(async (answer) => {
        if (answer === null) return null; // nobody waited for its end
        if (!isStorable(answer, varied)) {
          unkept.note(label, false);
          return null;
        }
        await client.set(label, pack(answer), { ttl, models, lease: found.lease });
        return answer;
      });
      res.setHeader("X-Cache", "MISS");
      next();
      return kept ?? Promise.race([made, nothingAfter(MAX_FLIGHT_MS)]);
    };
    const answer = await (req.method === "GET" ? flights.run(label, lookUp) : lookUp()).catch(() => null);
    if (isFilling || res.headersSent || res.destroyed) return;
    if (answer === null) pass(res, next);
    else send(res, answer);
  };
}

function pass(res, next) {
  res.setHeader("X-Cache", "BYPASS");
  next();
}

function send(res, { headers, body, ageS = 0 }) {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.setHeader("X-Cache", "HIT");
  res.setHeader("Age", ageS);
  res.status(200).send(body);
}

const nothingAfter = (ms) => new Promise((resolve) => setTimeout(resolve, ms, null).unref());

// null: by the cache.
function labelOf(req, isShared, varied) {
  const { headers, method } = req;
  if ((method !== "GET" && method !== "HEAD") || headers.range !== undefined) return null;
  const isOff = req.view.version === null && !req.view.isAnonymous;
  const whose = isOff ? null : isShared ? "all" : whoseOf(req);
  if (whose === null) return null;
  const how = varied.map((name) => `\n${headers[name] ?? ""}`).join("");
  const what = `${headers.host ?? ""}${req.originalUrl}`;
  const label = `answer:${whose}:${what}${how === "" ? "" : `:${digestOf(how)}`}`;
  return Buffer.byteLength(label) <= MAX_LABEL_BYTES ? label : `answer:${whose}:${digestOf(what + how)}`;
}

// A user in a version of their cache, or anyone: but nobody knows who is behind credentials of others.
function whoseOf({ view, headers }) {
  if (view.version !== null) return `${view.userId}.${view.version}`;
  const hasCredentials = ["authorization", "cookie", "x-api-key"].some((name) => headers[name] !== undefined);
  return view.isAnonymous && !hasCredentials ? "anyone" : null;
}

export const digestOf = (text) => createHash("sha256").update(text).digest("base64url");
