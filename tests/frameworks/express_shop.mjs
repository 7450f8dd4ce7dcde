// A shop in Express that uses docs/snippets/cachewarden_express.mjs as that says; see http/test_frameworks.c.

import { createRequire } from "node:module";

import { cached, cachewarden } from "../../docs/snippets/cachewarden_express.mjs";

const express = createRequire(import.meta.url)("express"); // by NODE_PATH
const app = express();
let written = 0;

app.use(cachewarden(process.env.CACHEWARDEN_URL, process.env.CACHEWARDEN_KEY));
app.get("/orders", async (req, res) => res.json(await cached(req, "orders", async () => written)));
app.post("/orders", (req, res) => {
  written++;
  res.status(201).end();
});
app.post("/refused", (req, res) => res.status(409).end());
const server = app.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
