"""The calls of examples/fixtures: python -m unittest"""

import json
import random
import unittest
from pathlib import Path

from call import apply, merge, new_call

FIXTURES = sorted((Path(__file__).parent.parent / "fixtures" / "calls").glob("*.json"))


def call_of(voice_id, deliveries):
    call = new_call(voice_id)
    for delivery in deliveries:
        call = apply(call, delivery["event_id"], delivery["received_at"], delivery["event"])
    return call


class Calls(unittest.TestCase):
    def test_the_fixtures_become_the_calls_that_they_expect_in_any_order_and_with_duplicates(self):
        self.assertGreaterEqual(len(FIXTURES), 12)
        for path in FIXTURES:
            with self.subTest(path.stem):
                fixture = json.loads(path.read_text("utf-8"))
                voice_id, deliveries, expected = fixture["voice_id"], fixture["deliveries"], fixture["call"]
                self.assertEqual(call_of(voice_id, deliveries), expected)
                numbers = random.Random(7)
                for _ in range(30):
                    order = deliveries + [it for it in deliveries if numbers.random() < 0.4]
                    numbers.shuffle(order)
                    whole = call_of(voice_id, order)
                    self.assertEqual(whole, expected)
                    split = numbers.randrange(len(order) + 1)
                    a, b = (json.loads(json.dumps(call_of(voice_id, part))) for part in (order[:split], order[split:]))
                    self.assertEqual(merge(a, b), expected)
                    self.assertEqual(merge(b, a), expected)
                    self.assertIs(merge(whole, a), whole, "what is known changes nothing")


if __name__ == "__main__":
    unittest.main()
