"""Clears that could not be sent. They are kept until they can be: what was cached would stay otherwise."""

import logging
import os
import threading
import time
import weakref

log = logging.getLogger("cachewarden")

MOST = 10000
# The scope of a user is their number. While the clear of one whose number is not known yet is owed, nobody's view is
# used. Who sends requests with made-up tokens shall not leave others without room.
UNKNOWN_USER, UNKNOWN_CALLER = "unknown user", "unknown caller"
UNKNOWN = {UNKNOWN_USER, UNKNOWN_CALLER}
MOST_CALLERS = 1000


class Owed:
    """Work that is still to be done, by what it is about.

    A scope (a user, a namespace) with something owed must not be served from a cache. A thread tries every `pause`
    seconds, as long as there is something.
    """

    def __init__(self, pause):
        self._pause = pause
        self._after_fork()
        _all.add(self)

    def add(self, scope, name, work):
        """work() is True when it is done, whatever came of it. Of one scope and name the last is kept."""
        with self._lock:
            names = self._scopes.get(scope, ())
            is_new = name not in names
            is_full = self._count >= MOST or scope == UNKNOWN_CALLER and len(names) >= MOST_CALLERS
            if is_new and is_full:
                log.error("%s keeps what is out of date: %d clears wait already", name, self._count)
                return
            self._count += is_new
            self._scopes.setdefault(scope, {})[name] = work
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="cachewarden-owed", daemon=True).start()

    def holds(self, scope):
        return scope in self._scopes

    def scopes(self):
        return tuple(self._scopes)

    def holds_a_user(self):
        return any(type(scope) is int or scope in UNKNOWN for scope in self.scopes())

    def wait(self, timeout):
        """Until nothing is owed. False: something still was after so many seconds."""
        with self._lock:
            return self._nothing.wait_for(lambda: not self._scopes, timeout)

    def _run(self):
        while True:
            time.sleep(self._pause)
            while (first := self._first()) and self._is_done(*first):
                pass
            with self._lock:
                if not self._scopes:
                    self._runs = False
                    self._nothing.notify_all()
                    return

    def _first(self):
        with self._lock:
            for scope, names in self._scopes.items():
                for name, work in names.items():
                    return scope, name, work
        return None

    def _is_done(self, scope, name, work):
        try:
            if not work():
                self._put_last(scope, name, work)
                return False
        except Exception:  # a thread that ends here would leave all the others undone
            log.exception("%s keeps what is out of date", name)
        with self._lock:
            names = self._scopes[scope]
            if names[name] is work:  # else it was asked for again meanwhile, and what was done may have been too early
                del names[name]
                self._count -= 1
                if not names:
                    del self._scopes[scope]
        return True

    def _put_last(self, scope, name, work):
        """What fails for ever stands in nobody's way."""
        with self._lock:
            names = self._scopes.pop(scope)
            if names[name] is work:
                names[name] = names.pop(name)
            self._scopes[scope] = names

    def _after_fork(self):
        """What the parent owes the parent does."""
        self._lock = threading.Lock()
        self._nothing = threading.Condition(self._lock)
        self._scopes = {}
        self._count = 0
        self._runs = False


_all = weakref.WeakSet()


def _leave_it_to_the_parent():
    for owed in _all:
        owed._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_it_to_the_parent)
