"""Lists of arrays with rows of their own, which are refused: they may be chunks of rows, or one array for each input.

`np.asarray` makes one array (n, T, D) of 8 chunks (512, 3), of which 8 inputs would be judged. A list of rows (D,), or
of numbers, has one meaning and is read.
"""

from __future__ import annotations

from typing import Any

from ..errors import PolarMonitorError

WHOLE = (
    "an array (n, D) or an iterator of chunks",
    "pass iter(chunks) or np.concatenate(chunks) (or np.stack, where each is one input)",
)
CHUNK = ("one array", "for pairs (mean, spread) pass logvar=True, var=True or std=True")
"""What was expected, and what to do, for an argument and for a chunk of one."""


def first_array(value: Any) -> Any:
    """The first array of two axes or more in a list or tuple, however deep; None where rows or numbers come first."""
    while isinstance(value, list | tuple) and value:
        value = value[0]
        if getattr(value, "ndim", 0) > 1:
            return value
    return None


def refuse(word: str, value: Any, told: tuple[str, str]) -> None:
    """Raise PolarMonitorError for a list or tuple of arrays of two axes or more."""
    first = first_array(value)
    if first is None:
        return
    item, many = type(value[0]).__name__, "s" * (len(value) > 1)
    items = f"array{many}" if value[0] is first else f"{item}{many} of arrays"
    others = any(getattr(one, "shape", None) != getattr(value[0], "shape", None) for one in value[1:])
    shapes = f"{tuple(first.shape)}{' and others' if others else ''}"
    got = f"a {type(value).__name__} of {len(value)} {items} {shapes}"
    raise PolarMonitorError(f"{word}: expected {told[0]}, got {got}: {told[1]}")
