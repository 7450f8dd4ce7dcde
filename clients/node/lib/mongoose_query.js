// What is asked of a collection, as a label.

import { createHash } from "node:crypto";

// How it is read, and not what.
const NOT_IN_LABEL = new Set(["comment", "maxTimeMS", "batchSize", "readPreference", "readConcern"]);

// The name that writes clear: documents of discriminators are in one collection.
export const baseNameOf = (model) => model.baseModelName ?? model.modelName;

// null where it cannot be cached: what a transaction reads is nobody else's, and a function has no name. The digest
// keeps what two queries of one key ask, or what hooks add to a filter, apart.
export function labelOf(model, key, command, asked, options = {}) {
  if (options.session || options.tailable || options.raw) return null;
  try {
    const named = Object.entries(options).filter(([name, value]) => value !== undefined && !NOT_IN_LABEL.has(name));
    const { conn, name } = model.collection;
    const text = canonical([conn.name, name, command, ...asked, Object.fromEntries(named)], model.base.mongo.BSON);
    const digest = createHash("sha256").update(text).digest("base64url");
    return `query:${model.modelName}:${key === undefined ? "" : `${key}:`}${digest}`;
  } catch {
    return null;
  }
}

// The same text for the same value, or a TypeError where there is none.
function canonical(value, BSON) {
  if (value === null || ["string", "number", "boolean"].includes(typeof value)) return JSON.stringify(value);
  if (value === undefined || typeof value === "bigint") return `${value} ${typeof value}`;
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (value instanceof RegExp) return `regexp ${value}`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("base64")}`;
  if (value._bsontype) return `${value._bsontype} ${BSON.EJSON.stringify(value, { relaxed: false })}`;
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, BSON)).join()}]`;
  if (value instanceof Map) return `map ${canonical([...value], BSON)}`;
  if (![Object.prototype, null].includes(Object.getPrototypeOf(value))) throw new TypeError("it has no name");
  return `{${Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}:${canonical(item, BSON)}`).join()}}`;
}
