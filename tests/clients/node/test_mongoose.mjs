// The plugin in the real Mongoose with its real driver; the server behind it is a stand-in (mongo_stand_in.mjs).
// Mongoose is that of tests/frameworks/package.json, which NODE_PATH names.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { cachePlugin } from "../../../clients/node/lib/mongoose.js";
import { labelOf } from "../../../clients/node/lib/mongoose_query.js";
import { clientOf, until } from "./client.mjs";
import { MongoStandIn } from "./mongo_stand_in.mjs";
import { StandIn } from "./stand_in.mjs";

const mongoose = createRequire(import.meta.url)("mongoose"); // not there? ./dev test installs it
const { ObjectId, Decimal128 } = mongoose.Types;
let standIn;
let client;
let mongo;
let Product;
let Vase;
let Order;

before(async () => {
  mongo = await new MongoStandIn(mongoose.mongo.BSON).open();
  standIn = await new StandIn().open();
  client = clientOf(standIn);
  mongoose.plugin(cachePlugin(client, { ttl: 60 }));
  const product = new mongoose.Schema({ name: { type: String, required: true }, category: String, price: Decimal128, added: Date, data: Buffer,
    parts: [{ name: String }], sizes: Map });
  product.virtual("title").get(function () {
    return `${this.name}!`;
  });
  Product = mongoose.model("Product", product);
  Vase = Product.discriminator("Vase", new mongoose.Schema({ height: Number }));
  Order = mongoose.model("Order", new mongoose.Schema({ number: Number, product: { type: ObjectId, ref: "Product" } }));
  await mongoose.connect(mongo.url, { autoIndex: false, autoCreate: false });
});
after(async () => {
  client.close();
  await mongoose.disconnect();
  await mongo.close();
  await standIn.close();
});

beforeEach(async () => {
  await Product.insertMany([{ name: "Rose", category: "bouquets" }, { name: "Tulip", category: "bouquets" }, { name: "Pot", category: "pots" }]);
  mongo.commands = [];
  standIn.asked = [];
});
afterEach(() => {
  mongo.collections.clear();
  standIn.entries.clear();
});

const bouquets = (options) => Product.find({ category: "bouquets" }).cache(options);

test("a query is cached, and gives documents", async () => {
  const first = await bouquets({ ttl: 3600, key: "bouquets" });
  const second = await bouquets({ ttl: 3600, key: "bouquets" });
  assert.equal(mongo.count("find"), 1);
  assert.deepEqual(second.map(String), first.map(String));
  assert.ok(second[0] instanceof Product && second[0]._id instanceof ObjectId);
  assert.deepEqual([second[0].title, second[0].isNew, second[0].isModified()], ["Rose!", false, false]);
  const put = standIn.asked.find((asked) => asked.startsWith("PUT"));
  assert.match(put, /entries\/query%3AProduct%3Abouquets%3A[\w-]{43}\?ttl=3600&model=Product$/);
  second[0].name = "Lily";
  await second[0].save();
  assert.equal((await Product.findOne({ name: "Lily" }))._id.toString(), first[0]._id.toString());
});

test("values keep their types", async () => {
  const made = await Product.create({ name: "All", price: Decimal128.fromString("7.10"), added: new Date(7), data: Buffer.from([0, 255]),
    parts: [{ name: "a" }], sizes: new Map([["s", 1]]) });
  const read = () => Product.findById(made._id).cache();
  await read();
  const kept = await read();
  assert.equal(mongo.count("find"), 1);
  assert.deepEqual(kept.toObject(), (await Product.findById(made._id)).toObject());
  const lean = () => Product.findById(made._id).lean().cache();
  const first = await lean();
  assert.deepEqual(await lean(), first);
  assert.equal(kept.price.toString(), "7.10");
});

test("what is asked is a part of the key", async () => {
  const queries = [
    () => bouquets(),
    () => Product.find({ category: "pots" }).cache(),
    () => bouquets().sort({ name: -1 }),
    () => bouquets().limit(1),
    () => bouquets().select("name"),
    () => bouquets().lean(),
    () => Product.findOne({ category: "bouquets" }).cache(),
    () => Product.countDocuments({ category: "bouquets" }).cache(),
    () => Product.distinct("name", { category: "bouquets" }).cache(),
    () => Product.distinct("category", { category: "bouquets" }).cache(),
    () => Product.find({ category: { $in: ["bouquets", "pots"] } }).cache(),
    () => Vase.find({ category: "bouquets" }).cache(),
  ];
  const texts = async () => {
    const all = [];
    for (const query of queries) all.push(JSON.stringify(await query()));
    return all;
  };
  const first = await texts();
  const asked = mongo.commands.length;
  assert.equal(asked, queries.length - 1); // lean: the same answer
  assert.deepEqual(await texts(), first);
  assert.equal(mongo.commands.length, asked);
  assert.deepEqual([first[3], first[7], first[8]].map((text) => JSON.parse(text).length ?? JSON.parse(text)), [1, 2, 2]);
});

test("a clone is cached, too; a query without .cache() is not", async () => {
  const query = bouquets();
  await query;
  await query.clone();
  assert.equal(mongo.count("find"), 1);
  await Product.find({ category: "bouquets" });
  assert.equal(mongo.count("find"), 2);
});

test("nothing found is kept as well", async () => {
  const none = () => Product.findOne({ name: "Thistle" }).cache();
  assert.deepEqual([await none(), await none()], [null, null]);
  assert.equal(mongo.count("find"), 1);
});

test("a key is no secret passage to what another query asked", async () => {
  const both = async (category) => (await Product.find({ category }).cache({ key: "mine" })).length;
  assert.deepEqual([await both("bouquets"), await both("pots"), await both("bouquets")], [2, 1, 2]);
});

test("what hooks add to a filter is a part of it, and hooks run each time", async () => {
  let tenant = "bouquets";
  let found = 0;
  const schema = new mongoose.Schema({ name: String, category: String }, { collection: "products" });
  schema.pre("find", function () {
    this.where({ category: tenant });
  });
  schema.post("find", () => void found++);
  const Tenant = mongoose.model("Tenant", schema);
  const read = async () => (await Tenant.find().cache({ key: "all" })).length;
  assert.deepEqual([await read(), await read()], [2, 2]);
  tenant = "pots";
  assert.equal(await read(), 1);
  assert.equal(found, 3);
  mongoose.deleteModel("Tenant");
});

test("transforms, orFail and populate are the query's own", async () => {
  const [rose] = await Product.find({ name: "Rose" });
  await Order.create({ number: 1, product: rose._id });
  for (const turn of [1, 2]) {
    mongo.commands = [];
    assert.equal(await bouquets().transform((documents) => documents.length), 2);
    await assert.rejects(() => Product.findOne({ name: "none" }).orFail().cache(), /No document/);
    const order = await Order.findOne({ number: 1 }).populate("product").cache();
    assert.ok(order.product instanceof Product && order.product.name === "Rose");
    assert.equal(mongo.count("find orders"), turn === 1 ? 1 : 0);
    assert.equal(mongo.count("find products"), turn === 1 ? 3 : 1); // what is populated
  }
});

test("what has a session, or no name, runs as it is, and so does a write", async () => {
  const writing = () => Product.updateMany({ category: "pots" }, { $set: { name: "Pot" } }).cache();
  const session = await mongoose.startSession();
  for (const query of [() => bouquets().session(session), writing]) {
    mongo.commands = [];
    await query();
    await query();
    assert.equal(mongo.commands.length, 2);
  }
  assert.equal(standIn.count("GET"), 0);
  await session.endSession();
  assert.ok(await bouquets().explain());
  assert.notEqual(labelOf(Product, "key", "find", [{}], { limit: 1 }), null);
  for (const options of [{ raw: true }, { tailable: true }, { session }])
    assert.equal(labelOf(Product, "key", "find", [{}], options), null);
  assert.equal(labelOf(Product, "key", "find", [{ category: () => 1 }]), null);
  assert.equal(labelOf(Product, "key", "find", [{ category: new (class {})() }]), null);
});

test("a cursor is not cached", async () => {
  const names = [];
  for await (const { name } of bouquets().cursor()) names.push(name);
  assert.deepEqual(names.sort(), ["Rose", "Tulip"]);
  assert.equal(standIn.count("GET"), 0);
});

const writes = {
  save: () => new Product({ name: "New" }).save(),
  create: () => Product.create([{ name: "New" }, { name: "Newer" }]),
  insertMany: () => Product.insertMany([{ name: "New" }]),
  bulkWrite: () => Product.bulkWrite([{ deleteOne: { filter: { name: "Pot" } } }]),
  bulkSave: () => Product.bulkSave([new Product({ name: "New" })]),
  updateOne: () => Product.updateOne({ name: "Pot" }, { $set: { category: "a" } }),
  updateMany: () => Product.updateMany({}, { $set: { category: "a" } }),
  replaceOne: () => Product.replaceOne({ name: "Pot" }, { name: "Pot" }),
  deleteOne: () => Product.deleteOne({ name: "Pot" }),
  deleteMany: () => Product.deleteMany({}),
  findOneAndUpdate: () => Product.findOneAndUpdate({ name: "Pot" }, { $set: { category: "a" } }),
  findByIdAndDelete: async () => Product.findByIdAndDelete((await Product.findOne({ name: "Pot" }))._id),
  findOneAndReplace: () => Product.findOneAndReplace({ name: "Pot" }, { name: "Pot" }),
  "a document's deleteOne": async () => (await Product.findOne({ name: "Pot" })).deleteOne(),
  "a document's updateOne": async () => (await Product.findOne({ name: "Pot" })).updateOne({ $set: { category: "a" } }),
  "a part of a document": async () => {
    const [pot] = await Product.find({ name: "Pot" });
    pot.parts.push({ name: "b" });
    await pot.save();
  },
  "a discriminator's": () => Vase.create({ name: "Tall", height: 7 }),
};

for (const [name, write] of Object.entries(writes)) {
  test(`a write clears its model: ${name}`, async () => {
    await bouquets();
    mongo.commands = [];
    await write();
    assert.ok(standIn.count("DELETE /api/v1/models/Product") >= 1);
    assert.equal(standIn.count("DELETE /api/v1/models/Vase"), 0);
    mongo.commands = [];
    await bouquets();
    assert.equal(mongo.count("find"), 1);
  });
}

test("a write that failed may have done a part of its work", async () => {
  for (const [command, write] of [["insert", writes.insertMany], ["update", writes.updateMany], ["delete", writes.deleteOne], ["insert", writes.save],
    ["delete", writes.bulkWrite]]) {
    standIn.asked = [];
    mongo.failNext = command;
    await assert.rejects(write, /refused by the test/);
    assert.ok(standIn.count("DELETE /api/v1/models/Product") >= 1, command);
  }
});

test("a transaction clears when it is committed, once, and not when it is rolled back", async () => {
  const cleared = () => standIn.count("DELETE");
  await mongoose.connection.transaction(async (session) => {
    await Product.updateOne({ name: "Pot" }, { $set: { category: "a" } }, { session });
    await new Product({ name: "New" }).save({ session });
    await Product.insertMany([{ name: "Newer" }], { session });
    await bouquets().session(session); // what nobody else may see yet
    assert.equal(standIn.count("PUT"), 0);
    standIn.asked = [];
  });
  assert.equal(cleared(), 1);
  const session = await mongoose.startSession();
  session.startTransaction();
  await Product.deleteOne({ name: "Pot" }, { session });
  await session.abortTransaction();
  assert.equal(cleared(), 1);
  session.startTransaction();
  await Order.create([{ number: 2 }], { session });
  await session.commitTransaction();
  await session.endSession();
  assert.equal(cleared(), 2);
});

test("without the service queries run, and writes do", async () => {
  await standIn.close();
  assert.equal((await bouquets()).length, 2);
  await Product.deleteOne({ name: "Rose" });
  assert.equal((await bouquets()).length, 1);
  await standIn.open(standIn.port);
  await until(() => standIn.count("DELETE /api/v1/models/Product") > 0);
});
