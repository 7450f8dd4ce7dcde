// Cachewarden in Express: a view for each request, clears after each write, and cached answers.
//
//   app.use(cachewarden({ url, apiKey }));
//   app.get("/products", cacheAPIResponse(3600, { shared: true, models: ["Product"] }), listProducts);
//   app.post("/products", clearsModel("Product"), addProduct);
//   app.get("/orders", async (req, res) => res.json(await req.cached("orders", readOrders)));

import { Cachewarden, OPTIONS } from "./cachewarden.js";
import { cacheAnswers, digestOf } from "./express_answers.js";
import { Local } from "./local.js";
import { modelsToClear, optionsIn, typedOf } from "./values.js";

const SAFE = ["GET", "HEAD", "OPTIONS", "TRACE"];

// options: those of a Cachewarden, or { client }, and clearsAfterWrites (true). Gives each request a view, cached()
// in the memory of this process, remember() in the cache service, clears, and the client as cachewarden.
export function cachewarden(options) {
  const { client, clearsAfterWrites } = clientIn(options);
  const local = new Local();

  return async function (req, res, next) {
    req.cachewarden = client;
    req.clears = client.clears();
    req.view = await client.check(req.headers);
    // make(), or what it gave when it was last called for this user, version, path and query (?page=2); for nobody
    // always make().
    const kept = async (name, make, keep) => {
      const label = req.view.key(`${name}:${pageOf(req)}`);
      return label === null ? make() : keep(label);
    };
    req.cached = (name, make) => kept(name, make, (label) => local.remember(label, make));
    req.remember = (name, given, make) => kept(name, make, (label) => client.remember(label, given, make));
    tell(res, req.view);
    const clearsOwn = clearsAfterWrites && !SAFE.includes(req.method);
    holdEnd(res, () => sendClears(req, res, clearsOwn));
    next();
  };
}

function clientIn(options) {
  const { client, clearsAfterWrites = true, ...own } = optionsIn(options, ["client", "clearsAfterWrites", ...OPTIONS]);
  typedOf("client", client, "object");
  typedOf("clearsAfterWrites", clearsAfterWrites, "boolean");
  if (client === undefined) return { client: new Cachewarden(own), clearsAfterWrites };
  optionsIn(options, ["client", "clearsAfterWrites"]);
  return { client, clearsAfterWrites };
}

// cacheAPIResponse(3600) in front of a handler: see express_answers.js.
export const cacheAPIResponse = cacheAnswers;

// In front of a handler that writes: when it went well, what is cached of these models is out of date.
export function clearsModel(...models) {
  const names = modelsToClear(models.flat());
  return function (req, _res, next) {
    req.clears.model(names);
    next();
  };
}

// A label has 512 bytes, and a query may have more.
const pageOf = ({ originalUrl }) => (originalUrl.length <= 256 ? originalUrl : digestOf(originalUrl));

function tell(res, view) {
  if (res.headersSent) return;
  for (const name of ["X-Cache-Enabled", "X-Cache-Version", "X-User-Id"]) res.removeHeader(name);
  for (const [name, value] of Object.entries(view.headers)) res.setHeader(name, value);
}

// The answer ends when before() is done.
function holdEnd(res, before) {
  const end = res.end;
  res.end = (...args) => {
    res.end = () => res; // once
    const finish = () => {
      res.end = end;
      res.end(...args);
    };
    before().then(finish, finish);
    return res;
  };
}

async function sendClears(req, res, clearsOwn) {
  if (res.statusCode >= 400) return;
  if (clearsOwn) {
    if (req.view.userId !== null) req.clears.user(req.view.userId);
    else if (!req.view.isAnonymous) req.view = await req.cachewarden.clearCaller(req.headers);
  }
  const { users } = req.clears;
  const versions = await req.clears.send();
  if (users.includes(req.view.userId)) req.view = req.view.after(versions.get(req.view.userId) ?? null);
  tell(res, req.view);
}
