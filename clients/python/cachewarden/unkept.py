"""Labels whose last fill was not kept. For a while nobody waits for one: it would not come."""

import contextlib
import time

PASS_S = 10
MOST = 1000


class Unkept:
    """Bounded. Thread-safe without a lock, which a fork could leave held: each step is one of a dict."""

    def __init__(self):
        self._until = {}

    def note(self, name, is_kept):
        self._until.pop(name, None)
        if is_kept:
            return
        self._until[name] = time.monotonic() + PASS_S
        if len(self._until) > MOST:
            with contextlib.suppress(RuntimeError, StopIteration):  # another thread was faster
                self._until.pop(next(iter(self._until)), None)

    def holds(self, name):
        return time.monotonic() < self._until.get(name, 0)
