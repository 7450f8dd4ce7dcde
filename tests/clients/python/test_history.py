"""What a clear promises, with a service that loses questions and answers: nobody who asks after clear_user() returned,
whatever it returned, gets what was kept before.
"""

import random
import threading
import unittest

from cachewarden import Client, LocalMemory
from stand_in import PATIENCE_S, HangUp, StandIn, answer

ALICE = {"Authorization": "Bearer alice"}
WRITES = 100
READERS = 3


class Forgetful:
    """Users' versions, by a service that hangs up before it does what it is asked, or after, or is in trouble."""

    def __init__(self):
        self._lock = threading.Lock()
        self._pick = random.Random(11)
        self.version = 1
        self.is_well = False

    def __call__(self, request):
        with self._lock:
            trouble = 0 if self.is_well else self._pick.random()
            if trouble > 0.9:
                return HangUp(b"")
            if trouble > 0.8:
                return answer(503)
            if request.method == "POST":
                self.version += 1
                reply = answer(200, {}, b'{"new_version":%d}' % self.version)
            else:
                fields = {"X-User-Id": "7", "X-Cache-Enabled": "true", "X-Cache-Version": str(self.version)}
                reply = answer(204, fields)
            return HangUp(b"") if trouble > 0.7 else reply


class AHistory(unittest.TestCase):
    def test_of_writes_and_reads_shows_nothing_old(self):
        service = Forgetful()
        with StandIn(service) as server:
            self.client = Client(server.url, "admin", timeout=PATIENCE_S, pause=0.001)
            self.memory, self.faults, self.hits = LocalMemory(), [], 0
            self.written = self.cleared = 0
            self.is_over = False
            self.changed = threading.Condition()
            readers = [threading.Thread(target=self.read) for _ in range(READERS)]
            for reader in readers:
                reader.start()
            for number in range(1, WRITES + 1):
                self.written = number
                self.client.clear_user(7)
                self.cleared = number
                self.wait_for_reads()
            service.is_well = True
            self.assertTrue(self.client.wait_for_owed(PATIENCE_S))
            self.is_over = True
            for reader in readers:
                reader.join()
            self.assertEqual(self.client.view(ALICE).version, service.version)
        self.assertEqual(self.faults, [])
        self.assertGreater(self.hits, 0)

    def wait_for_reads(self):
        """Until some found something that began after this: more than are under way."""
        with self.changed:
            enough = self.hits + 2 * READERS
            if not self.changed.wait_for(lambda: self.hits >= enough, PATIENCE_S):
                self.faults.append("nothing was found any more")

    def read(self):
        while not self.is_over:
            least = self.cleared
            key = self.client.view(ALICE).key("written")
            if key is None:
                continue
            found = self.memory.get_or_set(key, lambda: self.written, PATIENCE_S)
            with self.changed:
                self.hits += 1
                self.changed.notify()
            if found < least:
                self.faults.append((key, found, least))


if __name__ == "__main__":
    unittest.main()
