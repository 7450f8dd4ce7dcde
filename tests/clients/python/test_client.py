"""Whose view it is, and clears that reach the service sooner or later."""

import os
import tempfile
import time
import unittest
from unittest import mock

from cachewarden import Client, View, credential_of
from cachewarden.owed import UNKNOWN_CALLER, Owed
from stand_in import PATIENCE_S, HangUp, StandIn, answer, script
from test_connection import NO_ANSWERS

NEVER = 3600
ALICE = {"Authorization": "Bearer alice"}
CHECKED = answer(204, {"X-User-Id": "7", "X-Cache-Enabled": "true", "X-Cache-Version": "5"})
CLEARED = answer(200, {}, b'{"ok":true,"message":"Cache cleared for user 7","user_id":7,"new_version":6}')
CLEAR_7 = "/api/server-management/clear-cache/?user_id=7"


def client_of(server, **options):
    return Client(server.url, "secret", **{"timeout": PATIENCE_S, "pause": NEVER, **options})


class ACredential(unittest.TestCase):
    def of(self, **headers):
        return credential_of({name.replace("_", "-"): value for name, value in headers.items()})

    def test_is_a_token_a_session_or_a_key(self):
        session = "__Host-cachewarden=a.b-c_d"
        self.assertEqual(self.of(Authorization="bearer x"), {"Authorization": "bearer x"})
        self.assertEqual(self.of(Cookie=f"theme=dark;{session} ; sessionid=1"), {"Cookie": session})
        self.assertEqual(self.of(Cookie=f"{session}; {session}"), {"Cookie": f"{session}; {session}"})
        self.assertEqual(self.of(X_API_Key="k"), {"X-API-Key": "k"})

    def test_of_a_session_has_the_proof_beside_it(self):
        sent = {"Cookie": "__Host-cachewarden=a", "X-XSRF-TOKEN": "x", "Origin": "https://shop"}
        self.assertEqual(credential_of(sent), sent)

    def test_is_nothing_that_cannot_be_one(self):
        for value in ("Bearer \u2603", "Bearer a\r\nX-A: 1", "Bearer a\0", "Bearer " + "a" * 20_000):
            with self.subTest(value[:12]):
                self.assertEqual(self.of(Authorization=value), {})
                with StandIn(lambda _: CHECKED) as server:
                    client = client_of(server)
                    if len(value) < 100:
                        self.assertEqual(client.clear_caller({"Authorization": value}), View())
                    self.assertEqual(client.view(ALICE), View(7, 5))
        self.assertEqual(self.of(Cookie="__Host-cachewarden=" + "a" * 20_000), {})

    def test_is_nothing_of_somebody_else(self):
        self.assertEqual(self.of(), {})
        self.assertEqual(self.of(Cookie="sessionid=1; a__Host-cachewarden=2"), {})
        self.assertEqual(self.of(Authorization="Basic eDp5"), {})
        self.assertEqual(self.of(Authorization="Basic eDp5", Cookie="__Host-cachewarden=a"),
                         {"Cookie": "__Host-cachewarden=a"})


class AView(unittest.TestCase):
    def of(self, reply, credential=None):
        with StandIn(lambda _: reply) as server:
            return client_of(server, timeout=0.2 if reply is None else PATIENCE_S).view(credential or ALICE)

    def test_has_user_and_version(self):
        view = self.of(CHECKED)
        self.assertEqual(view, View(7, 5))
        self.assertEqual(view.key("orders"), "user:7:5:orders")
        self.assertEqual(view.headers(), {"X-Cache-Enabled": "true", "X-Cache-Version": "5", "X-User-Id": "7"})

    def test_that_is_switched_off_is_bypassed(self):
        view = self.of(answer(204, {"X-User-Id": "7", "X-Cache-Enabled": "false"}))
        self.assertEqual((view.user_id, view.key("orders")), (7, None))
        self.assertEqual(view.headers(), {"X-Cache-Enabled": "false", "X-User-Id": "7"})

    def test_of_nobody_says_nothing_to_the_page(self):
        with StandIn(lambda _: CHECKED) as server:
            self.assertEqual(client_of(server).view(credential_of({"Cookie": "a=b"})), View())
            self.assertEqual(server.requests, [])
        self.assertEqual(self.of(answer(401)), View())
        self.assertEqual(self.of(answer(403)), View())
        self.assertEqual((View().key("orders"), View().headers()), (None, {}))

    def test_is_bypassed_without_a_good_answer(self):
        broken = {
            **NO_ANSWERS,
            "no answer": None,
            "a 200 without anything": answer(200),
            "a 204 without anything": answer(204),
            "a page": answer(200, {"Content-Type": "text/html"}, b"<html>Welcome to nginx!</html>"),
            "a way to somewhere else": answer(302, {"Location": "http://127.0.0.1:1/"}),
            "no user": answer(204, {"X-Cache-Enabled": "true", "X-Cache-Version": "5"}),
            "trouble": answer(500, {}, b"{}"),
        }
        for number in ("", "0", "-1", "07", "1.0", "1e3", "x", "9" * 20, "٧", "7, 8"):
            fields = {"X-User-Id": "7", "X-Cache-Enabled": "true", "X-Cache-Version": number}
            broken[f"version {number!a}"] = answer_of(204, fields)
            broken[f"user {number!a}"] = answer_of(204, {**fields, "X-User-Id": number, "X-Cache-Version": "5"})
        for name, reply in broken.items():
            with self.subTest(name):
                view = self.of(reply)
                self.assertEqual((view.version, view.must_bypass), (None, True))
                self.assertEqual(view.headers()["X-Cache-Enabled"], "false")
                self.assertNotIn("X-Cache-Version", view.headers())

    def test_is_asked_for_with_what_tells_who_it_is(self):
        with StandIn(lambda _: CHECKED) as server:
            cookie = {"Cookie": "__Host-cachewarden=a", "X-XSRF-TOKEN": "x", "Origin": "https://shop"}
            self.assertEqual(client_of(server).view(cookie), View(7, 5))
            headers = server.requests[0].headers
            self.assertEqual(headers["cookie"], "__Host-cachewarden=a")
            self.assertFalse({"origin", "x-xsrf-token", "x-api-key"} & headers.keys())


def answer_of(status, fields):
    """answer(), for fields that are not ASCII."""
    return answer(status, {name: value.encode().decode("latin-1") for name, value in fields.items()})


class AClear(unittest.TestCase):
    def test_of_a_user_needs_the_key(self):
        with StandIn(lambda _: CLEARED) as server:
            self.assertEqual(client_of(server).clear_user("7"), 6)
            request = server.requests[0]
            self.assertEqual((request.method, request.path, request.headers["x-api-key"]), ("POST", CLEAR_7, "secret"))

    def test_of_the_caller_tells_their_new_view(self):
        with StandIn(script(CHECKED, CLEARED)) as server:
            self.assertEqual(client_of(server).clear_caller(ALICE), View(7, 6))
            self.assertEqual(server.paths(), ["/api/cache/check/", CLEAR_7])

    def test_of_a_caller_who_is_known_asks_no_more(self):
        with StandIn(lambda _: CLEARED) as server:
            client = client_of(server)
            self.assertEqual(client.clear_caller(ALICE, View(7, 5)), View(7, 6))
            self.assertEqual(client.clear_caller(ALICE, View(7, must_bypass=True)), View(7, must_bypass=True))
            self.assertEqual(server.paths(), [CLEAR_7] * 2)

    def test_of_nobody_is_none(self):
        with StandIn(lambda _: CHECKED) as server:
            self.assertEqual(client_of(server).clear_caller({}), View())
            self.assertEqual(server.requests, [])

    def test_by_the_caller_brings_the_proof_of_a_session(self):
        with StandIn(lambda _: answer(200, {}, b'{"version":6,"cleared":true}')) as server:
            cookie = {"Cookie": "__Host-cachewarden=a", "X-XSRF-TOKEN": "x", "Origin": "https://shop"}
            self.assertEqual(client_of(server).clear(cookie), 6)
            self.assertLessEqual({"origin", "x-xsrf-token", "cookie"}, server.requests[0].headers.keys())

    def test_by_the_caller_that_fails_is_none(self):
        for body in (b"not JSON", b"[" * 100_000, b"[]", b'{"version":"6"}', b'{"version":0}'):
            with self.subTest(body[:80]), StandIn(lambda _, body=body: answer(200, {}, body)) as server:
                self.assertIsNone(client_of(server).clear(ALICE))
        for reply in (answer(429), HangUp(b"")):
            with self.subTest(reply[:20]), StandIn(lambda _, reply=reply: reply) as server:
                self.assertIsNone(client_of(server).clear(ALICE))

    def test_of_another_issuers_user_asks_for_the_number(self):
        with StandIn(script(answer(200, {}, b'{"user_id":7}'), CLEARED)) as server:
            self.assertEqual(client_of(server).clear_subject("a shop", "x&y=é"), 6)
            self.assertEqual(server.paths(), ["/api/v1/subjects?issuer=a+shop&subject=x%26y%3D%C3%A9", CLEAR_7])

    def test_of_somebody_who_has_not_been_here_is_done(self):
        with StandIn(lambda _: answer(404, {}, b'{"detail":"Not found."}')) as server:
            client = client_of(server)
            self.assertIsNone(client.clear_subject("shop", "nobody"))
            self.assertTrue(client.wait_for_owed(0))


class AClearThatCannotBeSent(unittest.TestCase):
    def test_is_sent_later(self):
        somebody_else = answer(200, {}, b"<html>Welcome to nginx!</html>")
        for trouble in (HangUp(b""), HangUp(b"garbage\r\n\r\n"), answer(500), answer(429), answer(503), somebody_else):
            with self.subTest(trouble[:20]), StandIn(script(trouble, trouble, CLEARED)) as server:
                client = client_of(server, pause=0.01)
                self.assertIsNone(client.clear_user(7))
                self.assertTrue(client.wait_for_owed(PATIENCE_S))
                self.assertEqual(server.paths(), [CLEAR_7] * 3)

    def test_keeps_the_view_from_being_used(self):
        bobs = answer(204, {"X-User-Id": "8", "X-Cache-Enabled": "true", "X-Cache-Version": "5"})
        replies = {CLEAR_7: answer(500)}
        with StandIn(lambda request: replies.get(request.path) or (
                bobs if "bob" in request.headers["authorization"] else CHECKED)) as server:
            client = client_of(server, pause=0.01)
            client.clear_user(7)
            self.assertEqual(client.view(ALICE), View(7, must_bypass=True))
            self.assertEqual(client.view({"Authorization": "Bearer bob"}), View(8, 5))
            replies[CLEAR_7] = CLEARED
            self.assertTrue(client.wait_for_owed(PATIENCE_S))
            self.assertEqual(client.view(ALICE), View(7, 5))

    def test_that_is_sent_while_the_view_is_asked_for_keeps_that_from_being_used(self):
        """The answer with the old version was on its way when the clear went through."""

        def check_and_clear(_):
            server.answers = lambda _: CLEARED
            client._owed._is_done(*client._owed._first())
            return CHECKED

        with StandIn(lambda _: answer(500)) as server:
            client = client_of(server)
            client.clear_user(7)
            server.answers = check_and_clear
            self.assertEqual(client.view(ALICE), View(7, must_bypass=True))
            self.assertTrue(client.wait_for_owed(0))

    def test_of_an_unknown_number_keeps_every_view_from_being_used(self):
        with StandIn(lambda request: answer(500) if "subjects" in request.path else CHECKED) as server:
            client = client_of(server)
            client.clear_subject("shop", "x")
            self.assertEqual(client.view(ALICE), View(7, must_bypass=True))

    def test_is_joined_with_the_next_of_its_kind(self):
        with StandIn(lambda _: answer(500)) as server:
            client = client_of(server)
            for _ in range(10):
                client.clear_user(7)
            server.answers = lambda _: CLEARED
            count = len(server.requests)
            self.assertTrue(client._owed._is_done(*client._owed._first()))
            self.assertTrue(client.wait_for_owed(0))
            self.assertEqual(len(server.requests), count + 1)

    def test_of_a_caller_who_is_unknown_is_sent_later(self):
        with StandIn(script(answer(503), CHECKED, CLEARED, CHECKED)) as server:
            client = client_of(server, pause=0.01)
            self.assertEqual(client.clear_caller(ALICE), View(must_bypass=True))
            self.assertTrue(client.wait_for_owed(PATIENCE_S))
            self.assertEqual(server.paths(), ["/api/cache/check/"] * 2 + [CLEAR_7])
        with StandIn(script(answer(503), answer(401))) as server:
            client = client_of(server, pause=0.01)
            client.clear_caller(ALICE)
            self.assertTrue(client.wait_for_owed(PATIENCE_S))
        for status in (400, 431):  # whatever they sent will never be good: nobody waits for it
            with StandIn(lambda _, status=status: answer(status)) as server:
                client = client_of(server)
                self.assertEqual(client.clear_caller(ALICE), View(must_bypass=True))
                self.assertTrue(client.wait_for_owed(0))

    def test_is_given_up_when_it_may_not(self):
        for status in (400, 401, 403, 404):
            with self.subTest(status), StandIn(lambda _, status=status: answer(status)) as server:
                client = client_of(server)
                with self.assertLogs("cachewarden", "ERROR"):
                    self.assertIsNone(client.clear_user(7))
                self.assertTrue(client.wait_for_owed(0))


class WhatIsOwed(unittest.TestCase):
    def test_is_not_held_up_by_what_always_fails(self):
        owed, done = Owed(0.01), []
        owed.add("a", "never", lambda: False)
        owed.add("b", "soon", lambda: done.append("b") or True)
        owed.add("c", "broken", lambda: 1 / 0)
        owed.add("d", "last", lambda: done.append("d") or True)
        for _ in range(PATIENCE_S * 100):
            if done == ["b", "d"] and not owed.holds("c"):
                break
            time.sleep(0.01)
        self.assertEqual(done, ["b", "d"])
        self.assertTrue(owed.holds("a"))

    def test_is_done_again_when_it_was_asked_for_meanwhile(self):
        owed, done = Owed(NEVER), []

        def first():
            owed.add("a", "clear", lambda: done.append("second") or True)
            return True

        owed.add("a", "clear", first)
        self.assertTrue(owed._is_done(*owed._first()))
        self.assertTrue(owed.holds("a"))
        self.assertTrue(owed._is_done(*owed._first()))
        self.assertEqual((done, owed.holds("a")), (["second"], False))

    def test_has_an_end(self):
        owed = Owed(NEVER)
        with mock.patch("cachewarden.owed.MOST", 2), self.assertLogs("cachewarden", "ERROR"):
            for number in range(3):
                owed.add(number, "clear", lambda: True)
        self.assertEqual([owed.holds(number) for number in range(3)], [True, True, False])


    def test_to_made_up_callers_leaves_room_for_others(self):
        owed = Owed(NEVER)
        with mock.patch("cachewarden.owed.MOST_CALLERS", 2), self.assertLogs("cachewarden", "ERROR"):
            for number in range(3):
                owed.add(UNKNOWN_CALLER, number, lambda: True)
        owed.add(7, "user 7", lambda: True)
        self.assertTrue(owed.holds(7))


class AKey(unittest.TestCase):
    def test_may_have_the_end_of_its_line(self):
        with StandIn(lambda _: CLEARED) as server:
            self.assertEqual(Client(server.url, "secret\n", timeout=PATIENCE_S).clear_user(7), 6)
            self.assertEqual(server.requests[0].headers["x-api-key"], "secret")

    def test_must_be_one(self):
        for key in ("a\nb", "a b\n", "\n", "\u2603", "a\0"):
            self.assertRaises(ValueError, Client, "http://127.0.0.1:1", key)
            self.assertRaises(ValueError, Client("http://127.0.0.1:1").cache, key)


URL = "http://127.0.0.1:1"
WRONG = [
    (TypeError, "url is the address", {"url": None}),
    (ValueError, "url is the address of Cachewarden, such as http://127.0.0.1:8000, not 'x'", {"url": "x"}),
    (ValueError, "url is the address", {"url": "ftp://shop"}),
    (ValueError, "url is the address", {"url": "http://["}),
    (ValueError, "url is the address", {"url": "http://shop:99999"}),
    (ValueError, "url is the address", {"url": "http://sh\u2603p"}),
    (ValueError, "no ?query", {"url": URL + "/b?x=1"}),
    (ValueError, "no user", {"url": "http://me:secret@shop"}),
    (TypeError, "key is an API key, a str, not int", {"key": 5}),
    (TypeError, "key is an API key, a str, not bytes", {"key": b"secret"}),
    (ValueError, "key is an API key", {"key": "secret key"}),
    (TypeError, "timeout is a number of seconds, such as 0.5, not 'x'", {"timeout": "x"}),
    (TypeError, "timeout is a number of seconds, such as 0.5, not None", {"timeout": None}),
    (TypeError, "timeout is a number of seconds", {"timeout": True}),
    (ValueError, "timeout is a number of seconds above 0, 86400 at most, not 0", {"timeout": 0}),
    (ValueError, "timeout is a number of seconds above 0", {"timeout": -1}),
    (ValueError, "timeout is a number of seconds above 0", {"timeout": float("nan")}),
    (ValueError, "timeout is a number of seconds above 0", {"timeout": 1e20}),
    (TypeError, "pause is a number of seconds", {"pause": "1"}),
    (ValueError, "pause is a number of seconds from 0", {"pause": -1}),
    (TypeError, "context is an ssl.SSLContext, or None, not 'ca'", {"context": "ca"}),
    (TypeError, "timout", {"timout": 1}),
]


class Arguments(unittest.TestCase):
    def refuses(self, kind, message, call, *values, **options):
        with self.subTest(message), self.assertRaises(kind) as caught:
            call(*values, **options)
        self.assertIn(message, str(caught.exception))
        self.assertNotIn("secret", str(caught.exception))

    def test_of_a_client_are_checked_when_it_is_made(self):
        for kind, message, options in WRONG:
            self.refuses(kind, message, Client, **{"url": URL, "timeout": 1, **options})

    def test_of_calls_are_named(self):
        with StandIn(lambda _: CLEARED) as server:
            client = client_of(server)
            wrong = [(ValueError, ["x", "", "7 ", 0, -7, True, 10**19]), (TypeError, [None, 7.5, [7]])]
            for kind, user_id in ((kind, one) for kind, ones in wrong for one in ones):
                message = f"user_id is a whole number above 0, not {user_id!r}"
                self.refuses(kind, message, client.clear_user, user_id)
            self.refuses(TypeError, "namespace is a name such as 'user:7', or None, not 7", client.cache, namespace=7)
            self.refuses(ValueError, "namespace is a name", client.cache, namespace="")
            self.refuses(TypeError, "credential is what credential_of(headers) gives", client.cache, credential="x")
            self.refuses(TypeError, "key is an API key", client.cache, 5)
            cache = client.cache()
            for wait_ms in ("5", -1, 0.5, 60_001, None):
                self.refuses(ValueError, "wait_ms is a whole", cache.remember, "a", fill=list, wait_ms=wait_ms)
            self.refuses(TypeError, "fill is a function, not None", cache.remember, "a", fill=None)
            self.refuses(ValueError, "not '60'", cache.set, "a", 1, ttl="60")
            self.refuses(ValueError, "by is a whole number, not '1'", cache.increment, "a", "1")
            self.assertEqual(server.requests, [])


class TheEnvironment(unittest.TestCase):
    def test_names_the_service_and_the_key(self):
        with StandIn(lambda _: CLEARED) as server, tempfile.NamedTemporaryFile("w") as file:
            file.write("of-a-file\n")
            file.flush()
            with mock.patch.dict(os.environ, {"CACHEWARDEN_URL": server.url, "CACHEWARDEN_KEY": "itself"}):
                Client.from_environment(timeout=PATIENCE_S).clear_user(7)
                with mock.patch.dict(os.environ, {"CACHEWARDEN_KEY_FILE": file.name}):
                    Client.from_environment(timeout=PATIENCE_S).clear_user(7)
            self.assertEqual([request.headers["x-api-key"] for request in server.requests], ["itself", "of-a-file"])


if __name__ == "__main__":
    unittest.main()
