"""What is taken for an answer, and what is not."""

import random
import socket
import threading
import time
import unittest

from cachewarden.connection import Broken, Closed, Connection
from stand_in import PATIENCE_S, HangUp, StandIn, answer

ROOM = 100_000
WHOLE = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello"

NO_ANSWERS = {
    "garbage": HangUp(b"\x16\x03\x01\x00\xff\r\n\r\n"),
    "another protocol": HangUp(b"-ERR unknown command\r\n\r\n"),
    "HTTP/0.9": HangUp(b"<html>hello</html>"),
    "HTTP/2": HangUp(b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n"),
    "no status": HangUp(b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"),
    "a status that is none": HangUp(b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n"),
    "a head that was cut off": HangUp(b"HTTP/1.1 204 No Content\r\nX-Cache-Vers"),
    "a head without its end": HangUp(b"HTTP/1.1 204 No Content\r\nX-User-Id: 7\r\n"),
    "a field without a colon": HangUp(b"HTTP/1.1 204 No Content\r\nX-User-Id 7\r\n\r\n"),
    "a folded field": HangUp(b"HTTP/1.1 204 No Content\r\nX-User-Id: 7\r\n 8\r\n\r\n"),
    "a field with a bare line feed": HangUp(b"HTTP/1.1 204 No Content\r\nX-User-Id: 7\nX-A: 1\r\n\r\n"),
    "a body that was cut off": HangUp(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
    "a body without a length": HangUp(b"HTTP/1.1 200 OK\r\n\r\nhello"),
    "no headers at all": HangUp(b"HTTP/1.1 200 OK\r\n\r\n"),
    "a length that is none": HangUp(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
    "two lengths": HangUp(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    "a length beside chunks": HangUp(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a coding that is none": HangUp(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello"),
    "a chunk that is none": HangUp(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk longer than it says": HangUp(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n"),
    "chunks that were cut off": HangUp(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    "an endless head": HangUp(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 300_000),
    "a length that is too large": HangUp(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nhello"),
    "a body that is too large": HangUp(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"a" * 200_000),
    "chunks that are too large": HangUp(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + b"a" * 0x4000 + b"\r\n") * 9),
    "an answer that never begins": HangUp(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
}

ANSWERS = {
    "an answer": (WHOLE, 200, b"hello", True),
    "one without a body": (answer(204, {"X-A": "1"}), 204, b"", True),
    "chunks": (b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n", 200, b"hello", True),
    "one after interim ones": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + WHOLE, 200, b"hello", True),
    "one that is the last": (b"HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
                             200, b"hello", False),
    "one of HTTP/1.0": (b"HTTP/1.0 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", False),
    # The next question must not be answered by what came too much.
    "one with something behind it": (WHOLE + WHOLE, 200, b"hello", False),
}


def exchange(server, *, room=ROOM, is_head=False, timeout=PATIENCE_S):
    deadline = time.monotonic() + timeout
    connection = Connection("127.0.0.1", server.port, None, deadline)
    try:
        return connection.exchange(b"GET / HTTP/1.1\r\n\r\n", is_head, deadline, room), connection.is_kept
    finally:
        connection.close()


class WhatIsNoAnswer(unittest.TestCase):
    def test_is_told_from_one(self):
        for name, reply in NO_ANSWERS.items():
            with self.subTest(name), StandIn(lambda _, reply=reply: reply) as server:
                self.assertRaises((Broken, ConnectionError), exchange, server)

    def test_the_end_before_the_first_byte_is_told_apart(self):
        with StandIn(lambda _: HangUp(b"")) as server:
            self.assertRaises(Closed, exchange, server)

    def test_any_bytes_end_in_one_of_these(self):
        pick = random.Random(7)
        pieces = [b"HTTP/1.1 200 OK\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"\n",
                  b"hello", b"5\r\n", b"0\r\n\r\n", b"\x00", b"\xff\xfe", b":", b" "]
        for _ in range(200):
            reply = HangUp(b"".join(pick.choices(pieces, k=pick.randint(1, 8))))
            with self.subTest(reply), StandIn(lambda _, reply=reply: reply) as server:
                try:
                    exchange(server)
                except (Broken, Closed, ConnectionError):
                    pass


class AnAnswer(unittest.TestCase):
    def test_is_read_whole(self):
        for name, (reply, status, body, is_kept) in ANSWERS.items():
            with self.subTest(name), StandIn(lambda _, reply=reply: reply) as server:
                found, kept = exchange(server)
                self.assertEqual((found.status, found.body, found.get("x-a"), kept), (status, body, "1", is_kept))

    def test_to_head_has_no_body(self):
        with StandIn(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") as server:
            self.assertEqual(exchange(server, is_head=True)[0].body, b"")

    def test_has_a_field_that_came_twice_as_both(self):
        with StandIn(lambda _: answer(204, {"X-User-Id": "7", "x-user-id": "8"})) as server:
            self.assertEqual(exchange(server)[0].get("x-user-id"), "7, 8")


class Time(unittest.TestCase):
    def test_ends_for_a_server_that_says_nothing(self):
        with StandIn(lambda _: None) as server:
            self.assertRaises((TimeoutError, socket.timeout), exchange, server, timeout=0.05)

    def test_is_that_of_the_whole_answer(self):
        """One that never stops sending is cut off as well, although each byte comes soon."""
        over = threading.Event()

        class Drip(StandIn):
            def _serve(self, connection, number):
                with connection:
                    try:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
                        while not over.wait(0.01):
                            connection.sendall(b"a")
                    except OSError:
                        pass

        with Drip(lambda _: None) as server:
            self.assertRaises((TimeoutError, socket.timeout), exchange, server, timeout=0.2)
            over.set()


if __name__ == "__main__":
    unittest.main()
