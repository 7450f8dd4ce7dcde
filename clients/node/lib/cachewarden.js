// A client of Cachewarden. Nothing that the service does, or does not do, becomes an error of the application:
// answers that are missing are null, a miss, or a view without a version. Only wrong arguments throw.

import { Entries } from "./entries.js";
import { isRefused, Service } from "./service.js";
import { credentialOf, integerIn, keyHeaderOf, modelsToClear, optionsIn, queryOf, refusalOf, typedOf, userIdOf } from "./values.js";

export const OPTIONS = ["url", "apiKey", "entriesKey", "namespace", "timeoutMs", "pauseMs", "waitMs", "maxBytes", "connections", "tls", "report"];
const NUMBER = /^[1-9][0-9]{0,18}$/;

// Whose answer is being made, and in which version of their cache.
export class View {
  // userId null: nobody in particular. version null: the cache cannot be used.
  constructor(userId, version, isAnonymous = false) {
    this.userId = userId;
    this.version = version;
    this.isAnonymous = isAnonymous;
  }

  // The key of `name` in a cache of your own, or null: go to the source, and keep nothing.
  key(name) {
    return this.version === null ? null : `user:${this.userId}:${this.version}:${name}`;
  }

  // What tells a page whose the answer is, and whether its copy is out of date. Nobody's page has none.
  get headers() {
    if (this.isAnonymous) return {};
    return {
      "X-Cache-Enabled": String(this.version !== null),
      ...(this.version !== null && { "X-Cache-Version": this.version }),
      ...(this.userId !== null && { "X-User-Id": String(this.userId) }),
    };
  }

  // The same after a clear; version null: it was not heard, so nothing kept can be trusted.
  after(version) {
    return this.version === null ? this : new View(this.userId, version === null ? null : String(version));
  }
}

const nobody = new View(null, null, true);
const unknown = new View(null, null);

export class Cachewarden extends Entries {
  #service;
  #apiKey;
  #options;

  constructor(options) {
    const service = new Service(optionsIn(options, OPTIONS));
    const apiKey = keyHeaderOf("apiKey", options.apiKey);
    super(service, { ...options, credential: { ...apiKey, ...keyHeaderOf("entriesKey", options.entriesKey) } });
    this.#service = service;
    this.#apiKey = apiKey;
    this.#options = options;
  }

  close() {
    this.#service.close();
  }

  // The entries of a user, by the headers of the user's own request.
  as(headers) {
    return new Entries(this.#service, { ...this.#options, credential: credentialOf(headers), namespace: undefined });
  }

  // The entries of `user:7`, or of another application, for a key with the scope admin.
  inNamespace(namespace) {
    typedOf("namespace", namespace ?? null, "string"); // without one it would be that of the key
    return new Entries(this.#service, { ...this.#options, credential: this.#apiKey, namespace });
  }

  // The view for a request with these headers. Ask once for each request, before the data is read.
  async check(headers) {
    return (await this.#look(credentialOf(headers))).view;
  }

  // isLost: it was a failure of the service that left nobody to know whose view it is.
  async #look(credential) {
    if (Object.keys(credential).length === 0) return { view: nobody, isLost: false };
    const answer = await this.#service.ask(checking(credential));
    const view = answer === null ? undefined : viewIn(answer);
    if (view !== undefined) return { view, isLost: false };
    if (answer?.status === 401 || answer?.status === 403) return { view: nobody, isLost: false };
    if (answer !== null) {
      const detail = refusalOf(checking({}), answer);
      this.#service.report(`${answer.status} for a check, without a user; going on without a cache`, { detail });
    }
    return { view: unknown, isLost: !isRefused(answer) };
  }

  // Makes everything cached for the user out of date: the new version, or null while nobody heard it; then it
  // is tried again. With a key of scope admin.
  clearUser(userId) {
    return this.#service.clear(this.#clearingUser(userIdOf(userId)));
  }

  // The same for who sent a request with these headers: their view afterwards. Where nobody could tell whose it is, it
  // is done as soon as somebody can.
  async clearCaller(headers) {
    const credential = credentialOf(headers);
    const { view, isLost } = await this.#look(credential);
    if (view.userId !== null) return view.after(await this.clearUser(view.userId));
    if (isLost) this.#service.owe(this.#clearingCaller(credential));
    return view;
  }

  #clearingCaller(credential) {
    const read = (answer) => {
      const view = viewIn(answer);
      if (view !== undefined) this.#service.owe(this.#clearingUser(view.userId));
      return view;
    };
    return { name: JSON.stringify(credential), request: checking(credential), read, whole: this.#clearingEverybody() };
  }

  // The same for everybody and every namespace: whether it was heard.
  async clearEverybody() {
    return (await this.#service.clear(this.#clearingEverybody())) !== null;
  }

  #clearingUser(userId) {
    const path = `/api/server-management/clear-cache/?user_id=${userId}`;
    return { ...this.#clearing(path, versionIn), whole: this.#clearingEverybody() };
  }

  #clearingEverybody() {
    const isMade = ({ status, body }) => (status === 200 && /"ok"\s*:\s*true/.test(body.toString()) ? true : undefined);
    return this.#clearing("/api/server-management/clear-cache/", isMade);
  }

  #clearing(path, read) {
    return { name: path, request: { method: "POST", path, headers: { ...this.#apiKey, "content-length": 0 }, mayRepeat: true }, read };
  }

  // The user's id of another issuer's subject, or null: they were not here yet, or nobody answered.
  async userOf(issuer, subject) {
    const path = `/api/v1/subjects${queryOf({ issuer, subject })}`;
    const request = { method: "GET", path, headers: this.#apiKey, mayRepeat: true };
    const answer = await this.#service.ask(request);
    if (answer?.status === 200) return integerIn(answer.body.toString(), "user_id") ?? null;
    if (answer !== null && answer.status !== 404)
      this.#service.report(`${answer.status} for the number of a user`, { detail: refusalOf(request, answer) });
    return null;
  }

  // Clears to be sent together, once each: those of a request, or of a transaction when it is committed.
  clears() {
    return new Clears(this);
  }
}

const checking = (headers) => ({ method: "GET", path: "/api/cache/check/", headers, mayRepeat: true });

// undefined where it does not tell whose it is.
function viewIn({ status, headers: { "x-user-id": userId, "x-cache-version": version, "x-cache-enabled": isEnabled } }) {
  if (status !== 204 || !NUMBER.test(userId)) return undefined;
  return new View(userId, isEnabled === "true" && NUMBER.test(version) ? version : null);
}

const versionIn = ({ status, body }) => (status === 200 ? integerIn(body.toString(), "new_version") : undefined);

export class Clears {
  #client;
  #users = new Set();
  #models = new Set();
  #labels = new Set();

  constructor(client) {
    this.#client = client;
  }

  get isEmpty() {
    return this.#users.size + this.#models.size + this.#labels.size === 0;
  }

  get users() {
    return [...this.#users];
  }

  user(userId) {
    this.#users.add(userIdOf(userId));
    return this;
  }

  model(name) {
    for (const model of modelsToClear(name)) this.#models.add(model);
    return this;
  }

  entry(label) {
    this.#labels.add(label);
    return this;
  }

  // None of them: the transaction was rolled back.
  drop() {
    for (const set of [this.#users, this.#models, this.#labels]) set.clear();
  }

  // The new versions of the users whose clears were heard, by id as text.
  async send() {
    const { users } = this;
    const versions = users.map((id) => this.#client.clearUser(id));
    const models = [...this.#models].map((name) => this.#client.clearModel(name));
    const entries = [...this.#labels].map((label) => this.#client.forget(label));
    this.drop();
    const made = await Promise.all([...versions, ...models, ...entries]);
    return new Map(users.map((id, at) => [id, made[at]]).filter(([, version]) => version !== null));
  }
}
