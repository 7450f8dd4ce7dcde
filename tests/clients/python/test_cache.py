"""What the cache service is asked, and what is made of its answers."""

import unittest
from unittest import mock

from cachewarden import Client, values
from cachewarden.cache import shortened
from cachewarden.unkept import Unkept
from stand_in import PATIENCE_S, HangUp, StandIn, answer, script
from test_connection import NO_ANSWERS

NEVER = 3600
LEASE = "bGVhc2U"
MISS = answer(404, {"X-Cache": "MISS", "X-Cache-Lease": LEASE}, b'{"detail":"Not found."}')
STORED = answer(201)
CLEARED = answer(200, {}, b'{"model":"Product","cleared":true,"generation":4}')


def hit(body=b'"old"', media_type="application/json", **fields):
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    return answer(200, {"X-Cache": "HIT", "Content-Type": media_type, **fields}, body)


def cache_of(server, **options):
    return Client(server.url, **{"timeout": PATIENCE_S, "pause": NEVER, **options}).cache("secret")


class Remembering(unittest.TestCase):
    def setUp(self):
        self.filled = []

    def fill(self):
        self.filled.append("new")
        return "new"

    def remember(self, replies, **options):
        """(the value, how often the source was asked, what the service was asked)."""
        self.filled.clear()
        with StandIn(script(*replies)) as server:
            value = cache_of(server, **options).remember("orders:1", fill=self.fill, ttl=60, models=["Order", "Item"])
            return value, len(self.filled), server.requests

    def test_takes_what_is_there(self):
        value, filled, requests = self.remember([hit(b'{"a":[1,null]}')])
        self.assertEqual((value, filled), ({"a": [1, None]}, 0))
        self.assertEqual([(r.method, r.path, r.headers["x-api-key"]) for r in requests],
                         [("GET", "/api/v1/entries/orders%3A1?model=Order&model=Item&wait_ms=200", "secret")])

    def test_waits_for_another_readers_fill(self):
        with StandIn(lambda _: hit()) as server:
            self.assertEqual(cache_of(server).remember("a", fill=self.fill, wait_ms=50), "old")
            self.assertEqual(server.paths(), ["/api/v1/entries/a?wait_ms=50"])

    def test_fills_what_is_not_with_the_lease(self):
        value, filled, requests = self.remember([MISS, STORED])
        self.assertEqual((value, filled), ("new", 1))
        put = requests[1]
        self.assertEqual((put.method, put.path), ("PUT", "/api/v1/entries/orders%3A1?model=Order&model=Item&ttl=60"))
        self.assertEqual((put.headers["x-cache-lease"], put.headers["content-type"], put.body),
                         (LEASE, "application/json", b'"new"'))

    def test_stores_nothing_without_a_lease(self):
        value, filled, requests = self.remember([answer(404, {"X-Cache": "MISS", "X-Cache-Enabled": "false"})])
        self.assertEqual((value, filled, len(requests)), ("new", 1, 1))

    def test_refreshes_when_it_is_its_turn(self):
        value, filled, requests = self.remember([hit(X_Cache_Refresh="1", X_Cache_Lease=LEASE), STORED])
        self.assertEqual((value, filled), ("new", 1))
        self.assertEqual(requests[1].headers["x-cache-lease"], LEASE)

    def test_keeps_the_old_value_when_the_refresh_fails(self):
        with StandIn(script(hit(X_Cache_Refresh="1", X_Cache_Lease=LEASE))) as server:
            with self.assertLogs("cachewarden", "ERROR"):
                self.assertEqual(cache_of(server).remember("a", fill=lambda: 1 / 0), "old")

    def test_lets_the_source_fail(self):
        with StandIn(script(MISS)) as server:
            self.assertRaises(ZeroDivisionError, cache_of(server).remember, "a", fill=lambda: 1 / 0)

    def test_asks_the_source_whatever_else_comes(self):
        broken = {
            **NO_ANSWERS,
            "no answer": None,
            "a 200 without anything": answer(200),
            "a page": answer(200, {"Content-Type": "text/html"}, b"<html>"),
            "a 404 of somebody else": answer(404, {}, b"<html>"),
            "no JSON": hit(b"{"),
            "a number that is none": hit(b"NaN"),
            "a compressed answer": hit(b"5").replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1),
            "JSON without an end": hit(b"[" * 100_000),
            "text that is none": hit(b"\xff", "text/plain; charset=utf-8"),
            "trouble": answer(503, {"Retry-After": "1"}),
            "a refusal": answer(403),
        }
        for name, reply in broken.items():
            with self.subTest(name):
                value, filled, _ = self.remember([reply], timeout=0.2 if reply is None else PATIENCE_S)
                self.assertEqual((value, filled), ("new", 1))

    def test_goes_on_when_it_cannot_be_stored(self):
        for trouble in (HangUp(b""), answer(413), answer(500), HangUp(b"garbage\r\n\r\n")):
            with self.subTest(trouble[:20]):
                self.assertEqual(self.remember([MISS, trouble])[0], "new")

    def test_never_stores_twice(self):
        """The connection ends after the value was sent: nobody knows whether it arrived."""
        _, _, requests = self.remember([MISS, HangUp(b"")])
        self.assertEqual([request.method for request in requests], ["GET", "PUT"])

    def test_gives_the_same_now_and_later(self):
        with StandIn(script(MISS, STORED)) as server:
            self.assertEqual(cache_of(server).remember("a", fill=lambda: (1, {"2": ("b",)})), [1, {"2": ["b"]}])
        with StandIn(lambda _: answer(503)) as server:
            self.assertEqual(cache_of(server).remember("a", fill=lambda: (1, {"2": ("b",)})), [1, {"2": ["b"]}])

    def test_gives_what_cannot_be_kept_as_it_is(self):
        value = {"of": object()}
        with StandIn(script(MISS)) as server, self.assertLogs("cachewarden", "ERROR"):
            self.assertIs(cache_of(server).remember("a", fill=lambda: value), value)
            self.assertEqual(len(server.requests), 1)

    def test_waits_no_more_after_a_fill_that_was_not_kept(self):
        """Nobody fills it, so the wait would be for nobody."""
        def fail():
            raise KeyError

        with self.subTest("an error"), StandIn(lambda _: MISS) as server:
            cache = cache_of(server)
            for _ in range(2):
                self.assertRaises(KeyError, cache.remember, "a", fill=fail)
            self.assertRaises(KeyError, cache.remember, "b", fill=fail)
            self.assertEqual(server.paths(), ["/api/v1/entries/a?wait_ms=200", "/api/v1/entries/a", "/api/v1/entries/b?wait_ms=200"])
        with self.subTest("no JSON"), StandIn(lambda _: MISS) as server:
            cache = cache_of(server)
            for _ in range(2):
                cache.remember("a", fill=object)
            self.assertEqual(server.paths(), ["/api/v1/entries/a?wait_ms=200", "/api/v1/entries/a"])
        for status in (400, 403, 412, 413, 429):
            with self.subTest(status), StandIn(script(MISS, answer(status), MISS, STORED, MISS)) as server:
                cache = cache_of(server)
                for _ in range(3):
                    cache.remember("a", fill=lambda: 1)
                gets = [request.path for request in server.requests if request.method == "GET"]
                self.assertEqual(gets, ["/api/v1/entries/a?wait_ms=200", "/api/v1/entries/a", "/api/v1/entries/a?wait_ms=200"])

    def test_waits_again_after_a_while(self):
        unkept = Unkept()
        with mock.patch("time.monotonic", lambda: 1000):
            for number in range(1001):
                unkept.note(number, False)
            self.assertEqual([unkept.holds(number) for number in (0, 1, 1000)], [False, True, True])
        with mock.patch("time.monotonic", lambda: 1010):
            self.assertFalse(unkept.holds(1000))

    def test_wants_a_time_to_live_that_is_one(self):
        with StandIn(lambda _: MISS) as server:
            for ttl in (0, -1, 1.5, True, "60", 315_360_001):
                with self.subTest(ttl):
                    self.assertRaises(ValueError, cache_of(server).remember, "a", fill=self.fill, ttl=ttl)
            for call in (lambda **how: cache_of(server).remember("a", fill=self.fill, **how),
                         lambda **how: cache_of(server).set("a", 1, **how)):
                self.assertRaisesRegex(ValueError, "2592000 with a model", call, ttl=2_592_001, models=["M"])
            self.assertEqual((server.requests, self.filled), ([], []))
            self.assertEqual(cache_of(server).remember("a", fill=self.fill, ttl=2_592_000, models=["M"]), "new")


class Entries(unittest.TestCase):
    def test_are_read(self):
        with StandIn(script(hit(b"1"), MISS, hit(b"\x00\xff", "application/octet-stream"))) as server:
            cache = cache_of(server)
            self.assertEqual([cache.get("a"), cache.get("a", "nothing"), cache.get("a")], [1, "nothing", b"\x00\xff"])

    def test_are_looked_for(self):
        found = b"HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nContent-Length: 5\r\n\r\n"
        missed = b"HTTP/1.1 404 Not Found\r\nX-Cache: MISS\r\nContent-Length: 5\r\n\r\n"
        with StandIn(script(found, missed)) as server:
            cache = cache_of(server)
            self.assertEqual([cache.exists("a"), cache.exists("a")], [True, False])
            self.assertEqual([request.method for request in server.requests], ["HEAD", "HEAD"])

    def test_are_stored(self):
        with StandIn(script(answer(201), answer(204), answer(412))) as server:
            cache = cache_of(server)
            stored = [cache.set("a", b"x"), cache.set("a", 1, models="Order"), cache.set("a", 1, only_new=True)]
            self.assertEqual(stored, [True, True, False])
            self.assertEqual([request.path for request in server.requests],
                             ["/api/v1/entries/a", "/api/v1/entries/a?model=Order", "/api/v1/entries/a"])
            self.assertEqual([request.headers.get("if-none-match") for request in server.requests], [None, None, "*"])

    def test_that_are_switched_off_are_not_stored(self):
        with StandIn(script(answer(204, {"X-Cache-Enabled": "false"}))) as server:
            self.assertFalse(cache_of(server).set("a", 1))
            self.assertEqual(len(server.requests), 1)

    def test_that_could_not_be_stored_are_forgotten(self):
        """Else the value before would stay."""
        with StandIn(script(answer(413), answer(200, {}, b'{"deleted":true}'))) as server:
            self.assertFalse(cache_of(server).set("a", "x"))
            self.assertEqual([request.method for request in server.requests], ["PUT", "DELETE"])

    def test_are_forgotten(self):
        with StandIn(script(answer(200, {}, b'{"deleted":true}'), answer(200, {}, b'{"deleted":false}'))) as server:
            cache = cache_of(server)
            self.assertEqual([cache.forget("a"), cache.forget("a")], [True, False])

    def test_are_cleared_by_model_and_all_at_once(self):
        with StandIn(script(CLEARED, answer(200, {}, b'{"cleared":true,"generation":2}'))) as server:
            cache = cache_of(server)
            self.assertEqual([cache.clear_model("shop.Order"), cache.clear()], [4, 2])
            self.assertEqual([(request.method, request.path) for request in server.requests],
                             [("DELETE", "/api/v1/models/shop.Order"), ("DELETE", "/api/v1/entries")])

    def test_are_cleared_by_pattern(self):
        with StandIn(script(answer(202, {}, b'{"id":"j1","state":"running"}'), answer(409, {}, b'{"id":"j1"}'), HangUp(b""))) as server:
            cache = cache_of(server)
            self.assertEqual(cache.clear_matching("a:*"), "j1")
            with self.assertLogs("cachewarden", "ERROR"):
                self.assertEqual([cache.clear_matching("a:*") for _ in range(2)], [None, None])
            self.assertRaises(ValueError, cache.clear_matching, "")
            self.assertEqual(server.paths(), ["/api/v1/entries?pattern=a%3A%2A"] * 3)

    def test_have_no_half_of_a_character_in_them(self):
        with StandIn(lambda _: CLEARED) as server, self.assertLogs("cachewarden", "WARNING"):
            self.assertIsNone(cache_of(server).clear_matching("a\ud83d*"))
            self.assertEqual(server.requests, [])

    def test_tell_how_far_a_job_is(self):
        with StandIn(script(answer(200, {}, b'{"id":"j1","state":"done"}'), answer(404), answer(200, {}, b"[]"),
                            answer(200, {}, b"["), HangUp(b""))) as server:
            cache = cache_of(server)
            self.assertEqual([cache.job("j/1") for _ in range(5)], [{"id": "j1", "state": "done"}] + [None] * 4)
            self.assertEqual(server.paths()[0], "/api/v1/jobs/j%2F1")

    def test_are_counted(self):
        with StandIn(script(answer(200, {}, b'{"value":3}'))) as server:
            self.assertEqual(cache_of(server).increment("a", 2, ttl=60), 3)
            request = server.requests[0]
            self.assertEqual((request.method, request.path, request.body, request.headers["content-type"]),
                             ("POST", "/api/v1/entries/a/increment", b'{"by": 2, "ttl": 60}', "application/json"))

    def test_are_never_counted_twice(self):
        with StandIn(script(answer(200, {}, b'{"value":1}'), HangUp(b""))) as server:
            cache = cache_of(server)
            self.assertEqual([cache.increment("a"), cache.increment("a")], [1, None])
            self.assertEqual(len(server.requests), 2)

    def test_are_counted_by_whole_numbers(self):
        with StandIn(lambda _: CLEARED) as server:
            for by in (1.5, "1", None, True):
                self.assertRaises(ValueError, cache_of(server).increment, "a", by)
            self.assertEqual(server.requests, [])

    def test_that_are_refused_tell_the_log_why(self):
        calls = (lambda cache: cache.increment("a"), lambda cache: cache.get("a"), lambda cache: cache.set("a", 1),
                 lambda cache: cache.clear_model("Order"), lambda cache: cache.clear_matching("a*"))
        with StandIn(lambda _: answer(409, {}, b'{"detail":"Not a\\ncounter."}')) as server:
            for number, call in enumerate(calls):
                with self.subTest(number), self.assertLogs("cachewarden", "WARNING") as logs:
                    self.assertIn(call(cache_of(server)), (None, False))
                    self.assertIn("status 409: Not a counter.", logs.output[0])

    def test_that_are_refused_without_a_reason_have_their_status(self):
        for body in (b"", b"<html>", b"[]", b'{"detail":7}', b'{"detail":""}', b"[" * 100_000, b"\xff"):
            with StandIn(lambda _: answer(400, {}, body)) as server, self.assertLogs("cachewarden", "WARNING") as logs:
                self.assertIsNone(cache_of(server).increment("a"))
                self.assertTrue(logs.output[0].endswith("status 400"), logs.output)

    def test_may_be_of_a_user_and_of_another_namespace(self):
        with StandIn(lambda _: MISS) as server:
            client = Client(server.url, "admin", timeout=PATIENCE_S)
            client.cache(credential={"Authorization": "Bearer alice"}).get("a")
            client.cache(namespace="user:7").get("a")
            client.cache(credential={}).get("a")  # nobody has no namespace
            self.assertEqual([(request.path, request.headers.get("authorization"), request.headers.get("x-api-key"))
                              for request in server.requests],
                             [("/api/v1/entries/a", "Bearer alice", None),
                              ("/api/v1/entries/a?namespace=user%3A7", None, "admin")])


class ALabel(unittest.TestCase):
    def path_of(self, label):
        with StandIn(lambda _: MISS) as server:
            cache_of(server).get(label)
            return server.paths()

    def test_stands_in_the_path_as_one_segment(self):
        for label, path in (("a/b c", "a%2Fb%20c"), ("é?#%", "%C3%A9%3F%23%25"), ("...", "..."),
                            ("a../.b", "a..%2F.b"), ("a" * 512, "a" * 512)):
            with self.subTest(label):
                self.assertEqual(self.path_of(label), ["/api/v1/entries/" + path])

    def test_that_cannot_be_is_not_asked_for(self):
        """Least of all the empty one: DELETE of it would be that of everything."""
        for label in ("", "a" * 513, "é" * 257, "a\nb", "a\0", "\x7f", "\ud800", "..", ".", "../models/a", "a/."):
            with self.subTest(label), StandIn(lambda _: CLEARED) as server:
                cache = cache_of(server)
                self.assertIsNone(cache.get(label))
                self.assertFalse(cache.set(label, 1))
                self.assertFalse(cache.forget(label))
                self.assertEqual(cache.remember(label, fill=lambda: 1), 1)
                self.assertEqual(server.requests, [])

    def test_is_text_and_so_is_a_model(self):
        with StandIn(lambda _: MISS) as server:
            self.assertRaises(TypeError, cache_of(server).get, 7)
            for model in ("", "a/b", "a" * 129, "é" * 65, "a\n", "\ud800", ".."):
                self.assertRaises(ValueError, cache_of(server).clear_model, model)
            for models in ("", ["a", ""], [str(n) for n in range(17)], [7]):
                self.assertRaises(ValueError, cache_of(server).get, "a", models=models)
            self.assertEqual(server.requests, [])

    def test_or_a_pattern_that_is_to_be_cleared_is_one(self):
        with StandIn(lambda _: CLEARED) as server:
            for pattern in ("", None, 7, b"a*", ["a*", "b*"]):
                with self.subTest(pattern):
                    self.assertRaises(ValueError, cache_of(server).clear_matching, pattern)
            for models in ([], ["Order", "Item"], None, 7):
                with self.subTest(models), self.assertRaisesRegex(ValueError, "model"):
                    cache_of(server).clear_model(models)
            self.assertEqual(server.requests, [])

    def test_that_is_too_long_can_be_shortened(self):
        self.assertEqual(shortened("a" * 512), "a" * 512)
        for label in ("a" * 513, "é\n" * 300, "\ud800" * 300, "a\0", "a/../b"):
            with self.subTest(label[:4]):
                short = shortened(label)
                self.assertEqual(len(self.path_of(short)), 1)
                self.assertNotEqual(short, shortened(label + "b"))


class AClearThatCannotBeSent(unittest.TestCase):
    def test_is_sent_later_and_nothing_is_read_until_then(self):
        replies = {"DELETE": answer(200, {}, b"<html>"), "GET": hit()}
        with StandIn(lambda request: replies[request.method]) as server:
            cache = cache_of(server, pause=0.01)
            self.assertIsNone(cache.clear_model("Product"))
            self.assertIsNone(cache.get("a"))
            self.assertFalse(cache.exists("a"))
            self.assertEqual({request.method for request in server.requests}, {"DELETE"})
            replies["DELETE"] = CLEARED
            self.assertTrue(cache._owed.wait(PATIENCE_S))
            self.assertEqual(cache.get("a"), "old")

    def test_is_owed_for_its_namespace_alone(self):
        with StandIn(lambda request: answer(500) if request.method == "DELETE" else hit()) as server:
            client = Client(server.url, timeout=PATIENCE_S, pause=NEVER)
            client.cache("a").clear()
            self.assertEqual([client.cache(key).get("x") for key in ("a", "b")], [None, "old"])

    def test_of_a_user_is_one_of_their_namespace(self):
        with StandIn(lambda request: answer(500) if request.method == "POST" else hit()) as server:
            client = Client(server.url, "admin", timeout=PATIENCE_S, pause=NEVER)
            client.clear_user(7)
            caches = [client.cache(credential={"Authorization": "Bearer alice"}), client.cache(namespace="user:7"),
                      client.cache("of-an-application")]
            self.assertEqual([cache.get("a") for cache in caches], [None, None, "old"])

    def test_is_owed_after_a_value_that_could_not_be_replaced(self):
        with StandIn(lambda request: answer(503) if request.method != "GET" else hit()) as server:
            cache = cache_of(server)
            self.assertFalse(cache.set("a", "new"))
            self.assertIsNone(cache.get("a"))


class AValue(unittest.TestCase):
    def test_comes_back_as_it_went(self):
        for value in (None, True, 0, -7, 2**70, 1.5, "", "5", "\u2603\0", b"", b"5", b"\xff", [], {"a": [1, {}]}):
            with self.subTest(value):
                self.assertEqual(values.decode(*values.encode(value)), value)

    def test_must_be_one(self):
        deep = []
        for _ in range(100_000):
            deep = [deep]
        for value in (float("nan"), object(), {1, 2}, [float("inf")], deep):
            with self.subTest(str(type(value))):
                self.assertRaises((TypeError, ValueError), values.encode, value)

    def test_comes_back_as_it_went_in_or_is_refused(self):
        for value in ({1: "a"}, {None: 1}, [{"a": {True: 1}}], ({"1": 1, 1: 2},), "\ud800", ["a\udc00"], {"\ud83d": 1}):
            with self.subTest(ascii(value)), StandIn(lambda _: STORED) as server:
                self.assertRaises(ValueError, cache_of(server).set, "a", value)
                self.assertEqual(server.requests, [])
        for value in ("\u2603\0\U0001f600", {"": [{}]}, 2**70, -(2**63), [1.5, None], {"\u00e9": "\\ud800"}):
            with self.subTest(ascii(value)):
                self.assertEqual(values.decode(*values.encode(value)), value)
        self.assertEqual(values.decode(rb'"\ud83d\ude00"', "application/json"), "\U0001f600")

    def test_is_utf_8(self):
        halves = (rb'"\ud800"', rb'["\uDC00"]', rb'{"\ud83d":1}')
        others = [text.encode(name) for text in ('{"a":1}', "1", '"a"') for name in ("utf-16", "utf-16-le", "utf-32-be", "utf-8-sig")]
        for data in (*halves, *others, b'"\xed\xa0\x80"'):
            with self.subTest(data):
                self.assertRaises(ValueError, values.decode, data, "application/json")

    def test_is_strict_json(self):
        for text in (b"NaN", b"[1,-Infinity]", b'{"a":Infinity}', b"1e999", b"-1e999", b"\xff", b'"\xc3"'):
            with self.subTest(text):
                self.assertRaises(ValueError, values.decode, text, "application/json")
        self.assertEqual(values.decode(b"1e3", "application/json"), 1000.0)

    def test_of_another_language_is_read_by_its_type(self):
        self.assertEqual(values.decode(b"{}", "application/vnd.a+json; charset=utf-8"), {})
        self.assertEqual(values.decode(b"\xc3\xa9", "text/html; charset=utf-8"), "é")
        self.assertEqual(values.decode(b"-12", "text/plain"), -12)
        self.assertEqual(values.decode(b"012", "text/plain"), "012")
        self.assertEqual(values.decode(b"x", None), b"x")


if __name__ == "__main__":
    unittest.main()
