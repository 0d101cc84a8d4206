"""What the component exports: the interface `pricing` of Purser's WIT. `componentize-py` makes the modules `wit_world`
and `componentize_py_types` of it when it builds.

An exception that is not an `Err` stops the instance without a word: there is nowhere to print it to."""

from bundle_price.config import BadConfig, read
from bundle_price.price import TooDear, Unpriced, price
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import pricing
from wit_world.imports import types

_config = None


class Pricing(exports.Pricing):
    def configure(self, config):
        global _config
        try:
            _config = read(config)
        except BadConfig as bad:
            raise Err([types.ConfigProblem(path, reason) for path, reason in bad.problems]) from None

    def price(self, event):
        quantities = [(quantity.unit, quantity.amount) for quantity in event.quantities]
        try:
            lines = price(_config, event.activity, quantities)
        except Unpriced as refused:
            unpriced = pricing.Unpriced(event.model, event.activity, refused.unit)
            raise Err(pricing.Refusal_Unpriced(unpriced)) from None
        except TooDear:
            raise Err(pricing.Refusal_InvalidUsage("this costs more than any account can hold")) from None
        return pricing.Quote([pricing.LineItem(line.label, line.unit, line.quantity, line.credits) for line in lines])
