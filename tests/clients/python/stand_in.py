"""A server in place of Cachewarden that answers what a test says, byte by byte, or not at all."""

import contextlib
import logging
import socket
import threading
from typing import NamedTuple

logging.getLogger("cachewarden").addHandler(logging.NullHandler())  # what is said is told by assertLogs

PATIENCE_S = 60  # ends a call that hangs; says nothing about speed


class Request(NamedTuple):
    method: str
    path: str
    headers: dict  # names in small letters
    body: bytes
    connection: int  # which connection it came on, from 1


def answer(status, fields=None, body=b""):
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Something"]
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    if status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class HangUp(bytes):
    """Bytes after which the connection is closed."""


class StandIn:
    """answers(request) returns bytes, HangUp, or None: no answer until the test ends."""

    def __init__(self, answers):
        self.answers = answers
        self.requests = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._open = []
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._over.set()
        # close() alone does not wake who waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self):
        """Closes every connection, as a server that was restarted, or is tired of waiting."""
        with self._lock:
            connections, self._open = self._open, []
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def paths(self):
        with self._lock:
            return [request.path for request in self.requests]

    def wait_for(self, is_true):
        """Until is_true(requests)."""
        with self._lock:
            if not self._changed.wait_for(lambda: is_true(self.requests), PATIENCE_S):
                raise AssertionError(f"it never came: {self.requests}")

    def _accept(self):
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections += 1
                self._open.append(connection)
                number = self._connections
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection, number):
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as incoming:
            while request := _read(incoming, number):
                with self._lock:
                    self.requests.append(request)
                    self._changed.notify_all()
                reply = self.answers(request)
                if reply is None:
                    self._over.wait()
                    return
                connection.sendall(reply)
                if isinstance(reply, HangUp):
                    return


def _read(incoming, number):
    line = incoming.readline().decode("latin-1").split()
    if not line:
        return None
    headers = {}
    while field := incoming.readline().strip().decode("latin-1"):
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip()
    return Request(line[0], line[1], headers, incoming.read(int(headers.get("content-length", 0))), number)


def script(*replies):
    """One after the other, the last one for ever; a reply may be a function of the request."""
    left = list(replies)

    def next_reply(request):
        reply = left.pop(0) if len(left) > 1 else left[0]
        return reply(request) if callable(reply) else reply

    return next_reply
