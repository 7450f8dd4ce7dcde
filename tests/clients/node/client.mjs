// A client for a test, that waits for the machine however slow it is, and what it told.

import { Cachewarden } from "../../../clients/node/lib/index.js";
import { KEY } from "./stand_in.mjs";

export const PATIENCE_MS = 60_000;

export function clientOf(standIn, options = {}) {
  const told = [];
  const report = (problem) => told.push(problem);
  const client = new Cachewarden({ url: standIn.url, apiKey: KEY, timeoutMs: PATIENCE_MS, pauseMs: 20, report, ...options });
  return Object.assign(client, { told });
}

// Until what() is true; a test that waits for ever is ended by its runner.
export async function until(what) {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 5));
}
