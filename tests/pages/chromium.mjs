// Debian's Chromium without a screen, which is told what to do in its DevTools protocol, through a pipe. Nothing of it
// leaves this machine.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const FLAGS = [
  "--no-sandbox", // root has none
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-extensions",
  "--disable-sync",
  "--no-first-run",
  "--no-default-browser-check",
  "--mute-audio",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  "--remote-debugging-pipe",
];

export class Chromium {
  #process;
  #last = 0;
  #waiting = new Map();
  #unread = "";

  // Its profile is a new folder in that one.
  async open(folder) {
    const stdio = ["ignore", "ignore", "ignore", "pipe", "pipe"];
    const flags = [...FLAGS, `--user-data-dir=${join(folder, "chromium")}`];
    this.#process = spawn("chromium-headless-shell", [...flags, "about:blank"], { stdio });
    this.#process.stdio[4].setEncoding("utf8").on("data", (text) => this.#take(text));
    this.#process.on("exit", (status) => this.#fail(new Error(`Chromium ended with ${status}`)));
    this.#process.on("error", (error) => this.#fail(error));
    await this.send("Browser.getVersion");
    return this;
  }

  async close() {
    const end = once(this.#process, "exit");
    await this.send("Browser.close");
    await end;
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject, method }));
  }

  // A private window: cookies and databases of its own, which end with it.
  async private() {
    return (await this.send("Target.createBrowserContext")).browserContextId;
  }

  // Without an address it is an empty one.
  async tab(url, browserContextId = undefined) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, targetId, sessionId);
    if (url) await tab.go(url);
    return tab;
  }

  #take(text) {
    const messages = (this.#unread + text).split("\0");
    this.#unread = messages.pop();
    for (const { id, result, error } of messages.map((message) => JSON.parse(message))) {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new Error(`${waiting.method}: ${error.message}`));
      else waiting?.resolve(result);
    }
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

class Tab {
  constructor(browser, targetId, sessionId) {
    Object.assign(this, { browser, targetId, sessionId });
  }

  send(method, params) {
    return this.browser.send(method, params, this.sessionId);
  }

  close() {
    return this.browser.send("Target.closeTarget", { targetId: this.targetId });
  }

  // Until the page's `ready` is there; a page that says it went wrong will not get there.
  async go(url) {
    const { errorText } = await this.send("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await this.until(() => {
      if (globalThis.failed) throw new Error(globalThis.failed);
      return globalThis.ready === true;
    });
  }

  // Until that is so in the page.
  async until(isSo) {
    while (!(await this.run(isSo))) await this.turn();
  }

  // A moment for the page to do something.
  turn() {
    return new Promise((resolve) => setTimeout(resolve, 10));
  }

  // What the function gives in the page, which sees none of our variables.
  run(work, ...values) {
    return this.#evaluate(`(${work})(...${JSON.stringify(values)})`);
  }

  async #evaluate(expression) {
    const how = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", how);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }
}
