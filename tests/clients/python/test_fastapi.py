"""The dependency by itself, with requests as FastAPI makes them; http/test_frameworks.c has a whole shop."""

import unittest

from cachewarden import Client, LocalMemory
from cachewarden.fastapi import CallerViews
from fastapi import Request, Response
from stand_in import PATIENCE_S, StandIn, answer

NEVER = 3600


class Shop:
    """As much of Cachewarden as it takes; what it keeps is by path."""

    def __init__(self):
        self.version, self.kept = 5, {}

    def __call__(self, request):
        path = request.path.partition("?")[0]
        if path == "/api/cache/check/":
            if request.headers["authorization"] != "Bearer alice":
                return answer(401)
            return answer(204, {"X-User-Id": "7", "X-Cache-Enabled": "true", "X-Cache-Version": str(self.version)})
        if not path.startswith("/api/v1/entries/"):
            self.version += 1
            return answer(200, {}, b'{"new_version":%d}' % self.version)
        if request.method == "PUT":
            self.kept[path] = request.body
            return answer(201)
        if path not in self.kept:
            return answer(404, {"X-Cache": "MISS", "X-Cache-Lease": "bGVhc2U"})
        return answer(200, {"X-Cache": "HIT", "Content-Type": "application/json"}, self.kept[path])


class ACallersView(unittest.TestCase):
    def setUp(self):
        self.server = StandIn(Shop())
        self.addCleanup(self.server.__exit__)
        self.views = CallerViews(Client(self.server.url, "key", timeout=PATIENCE_S, pause=NEVER))
        self.made = 0

    def view(self, who="alice", path="/orders", query=""):
        headers = [(b"authorization", f"Bearer {who}".encode())] if who else []
        self.response = Response()
        scope = {"type": "http", "method": "GET", "scheme": "http", "server": ("shop", 80), "path": path,
                 "query_string": query.encode(), "headers": headers}
        return self.views(Request(scope), self.response)

    def make(self):
        self.made += 1
        return self.made

    def told(self):
        return {name: self.response.headers.get(name) for name in ("X-Cache-Enabled", "X-Cache-Version", "X-User-Id")}

    def test_tells_the_page(self):
        self.view()
        self.assertEqual(self.told(), {"X-Cache-Enabled": "true", "X-Cache-Version": "5", "X-User-Id": "7"})
        for who in (None, "stranger"):
            self.view(who)
            self.assertEqual(self.told(), {"X-Cache-Enabled": None, "X-Cache-Version": None, "X-User-Id": None})

    def test_keeps_data_for_a_version_a_path_and_a_query(self):
        for keep in (lambda view: view.cached("a", self.make), lambda view: view.remember("a", fill=self.make)):
            with self.subTest():
                first = keep(self.view())
                self.assertEqual(keep(self.view()), first)
                others = [keep(self.view(query="page=2")), keep(self.view(query="page=3" * 200)),
                          keep(self.view(path="/orders/7"))]
                self.view().clear()
                self.assertEqual(len({first, *others, keep(self.view())}), 5)

    def test_keeps_nothing_for_nobody(self):
        for who in (None, "stranger"):
            view = self.view(who)
            self.assertNotEqual(view.cached("a", self.make), view.cached("a", self.make))
            self.assertNotEqual(view.remember("a", fill=self.make), view.remember("a", fill=self.make))
            view.clear()
        self.assertEqual(set(self.server.paths()), {"/api/cache/check/"})

    def test_tells_of_a_clear_at_once(self):
        self.view().clear()
        self.assertEqual(self.told(), {"X-Cache-Enabled": "true", "X-Cache-Version": "6", "X-User-Id": "7"})

    def test_that_cannot_be_cleared_now_is_bypassed(self):
        view = self.view()
        self.server.answers = lambda _: answer(500)
        view.clear()
        self.assertEqual(self.told(), {"X-Cache-Enabled": "false", "X-Cache-Version": None, "X-User-Id": "7"})
        self.assertNotEqual(view.cached("a", self.make), view.cached("a", self.make))


class AMemory(unittest.TestCase):
    def test_keeps_a_number_of_things(self):
        memory = LocalMemory(most=2)
        for key in ("a", "b", "a", "c"):
            memory.get_or_set(key, lambda key=key: key, NEVER)
        made = [memory.get_or_set(key, lambda: "again", NEVER) for key in ("a", "c", "b")]
        self.assertEqual(made, ["a", "c", "again"])

    def test_keeps_them_for_a_time(self):
        memory = LocalMemory()
        self.assertEqual([memory.get_or_set("a", lambda n=n: n, 0) for n in (1, 2)], [1, 2])


if __name__ == "__main__":
    unittest.main()
