"""What is said of configurations that are wrong: everything at once, each by its path."""

import json
import unittest

from bundle_price.config import BadConfig, read
from bundle_price.decimals import ONE, parse
from bundle_price.patterns import matches


def problems(config):
    try:
        read(config if isinstance(config, str) else json.dumps(config))
    except BadConfig as bad:
        return [f"{path}: {reason}" for path, reason in bad.problems]
    return []


class Config(unittest.TestCase):
    def test_every_problem_is_told_with_its_path(self):
        config = {
            "bundles": [
                {"name": "", "activities": [], "units": {}, "price": 5},
                {"units": {"messages": 0, "images": True, "searches": 1.5}, "colour": "red"},
                7,
            ],
            "per_unit": {"messages": "x", "images": 4},
            "bundle": [],
        }
        quotes = 'must be a decimal number in quotes, such as "0.15"'
        expected = [
            "bundle: no such setting",
            "bundles[0].name: must be a text",
            "bundles[0].activities: must be a list of at least one",
            "bundles[0].units: must name at least one",
            f"bundles[0].price: {quotes}",
            "bundles[1].colour: no such setting",
            "bundles[1].name: is required",
            "bundles[1].units.messages: must be a whole number above 0",
            "bundles[1].units.images: must be a whole number above 0",
            "bundles[1].units.searches: must be a whole number above 0",
            "bundles[1].price: is required",
            "bundles[2]: must be a table",
            'per_unit.messages: "x" is no decimal number of at most 18 digits before and after the point, not below zero',
            f"per_unit.images: {quotes}",
        ]
        self.assertEqual(problems(config), expected)

    def test_a_configuration_has_a_bundle(self):
        self.assertEqual(problems({}), ["bundles: is required"])
        self.assertEqual(problems({"bundles": []}), ["bundles: must be a list of at least one"])
        self.assertEqual(problems("[]"), [": must be an object"])
        self.assertTrue(problems("{")[0].startswith(": is not JSON: "))

    def test_decimals_are_read_exactly(self):
        for text, attos in [("0", 0), ("0.15", 15 * ONE // 100), ("007.50", 75 * ONE // 10), ("0.000000000000000001", 1)]:
            self.assertEqual(parse(text), attos, text)
        self.assertEqual(parse("9" * 18), (ONE - 1) * ONE)
        for text in ["", "-1", ".5", "1.", "1e3", "1,5", "1 ", "1\n", "1" * 19, "0." + "1" * 19, "٣"]:
            self.assertIsNone(parse(text), text)

    def test_patterns(self):
        for pattern, name, expected in [
            ("chat", "chat", True),
            ("chat", "chats", False),
            ("voice_*", "voice_in", True),
            ("*", "", True),
            ("a*b*a", "aba", True),
            ("a*b*a", "ab", False),
            ("ab*ab", "ab", False),
        ]:
            self.assertEqual(matches(pattern, name), expected, f"{pattern} {name}")
