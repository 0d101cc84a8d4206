"""Exact decimals, as whole numbers of attos: 1 is 10**18 of them. Python's integers have any length, so that nothing is
ever a float, and a line is rounded once."""

import re

ONE = 10**18
DIGITS_MAX = 18
ATTOS_PER_MICRO = 10**12

_DECIMAL = re.compile(r"([0-9]+)(?:\.([0-9]+))?", re.ASCII)


def parse(text):
    """Reads a decimal text, such as "0.15", as attos; None where it is none, or has too many digits."""
    parts = _DECIMAL.fullmatch(text)
    if parts is None:
        return None
    whole = parts[1].lstrip("0")
    fraction = (parts[2] or "").rstrip("0")
    if len(whole) > DIGITS_MAX or len(fraction) > DIGITS_MAX:
        return None
    return int(whole or "0") * ONE + int(fraction.ljust(DIGITS_MAX, "0"))


def micros(attos):
    """Attos of credits in micro-credits: rounded half to even, the one rounding of a line."""
    floor, rest = divmod(attos, ATTOS_PER_MICRO)
    twice = rest * 2
    is_up = twice > ATTOS_PER_MICRO or (twice == ATTOS_PER_MICRO and floor % 2 == 1)
    return floor + 1 if is_up else floor
