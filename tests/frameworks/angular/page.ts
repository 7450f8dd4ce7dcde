// A page that uses docs/snippets/cachewarden_angular.ts as that says, with a shop and Cachewarden behind it;
// see http/test_frameworks.c.

import { HttpClient, HttpHeaders, page } from "@angular/common/http";
import { inject } from "@angular/core";
import { lastValueFrom } from "rxjs";

import { CacheApi, LocalCopy, localCopy } from "../../../docs/snippets/cachewarden_angular";

declare const process: { env: Record<string, string>; exit(status: number): never };

const { ALICE, CACHEWARDEN_URL, SHOP_URL } = process.env;
const http = inject(HttpClient);
const api = inject(CacheApi);
const copy = inject(LocalCopy);
let sent = 0;

function send(method: string, url: string): Promise<Response> {
  const base = url.startsWith("/api/cache/") ? CACHEWARDEN_URL : SHOP_URL;
  const headers: Record<string, string> = url.includes("anonymous") ? {} : { authorization: ALICE };
  return fetch(base + url, { method, headers });
}

page.interceptor = localCopy;
page.send = (method, url) => {
  if (url === "/orders") sent++;
  return send(method, url);
};

// The orders the page shows, and how many requests for them have left it.
async function expectOrders(what: string, orders: number, requests: number): Promise<void> {
  const shown = await lastValueFrom(http.get<number>("/orders"));
  if (shown === orders && sent === requests) return;
  console.error(`${what}: ${shown} orders, not ${orders}; ${sent} requests, not ${requests}`);
  process.exit(1);
}

async function main(): Promise<void> {
  await expectOrders("first", 0, 1);
  await expectOrders("kept", 0, 1);
  await lastValueFrom(api.clear());
  await expectOrders("cleared", 0, 2);

  await send("POST", "/orders");
  await expectOrders("no news yet of another device", 0, 2);
  await lastValueFrom(api.status());
  await expectOrders("news", 1, 3);
  await lastValueFrom(http.post("/orders", {}));
  await expectOrders("an order of the page's own", 2, 5);

  const late = lastValueFrom(http.get("/orders?late"));
  copy.forget();
  await late;
  if (copy.answers.size > 0) throw new Error("kept what was asked for by somebody else");
  await expectOrders("somebody else", 2, 6);

  await lastValueFrom(api.disable());
  await expectOrders("switched off", 2, 7);
  await expectOrders("not kept", 2, 8);
  await lastValueFrom(api.enable());
  await expectOrders("what was kept is good again", 2, 8);

  await lastValueFrom(http.get("/orders?anonymous"));
  await expectOrders("nobody's answer drops nothing", 2, 8);

  const isNews = (version: string): boolean =>
    copy.see(new HttpHeaders(new Headers({ "X-Cache-Version": version, "X-Cache-Enabled": "true" })));
  if (isNews("1")) throw new Error("kept an answer from before a clear");
  await expectOrders("what was overtaken drops nothing", 2, 8);
  if (!isNews("1000")) throw new Error("kept nothing of a new version");
  await expectOrders("a version with more digits is news", 2, 9);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
