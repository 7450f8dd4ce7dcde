import type { Entries } from "./index.js";

export interface CacheOptions {
  /** Seconds to live. */
  ttl?: number;
  /** The entry's name in place of one made of the query: queries with the same key must ask the same. */
  key?: string;
  /** Models beside the query's own and those it populates. */
  models?: string | readonly string[];
}

/** For `new Schema<…, …, …, CacheHelpers>` or `Query` in your own declarations. */
export interface CacheHelpers {
  cache<Query>(this: Query, options?: CacheOptions): Query;
}

/** For mongoose.plugin() before the models are made, or schema.plugin(). */
export function cachePlugin(client: Entries, options?: { ttl?: number; clearsAfterWrites?: boolean }): (schema: any) => void;
