// Cachewarden from Node 18 or later, with its own fetch.

async function call(url, method, path, headers) {
  const answer = await fetch(url + path, { method, headers, signal: AbortSignal.timeout(2000) });
  if (!answer.ok) throw Object.assign(new Error(`${answer.status} for ${method} ${path}`), { status: answer.status });
  return answer;
}

// What tells who sent a request: its Authorization, else its cookies, as a header to pass on as it is.
export function credentialOf({ authorization, cookie }) {
  return authorization ? { authorization } : cookie ? { cookie } : {};
}

const nobody = { userId: null, version: null };

// Whose answer is being made, and the version of their cache; null while it cannot be used. Ask once
// for each request, before the data is read. credential is credentialOf the headers of that request.
export async function check(url, credential) {
  if (Object.keys(credential).length === 0) return nobody;
  const answer = await call(url, "GET", "/api/cache/check/", credential).catch((error) => {
    if (error.status !== 401) throw error;
  });
  if (!answer) return nobody;
  const { headers } = answer;
  return { userId: headers.get("x-user-id"), version: headers.get("x-cache-version") };
}

// The cache key of `name` in a view, or null: go to the source, and keep nothing.
export function key(view, name) {
  return view.version === null ? null : `user:${view.userId}:${view.version}:${name}`;
}

// Makes everything cached for the caller, by a token, out of date; the new version. Ten times a minute.
export async function clear(url, credential) {
  const answer = await call(url, "POST", "/api/cache/clear/", credential);
  return (await answer.json()).version;
}

// The same for any user, as often as need be, with an API key of scope admin.
export async function clearUser(url, apiKey, userId) {
  const path = `/api/server-management/clear-cache/?user_id=${userId}`;
  const answer = await call(url, "POST", path, { "x-api-key": apiKey });
  return (await answer.json()).new_version;
}
