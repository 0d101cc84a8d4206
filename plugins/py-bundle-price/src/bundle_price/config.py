"""Reads the configuration, and collects everything that is wrong with it, each by its path."""

import json
from dataclasses import dataclass

from . import decimals


class BadConfig(Exception):
    """What is wrong: pairs of a path and a reason."""

    def __init__(self, problems):
        super().__init__(problems)
        self.problems = problems


@dataclass(frozen=True)
class Bundle:
    """A combination of units with one price."""

    name: str
    activities: list
    units: dict
    price: int


@dataclass(frozen=True)
class Config:
    """Bundles in the order in which they are taken, and the prices of single units, in attos."""

    bundles: list
    per_unit: dict


def read(text):
    """The configuration; BadConfig where anything is wrong with it."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadConfig([("", f"is not JSON: {error}")]) from None
    reader = _Reader()
    config = reader.config(value)
    if reader.problems:
        raise BadConfig(reader.problems)
    return config


class _Reader:
    def __init__(self):
        self.problems = []

    def config(self, value):
        members = self.table(value, "", {"bundles", "per_unit"})
        if members is None:
            return None
        bundles = self.list(members.get("bundles"), "bundles")
        bundles = [self.bundle(bundle, f"bundles[{index}]") for index, bundle in enumerate(bundles)]
        prices = self.table(members.get("per_unit", {}), "per_unit") or {}
        per_unit = {unit: self.decimal(price, f"per_unit.{unit}") for unit, price in prices.items()}
        return Config(bundles, per_unit)

    def bundle(self, value, path):
        members = self.table(value, path, {"name", "activities", "units", "price"})
        if members is None:
            return None
        name = self.text(members.get("name"), f"{path}.name")
        activities = self.texts(members["activities"], f"{path}.activities") if "activities" in members else ["*"]
        units = self.table(members.get("units"), f"{path}.units")
        if units == {}:
            self.problem(f"{path}.units", "must name at least one")
        units = {unit: self.whole(amount, f"{path}.units.{unit}") for unit, amount in (units or {}).items()}
        return Bundle(name, activities, units, self.decimal(members.get("price"), f"{path}.price"))

    def table(self, value, path, known=None):
        """The members of a table, of which those that are not known are problems; None where it is none."""
        if not isinstance(value, dict):
            kind = "an object" if path == "" else "a table"
            self.problem(path, "is required" if value is None else f"must be {kind}")
            return None
        for name in value:
            if known is not None and name not in known:
                self.problem(f"{path}.{name}".lstrip("."), "no such setting")
            if name == "":
                self.problem(path, "has a member without a name")
        return value

    def list(self, value, path):
        if isinstance(value, list) and value:
            return value
        self.problem(path, "is required" if value is None else "must be a list of at least one")
        return []

    def texts(self, value, path):
        return [self.text(one, path) for one in (self.list(value, path) if isinstance(value, list) else [value])]

    def text(self, value, path):
        if isinstance(value, str) and value:
            return value
        self.problem(path, "is required" if value is None else "must be a text")
        return ""

    def whole(self, value, path):
        # True is an integer in Python, and not in JSON.
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        self.problem(path, "must be a whole number above 0")
        return 1

    def decimal(self, value, path):
        """A decimal in quotes: a JSON number has been a float already."""
        if value is None:
            reason = "is required"
        elif not isinstance(value, str):
            reason = 'must be a decimal number in quotes, such as "0.15"'
        else:
            attos = decimals.parse(value)
            if attos is not None:
                return attos
            digits = decimals.DIGITS_MAX
            reason = f'"{value}" is no decimal number of at most {digits} digits before and after the point, not below zero'
        self.problem(path, reason)
        return 0

    def problem(self, path, reason):
        self.problems.append((path, reason))
