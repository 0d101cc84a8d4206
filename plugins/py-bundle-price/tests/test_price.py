"""What events cost. The component is held to the same figures in the host's tests."""

import json
import unittest

from bundle_price.config import read
from bundle_price.price import TooDear, Unpriced, price

CONFIG = read(
    json.dumps(
        {
            "bundles": [
                {"name": "researched answer", "activities": "assistant_*", "units": {"messages": 1, "searches": 3}, "price": "5"},
                {"name": "ten images", "units": {"images": 10}, "price": "30"},
                {"name": "split", "units": {"halves": 3}, "price": "0.0000025"},
            ],
            "per_unit": {"messages": "2", "searches": "1.5", "images": "4", "halves": "0.0000005", "free": "0", "dear": "999999999999999999"},
        }
    )
)


def lines(activity, quantities):
    return [(line.label, line.unit, line.quantity, line.credits) for line in price(CONFIG, activity, quantities)]


class Price(unittest.TestCase):
    def test_whole_bundles_are_taken_and_the_rest_is_priced_by_the_unit(self):
        found = lines("assistant_chat", [("images", 21), ("messages", 2), ("searches", 7)])
        expected = [
            ("researched answer", "bundles", 2, 10_000_000),
            ("ten images", "bundles", 2, 60_000_000),
            ("images", "images", 1, 4_000_000),
            ("searches", "searches", 1, 1_500_000),
        ]
        self.assertEqual(found, expected)

    def test_a_bundle_is_of_its_activities(self):
        found = lines("chat", [("messages", 1), ("searches", 3)])
        expected = [("messages", "messages", 1, 2_000_000), ("searches", "searches", 3, 4_500_000)]
        self.assertEqual(found, expected)

    def test_a_line_is_rounded_once_half_to_even(self):
        for amount, expected in [(1, [0]), (2, [1]), (3, [2]), (5, [2, 1]), (9, [8])]:
            self.assertEqual([line[3] for line in lines("chat", [("halves", amount)])], expected, amount)

    def test_zeros_are_ignored_and_free_is_a_price(self):
        self.assertEqual(lines("chat", [("free", 3), ("unknown", 0)]), [("free", "free", 3, 0)])
        self.assertEqual(lines("chat", []), [])

    def test_what_has_no_price_is_refused_by_name(self):
        with self.assertRaises(Unpriced) as refused:
            lines("chat", [("messages", 1), ("unknown", 1)])
        self.assertEqual(refused.exception.unit, "unknown")

    def test_what_no_account_can_hold_is_refused(self):
        with self.assertRaises(TooDear):
            lines("chat", [("dear", 1)])
