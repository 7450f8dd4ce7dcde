// A server in the place of MongoDB, for the real driver: its wire protocol (OP_MSG with BSON), and of its commands
// what the tests need, on collections in memory. Filters are compared field by field.

import { once } from "node:events";
import net from "node:net";

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;

export class MongoStandIn {
  commands = []; // names and collections, without those of the connection
  collections = new Map();
  failNext = null; // the name of a command to be refused
  #sockets = new Set();

  // BSON: that of the driver.
  constructor(BSON) {
    this.BSON = BSON;
  }

  async open() {
    this.server = net.createServer((socket) => this.#serve(socket));
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.url = `mongodb://127.0.0.1:${this.server.address().port}/shop?replicaSet=rs`;
    return this;
  }

  async close() {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.server, "close");
  }

  count(name) {
    return this.commands.filter((command) => command.startsWith(name)).length;
  }

  #serve(socket) {
    let bytes = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= bytes.readInt32LE(0)) {
        const length = bytes.readInt32LE(0);
        this.#answer(socket, bytes.subarray(0, length));
        bytes = bytes.subarray(length);
      }
    });
  }

  #answer(socket, message) {
    const id = message.readInt32LE(4);
    const operation = message.readInt32LE(12);
    const command = operation === OP_QUERY ? this.#queryIn(message) : this.#commandIn(message);
    const reply = this.BSON.serialize(this.#run(command));
    const head = Buffer.alloc(16);
    head.writeInt32LE(id, 8);
    let body;
    if (operation === OP_QUERY) {
      head.writeInt32LE(OP_REPLY, 12);
      body = Buffer.concat([Buffer.from([8, 0, 0, 0]), Buffer.alloc(12), Buffer.from([1, 0, 0, 0]), reply]);
    } else {
      head.writeInt32LE(OP_MSG, 12);
      body = Buffer.concat([Buffer.alloc(5), reply]);
    }
    head.writeInt32LE(16 + body.length, 0);
    socket.write(Buffer.concat([head, body]));
  }

  #queryIn(message) {
    const start = message.indexOf(0, 20) + 1 + 8; // after the collection's name, skip and count
    return this.BSON.deserialize(message.subarray(start, start + message.readInt32LE(start)));
  }

  // Sections: the command, and lists of documents.
  #commandIn(message) {
    let at = 20;
    const command = {};
    while (at < message.length) {
      const kind = message[at++];
      const length = message.readInt32LE(at);
      if (kind === 0) Object.assign(command, this.BSON.deserialize(message.subarray(at, at + length)));
      else Object.assign(command, this.#listIn(message.subarray(at + 4, at + length)));
      at += length;
    }
    return command;
  }

  #listIn(section) {
    const end = section.indexOf(0);
    const documents = [];
    for (let at = end + 1; at < section.length; at += section.readInt32LE(at))
      documents.push(this.BSON.deserialize(section.subarray(at, at + section.readInt32LE(at))));
    return { [section.subarray(0, end).toString()]: documents };
  }

  #run(command) {
    const [name] = Object.keys(command);
    if (/^(ismaster|hello)$/i.test(name)) return this.#hello();
    if (/^(ping|endSessions)$/.test(name)) return { ok: 1 };
    this.commands.push(`${name} ${command[name]}`);
    if (this.failNext === name) {
      this.failNext = null;
      return { ok: 0, errmsg: "refused by the test", code: 2 };
    }
    const run = this[`_${name}`];
    return run ? { ok: 1, ...run.call(this, command) } : { ok: 0, errmsg: `no such command: ${name}`, code: 59 };
  }

  #hello() {
    const me = new URL(this.url).host;
    return { ok: 1, isWritablePrimary: true, ismaster: true, helloOk: true, setName: "rs", hosts: [me], me, primary: me, maxBsonObjectSize: 16 << 20,
      maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000, localTime: new Date(), logicalSessionTimeoutMinutes: 30, minWireVersion: 0,
      maxWireVersion: 21 };
  }

  // ---- commands ----

  #documents(collection) {
    if (!this.collections.has(collection)) this.collections.set(collection, []);
    return this.collections.get(collection);
  }

  #matching(collection, filter = {}) {
    const isEqual = (a, b) => JSON.stringify(a) === JSON.stringify(b);
    const fits = (document, [field, wanted]) => {
      if (field.startsWith("$")) return true;
      if (Array.isArray(wanted?.$in)) return wanted.$in.some((one) => isEqual(document[field], one));
      return isEqual(document[field], wanted);
    };
    return this.#documents(collection).filter((document) => Object.entries(filter).every((condition) => fits(document, condition)));
  }

  #cursor(collection, firstBatch) {
    return { cursor: { id: this.BSON.Long.ZERO, ns: `shop.${collection}`, firstBatch } };
  }

  _find({ find, filter, limit = 0, sort }) {
    const found = this.#matching(find, filter);
    for (const [field, order] of Object.entries(sort ?? {})) found.sort((a, b) => (a[field] > b[field] ? order : -order));
    return this.#cursor(find, limit > 0 ? found.slice(0, limit) : found);
  }

  _explain() {
    return { queryPlanner: {} };
  }

  _aggregate({ aggregate, pipeline: [{ $match } = {}] }) {
    return this.#cursor(aggregate, [{ n: this.#matching(aggregate, $match).length }]);
  }

  _count({ count, query }) {
    return { n: this.#matching(count, query).length };
  }

  _distinct({ distinct, key, query }) {
    return { values: [...new Set(this.#matching(distinct, query).map((document) => document[key]))] };
  }

  _insert({ insert, documents }) {
    this.#documents(insert).push(...documents);
    return { n: documents.length };
  }

  _update({ update, updates }) {
    let n = 0;
    for (const { q, u, multi } of updates) {
      const found = this.#matching(update, q);
      for (const document of multi ? found : found.slice(0, 1)) {
        Object.assign(document, u.$set ?? (Object.keys(u).some((name) => name.startsWith("$")) ? {} : u));
        n++;
      }
    }
    return { n, nModified: n };
  }

  _delete({ delete: collection, deletes }) {
    let n = 0;
    for (const { q, limit } of deletes) {
      const gone = this.#matching(collection, q).slice(0, limit === 1 ? 1 : undefined);
      this.collections.set(collection, this.#documents(collection).filter((document) => !gone.includes(document)));
      n += gone.length;
    }
    return { n };
  }

  _findAndModify({ findAndModify, query, update, remove, new: isNew }) {
    const [document] = this.#matching(findAndModify, query);
    if (!document) return { value: null };
    const before = { ...document };
    if (remove) this._delete({ delete: findAndModify, deletes: [{ q: { _id: document._id }, limit: 1 }] });
    else Object.assign(document, update.$set ?? update);
    return { value: isNew ? document : before };
  }

  _commitTransaction() {
    return {};
  }

  _abortTransaction() {
    return {};
  }
}
