// Cachewarden in Mongoose 8 or later: queries that are cached, and models that are cleared after their writes.
//
//   mongoose.plugin(cachePlugin(client)); // before the models are made
//   await Product.find({ category: "bouquets" }).cache({ ttl: 3600, key: "bouquets" });
//
// What is cached is the answer of the database: hooks, casting and documents are made anew each time. What a query
// populates is read by queries of its own, which are not cached. Writes that no hook of a schema sees clear nothing:
// Model.collection, $out and $merge, other programs. There: client.clearModel("Product").

import { baseNameOf, labelOf } from "./mongoose_query.js";
import { clearAfterWrites } from "./mongoose_writes.js";
import { optionsIn, ttlOf, typedOf } from "./values.js";

// Options of a query or a client that say what types the values of an answer have.
const TYPES = ["bsonRegExp", "promoteBuffers", "promoteLongs", "promoteValues", "useBigInt64"];

// ttl: seconds, for queries that name none. client: a Cachewarden, or its inNamespace().
export function cachePlugin(client, options) {
  const { ttl, clearsAfterWrites = true } = optionsIn(options, ["ttl", "clearsAfterWrites"]);
  ttlOf(ttl);
  typedOf("client", client ?? null, "object");
  typedOf("clearsAfterWrites", clearsAfterWrites, "boolean");
  const hookUp = clearsAfterWrites ? clearAfterWrites(client) : () => {};

  return function (schema) {
    schema.query.cache = function (options) {
      this.mongooseCollection = cached(client, this, { ttl, ...optionsIn(options, ["ttl", "key", "models"]) });
      return this;
    };
    hookUp(schema);
  };
}

// The collection of a query, with reads that are remembered.
function cached(client, { model, mongooseCollection: collection }, { ttl, key, models = [] }) {
  const read = (command, asked, options, run) => {
    const label = labelOf(model, key, command, asked, options);
    if (label === null) return run();
    const names = [...new Set([baseNameOf(model), model.modelName, ...[models].flat()])];
    return remembered(client, label, { ttl, models: names }, bytesOf(model, options), run);
  };
  return Object.assign(Object.create(collection), {
    find: (filter, options) => ({
      toArray: () => read("find", [filter], options, async () => (await collection.find(filter, options)).toArray()),
      explain: async (...args) => (await collection.find(filter, options)).explain(...args),
    }),
    findOne: (filter, options) => read("findOne", [filter], options, () => collection.findOne(filter, options)),
    countDocuments: (filter, options) => read("count", [filter], options, () => collection.countDocuments(filter, options)),
    estimatedDocumentCount: (options) => read("estimate", [], options, () => collection.estimatedDocumentCount(options)),
    distinct: (field, filter, options) =>
      read("distinct", [field, filter], options, () => collection.distinct(field, filter, options)),
  });
}

async function remembered(client, label, options, { pack, unpack }, run) {
  let own = null; // what this call read itself
  const bytes = await client.remember(label, options, async () => {
    const result = await run();
    own = { result };
    return pack(result);
  });
  const kept = own ?? unpack(bytes);
  return kept === null ? run() : kept.result;
}

// BSON keeps ids, dates, decimals and bytes what they are.
function bytesOf(model, options = {}) {
  const { BSON } = model.base.mongo;
  const all = { ...model.db.getClient().options, ...options };
  const types = Object.fromEntries(TYPES.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]));
  return {
    // undefined where it cannot be kept.
    pack(result) {
      try {
        return BSON.serialize({ result });
      } catch {
        return undefined;
      }
    },
    // null where it is something else.
    unpack(bytes) {
      try {
        const kept = BSON.deserialize(bytes, types);
        return "result" in kept ? kept : null;
      } catch {
        return null;
      }
    },
  };
}
