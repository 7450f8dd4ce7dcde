"""When calls may try. The time is passed in."""

import unittest

from cachewarden.breaker import Breaker


class WhenItIsClosed(unittest.TestCase):
    def test_everybody_may_try(self):
        breaker = Breaker(pause=1)
        self.assertTrue(all(breaker.allows(now) for now in (0, 0, 0.1)))

    def test_a_success_changes_nothing(self):
        breaker = Breaker(pause=1)
        self.assertFalse(breaker.succeeded())
        self.assertTrue(breaker.allows(0))


class WhenItIsOpen(unittest.TestCase):
    def setUp(self):
        self.breaker = Breaker(pause=1)
        self.assertTrue(self.breaker.failed(10))

    def test_nobody_may_try_at_once(self):
        self.assertFalse(self.breaker.allows(10))
        self.assertFalse(self.breaker.allows(10.9))

    def test_one_in_a_second_tries_for_all(self):
        self.assertEqual([self.breaker.allows(now) for now in (11, 11, 11.5, 11.9, 12, 12)],
                         [True, False, False, False, True, False])

    def test_the_second_begins_with_the_failure(self):
        self.assertTrue(self.breaker.allows(11))
        self.assertFalse(self.breaker.failed(11.5))  # it was open already
        self.assertFalse(self.breaker.allows(12.4))
        self.assertTrue(self.breaker.allows(12.5))

    def test_one_success_closes_it(self):
        self.assertTrue(self.breaker.succeeded())
        self.assertTrue(self.breaker.allows(10))
        self.assertTrue(self.breaker.allows(10))


if __name__ == "__main__":
    unittest.main()
