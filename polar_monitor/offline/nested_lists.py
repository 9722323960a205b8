"""Refuse lists of arrays that have rows of their own: they may be chunks of rows, or one array for each input.

`np.asarray` makes one array (n, T, D) of 8 chunks (512, 3), and 8 inputs would be judged. A list of rows (D,), or of
numbers, has one meaning and is read.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import PolarMonitorError


class Advice(NamedTuple):
    """Ends of the message about a list: the expected form, and the line to write."""

    expected: str
    remedy: str


ARGUMENT_ADVICE = Advice(
    "an array (n, D) or an iterator of chunks",
    "pass iter(chunks) or np.concatenate(chunks) (or np.stack, where each is one input)",
)
CHUNK_ADVICE = Advice("one array", "for pairs (mean, spread) pass logvar=True, var=True, std=True or logstd=True")


def first_array(value: Any) -> Any:
    """Return the first array of two axes or more in a nested list; None if rows or numbers come first."""
    while isinstance(value, list | tuple) and value:
        value = value[0]
        if getattr(value, "ndim", 0) > 1:
            return value
    return None


def refuse(word: str, value: Any, advice: Advice) -> None:
    """Raise PolarMonitorError for a list or tuple of arrays of two axes or more."""
    first = first_array(value)
    if first is None:
        return
    item, plural = type(value[0]).__name__, "s" * (len(value) > 1)
    items = f"array{plural}" if value[0] is first else f"{item}{plural} of arrays"
    others = any(getattr(one, "shape", None) != getattr(value[0], "shape", None) for one in value[1:])
    shapes = f"{tuple(first.shape)}{' and others' if others else ''}"
    got = f"a {type(value).__name__} of {len(value)} {items} {shapes}"
    raise PolarMonitorError(f"{word}: expected {advice.expected}, got {got}: {advice.remedy}")
