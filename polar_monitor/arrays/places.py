"""Places of an image, a clip or a sequence: a few of each input, chosen so that they stand for all.

Row k of all rows is point k of an additive recurrence: along axis i it lies at the fraction k α_i modulo 1, where the
α_i are powers of the inverse of a generalised golden ratio (Roberts 2018). A few points in a row lie apart along every
axis, many visit every place about equally often, and no period of the model or of the batch is seen in one phase only.
All of it is arithmetic of integers, so arrays, tensors and compiled code make the same choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MAX_ROWS_PER_INPUT = 4
"""Places that are taken of one input. A window of 4096 rows holds 1024 inputs then; labels need 512."""
PERIOD = 2**14
"""Rows after which the choice begins again, so that few indices have to be kept."""
BITS = 32
"""Bits of a fraction."""


def _fractions(axes: int) -> tuple[int, ...]:
    """Return α_i of each axis in units of 2^-BITS: root^-i, where root > 1 solves x^(axes + 1) = x + 1."""
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (axes + 1))
    return tuple(round(2**BITS / root**power) | 1 for power in range(1, axes + 1))


FRACTIONS = tuple(_fractions(axes) for axes in range(9))
"""α_i by the number of axes: a table, as compiled code takes it for constants."""


ABSENT = 0x7FC5A11D
"""Bits of a float32, a NaN of our own, in the first dimension of a row that is no data."""


def positions_of(points: Any) -> Any:
    """Return where the place of each point lies along the only axis, from 0 to 1."""
    return (points % PERIOD * FRACTIONS[1][0] % 2**BITS) / 2**BITS


def ranks_of(points: Any, counts: Any, taken: int) -> Any:
    """Return which of the `counts` (n, 1) places of each input that are data are taken, (n, taken).

    `points` (n, taken) are consecutive integers of 64 bits. Where there are fewer places than `taken`, the excess has
    numbers from `counts` on.
    """
    order = points - points[:, :1]
    shift = points[:, :1] % PERIOD * FRACTIONS[1][0] % 2**BITS
    spread = (order * 2**BITS + shift) * counts // (taken * 2**BITS)
    few = (counts <= taken).astype(order.dtype) if hasattr(counts, "astype") else (counts <= taken).long()
    return few * order + (1 - few) * spread


def taken_of(places: int) -> int:
    """Return how many of so many places of an input are taken."""
    return min(places, MAX_ROWS_PER_INPUT)


def places_of(points: Any, sizes: Sequence[int]) -> Any:
    """Return the place of each point: its number among all places, the last axis the fastest.

    `points` are integers of 64 bits, as an array or a tensor; `sizes` are those of the axes.

    Example:
        >>> import numpy as np
        >>> places_of(np.arange(4), (8, 8)).tolist()
        [0, 52, 33, 21]
    """
    place, points = 0, points % PERIOD
    for size, fraction in zip(sizes, FRACTIONS[len(sizes)], strict=True):
        place = place * size + ((points * fraction % 2**BITS) * size >> BITS)
    return place
