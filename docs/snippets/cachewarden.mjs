// Cachewarden from Node 18 or later, with its own fetch.

async function call(baseUrl, method, path, authorization) {
  const answer = await fetch(baseUrl + path, {
    method,
    headers: { authorization },
    signal: AbortSignal.timeout(2000),
  });
  if (!answer.ok) throw new Error(`cachewarden: ${answer.status} for ${method} ${path}`);
  return answer.json();
}

// The version of the caller's cache, or null while it is switched off: put it into cache keys.
export async function version(baseUrl, authorization) {
  const status = await call(baseUrl, "GET", "/api/cache/status/", authorization);
  return status.enabled ? status.version : null;
}

// Makes everything cached for the caller out of date; the new version.
export async function clear(baseUrl, authorization) {
  return (await call(baseUrl, "POST", "/api/cache/clear/", authorization)).version;
}
