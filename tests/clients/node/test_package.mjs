// The package as npm packs it: what is in it, and that it is found, in JavaScript and in TypeScript, where it was
// installed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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

function writeApplication() {
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
}

// As much of Express, Mongoose and Node as their types say to the lines of the page.
const SURROUNDINGS = `
  declare global { namespace Express { interface Request { headers: { [name: string]: string | undefined } } } }
  declare const process: { env: { [name: string]: string | undefined } };
  type Handler = (req: Express.Request, res: { json(value: unknown): void }, next: (error?: unknown) => void) => unknown;
  declare const app: { use(handler: Handler): void; get(path: string, ...handlers: Handler[]): void; post(path: string, ...handlers: Handler[]): void };
  declare const listProducts: Handler, addProduct: Handler, _id: string;
  interface Bouquet { category: string; price: number }
  declare function readBouquets(): Promise<Bouquet[]>;
  declare function readOrders(): Promise<number[]>;
  declare namespace mongoose {
    interface Query<Result> extends Promise<Result> { limit(most: number): this }
    interface Model<Document, Helpers> { find(filter: object): Query<Document[]> & Helpers; updateOne(filter: object, update: object): Query<number> & Helpers }
    class Schema<Document, AModel, Methods, Helpers> { constructor(fields: object); of: [Document, AModel, Methods, Helpers] }
    function plugin(plugin: (schema: any) => void): void;
    function model<Document, AModel>(name: string, schema: Schema<Document, AModel, any, any>): AModel;
  }
`;

function writePage() {
  const page = readFileSync(join(HERE, "../../../docs/clients.md"), "utf8").split("\n## Node\n")[1];
  const parts = [...page.matchAll(/^ *```(js|ts)\n(.*?)^ *```/gms)].map(([, language, lines]) => ({ language, lines }));
  assert.deepEqual(parts.map(({ language }) => language), ["js", "js", "js", "ts"]);
  const [cache, express, mongoose, schema] = parts.map(({ lines }) => lines);
  const uses = "app.get('/', (req) => { const key: string | null = req.view.key('a'); return [key, bouquets, products[0]?.price.toFixed()]; });";
  writeFileSync(join(folder, "page.mts"), [cache, express, schema, mongoose, SURROUNDINGS, uses].join("\n"));
}

// One run for both: most of it goes into the types of the language.
test("its types say what it does, and the lines of the page are TypeScript, too", () => {
  writeApplication();
  writePage();
  const how = ["--strict", "--noEmit", "--skipDefaultLibCheck", "--target", "es2022"];
  run("tsc", ...how, "--module", "node16", "--moduleResolution", "node16", "app.mts", "page.mts");
});
