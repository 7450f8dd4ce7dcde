// The package as npm packs it: what is in it, and that it is found, in JavaScript and in TypeScript, where it was
// installed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
let folder;
let tarball;

const run = (program, ...arguments_) => execFileSync(program, arguments_, { cwd: folder, encoding: "utf8" });

before(() => {
  folder = mkdtempSync(join(tmpdir(), "cachewarden-"));
  tarball = run(join(HERE, "install.sh"), folder).trim();
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("it has the library, its types, a page and nothing else", () => {
  const files = run("tar", "-tzf", tarball).trim().split("\n");
  const library = readdirSync(join(HERE, "../../../clients/node/lib")).map((file) => `package/lib/${file}`);
  assert.deepEqual(files.sort(), ["package/README.md", "package/package.json", ...library].sort());
  for (const name of ["index", "express", "mongoose"]) assert.ok(files.includes(`package/lib/${name}.d.ts`));
});

test("it brings nothing along", () => {
  assert.deepEqual(readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith(".")), ["cachewarden"]);
});

test("it is imported by its names", () => {
  writeFileSync(
    join(folder, "app.mjs"),
    `import { Cachewarden, credentialOf } from "cachewarden";
     import { cacheAPIResponse, cachewarden, clearsModel } from "cachewarden/express";
     import { cachePlugin } from "cachewarden/mongoose";
     const client = new Cachewarden({ url: "http://127.0.0.1:1" });
     for (const one of [credentialOf, cacheAPIResponse, clearsModel]) if (typeof one !== "function") throw one;
     cachewarden({ client });
     cachePlugin(client);
     client.close();
     console.log("found");`,
  );
  assert.equal(run("node", "app.mjs"), "found\n");
});

test("CommonJS imports it, too", () => {
  writeFileSync(join(folder, "app.cjs"), 'import("cachewarden").then(({ View }) => console.log(new View("7", "5").key("a")));');
  assert.equal(run("node", "app.cjs"), "user:7:5:a\n");
});

test("its types say what it does", () => {
  writeFileSync(
    join(folder, "app.mts"),
    `import { Cachewarden, type View } from "cachewarden";
     import { cacheAPIResponse, cachewarden } from "cachewarden/express";
     import { cachePlugin } from "cachewarden/mongoose";
     const client = new Cachewarden({ url: "http://127.0.0.1:1", apiKey: "k", report: ({ isClear }) => isClear });
     const view: View = await client.check({ cookie: "a=b" });
     const key: string | null = view.key("a");
     const value: number = await client.remember("a", { ttl: 60, models: ["Product"] }, async () => 7);
     const text: string | undefined = await client.get<string>("a");
     const count: number | bigint | null = await client.increment("n", 1n, { ttl: 60 });
     const versions: Map<string, number | bigint> = await client.clears().user(7).model("Product").send();
     const job: string | undefined = (await client.clear({ pattern: "a*" }))?.state;
     cachewarden({ client }); cacheAPIResponse(3600, { shared: true });
     cachePlugin(client);
     export { count, job, key, text, value, versions };
     // @ts-expect-error
     await client.get(7);
     // @ts-expect-error
     cacheAPIResponse("3600");`,
  );
  run("tsc", "--strict", "--noEmit", "--target", "es2022", "--module", "node16", "--moduleResolution", "node16", "app.mts");
});
