// Joins the calls of this process for one key. A call that comes while one is under way shares the one
// after it, so nobody gets what was read before they asked, and one runs at a time.

export class Flights {
  #underWay = new Map();

  run(key, work) {
    const flight = this.#underWay.get(key);
    if (!flight) return this.#start(key, work);
    flight.next ??= flight.end.then(() => this.#start(key, work));
    return flight.next;
  }

  #start(key, work) {
    const result = (async () => work())();
    const flight = { next: null };
    flight.end = result.then(nothing, nothing).then(() => {
      if (flight.next === null) this.#underWay.delete(key);
    });
    this.#underWay.set(key, flight);
    return result;
  }
}

const nothing = () => {};
