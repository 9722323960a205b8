"""Robust trends of the last evaluations of D series, and the time until they reach a given value.

Decay towards the prior is close to exponential (a gradient flow near its fixed point), but what drives it often grows:
log x(t) = log x₀ − r t − ½ a t² with a ≥ 0. On an exact exponential a is 0 and the crossing exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RECENT_ROWS = 4
"""Evaluations that give the present rate."""
EARLY_ROWS = 5
"""Evaluations that give the rate before; the last of them is the first of the recent ones."""


def slopes(values: Array, times: Array | None = None) -> Array:
    """Return Theil and Sen's slope of each column of `values` (h, D): the median of all pairwise slopes.

    `times` (h,) are those of the rows; without it rows are one apart. Pairs at one time are left out. Without any pair
    the slope is 0.

    Example:
        >>> import numpy as np
        >>> slopes(np.array([[0.0], [1.0], [2.0], [3.0], [40.0]]))
        array([1.])
    """
    times = np.arange(len(values), dtype=np.float64) if times is None else times
    i, j = np.triu_indices(len(values), 1)
    apart = times[j] - times[i]
    if not apart.all():
        i, j, apart = (array[apart != 0] for array in (i, j, apart))
        if not apart.size:
            return np.zeros(values.shape[1])
    pairwise = np.sort((values[j] - values[i]) / apart[:, None], axis=0)  # np.median takes three times as long
    return np.asarray(0.5 * (pairwise[(len(pairwise) - 1) // 2] + pairwise[len(pairwise) // 2]))


def rates(values: Array, times: Array | None = None) -> tuple[Array, Array]:
    """Return (r, a), each (D,): the present fall of the columns of `values` (h, D) in a unit of time, and its growth.

    `times` (h,) increase; without them a row is a unit.
    """
    if len(values) < RECENT_ROWS:
        zero = np.zeros(values.shape[1])
        return zero, zero
    times = np.arange(len(values), dtype=np.float64) if times is None else times
    now = -slopes(values[-RECENT_ROWS:], times[-RECENT_ROWS:])
    if len(values) < RECENT_ROWS + EARLY_ROWS - 1:
        return now, np.zeros_like(now)
    early = slice(-RECENT_ROWS - EARLY_ROWS + 1, 1 - RECENT_ROWS)
    middle = times[-RECENT_ROWS:].mean()
    apart = middle - times[early].mean()
    growth = np.maximum(now + slopes(values[early], times[early]), 0.0) / apart
    return now + (times[-1] - middle) * growth, growth


def crossing(distance: Array, rate: Array, growth: Array) -> Array:
    """Return the evaluations until a series `distance` above a value falls to it; inf without a fall. All (D,).

    Example:
        >>> import numpy as np
        >>> crossing(np.array([3.0, 3.0]), np.array([0.5, 0.0]), np.zeros(2))
        array([ 6., inf])
    """
    far = np.maximum(distance, 0.0)
    root = rate + np.sqrt(np.maximum(rate, 0.0) ** 2 + 2 * growth * far)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance <= 0, 0.0, np.where(rate > 0, 2 * far / root, np.inf))
