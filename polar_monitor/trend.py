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
APART = 0.5 * (SHORT + BEFORE) - 1
"""From the middle of the ones to the middle of the others."""


def slopes(values: Array) -> Array:
    """Theil and Sen's slope of each column of `values` (h, D), a row an evaluation: the median of all pairwise slopes.

    Example:
        >>> import numpy as np
        >>> slopes(np.array([[0.0], [1.0], [2.0], [3.0], [40.0]]))
        array([1.])
    """
    i, j = np.triu_indices(len(values), 1)
    pairwise = np.sort((values[j] - values[i]) / (j - i)[:, None], axis=0)  # np.median takes three times as long
    return np.asarray(0.5 * (pairwise[(len(pairwise) - 1) // 2] + pairwise[len(pairwise) // 2]))


def rates(values: Array) -> tuple[Array, Array]:
    """(r, a), each (D,): by how much the columns of `values` (h, D) fall in an evaluation now, and how that grows."""
    if len(values) < SHORT:
        zero = np.zeros(values.shape[1])
        return zero, zero
    now = -slopes(values[-SHORT:])
    if len(values) < SHORT + BEFORE - 1:
        return now, np.zeros_like(now)
    growth = np.maximum(now + slopes(values[-SHORT - BEFORE + 1 : 1 - SHORT]), 0.0) / APART
    return now + 0.5 * (SHORT - 1) * growth, growth


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
