"""Kinds of the rows of short floats, and the range of these: what is known without the compiler."""

UNKNOWN, CONSTANT, VARYING = range(3)
"""Kinds of a row: no number, one number in all places, different ones."""
LARGEST = (2.0 - 2.0**-7) * 2.0**127
"""Largest short float of two bytes; larger numbers become it."""
