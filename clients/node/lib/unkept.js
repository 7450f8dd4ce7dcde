// Labels whose last fill was not kept, for a while: nobody waits for one, because it would not come.

const PASS_MS = 10_000;
const MAX_LABELS = 1000;

export class Unkept {
  #until = new Map();
  #now;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  note(label, isKept) {
    this.#until.delete(label);
    if (isKept) return;
    this.#until.set(label, this.#now() + PASS_MS);
    if (this.#until.size > MAX_LABELS) this.#until.delete(this.#until.keys().next().value);
  }

  has(label) {
    if (this.#now() < (this.#until.get(label) ?? 0)) return true;
    this.#until.delete(label);
    return false;
  }
}
