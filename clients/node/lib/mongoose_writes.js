// After a write its model is cleared, before who wrote hears of it; after a transaction, when that is committed.

import { baseNameOf } from "./mongoose_query.js";

const QUERY_WRITES = ["updateOne", "updateMany", "replaceOne", "deleteOne", "deleteMany", "findOneAndUpdate", "findOneAndDelete",
  "findOneAndReplace"];
const DOCUMENT_WRITES = ["save", "updateOne", "deleteOne"];
const MODEL_WRITES = ["insertMany", "bulkWrite"];

// What hooks a schema up.
export function clearAfterWrites(client) {
  const clearOf = clearer(client);

  return function (schema) {
    const after = (names, options, clear) => {
      schema.post(names, options, succeeded(clear));
      schema.post(names, { ...options, errorHandler: true }, failed(clear));
    };
    after(QUERY_WRITES, { document: false, query: true }, (query) => clearOf(query.model, query.getOptions().session));
    after(DOCUMENT_WRITES, { document: true, query: false }, (document) => {
      if (!document.$isSubdocument) return clearOf(document.constructor, document.$session());
    });
    after(MODEL_WRITES, {}, (model) => clearOf(model));
    // Their hooks after the write do not hear of its session. The first argument may be next().
    schema.pre(MODEL_WRITES, async function (_first, ...args) {
      const session = args.find((one) => one?.session)?.session;
      if (session) await clearOf(this, session);
    });
  };
}

// Hooks after a write, and after one that failed and may have done a part of its work.
const succeeded = (clear) =>
  async function () {
    await clear(this);
  };
const failed = (clear) =>
  function (error, _result, next) {
    Promise.resolve(clear(this)).then(() => next(error), () => next(error));
  };

// Clears a model, now or when the transaction of the session is committed.
function clearer(client) {
  const waiting = new WeakMap(); // by session: names of models

  function watch(session) {
    const names = new Set();
    const { commitTransaction, abortTransaction } = session;
    session.commitTransaction = async (...args) => {
      const models = [...names];
      try {
        const result = await commitTransaction.apply(session, args);
        names.clear();
        return result;
      } finally {
        // Also when nobody knows whether it was committed, and again when that is tried again.
        await Promise.all(models.map((model) => client.clearModel(model)));
      }
    };
    session.abortTransaction = (...args) => {
      names.clear();
      return abortTransaction.apply(session, args);
    };
    waiting.set(session, names);
  }

  return async function (model, session) {
    const name = baseNameOf(model);
    if (!session?.inTransaction?.()) return client.clearModel(name);
    if (!waiting.has(session)) watch(session);
    waiting.get(session).add(name);
  };
}
