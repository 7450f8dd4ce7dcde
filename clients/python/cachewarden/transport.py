"""Calls over kept connections, with a breaker. Whatever goes wrong is one exception: Unavailable."""

import logging
import os
import re
import ssl
import threading
import time
import urllib.parse
import weakref
from typing import NamedTuple, Optional

from . import arguments
from .breaker import Breaker
from .connection import BYTES_PER_SECOND, Closed, Connection

log = logging.getLogger("cachewarden")

KEPT_S = 55  # shorter than servers and proxies keep a silent connection (75 s)
MAX_KEPT = 64


class Unavailable(Exception):
    """There is no answer that can be used; why."""


class Unsendable(Unavailable):
    """It cannot be asked, now or later."""


class Origin(NamedTuple):
    """Where a service is."""

    host: str
    port: int
    authority: str  # for the field Host
    prefix: str  # of all paths
    context: Optional[ssl.SSLContext]

    @classmethod
    def of(cls, url, context):
        parts, port = _split(url)
        is_tls = parts.scheme == "https"
        if is_tls and context is None:
            context = ssl.create_default_context()
        return cls(parts.hostname, port or (443 if is_tls else 80), parts.netloc, parts.path.rstrip("/"), context if is_tls else None)


def _split(url):
    """Its parts, and its port. There may be a password in a wrong one: no message shows that."""
    what = "url is the address of Cachewarden, such as http://127.0.0.1:8000"
    if not isinstance(url, str):
        raise TypeError(f"{what}, not {url!r}")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    is_sendable = re.fullmatch(r"[\x21-\x7e]+", parts.netloc + parts.path) is not None
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_sendable:
        raise ValueError(f"{what}, not {url!r}" if "@" not in url else what)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{what}: no user, no ?query and no #fragment")
    return parts, port


class Request(NamedTuple):
    """What is asked."""

    method: str
    path: str  # with its query, encoded
    headers: dict = {}
    body: Optional[bytes] = None
    extra_s: float = 0  # time it may take besides
    # Doing it twice does what doing it once does. Only then it is sent again when nobody knows whether it arrived.
    may_repeat: bool = False

    def bytes_for(self, origin):
        lines = [f"{self.method} {origin.prefix}{self.path} HTTP/1.1", f"Host: {origin.authority}"]
        lines.append("Accept-Encoding: identity")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body is not None or self.method not in ("GET", "HEAD"):
            lines.append(f"Content-Length: {len(self.body or b'')}")
        if any(sign in line for line in lines for sign in "\r\n\0"):
            raise ValueError("a line break in what is sent")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (self.body or b"")


class Transport:
    """Thread-safe. timeout: seconds for a whole call. pause: seconds between tries while nobody answers."""

    def __init__(self, url, *, timeout=0.5, pause=1.0, max_answer=16 * 1024 * 1024, context=None):
        self._origin = Origin.of(url, arguments.context(context))
        self._timeout = arguments.seconds("timeout", timeout)
        self._pause = arguments.seconds("pause", pause, may_be_zero=True)
        self._max_answer = max_answer
        self._after_fork()
        _transports.add(self)

    def call(self, request):
        """The answer, whatever its status."""
        try:
            data = request.bytes_for(self._origin)
        except ValueError as error:
            raise Unsendable(f"this cannot be asked: {error}") from error
        if not self._breaker.allows(time.monotonic()):
            raise Unavailable("it did not answer a moment ago")
        try:
            answer = self._attempt(request, data)
        except Exception as error:  # what a stranger sends shall not be able to raise anything else
            if self._breaker.failed(time.monotonic()):
                log.warning("no answer from Cachewarden, going on without: %s", _words(error))
            raise Unavailable(_words(error)) from error
        if self._breaker.succeeded():
            log.warning("Cachewarden answers again")
        return answer

    def close(self):
        """Closes what is idle. Calls go on, with new connections."""
        with self._lock:
            kept, self._kept = self._kept, []
        for connection, _ in kept:
            connection.close()

    def _attempt(self, request, data):
        deadline = time.monotonic() + self._timeout + request.extra_s + len(data) / BYTES_PER_SECOND
        connection = self._take()
        if connection:
            try:
                return self._exchange(connection, request, data, deadline)
            except (Closed, ConnectionError):
                # The server had closed what we kept. What it did not get whole it did not do.
                if connection.was_sent and not request.may_repeat:
                    raise
        connection = Connection(self._origin.host, self._origin.port, self._origin.context, deadline)
        return self._exchange(connection, request, data, deadline)

    def _exchange(self, connection, request, data, deadline):
        try:
            answer = connection.exchange(data, request.method == "HEAD", deadline, self._max_answer)
            if connection.is_kept:
                self._keep(connection)
            return answer
        finally:
            if not connection.is_kept:
                connection.close()

    def _take(self):
        """The connection that was used last, or None."""
        while True:
            with self._lock:
                if not self._kept:
                    return None
                connection, since = self._kept.pop()
            if time.monotonic() - since < KEPT_S and connection.is_quiet():
                return connection
            connection.close()

    def _keep(self, connection):
        with self._lock:
            self._kept.append((connection, time.monotonic()))
            oldest = self._kept.pop(0) if len(self._kept) > MAX_KEPT else None
        if oldest:
            oldest[0].close()

    def _after_fork(self):
        """A child shares no connection with its parent, and inherits no lock that is held."""
        self._lock = threading.Lock()
        self._kept = []
        self._breaker = Breaker(self._pause)


def _words(error):
    return str(error) or type(error).__name__


_transports = weakref.WeakSet()


def _leave_connections_to_the_parent():
    for transport in _transports:
        transport._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_connections_to_the_parent)
