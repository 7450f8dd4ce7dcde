import type { Entries } from "./index.js";

export interface CacheOptions {
  /** Seconds to live. */
  ttl?: number;
  /** A name to clear it by: clear({ pattern: "query:Product:bouquets:*" }). Queries that ask for different things stay apart. */
  key?: string;
  /** Models beside the query's own. */
  models?: string | readonly string[];
}

/** `new Schema<Bouquet, Model<Bouquet, CacheHelpers>, {}, CacheHelpers>({ … })` gives the queries of a model cache(). */
export interface CacheHelpers {
  cache<Query>(this: Query, options?: CacheOptions): Query;
}

/** For mongoose.plugin() before the models are made, or schema.plugin(). */
export function cachePlugin(client: Entries, options?: { ttl?: number; clearsAfterWrites?: boolean }): (schema: any) => void;
