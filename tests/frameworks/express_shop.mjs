// A shop in Express that uses docs/snippets/cachewarden_express.mjs as that says; see http/test_frameworks.c, which
// puts both where the package is installed.

import { createRequire } from "node:module";

import { orders } from "./cachewarden_express.mjs";

const express = createRequire(import.meta.url)("express"); // by NODE_PATH
const app = express();
let written = 0;

const readOrders = async () => written;
const addOrder = (req, res) => {
  written++;
  res.status(201).end();
};
orders(app, { readOrders, addOrder }, { timeoutMs: Number(process.env.SHOP_TIMEOUT_MS) });
app.post("/refused", (req, res) => res.status(409).end());
const server = app.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
