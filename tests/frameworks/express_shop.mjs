// A shop in Express that uses docs/snippets/cachewarden_express.mjs as that says; see http/test_frameworks.c, which
// puts both where the package is installed.

import { createRequire } from "node:module";

import { cacheAPIResponse, clearsModel } from "cachewarden/express";

import { orders } from "./cachewarden_express.mjs";

const express = createRequire(import.meta.url)("express"); // by NODE_PATH
const app = express();
let written = 0;
let made = 0;

const readOrders = async () => written;
const addOrder = (req, res) => {
  written++;
  res.status(201).end();
};
const { CACHEWARDEN_ENTRIES_KEY: entriesKey, SHOP_TIMEOUT_MS } = process.env;
orders(app, { readOrders, addOrder }, { entriesKey, timeoutMs: Number(SHOP_TIMEOUT_MS) });
// How many summaries were made; and orders that came from elsewhere.
app.get("/summary", cacheAPIResponse(600, { models: ["Order"] }), (req, res) => res.send(String(++made)));
app.post("/imports", clearsModel("Order"), (req, res) => res.status(201).end());
app.post("/refused", (req, res) => res.status(409).end());
const server = app.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
