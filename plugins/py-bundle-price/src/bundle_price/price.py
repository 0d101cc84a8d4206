"""The arithmetic: as many whole bundles as an event holds, and the price of what is left of each unit."""

from dataclasses import dataclass

from . import decimals, patterns

CREDITS_MAX_MICROS = 9_000_000_000_000_000_000
"""The most that a charge may cost, in micro-credits: what an account can hold."""


@dataclass(frozen=True)
class Line:
    """A line of the price; its credits are micro-credits."""

    label: str
    unit: str
    quantity: int
    credits: int


class Unpriced(Exception):
    """A unit has no price."""

    def __init__(self, unit):
        super().__init__(unit)
        self.unit = unit


class TooDear(Exception):
    """The event costs more than any account can hold."""


def price(config, activity, quantities):
    """The lines of an event, whose quantities are pairs of a unit and an amount."""
    left = {unit: amount for unit, amount in quantities if amount > 0}
    lines = []
    for bundle in config.bundles:
        count = _whole(bundle, activity, left)
        if count > 0:
            for unit, amount in bundle.units.items():
                left[unit] -= amount * count
            lines.append(Line(bundle.name, "bundles", count, decimals.micros(count * bundle.price)))
    for unit, amount in left.items():
        if amount > 0:
            if unit not in config.per_unit:
                raise Unpriced(unit)
            credits = decimals.micros(amount * config.per_unit[unit])
            lines.append(Line(unit.replace("_", " "), unit, amount, credits))
    if sum(line.credits for line in lines) > CREDITS_MAX_MICROS:
        raise TooDear
    return lines


def _whole(bundle, activity, left):
    """How many whole bundles of a kind what is left makes."""
    if not any(patterns.matches(pattern, activity) for pattern in bundle.activities):
        return 0
    return min(left.get(unit, 0) // amount for unit, amount in bundle.units.items())
