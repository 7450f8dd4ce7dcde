"""The package against a server: http/test_python_client.c starts it and tells where it is, and keys and tokens."""

import os
import threading
import time
import unittest

from cachewarden import Client, View

PATIENCE_S = 60
WAIT_MS = 60_000  # a slow machine is not what is tested
ALICE, BOB = ({"Authorization": os.environ[name]} for name in ("ALICE", "BOB"))
client = Client(os.environ["CACHEWARDEN_URL"], os.environ["ADMIN_KEY"], timeout=PATIENCE_S)
cache = client.cache(os.environ["ENTRIES_KEY"])


class AView(unittest.TestCase):
    def test_is_cleared_by_its_user_and_by_others(self):
        view = client.view(ALICE)
        versions = [client.clear(ALICE), client.clear_user(view.user_id), client.clear_caller(ALICE).version]
        self.assertEqual(versions, [view.version + 1, view.version + 2, view.version + 3])
        self.assertEqual(client.view(ALICE), View(view.user_id, view.version + 3))

    def test_is_nobodys_with_a_key_and_without_a_credential(self):
        self.assertEqual(client.view({"X-API-Key": os.environ["ADMIN_KEY"]}), View())
        self.assertEqual(client.view({"Authorization": "Bearer none"}), View())


class Values(unittest.TestCase):
    def setUp(self):
        cache.clear()
        self.filled = 0

    def fill(self):
        self.filled += 1
        return {"filled": self.filled}

    def test_are_filled_once(self):
        for _ in range(3):
            self.assertEqual(cache.remember("a", fill=self.fill, ttl=60, models=["Order"]), {"filled": 1})
        self.assertEqual(cache.get("a", models=["Order"]), {"filled": 1})

    def test_are_filled_anew_after_each_kind_of_clear(self):
        clears = [lambda: cache.clear_model("Order"), cache.clear, lambda: cache.forget("a")]
        for number, clear in enumerate(clears, start=1):
            cache.remember("a", fill=self.fill, models=["Order"])
            self.assertTrue(clear())
            self.assertIsNone(cache.get("a"))
            self.assertEqual(self.filled, number)
        cache.clear_model("Item")  # is not one of its own
        self.assertEqual(cache.remember("a", fill=self.fill, models=["Order"]), {"filled": 4})
        self.assertEqual(cache.remember("a", fill=self.fill, models=["Order"]), {"filled": 4})

    def test_that_were_read_before_a_clear_are_never_served(self):
        for clear in (lambda: cache.clear_model("Order"), cache.clear):
            found = cache.find("a", ["Order"])
            self.assertTrue(found.lease)
            clear()
            found.fill("old", models=["Order"])
            self.assertIsNone(cache.get("a"))

    def test_come_back_as_they_went(self):
        texts, data = ("", "5", "\u2603\0"), (b"", b"5", b"\xff" * 100_000)
        for value in (None, True, 0, -7, 2**70, 1.5, *texts, *data, [], {"a": [1, {}]}):
            with self.subTest(str(value)[:20]):
                self.assertTrue(cache.set("a", value, ttl=60))
                self.assertEqual(cache.get("a", "nothing"), value)
                self.assertTrue(cache.exists("a"))

    def test_are_under_any_label(self):
        labels = ["a/b", "a b", "é", "?", "#", "%", "%2F", "...", "a../.b", "a:*", "+", "&model=x"]
        labels += ["a" * 512, "é" * 256]
        for label in labels:
            with self.subTest(label):
                self.assertTrue(cache.set(label, label))
        self.assertEqual([cache.get(label) for label in labels], labels)
        self.assertEqual([cache.forget(label) for label in labels], [True] * len(labels))
        self.assertEqual([cache.exists(label) for label in labels], [False] * len(labels))

    def test_are_dropped_by_pattern(self):
        labels = ["page:1", "page:2?a b+c", "other"]
        for label in labels:
            cache.set(label, label)
        job_id = cache.clear_matching("page:*")
        self.assertTrue(job_id)
        while cache.job(job_id)["state"] == "running":
            time.sleep(0.01)
        self.assertEqual((cache.job(job_id)["state"], cache.job(job_id)["removed"]), ("done", 2))
        self.assertEqual([cache.exists(label) for label in labels], [False, False, True])

    def test_are_stored_only_where_nothing_is(self):
        self.assertEqual([cache.set("a", number, only_new=True) for number in (1, 2)], [True, False])
        self.assertEqual(cache.get("a"), 1)

    def test_that_are_too_large_take_the_older_one_along(self):
        self.assertTrue(cache.set("a", b"old"))
        self.assertFalse(cache.set("a", b"x" * (2 * 1024 * 1024)))
        self.assertIsNone(cache.get("a"))

    def test_are_counted(self):
        self.assertEqual([cache.increment("a"), cache.increment("a", 5, ttl=60), cache.increment("a", -10)], [1, 6, -4])
        self.assertEqual(cache.get("a"), -4)
        self.assertTrue(cache.set("b", 7))
        self.assertEqual((cache.increment("b"), cache.get("b")), (8, 8))
        cache.set("c", "text")
        self.assertIsNone(cache.increment("c"))
        self.assertEqual(cache.get("c"), "text")

    def test_of_another_reader_are_waited_for(self):
        found, values = cache.find("a", wait_ms=WAIT_MS), []
        self.assertTrue(found.lease)
        # Before the fill it waits, after it it finds the value: the source is not asked again.
        other = threading.Thread(target=lambda: values.append(cache.remember("a", fill=self.fill, wait_ms=WAIT_MS)))
        other.start()
        found.fill("of the first")
        other.join()
        self.assertEqual((values, self.filled), (["of the first"], 0))

    def test_are_refreshed_before_their_end(self):
        while not (found := cache.find("a")).is_hit or not found.lease:
            if not found.is_hit:
                time.sleep(0.3)  # how long the source takes: the longer, the earlier one is asked to refresh
                found.fill("old", ttl=1)
        self.assertEqual(found.value, "old")
        found.fill("new", ttl=60)
        self.assertEqual(cache.get("a"), "new")


class Namespaces(unittest.TestCase):
    def test_of_users_are_their_own(self):
        alices, bobs = client.cache(credential=ALICE), client.cache(credential=BOB)
        self.assertTrue(alices.set("a", "hers"))
        self.assertEqual([alices.get("a"), bobs.get("a"), cache.get("of alice")], ["hers", None, None])
        client.clear(ALICE)
        self.assertIsNone(alices.get("a"))

    def test_are_named_by_an_admin(self):
        user_id = client.view(BOB).user_id
        self.assertTrue(client.cache(namespace=f"user:{user_id}").set("named", 1))
        self.assertEqual(client.cache(credential=BOB).get("named"), 1)

    def test_that_are_not_ones_own_are_closed(self):
        theirs = client.cache(os.environ["ENTRIES_KEY"], namespace="user:1")
        self.assertFalse(theirs.set("a", 1))
        self.assertIsNone(theirs.get("a"))
        self.assertEqual(theirs.remember("a", fill=lambda: 2), 2)


if __name__ == "__main__":
    unittest.main()
