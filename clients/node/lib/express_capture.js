// An answer as its handler makes it: what of it may be kept, and the bytes it is kept as.

// Of the connection, or of the moment.
const NOT_KEPT = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "date", "age", "content-length", "set-cookie",
  "x-cache", "x-cache-enabled", "x-cache-version", "x-request-id", "x-user-id"]);
const FORBIDDEN = /(^|[\s,])(no-store|no-cache|private)($|[\s,=])/i;

// { status, all, headers, body } when it was sent: all its headers, and those that its handler set. null when its
// client went away before. all null: some of them were seen by nobody but node:http. body null: it is too large.
export function capture(res, maxBytes) {
  const before = res.getHeaders();
  const { write, end, writeHead } = res;
  let chunks = [];
  let length = 0;
  let head = null;
  let isHidden = false;

  const take = (chunk, encoding) => {
    // Now, as what compresses it afterwards changes the headers.
    head ??= { status: res.statusCode, all: isHidden ? null : res.getHeaders(), headers: news(res.getHeaders(), before) };
    if (chunk === null || chunk === undefined || typeof chunk === "function") return;
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, typeof encoding === "string" ? encoding : "utf8") : Buffer.from(chunk);
    length += bytes.length;
    if (length > maxBytes) chunks = null;
    chunks?.push(bytes);
  };
  res.writeHead = (...args) => {
    isHidden ||= args.some((argument) => typeof argument === "object" && argument !== null);
    return writeHead.apply(res, args);
  };
  res.write = (...args) => {
    take(...args);
    return write.apply(res, args);
  };
  res.end = (...args) => {
    take(...args);
    return end.apply(res, args);
  };
  return new Promise((resolve) => {
    res.once("finish", () => {
      // A session sets its cookie as the headers leave.
      const all = head.all && !res.hasHeader("set-cookie") ? head.all : null;
      resolve({ ...head, all, body: chunks && Buffer.concat(chunks) });
    });
    res.once("close", () => resolve(null));
  });
}

function news(headers, before) {
  const isNews = ([name, value]) => !NOT_KEPT.has(name) && String(before[name]) !== String(value);
  return Object.fromEntries(Object.entries(headers).filter(isNews));
}

export function isStorable({ status, all, body }, varied) {
  if (status !== 200 || all === null || body === null || all["content-range"] !== undefined) return false;
  if (FORBIDDEN.test(String(all["cache-control"] ?? "")) || (all["content-encoding"] ?? "identity") !== "identity") return false;
  if (all["content-length"] !== undefined && Number(all["content-length"]) !== body.length) return false;
  const reasons = String(all.vary ?? "").toLowerCase().split(",").map((name) => name.trim());
  return reasons.every((name) => name === "" || name === "accept-encoding" || varied.includes(name));
}

// A line of JSON, then the body as it was.
export function pack({ headers, body }) {
  return Buffer.concat([Buffer.from(`${JSON.stringify(headers)}\n`), body]);
}

// null where it is something else.
export function unpack({ value, ageS }) {
  try {
    const end = value.indexOf("\n");
    const headers = JSON.parse(value.subarray(0, end).toString());
    return { headers, body: value.subarray(end + 1), ageS };
  } catch {
    return null;
  }
}
