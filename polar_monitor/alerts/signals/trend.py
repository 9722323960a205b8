"""Robust trends of the last evaluations of D series, and when they will have fallen to a given value.

Decay towards the prior is close to exponential (a gradient flow near its fixed point), but what drives it often grows:
log x(t) = log x₀ − r t − ½ a t² with a ≥ 0. On an exact exponential a is 0 and the crossing exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHORT = 4
"""Evaluations that the present rate is of."""
BEFORE = 5
"""Evaluations, the last one of which begins the present ones, that the rate before is of."""


def slopes(values: Array, times: Array | None = None) -> Array:
    """Theil and Sen's slope of each column of `values` (h, D): the median of all pairwise slopes.

    `times` (h,) are those of the rows, which are one apart without it. Pairs at one time are left out; 0 without any.

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
    """(r, a), each (D,): by how much the columns of `values` (h, D) fall in a unit of time now, and how that grows.

    `times` (h,) increase; without them a row is a unit.
    """
    if len(values) < SHORT:
        zero = np.zeros(values.shape[1])
        return zero, zero
    times = np.arange(len(values), dtype=np.float64) if times is None else times
    now = -slopes(values[-SHORT:], times[-SHORT:])
    if len(values) < SHORT + BEFORE - 1:
        return now, np.zeros_like(now)
    early = slice(-SHORT - BEFORE + 1, 1 - SHORT)
    middle = times[-SHORT:].mean()
    apart = middle - times[early].mean()
    growth = np.maximum(now + slopes(values[early], times[early]), 0.0) / apart
    return now + (times[-1] - middle) * growth, growth


def crossing(distance: Array, rate: Array, growth: Array) -> Array:
    """Evaluations until a series at `distance` above a value has fallen to it; inf where it does not fall. All (D,).

    Example:
        >>> import numpy as np
        >>> crossing(np.array([3.0, 3.0]), np.array([0.5, 0.0]), np.zeros(2))
        array([ 6., inf])
    """
    far = np.maximum(distance, 0.0)
    root = rate + np.sqrt(np.maximum(rate, 0.0) ** 2 + 2 * growth * far)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance <= 0, 0.0, np.where(rate > 0, 2 * far / root, np.inf))
