// Cachewarden in Express: req.view for each request, and a clear after each write that went well.
//
//   app.use(cachewarden(process.env.CACHEWARDEN_URL, process.env.CACHEWARDEN_KEY));
//   app.get("/orders", async (req, res) => res.json(await cached(req, "orders", readOrders)));
//
// The key: cachewarden key create shop --scope admin

import { check, clearUser, credentialOf, key } from "./cachewarden.mjs";

const unknown = { userId: null, version: null, isUnknown: true };
const why = (error) => error.cause?.message ?? error.message;
const reads = ["GET", "HEAD", "OPTIONS"];
const cache = new Map(); // in its place your Redis, with an expiry: nobody asks for old versions again

export function cachewarden(url, apiKey) {
  async function clear(credential) {
    const view = await check(url, credential);
    if (view.userId === null) return view;
    const version = String(await clearUser(url, apiKey, view.userId));
    return view.version === null ? view : { ...view, version };
  }

  return async function (req, res, next) {
    const credential = credentialOf(req.headers);
    const take = (view) => {
      req.view = view;
      if (!res.headersSent) tell(res, view);
    };
    try {
      take(await check(url, credential));
    } catch (error) {
      console.warn(`cachewarden: ${why(error)}; this request goes without a cache`);
      take(unknown);
    }
    if (!reads.includes(req.method)) {
      const end = res.end;
      res.end = (...args) => {
        res.end = end; // the answer waits for the clear
        (res.statusCode < 400 ? clear(credential).then(take) : Promise.resolve())
          .catch((error) => {
            console.error(`cachewarden: ${why(error)}; a user keeps an old view`);
            take(unknown);
          })
          .then(() => res.end(...args));
        return res;
      };
    }
    next();
  };
}

// What tells a page whether the copy it keeps is out of date; of nobody in particular there is none.
function tell(res, { userId, version, isUnknown }) {
  if (userId === null && !isUnknown) res.removeHeader("X-Cache-Enabled");
  else res.set("X-Cache-Enabled", String(version !== null));
  if (version === null) res.removeHeader("X-Cache-Version");
  else res.set("X-Cache-Version", version);
}

// make(), or what it gave when it was last called for this user in this version.
export async function cached(req, name, make) {
  const at = key(req.view, name);
  if (at === null) return make();
  if (!cache.has(at)) cache.set(at, await make());
  return cache.get(at);
}
