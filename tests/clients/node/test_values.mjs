// A value comes back from the cache as it went in, or it is none that can be kept.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { clientOf, until } from "./client.mjs";
import { StandIn } from "./stand_in.mjs";

let standIn;
let client;

beforeEach(async () => {
  standIn = await new StandIn().open();
  client = clientOf(standIn);
});
afterEach(async () => {
  client.close();
  await standIn.close();
});

class Money {
  constructor(cents) {
    this.cents = cents;
  }
}

class Secret {
  #code = 7;
  get code() {
    return this.#code;
  }
}

const lost = {
  "a Map": new Map([[1, 2]]),
  "a Set": new Set([1]),
  "NaN in an object": { a: NaN },
  "Infinity in an array": [1, [-Infinity]],
  "undefined in an array": [1, undefined],
  "a hole in an array": [1, , 2],
  "a function in an object": { a: () => 1 },
  "a symbol in an array": [Symbol("a")],
  "numbers in bytes": new Float64Array([1.5]),
  "bytes in an object": { a: new Uint8Array([1]) },
  "a Buffer in an array": [Buffer.from("a")],
  "an ArrayBuffer": new ArrayBuffer(8),
  "a DataView": { a: new DataView(new ArrayBuffer(8)) },
  "a regular expression": { a: /a/ },
  "an error": { error: new Error("no database") },
  "an error with a code": [Object.assign(new Error("no"), { code: 7 })],
  "a promise": [Promise.resolve(1)],
  "a date that is none": { at: new Date(NaN) },
  "what tells nothing of itself": { secret: new Secret() },
  "a Map in depth": { a: [{ b: { c: new Map([["d", 1]]) } }] },
};

for (const [what, value] of Object.entries(lost)) {
  test(`not kept, because it would come back as something else: ${what}`, async () => {
    await assert.rejects(client.set("a", value), TypeError);
    assert.equal(await client.remember("a", {}, () => value), value);
    assert.equal(standIn.count("PUT"), 0);
    assert.equal(client.told.length, 1);
  });
}

test("what JSON has is kept", async () => {
  const bare = Object.assign(Object.create(null), { a: 1 });
  const values = [{}, [], [[]], { a: {} }, [null, 1e300, -5e-324, "NaN"], { a: undefined, b: "\u2603" }, bare, 2 ** 53, 1e21];
  for (const value of values) {
    assert.equal(await client.set("a", value), true);
    assert.deepEqual(await client.get("a"), JSON.parse(JSON.stringify(value)));
  }
  const price = { price: new Money(5), at: new Date(0), url: new URL("http://127.0.0.1/") };
  assert.equal(await client.set("a", price), true);
  assert.deepEqual(await client.get("a"), { price: { cents: 5 }, at: "1970-01-01T00:00:00.000Z", url: "http://127.0.0.1/" });
});

test("a number that is too large for one is none, and taken away", async () => {
  for (const text of ["1e999", "-1e999", '{"a":[1,1E+400]}', "9".repeat(400), `[${"9".repeat(300)}e20]`, "1.5e309"]) {
    await client.set("a", Buffer.from(text), { type: "application/json" });
    assert.equal(await client.get("a"), undefined, text);
    await until(() => standIn.entries.size === 0);
  }
  for (const text of ["1e308", '"1e999"', '{"1e999":1}', "9".repeat(308), "1e-999"]) {
    await client.set("a", Buffer.from(text), { type: "application/json" });
    assert.deepEqual(await client.get("a"), JSON.parse(text), text);
  }
});
