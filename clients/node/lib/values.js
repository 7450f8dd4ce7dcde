// What is sent and what came back: labels, numbers, credentials, and the bytes of a value.

import { inspect } from "node:util";

const MAX_LABEL_BYTES = 512;
const MAX_MODELS = 16;
const MAX_MODEL_BYTES = 128;
const MAX_TTL_S = 315_360_000;
const MAX_TTL_WITH_MODELS_S = 30 * 24 * 3600;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_REASON = 200;
const MAX_SHOWN = 100;
const MAX_MS = 2 ** 31 - 1; // a timer of more would end at once
export const MAX_WAIT_MS = 60_000; // the service takes no more
const SESSION = "__Host-cachewarden=";

// The label as a segment of a path, or null where it can be none. It may be made of what people type. Proxies
// resolve parts of dots, however they are encoded.
export function segmentOf(label) {
  if (typeof label !== "string") throw new TypeError(`a label is a string, not ${typeof label}`);
  const isNone = label === "" || Buffer.byteLength(label) > MAX_LABEL_BYTES || /[\x00-\x1f\x7f-\x9f]|(^|\/)\.{1,2}(\/|$)/.test(label);
  try {
    return isNone ? null : encodeURIComponent(label);
  } catch {
    return null; // half of a pair of surrogates
  }
}

// Those of an entry, each once.
export function modelsOf(models = []) {
  const names = namesIn(models);
  if (names.length > MAX_MODELS) throw new RangeError(`at most ${MAX_MODELS} models`);
  return names;
}

// Those to clear, each once. None is a mistake: what was meant to be cleared would stay.
export function modelsToClear(models) {
  const names = namesIn(models);
  if (names.length === 0) throw new TypeError("a clear of models names them");
  return names;
}

function namesIn(models) {
  const names = [...new Set([models].flat())];
  for (const name of names) {
    if (!isModel(name)) throw new TypeError(`a model is a name of 1 to ${MAX_MODEL_BYTES} bytes without a slash, not ${shown(name)}`);
  }
  return names;
}

// A name of dots alone is a way to somewhere else for proxies.
const isModel = (name) =>
  typeof name === "string" &&
  /^(?!\.{1,2}$)[^\x00-\x1f\x7f-\x9f/\ud800-\udfff]+$/u.test(name) &&
  Buffer.byteLength(name) <= MAX_MODEL_BYTES;

// Options, all of which are among the names: one with a slip in its name would change nothing, in silence.
export function optionsIn(options = {}, names) {
  if (typeof options !== "object" || options === null) throw new TypeError(`options are an object, not ${shown(options)}`);
  const slip = Object.keys(options).find((name) => !names.includes(name));
  if (slip !== undefined) throw new TypeError(`the option ${slip} is none of ${names.join(", ")}`);
  return options;
}

// The pattern of a clear. Nothing else stands for it: without one everything would be cleared.
export function patternIn(what) {
  const { pattern } = optionsIn(what, ["pattern"]);
  if (typeof pattern !== "string" || pattern === "") throw new TypeError("a clear of a part is { pattern: \"products:*\" }");
  return pattern;
}

// A value that is refused, in a message: text is quoted, so that nobody takes it for a number.
export function shown(value) {
  const text = typeof value === "string" ? JSON.stringify(value) : inspect(value, { depth: 0, breakLength: Infinity });
  return text.slice(0, MAX_SHOWN);
}

// A count, or a time in whole seconds or milliseconds; undefined where the service shall choose.
export function wholeOf(name, value, most = Number.MAX_SAFE_INTEGER) {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0 && value <= most)) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? "above 0" : `from 1 to ${most}`;
  throw new RangeError(`${name} is a whole number ${range}, not ${shown(value)}`);
}

export const millisecondsOf = (name, value, most = MAX_MS) => wholeOf(name, value, most);

// An option of another type is a mistake. undefined is none.
export function typedOf(name, value, type) {
  if (value === undefined || (typeof value === type && value !== null && value !== "")) return value;
  const kinds = { string: "text that is not empty", boolean: "true or false", object: "an object", function: "a function" };
  throw new TypeError(`${name} is ${kinds[type]}, not ${shown(value)}`);
}

// The life of an entry: of what names models 30 days at most.
export function ttlOf(ttl, models = []) {
  const hasModels = [models].flat().length > 0;
  const most = hasModels ? MAX_TTL_WITH_MODELS_S : MAX_TTL_S;
  if (wholeOf("ttl", ttl) === undefined || ttl <= most) return ttl;
  throw new RangeError(`ttl is ${most} seconds at most${hasModels ? " with a model" : ""}, not ${ttl}`);
}

export function userIdOf(id) {
  const isId = ["string", "number", "bigint"].includes(typeof id) && /^[1-9][0-9]{0,18}$/.test(String(id));
  if (isId) return String(id);
  throw new TypeError(`a user's id is a whole number above 0, not ${shown(id)}`);
}

// A number of JSON, exactly: a bigint where a number cannot hold it. undefined where there is none.
export function integerIn(json, member) {
  const digits = json.match(new RegExp(`"${member}"\\s*:\\s*(-?[0-9]{1,19})\\s*[,}]`))?.[1];
  if (digits === undefined) return undefined;
  return Number.isSafeInteger(Number(digits)) ? Number(digits) : BigInt(digits);
}

export function objectIn(body) {
  try {
    const value = JSON.parse(body.toString());
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

// A request, and why the service refused it, for people.
export function refusalOf({ method, path }, { body }) {
  const { detail } = objectIn(body);
  const reason = typeof detail === "string" ? detail.slice(0, MAX_REASON).replace(/[\x00-\x1f\x7f-\x9f]+/g, " ") : "";
  return `${method} ${path}${reason === "" ? "" : `: ${reason}`}`;
}

const encoded = (value) => encodeURIComponent(String(value).replace(/[\ud800-\udfff]/gu, "\ufffd"));

export function queryOf(parameters) {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  const query = pairs.filter(([, value]) => value !== undefined);
  return query.length === 0 ? "" : `?${query.map(([name, value]) => `${name}=${encoded(value)}`).join("&")}`;
}

// ---- who asks ----

const isSendable = (value) =>
  typeof value === "string" && value !== "" && value.length <= MAX_HEADER_BYTES && /^[\t\x20-\x7e\x80-\xff]+$/.test(value);

// What tells who sent a request, as headers to pass on: a bearer's token, an API key, or the session's cookie
// and no other. headers: those of node:http, or a Headers. An Authorization of another scheme is a proxy's.
export function credentialOf(headers) {
  const header = (name) => (typeof headers.get === "function" ? headers.get(name) : headers[name]);
  const authorization = header("authorization");
  if (isSendable(authorization) && /^bearer /i.test(authorization)) return { authorization };
  const key = header("x-api-key");
  if (isSendable(key)) return { "x-api-key": key };
  const cookie = header("cookie");
  if (!isSendable(cookie)) return {};
  const sessions = cookie.split(";").map((pair) => pair.trim()).filter((pair) => pair.startsWith(SESSION));
  return sessions.length === 0 ? {} : { cookie: sessions.join("; ") };
}

// The header of an API key; it may come from a file, with the end of its line.
export function keyHeaderOf(name, key) {
  if (key === undefined) return {};
  if (typeof key === "string" && isSendable(key.trim()) && /^[\x21-\x7e]+$/.test(key.trim())) return { "x-api-key": key.trim() };
  throw new TypeError(`${name} is an API key, text of printable ASCII without a blank, and this is none`); // it is a secret
}

export function typeOf(type) {
  if (type === undefined || (isSendable(type) && type.length <= 256)) return type;
  throw new TypeError(`type is a Content-Type, not ${shown(type)}`);
}

// ---- values ----

// Half of a pair of surrogates: UTF-8 has no bytes for it, and JSON writes it as an escape.
export const hasHalves = (text) => /[\ud800-\udfff]/u.test(text);

// Of bytes that are no UTF-8 nobody knows what they meant: an error, in place of text with holes.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// Bytes stay bytes, and text text; everything else is JSON. null where it is nothing that can be kept, or would come back
// as something else.
export function encode(value) {
  if (value instanceof Uint8Array)
    return { type: "application/octet-stream", body: Buffer.from(value.buffer, value.byteOffset, value.byteLength) };
  if (typeof value === "string" && !hasHalves(value)) return { type: "text/plain; charset=utf-8", body: Buffer.from(value) };
  try {
    const json = JSON.stringify(value, kept);
    return json === undefined ? null : { type: "application/json", body: Buffer.from(json) };
  } catch {
    return null; // it contains itself, a bigint, or what kept() refuses
  }
}

// A replacer that replaces nothing. A date is text in JSON and a member that is undefined is none, as everybody knows.
// Others would be lost, and nobody would be told.
function kept(key, value) {
  const given = this[key];
  if (typeof value === "number" ? !Number.isFinite(value) : isLost(value, given, Array.isArray(this))) throw new TypeError(`no JSON: ${key}`);
  return value;
}

function isLost(value, given, isItem) {
  if (value === null) return given instanceof Date; // one that is none
  if (typeof value !== "object") return ["function", "symbol"].includes(typeof value) || (value === undefined && isItem);
  if (ArrayBuffer.isView(given) || value instanceof Map || value instanceof Set || value instanceof Error) return true;
  if (Array.isArray(value)) return false;
  return ![Object.prototype, null].includes(Object.getPrototypeOf(value)) && Object.keys(value).length === 0; // a RegExp
}

// A number that is too large for one. Only where there may be one it is looked for.
function hasInfinity(text, value) {
  const left = /[0-9]e|[0-9]{290}/i.test(text) ? [value] : [];
  while (left.length > 0) {
    const one = left.pop();
    if (one === Infinity || one === -Infinity) return true;
    if (typeof one === "object" && one !== null) for (const item of Object.values(one)) left.push(item);
  }
  return false;
}

function parse(text) {
  const value = JSON.parse(text);
  if (hasInfinity(text, value)) throw new RangeError("a number that is too large");
  return value;
}

// Throws where it is no JSON, or no UTF-8, although it says so.
export function decode(type = "", body) {
  const [media] = type.toLowerCase().split(";");
  if (media.trim() === "application/json") return parse(utf8.decode(body));
  return media.trim() === "text/plain" ? utf8.decode(body) : body;
}
