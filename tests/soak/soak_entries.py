"""What tests/soak/soak does with entries: threads that share accounts read through the cache of a database that they
write to, clear, count and start jobs, at both nodes.

  - a hit is never older than what the database held when a clear was sent that was acknowledged before the read;
  - each clear of a model raised its count by one, and no two clears of one model or of one account were told the
    same number;
  - in a quiet phase without clears for all, a counter ends at the sum of what was added to it, and no two increments
    were told the same;
  - a job that was started comes to its end.
"""
import json
import threading
import time

ACCOUNTS = ["shared0", "shared1", "shared2"]
THREADS, LABELS, MODELS = 4, 9, 3
TTL_S = 120
NAMESPACE = "app:soak"
# Nobody knows whether it was done.
UNKNOWN = (0, 500, 502, 503, 504)
JOB_PATIENCE_S = 15


class Entries:
    def __init__(self, soak):
        self.soak, self.lock = soak, threading.Lock()
        self.held = {}  # (account, label): what the database holds
        self.oldest = {}  # the same: the oldest value that may still be served
        self.given = set()  # (account, model, number) of clears; (counter, number) of increments
        self.counter, self.added, self.jobs = None, 0, []

    @staticmethod
    def names():
        """Of what is summed up beside the clears of accounts: the clears of models."""
        return [(account, f"m{model}") for account in ACCOUNTS for model in range(MODELS)]

    def counted(self, name):
        account, model = name
        return int(self.soak.redis.ask("HGET", f"cw:{{u:{self.soak.ids[account]}}}:m", f"m:{model}") or 0)

    # ---- the database, and what may be served ----

    def write(self, account, label):
        with self.lock:
            self.held[account, label] = self.held.get((account, label), 0) + 1

    def about_to_clear(self, account, model):
        """What the database holds now. account, model None: of all."""
        with self.lock:
            return {key: value for key, value in self.held.items()
                    if account in (None, key[0]) and model in (None, self.model(key[1]))}

    def cleared(self, held):
        with self.lock:
            for key, value in held.items():
                self.oldest[key] = max(self.oldest.get(key, 0), value)

    @staticmethod
    def model(label):
        return f"m{label % MODELS}"

    # ---- work ----

    def read(self, node, account, token, dice):
        label, path = dice.randrange(LABELS), None
        with self.lock:
            oldest = self.oldest.get((account, label), 0)
        path = f"/api/v1/entries/l{label}?model={self.model(label)}"
        wait = "&wait_ms=300" if dice.random() < 0.3 else ""
        status, headers, body = node.exchange("GET", path + wait, token)
        self.soak.expect(status in (200, 404), f"read of l{label} of {account} at {node.name}: {status} {body}")
        if status == 200:
            self.soak.done["hit"] += 1
            if int(body) < oldest:
                self.soak.violate(f"l{label} of {account} at {node.name}: {int(body)}, cleared at {oldest}")
        lease = headers.get("X-Cache-Lease")
        if lease and status in (200, 404):
            self.fill(node, account, token, label, lease, dice)

    def fill(self, node, account, token, label, lease, dice):
        with self.lock:
            held = self.held.get((account, label), 0)
        if dice.random() < 0.2:
            time.sleep(dice.uniform(0, 0.05))  # a slow query
        node = dice.choice(self.soak.nodes)
        status, _, body = node.exchange("PUT", f"/api/v1/entries/l{label}?model={self.model(label)}&ttl={TTL_S}", token,
                                        str(held).encode(), {"X-Cache-Lease": lease, "Content-Type": "text/plain"})
        self.soak.expect(status in (201, 204), f"fill of l{label} of {account} at {node.name}: {status} {body}")
        self.soak.done["fill"] += status in (201, 204)

    def change(self, node, account, token, dice):
        """A write to the database, and the clear behind it."""
        label = dice.randrange(LABELS)
        self.write(account, label)
        if dice.random() < 0.3:
            held = self.about_to_clear(account, None)
            if self.soak.clear(node, account, token, dice.choice(["POST /api/cache/clear/", "DELETE /api/v1/entries"])) == 200:
                self.cleared(held)
            return
        model = self.model(label)
        held = self.about_to_clear(account, model)
        status, _, body = node.exchange("DELETE", f"/api/v1/models/{model}", token)
        self.soak.expect(status == 200, f"clear of {model} of {account} at {node.name}: {status} {body}")
        with self.soak.lock:
            self.soak.clears[account, model].sure += status == 200
            self.soak.clears[account, model].perhaps += status in UNKNOWN
        if status == 200:
            self.cleared(held)
            self.soak.done["clear of a model"] += 1
            self.give((account, model, json.loads(body)["generation"]))

    def give(self, what):
        with self.lock:
            is_twice = what in self.given
            self.given.add(what)
        if is_twice:
            self.soak.violate(f"{what} twice")

    def drop(self, node, account, token, dice):
        status, _, body = node.exchange("DELETE", f"/api/v1/entries/l{dice.randrange(LABELS)}", token)
        self.soak.expect(status == 200, f"drop of an entry of {account} at {node.name}: {status} {body}")
        self.soak.done["drop"] += status == 200

    def increment(self, node, token):
        """In a namespace of its own, which nobody clears. Needs an admin."""
        counter = self.counter or "while-killed"
        status, _, body = node.exchange(
            "POST", f"/api/v1/entries/{counter}/increment?namespace={NAMESPACE}", token,
            json.dumps({"by": 1, "ttl": TTL_S}).encode(), {"Content-Type": "application/json"})
        self.soak.expect(status == 200, f"increment at {node.name}: {status} {body}")
        if status == 200:
            self.soak.done["increment"] += 1
            if counter == self.counter:
                self.give((counter, json.loads(body)["value"]))
                with self.lock:
                    self.added += 1

    def start_job(self, node, account, token):
        status, _, body = node.exchange("DELETE", "/api/v1/entries?pattern=l%5B0-4%5D", token)
        self.soak.expect(status in (202, 409), f"clear by pattern of {account} at {node.name}: {status} {body}")
        if status == 202:
            self.soak.done["job"] += 1
            with self.lock:
                self.jobs.append((json.loads(body)["id"], token))

    def work_once(self, account, session, dice):
        """The session to go on with."""
        node, turn = dice.choice(self.soak.nodes), dice.random()
        if session is None or time.monotonic() - session[2] > self.soak.access_ttl_s / 2:
            session = self.soak.refresh(node, account, session) if session else None
            return session or self.soak.sign_in(node, account)
        token = session[0]
        if turn < 0.6:
            self.read(node, account, token, dice)
        elif turn < 0.8:
            self.change(node, account, token, dice)
        elif turn < 0.85:
            self.drop(node, account, token, dice)
        elif turn < 0.93:
            what = dice.choice(["status", "status", "status", "enable", "disable"])
            self.soak.done[what] += self.soak.look_or_switch(node, account, token, what) == 200
        elif turn < 0.998 and account == ACCOUNTS[0]:
            self.increment(node, token)
        elif turn > 0.998:
            self.start_job(node, account, token)
        return session

    # ---- phases ----

    def begin(self, is_quiet, clears_all, number):
        """Sums of increments hold where nothing makes a counter begin anew."""
        self.counter, self.added = (f"c{number}", 0) if is_quiet and not clears_all else (None, 0)

    def judge(self, token):
        if self.counter:
            node = self.soak.nodes[0]
            status, _, body = node.exchange("GET", f"/api/v1/entries/{self.counter}?namespace={NAMESPACE}", token)
            if self.added and (status, body) != (200, str(self.added).encode()):
                self.soak.violate(f"counter {self.counter}: {status} {body}, {self.added} were added")
        for job, whose in self.jobs:
            self.await_job(job, token)
        self.jobs = []

    def await_job(self, job, token):
        end, answer = time.monotonic() + JOB_PATIENCE_S, b""
        while time.monotonic() < end:
            status, _, answer = self.soak.nodes[0].exchange("GET", f"/api/v1/jobs/{job}", token)
            if status == 200 and json.loads(answer)["state"] != "running":
                return
            time.sleep(0.1)
        self.soak.violate(f"job {job} does not end: {answer}")
