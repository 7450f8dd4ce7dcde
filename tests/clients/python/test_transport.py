"""Connections that are kept, what is sent again, and who waits for a service that hangs."""

import os
import threading
import unittest

from cachewarden.transport import Request, Transport, Unavailable
from stand_in import PATIENCE_S, HangUp, StandIn, answer, script

OK = answer(200, {}, b"ok")
READ = Request("GET", "/read", may_repeat=True)
WRITE = Request("POST", "/write", body=b"{}")
CLEAR = Request("POST", "/clear", may_repeat=True)
NEVER = 3600  # a pause that does not end in a test


def transport_to(server, **options):
    return Transport(server.url, **{"timeout": PATIENCE_S, "pause": NEVER, **options})


class AConnection(unittest.TestCase):
    def test_is_kept(self):
        with StandIn(lambda _: OK) as server:
            transport = transport_to(server)
            for _ in range(5):
                self.assertEqual(transport.call(READ).body, b"ok")
            self.assertEqual([request.connection for request in server.requests], [1] * 5)

    def test_is_one_for_each_thread_at_a_time(self):
        together = threading.Barrier(4)

        def answers(_):
            together.wait(PATIENCE_S)
            return OK

        with StandIn(answers) as server:
            transport = transport_to(server)
            threads = [threading.Thread(target=transport.call, args=(READ,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(len(server.requests), 8)
            self.assertLessEqual(max(request.connection for request in server.requests), 8)

    def test_that_the_server_closed_is_replaced(self):
        with StandIn(lambda _: OK) as server:
            transport = transport_to(server)
            for request in (READ, WRITE, CLEAR):
                transport.call(request)
                server.hang_up()
                transport.call(request)
            self.assertEqual(len(server.requests), 6)

    def test_is_not_kept_after_half_an_answer(self):
        with StandIn(script(HangUp(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"), OK)) as server:
            transport = transport_to(server, pause=0)
            self.assertRaises(Unavailable, transport.call, READ)
            self.assertEqual(transport.call(READ).body, b"ok")
            self.assertEqual([request.connection for request in server.requests], [1, 2])

    def test_is_not_used_again_with_something_left_on_it(self):
        with StandIn(script(OK + answer(200, {}, b"of another"), OK)) as server:
            transport = transport_to(server)
            self.assertEqual([transport.call(READ).body for _ in range(2)], [b"ok", b"ok"])

    def test_is_not_shared_with_a_child(self):
        with StandIn(lambda request: answer(200, {}, str(request.connection).encode())) as server:
            transport = transport_to(server)
            self.assertEqual(transport.call(READ).body, b"1")
            child = os.fork()
            if child == 0:
                os._exit(int(transport.call(READ).body))
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 2)
            self.assertEqual(transport.call(READ).body, b"1")


class ARequest(unittest.TestCase):
    """The server takes the second one on a kept connection, and closes that without a word."""

    def calls(self, request):
        with StandIn(script(OK, HangUp(b""), OK)) as server:
            transport = transport_to(server)
            transport.call(request)
            try:
                transport.call(request)
                return "answered", len(server.requests)
            except Unavailable:
                return "unavailable", len(server.requests)

    def test_that_may_be_repeated_is(self):
        self.assertEqual(self.calls(READ), ("answered", 3))
        self.assertEqual(self.calls(CLEAR), ("answered", 3))

    def test_that_may_not_is_not(self):
        self.assertEqual(self.calls(WRITE), ("unavailable", 2))

    def test_is_repeated_once(self):
        with StandIn(script(OK, HangUp(b""))) as server:
            transport = transport_to(server)
            transport.call(READ)
            self.assertRaises(Unavailable, transport.call, READ)
            self.assertEqual(len(server.requests), 3)

    def test_has_no_line_breaks_and_no_other_alphabet(self):
        with StandIn(lambda _: OK) as server:
            transport = transport_to(server)
            for value in ("a\r\nX-Admin: 1", "a\nb", "a\0b", "\u2603"):
                with self.subTest(value):
                    self.assertRaises(Unavailable, transport.call, Request("GET", "/", {"Authorization": value}))
            self.assertEqual(server.requests, [])
            transport.call(READ)  # it is the request's fault, and nobody waits for it

    def test_says_how_long_its_body_is(self):
        with StandIn(lambda _: OK) as server:
            transport = transport_to(server)
            transport.call(Request("PUT", "/a", body=b"hello"))
            transport.call(Request("POST", "/a"))
            self.assertEqual([request.headers.get("content-length") for request in server.requests], ["5", "0"])
            self.assertEqual(server.requests[0].body, b"hello")

    def test_goes_below_the_path_of_the_address(self):
        with StandIn(lambda _: OK) as server:
            Transport(server.url + "/cachewarden/", timeout=PATIENCE_S).call(READ)
            self.assertEqual(server.paths(), ["/cachewarden/read"])


class AServiceThat(unittest.TestCase):
    def test_hangs_is_waited_for_once(self):
        with StandIn(lambda _: None) as server:
            transport = transport_to(server, timeout=0.05)
            for _ in range(50):
                self.assertRaises(Unavailable, transport.call, READ)
                self.assertRaises(Unavailable, transport.call, WRITE)
            self.assertEqual(len(server.requests), 1)

    def test_is_not_there_is_tried_once(self):
        with StandIn(lambda _: OK) as server:
            pass
        transport = transport_to(server)
        with self.assertLogs("cachewarden", "WARNING") as logged:
            for _ in range(50):
                self.assertRaises(Unavailable, transport.call, READ)
        self.assertEqual(len(logged.output), 1)

    def test_answers_again_is_used_again(self):
        with StandIn(script(HangUp(b"garbage\r\n\r\n"), OK)) as server:
            transport = transport_to(server, pause=0)
            with self.assertLogs("cachewarden", "WARNING") as logged:
                self.assertRaises(Unavailable, transport.call, READ)
                self.assertEqual(transport.call(READ).body, b"ok")
            self.assertEqual(len(logged.output), 2)

    def test_refuses_is_there(self):
        with StandIn(lambda _: answer(503, {"Retry-After": "1"})) as server:
            transport = transport_to(server)
            self.assertEqual([transport.call(READ).status for _ in range(3)], [503] * 3)


class AnAddress(unittest.TestCase):
    def test_must_be_one(self):
        for url in ("", "127.0.0.1:8000", "ftp://host", "http://", "http://host:port", "http://user:secret@host",
                    "http://host?a=b"):
            with self.subTest(url):
                self.assertRaises(ValueError, Transport, url)

    def test_may_be_of_version_six(self):
        self.assertEqual(Transport("http://[::1]:8000")._origin[:3], ("::1", 8000, "[::1]:8000"))


if __name__ == "__main__":
    unittest.main()
