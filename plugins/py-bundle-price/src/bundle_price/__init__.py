"""Fixed prices for combinations of units: the configuration, and the arithmetic.

Nothing here knows the WIT, so that it is tested as any other Python is.
"""
