"""A cache in the memory of a process, of bounded size."""

import collections
import threading
import time


class LocalMemory:
    """Thread-safe. What was not used for longest makes room."""

    def __init__(self, most=10000):
        self._most = most
        self._lock = threading.Lock()
        self._kept = collections.OrderedDict()

    def get_or_set(self, key, make, ttl):
        """make(), or what it returned when it was last called for this key, within ttl seconds."""
        now = time.monotonic()
        with self._lock:
            end, value = self._kept.get(key, (now, None))
            if now < end:
                self._kept.move_to_end(key)
                return value
        value = make()
        with self._lock:
            self._kept[key] = (now + ttl, value)
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return value
