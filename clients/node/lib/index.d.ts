/** Headers as node:http has them, or a Headers. */
export type RequestHeaders =
  | { readonly [name: string]: string | readonly string[] | number | undefined }
  | { get(name: string): string | null };

export interface Problem {
  message: string;
  detail?: string;
  cause?: unknown;
  /** Something cached may be out of date: worth an alert. */
  isClear: boolean;
}

export interface Options {
  /** Where Cachewarden is, such as "http://127.0.0.1:8000". */
  url: string;
  /** An API key: scope `entries` with a namespace for values of the application, scope `admin` for clears of users. */
  apiKey?: string | undefined;
  /** One for values, where those are not for the same key. */
  entriesKey?: string | undefined;
  /** How long an answer may take; 500. */
  timeoutMs?: number;
  /** How long nobody asks again after there was none; 1000. */
  pauseMs?: number;
  /** How long remember() waits for another process that fills the same entry; 250. */
  waitMs?: number;
  /** The largest answer that is read, and the largest value that is sent; 8 MiB. */
  maxBytes?: number;
  /** How many connections at most; 64. */
  connections?: number;
  /** For https: what node:tls takes, such as { ca }. */
  tls?: { [name: string]: unknown };
  /** The namespace of the entries, for a key with the scope `admin`: "user:7". */
  namespace?: string;
  /** Hears of problems in the place of the console. The same one comes once in ten seconds. */
  report?: (problem: Problem) => void;
}

export interface FillOptions {
  /** Seconds to live; the service's default. */
  ttl?: number;
  /** What it was made of: clearModel() of one of them makes it out of date. */
  models?: string | readonly string[];
}

export interface ReadOptions {
  models?: string | readonly string[];
  /** How long to wait for somebody else who fills it. */
  waitMs?: number;
}

export interface SetOptions extends FillOptions {
  /** That of the miss before the data was read: then no older value survives a clear. */
  lease?: string | null;
  onlyIfAbsent?: boolean;
  /** The Content-Type it is kept with. */
  type?: string;
}

export interface Found<Value = unknown> {
  isHit: boolean;
  value: Value | undefined;
  /** The caller is to fill it, with this lease. */
  lease: string | null;
  /** It is there, and soon over. */
  isRefresh: boolean;
  ageS?: number;
  ttlS?: number;
}

export interface Job {
  id?: string | number;
  state?: string;
  progress?: number;
  [member: string]: unknown;
}

/** Values by label, in one namespace. Without an answer of the service everything is a miss, false or null. */
export class Entries {
  get<Value = unknown>(label: string, options?: ReadOptions): Promise<Value | undefined>;
  exists(label: string): Promise<boolean>;
  read<Value = unknown>(label: string, options?: ReadOptions): Promise<Found<Value>>;
  /** Bytes stay bytes (a Buffer), text stays text, everything else is JSON. A TypeError where it would come back as something else. */
  set(label: string, value: unknown, options?: SetOptions): Promise<boolean>;
  /** What is cached, or what fill() gives, which is cached then. */
  remember<Value>(label: string, options: FillOptions & { waitMs?: number }, fill: () => Value | Promise<Value>): Promise<Value>;
  forget(label: string): Promise<boolean | null>;
  increment(label: string, by?: number | bigint, options?: { ttl?: number }): Promise<number | bigint | null>;
  /** The new generation. Of several models: clears().model(names).send(). */
  clearModel(model: string): Promise<number | bigint | null>;
  clear(): Promise<number | bigint | null>;
  /** A job that takes away what a glob over labels names. */
  clear(what: { pattern: string }): Promise<Job | null>;
  /** How far it is. */
  job(id: string | number): Promise<Job | null>;
}

export class View {
  /** null: nobody in particular, or nobody knows. */
  readonly userId: string | null;
  /** null: the cache cannot be used. */
  readonly version: string | null;
  readonly isAnonymous: boolean;
  /** The key of `name` in a cache of your own, or null: go to the source, and keep nothing. */
  key(name: string): string | null;
  /** For the page: X-Cache-Enabled, X-Cache-Version and X-User-Id. */
  readonly headers: { [name: string]: string };
}

/** Clears to be sent together, once each. */
export class Clears {
  readonly isEmpty: boolean;
  readonly users: string[];
  user(userId: string | number | bigint): this;
  model(name: string | readonly string[]): this;
  entry(label: string): this;
  drop(): void;
  /** The new versions of the users whose clears were heard. */
  send(): Promise<Map<string, number | bigint>>;
}

export class Cachewarden extends Entries {
  constructor(options: Options);
  /** The view for a request with these headers: ask once for each, before the data is read. */
  check(headers: RequestHeaders): Promise<View>;
  /** The entries of the user who sent these headers. */
  as(headers: RequestHeaders): Entries;
  /** The entries of another namespace, for a key with the scope `admin`. */
  inNamespace(namespace: string): Entries;
  /** The user's new version; null: not heard yet, and tried again. */
  clearUser(userId: string | number | bigint): Promise<number | bigint | null>;
  /** The view of who sent these headers, after the clear. */
  clearCaller(headers: RequestHeaders): Promise<View>;
  clearEverybody(): Promise<boolean>;
  /** The user of another issuer's subject. */
  userOf(issuer: string, subject: string): Promise<number | bigint | null>;
  clears(): Clears;
  close(): void;
}

/** Of the headers of a request those that tell who sent it. */
export function credentialOf(headers: RequestHeaders): { [name: string]: string };
