"""Prices events by model: so many credits for each unit, and a minimum.

Amounts are whole micro-credits: a credit is 1,000,000 of them. Prices are decimals, never floats.
"""

import json
import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types
from wit_world.exports.pricing import LineItem, Quote, Refusal_InvalidUsage, Refusal_Unpriced, Unpriced

EXACT = Context(prec=80)
CREDITS_MAX = 9_000_000_000_000_000_000

models = []
minimum = 0


def micro_credits(amount, price):
    """A quantity times a price, rounded once, half to even."""
    exact = EXACT.multiply(EXACT.multiply(Decimal(amount), price), Decimal(1_000_000))
    return int(exact.to_integral_value(rounding=ROUND_HALF_EVEN, context=EXACT))


def nearest(model):
    """The prices of the model: by its own name, else by the longest pattern."""
    def is_of(name):
        return re.fullmatch(".*".join(map(re.escape, name.split("*"))), model, re.DOTALL)

    def nearness(entry):
        return (len(entry[0].replace("*", "")), "*" not in entry[0])

    found = [entry for entry in models if is_of(entry[0])]
    return max(found, key=nearness)[1] if found else None


class Pricing(exports.Pricing):
    def configure(self, config):
        global models, minimum
        config, problems = json.loads(config), []

        def price(path, value):
            if isinstance(value, str) and re.fullmatch(r"\d{1,12}(\.\d{1,18})?", value):
                return Decimal(value)
            problems.append(types.ConfigProblem(path, 'must be a decimal number in quotes, such as "0.15"'))
            return Decimal(0)

        minimum = micro_credits(1, price("minimum", config.pop("minimum", "0")))
        models = []
        for index, entry in enumerate(config.pop("models", [])):
            if not entry.get("model"):
                problems.append(types.ConfigProblem(f"models[{index}].model", "is required"))
            prices = entry.get("credits", {}).items()
            prices = {unit: price(f"models[{index}].credits.{unit}", value) for unit, value in prices}
            models.append((entry.get("model", ""), prices))
        if not models:
            problems.append(types.ConfigProblem("models", "at least one model needs prices"))
        problems.extend(types.ConfigProblem(path, "no such setting") for path in config)
        if problems:
            raise Err(problems)

    def price(self, event):
        used = [quantity for quantity in event.quantities if quantity.amount > 0]
        if not used:
            return Quote([])

        def unpriced(unit):
            return Err(Refusal_Unpriced(Unpriced(event.model, event.activity, unit)))

        prices = nearest(event.model) if event.model is not None else None
        if prices is None:
            raise unpriced(None)
        items = []
        for quantity in used:
            if quantity.unit not in prices:
                raise unpriced(quantity.unit)
            credits = micro_credits(quantity.amount, prices[quantity.unit])
            items.append(LineItem(quantity.unit.replace("_", " "), quantity.unit, quantity.amount, credits))
        total = sum(item.credits for item in items)
        if total > CREDITS_MAX:
            raise Err(Refusal_InvalidUsage("this costs more than any account can hold"))
        if total < minimum:
            items.append(LineItem("minimum", "", 1, minimum - total))
        return Quote(items)
