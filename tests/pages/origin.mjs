// An application behind the gateway: the pages, and answers that tell how often they were made.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join } from "node:path";

const ROOT = new URL("../../", import.meta.url);
const MODULES = new URL("tests/frameworks/node_modules/", ROOT);
const TYPES = { ".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript" };

// The page of docs/gateway.md: its only piece of JavaScript.
async function example() {
  const [, script] = /```js\n([^]*?)```/.exec(await readFile(new URL("docs/gateway.md", ROOT), "utf8"));
  return `<!doctype html><p id="orders"></p><script type="module">${script}\nglobalThis.ready = true;</script>`;
}

// RxJS has one file for browsers, which is no module.
async function rxjs() {
  const names = Object.keys(createRequire(MODULES)("rxjs"));
  const text = await readFile(new URL("rxjs/dist/bundles/rxjs.umd.min.js", MODULES), "utf8");
  return `const module = {};\n(function () {\n${text}\n}).call(module);\nexport const { ${names} } = module.rxjs;\n`;
}

// Its type, and what is in it.
async function fileOf(name, built) {
  if (name === "example") return [TYPES[".html"], await example()];
  if (name === "rxjs.mjs") return [TYPES[".mjs"], await rxjs()];
  const type = TYPES[extname(name)];
  if (name.endsWith(".js")) return [type, await readFile(join(built, "docs/snippets", name))];
  if (name.endsWith(".html")) return [type, await readFile(new URL(name, import.meta.url))];
  return [type, await readFile(name.startsWith("@") ? new URL(name, MODULES) : new URL(`docs/snippets/${name}`, ROOT))];
}

export class Origin {
  #made = 0;
  #built;
  #said = new Map();
  #held = new Map();
  #server = createServer((request, response) => {
    this.#serve(request, response).catch((error) => response.destroy(error));
  });

  // `built`: the folder of what was compiled.
  async open(path, built) {
    this.#built = built;
    await new Promise((resolve) => this.#server.listen(path, resolve));
    return this;
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  reset() {
    this.#said.clear();
    this.#held.clear();
  }

  // How that path is answered: { status, headers, body }; by default 200, for an hour, with a number and the user.
  say(path, answer) {
    this.#said.set(path, answer);
  }

  // The next answer to that path waits for `release()`; `asked` is fulfilled when it was asked for, with the fields.
  hold(path) {
    const held = {};
    held.asked = new Promise((resolve) => (held.ask = resolve));
    held.released = new Promise((resolve) => (held.release = resolve));
    this.#held.set(path, held);
    return held;
  }

  async #serve(request, response) {
    const { pathname } = new URL(request.url, "http://origin");
    if (pathname.startsWith("/page/")) return this.#page(pathname, response);
    const held = this.#held.get(pathname);
    this.#held.delete(pathname);
    const number = ++this.#made;
    held?.ask(request.headers);
    await held?.released;
    const { status = 200, headers = {}, body } = this.#said.get(pathname) ?? {};
    const text = body ?? JSON.stringify({ number, user: request.headers["x-user-id"] ?? null });
    response.writeHead(status, { "Cache-Control": "max-age=3600", "Content-Type": "application/json", ...headers });
    response.end(request.method === "HEAD" ? undefined : text);
  }

  async #page(path, response) {
    const name = path.slice("/page/".length) || "page.html";
    const [type, text] = await fileOf(name, this.#built);
    response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store" }).end(text);
  }
}
