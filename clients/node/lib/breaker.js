// Fails calls at once while the service is away. One call a pause tries whether it is back.

export class Breaker {
  #pauseMs;
  #now;
  #isOpen = false;
  #isProbing = false;
  #openUntil = 0;

  constructor(pauseMs, now = () => performance.now()) {
    this.#pauseMs = pauseMs;
    this.#now = now;
  }

  get isOpen() {
    return this.#isOpen;
  }

  // null: do not call. Else record() must hear how the call went.
  admit() {
    if (!this.#isOpen) return { isProbe: false };
    if (this.#isProbing || this.#now() < this.#openUntil) return null;
    this.#isProbing = true;
    return { isProbe: true };
  }

  // While it is open only the probe counts: the other calls were made before it opened.
  record({ isProbe }, wentWell) {
    if (!isProbe && (wentWell || this.#isOpen)) return;
    if (isProbe) this.#isProbing = false;
    this.#isOpen = !wentWell;
    this.#openUntil = this.#now() + this.#pauseMs;
  }
}
