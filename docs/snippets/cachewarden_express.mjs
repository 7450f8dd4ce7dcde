// Cachewarden in Express, with the package clients/node (docs/clients.md): each request has a view, and a write that
// went well makes its user's view out of date. The key: cachewarden key create shop --scope admin

import { cachewarden } from "cachewarden/express";

const { CACHEWARDEN_URL: url, CACHEWARDEN_KEY: apiKey } = process.env;

export function orders(app, { readOrders, addOrder }, options) {
  app.use(cachewarden({ url, apiKey, ...options }));
  app.get("/orders", async (req, res) => res.json(await req.cached("orders", readOrders)));
  app.post("/orders", addOrder);
}
