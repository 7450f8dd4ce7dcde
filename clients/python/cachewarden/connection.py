"""One connection to Cachewarden: HTTP/1.1, read strictly, within a time and a size for the whole answer.

http.client takes a head that was cut off for a whole one, gives every read a time limit of its own, and drops what
comes behind an answer. A cache must not: half a value is worse than none, and so is the answer to another question.
"""

import json
import re
import select
import socket
import time

MAX_HEAD = 64 * 1024
MAX_INTERIM = 8
MAX_REASON = 200
# A large answer may take longer than a small one, as long as this many bytes a second come.
BYTES_PER_SECOND = 1024 * 1024

_STATUS = re.compile(r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n\0]*)?")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK = re.compile(r"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")


class Broken(Exception):
    """What came is no answer."""


class Closed(Exception):
    """The other side had closed the connection before a byte of an answer came."""


class Answer:
    """Status, fields by their names in small letters, body."""

    __slots__ = ("status", "fields", "body")

    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def get(self, name):
        """The value of a field, or None. One that came twice is both, with a comma between."""
        return self.fields.get(name)

    def __str__(self):
        """For a log: the status, and what the service says of it."""
        try:
            reason = json.loads(self.body).get("detail")
        except (ValueError, AttributeError, RecursionError):
            reason = None
        if not isinstance(reason, str) or not reason:
            return f"status {self.status}"
        return f"status {self.status}: " + "".join(c if c.isprintable() else " " for c in reason[:MAX_REASON])


class _Incoming:
    """The bytes of one answer."""

    def __init__(self, connection, deadline, room):
        self._connection, self._deadline, self._room = connection, deadline, room
        self._bytes = bytearray()
        self.is_empty = True

    def _more(self):
        data = self._connection.until(self._deadline).recv(65536)
        if not data:
            raise Closed("closed") if self.is_empty else Broken("the answer was cut off")
        self.is_empty = False
        self._deadline += len(data) / BYTES_PER_SECOND
        self._room -= len(data)
        if self._room < 0:
            raise Broken("the answer is too large")
        self._bytes += data

    def until(self, mark, limit):
        """What comes before the mark, which goes with it."""
        start = 0
        while (end := self._bytes.find(mark, start)) < 0:
            if len(self._bytes) > limit:
                raise Broken("the answer is too large")
            start = max(0, len(self._bytes) - len(mark) + 1)
            self._more()
        found = self._bytes[:end].decode("latin-1")
        del self._bytes[: end + len(mark)]
        return found

    def exactly(self, size):
        if size > len(self._bytes) + self._room:
            raise Broken("the answer is too large")
        while len(self._bytes) < size:
            self._more()
        found = bytes(self._bytes[:size])
        del self._bytes[:size]
        return found

    def has_more(self):
        return bool(self._bytes)


def _head(incoming):
    """(minor version, status, fields)."""
    lines = incoming.until(b"\r\n\r\n", MAX_HEAD).split("\r\n")
    status = _STATUS.fullmatch(lines[0])
    if not status:
        raise Broken("the answer is not HTTP")
    fields = {}
    for line in lines[1:]:
        field = _FIELD.fullmatch(line)
        if not field:
            raise Broken("the answer has a field that is none")
        name, value = field[1].lower(), field[2]
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return status[1], int(status[2]), fields


def _chunks(incoming):
    body = bytearray()
    while True:
        size = _CHUNK.fullmatch(incoming.until(b"\r\n", 256))
        if not size:
            raise Broken("the answer has a chunk that is none")
        length = int(size[1], 16)
        if length == 0:
            break
        body += incoming.exactly(length)
        if incoming.exactly(2) != b"\r\n":
            raise Broken("the answer has a chunk that is none")
    while incoming.until(b"\r\n", MAX_HEAD):
        pass
    return bytes(body)


def _body(incoming, status, fields, is_head):
    if is_head or status in (204, 304):
        return b""
    if fields.get("content-encoding", "identity").lower() != "identity":
        raise Broken("the answer is encoded")  # by somebody on the way, who was asked not to
    length, coding = fields.get("content-length"), fields.get("transfer-encoding")
    if coding is not None:
        if length is not None or coding.lower() != "chunked":
            raise Broken("nobody knows where the answer ends")
        return _chunks(incoming)
    # Without either it ends with the connection, and one that was cut off looks like a whole one.
    if length is None or not _LENGTH.fullmatch(length):
        raise Broken("nobody knows where the answer ends")
    return incoming.exactly(int(length))


class Connection:
    """Open from the start. After an exception nothing but close() is allowed."""

    def __init__(self, host, port, context, deadline):
        self._sock = _connect(host, port, deadline)
        self._has_tls = context is not None
        try:
            if self._has_tls:
                self._sock.settimeout(_left(deadline))
                self._sock = context.wrap_socket(self._sock, server_hostname=host)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self._sock.close()
            raise
        self._is_readable = _readiness(self._sock)
        self._timeout = 0
        self.is_kept = False  # whether it may carry another exchange
        self.was_sent = False  # whether all of the last request was

    def is_quiet(self):
        """Whether nothing came since the last answer: neither its end, nor what nobody asked for."""
        return not self._is_readable() and not (self._has_tls and self._sock.pending())

    def until(self, deadline):
        """The socket, for one call that ends by then. Setting its timeout costs a system call: a little off will do."""
        left = _left(deadline)
        if not 0.9 * self._timeout <= left <= 1.1 * self._timeout:
            self._sock.settimeout(left)
            self._timeout = left
        return self._sock

    def exchange(self, request, is_head, deadline, room):
        """The answer to a request, all of which goes out in one write."""
        self.is_kept = self.was_sent = False
        self.until(deadline).sendall(request)
        self.was_sent = True
        incoming = _Incoming(self, deadline, room)
        for _ in range(MAX_INTERIM):
            try:
                minor, status, fields = _head(incoming)
            except ConnectionError as error:
                raise Closed("closed") if incoming.is_empty else error
            if status >= 200:
                break
        else:
            raise Broken("the answer never begins")
        answer = Answer(status, fields, _body(incoming, status, fields, is_head))
        asks_to_close = "close" in fields.get("connection", "").lower()
        self.is_kept = minor == "1" and not asks_to_close and not incoming.has_more()
        return answer

    def close(self):
        self._sock.close()

    def __del__(self):
        if hasattr(self, "_sock"):  # nobody closes a Client that is no longer used
            self._sock.close()


def _readiness(sock):
    """A function that tells whether there is something to read."""
    if not hasattr(select, "poll"):  # Windows, whose select() takes any socket
        return lambda: select.select([sock], [], [], 0)[0]
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return lambda: poll.poll(0)


def _left(deadline):
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left


def _connect(host, port, deadline):
    """The first of the host's addresses that takes us; all of them share the time."""
    problem = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_left(deadline))
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            problem = error
        except BaseException:
            sock.close()
            raise
    raise problem
