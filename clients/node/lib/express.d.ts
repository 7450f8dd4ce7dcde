import type { Cachewarden, Clears, FillOptions, Options, View } from "./index.js";

/** As Express calls it; of any version. */
export type Middleware = (req: any, res: any, next: (error?: unknown) => void) => void;

/** What cachewarden() adds to a request. */
export interface CachewardenRequest {
  cachewarden: Cachewarden;
  view: View;
  /** Sent together before the answer ends, if it is no error. */
  clears: Clears;
  /** make(), or what it gave for this user in this version: in the memory of this process. */
  cached<Value>(name: string, make: () => Value | Promise<Value>): Promise<Value>;
  /** The same in the cache service. */
  remember<Value>(name: string, options: FillOptions & { waitMs?: number }, make: () => Value | Promise<Value>): Promise<Value>;
}

declare global {
  namespace Express {
    interface Request extends CachewardenRequest {}
  }
}

export function cachewarden(options: (Options | { client: Cachewarden }) & { clearsAfterWrites?: boolean }): Middleware;

export interface AnswerOptions {
  /** One answer for everybody. */
  shared?: boolean;
  models?: string | readonly string[];
  /** Headers of the request that make another answer. */
  vary?: readonly string[];
  /** Of the body; 1 MiB. */
  maxBytes?: number;
  waitMs?: number;
}

/** ttl in seconds. */
export function cacheAPIResponse(ttl?: number, options?: AnswerOptions): Middleware;

/** In front of a handler that writes: what was made of these models is out of date then. */
export function clearsModel(...models: (string | readonly string[])[]): Middleware;
