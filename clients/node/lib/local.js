// Values in the memory of this process, those that were used last. Their keys have a version, so none is ever out
// of date: it is only not asked for again.

import { Flights } from "./flights.js";

export class Local {
  #values = new Map();
  #flights = new Flights();
  #max;

  constructor(max = 10_000) {
    this.#max = max;
  }

  async remember(key, make) {
    return this.#values.has(key) ? this.#use(key) : this.#flights.run(key, () => this.#make(key, make));
  }

  #use(key) {
    const value = this.#values.get(key);
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  async #make(key, make) {
    if (this.#values.has(key)) return this.#use(key);
    const value = await make();
    this.#values.set(key, value);
    if (this.#values.size > this.#max) this.#values.delete(this.#values.keys().next().value);
    return value;
  }
}
