"""Keeps an application from waiting for a service that does not answer. Pure: the time is passed in."""

import threading


class Breaker:
    """Closed: every call may try. Open, after a failure: one call in `pause` seconds may, the others fail at once."""

    def __init__(self, pause):
        self._pause = pause
        self._lock = threading.Lock()
        self._next_try = None  # None: closed

    def allows(self, now):
        """Whether a call may try. While it is open, who may is the one that tries for all."""
        with self._lock:
            if self._next_try is None:
                return True
            if now < self._next_try:
                return False
            self._next_try = now + self._pause
            return True

    def failed(self, now):
        """A call got no answer. True: this opened it."""
        with self._lock:
            opened = self._next_try is None
            self._next_try = now + self._pause
            return opened

    def succeeded(self):
        """A call was answered. True: this closed it."""
        if self._next_try is None:  # what nearly always is so; a lock for it would cost each call
            return False
        with self._lock:
            closed = self._next_try is not None
            self._next_try = None
            return closed
