"""Robust trends of a short series, and when it will have fallen to a given value."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .alerts import Forecast


def slopes(steps: Sequence[int], values: Sequence[float]) -> NDArray[np.float64]:
    """All pairwise slopes, sorted; their median is Theil and Sen's. Empty for fewer than two points."""
    x, y = np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64)
    i, j = np.triu_indices(len(x), 1)
    apart = x[j] > x[i]
    return np.sort((y[j] - y[i])[apart] / (x[j] - x[i])[apart])


def crossing(steps: Sequence[int], values: Sequence[float], cut: float) -> Forecast | None:
    """When the series falls to `cut`, by Theil-Sen lines on the value and on its logarithm.

    Decay towards the prior is close to exponential, but a ramp of β ends it sooner: the logarithm's median gives the
    upper part of the interval, the line's the lower, and the middle of the two the forecast. None if it does not fall.
    """
    now, last = values[-1], steps[-1]
    if now <= cut:
        return Forecast(last, last, last)
    straight = slopes(steps, values)
    decay = slopes(steps, np.log(np.maximum(values, 1e-6)).tolist())
    if not straight.size or np.median(straight) >= 0 or np.median(decay) >= 0:
        return None
    ago = np.asarray(steps, dtype=np.float64) - last
    level = float(np.median(np.asarray(values) - np.median(straight) * ago))
    height = float(np.median(np.log(np.maximum(values, 1e-6)) - np.median(decay) * ago))
    far, ratio = max(level - cut, 0.0), max(height - math.log(cut), 0.0)

    def when(rates: NDArray[np.float64], distance: float, q: float) -> float:
        rate = float(np.quantile(rates, q))
        return distance / -rate if rate < 0 else math.inf

    middle = 0.5 * (when(straight, far, 0.5) + when(decay, ratio, 0.5))
    low = min(when(straight, far, 0.1), when(decay, ratio, 0.1), middle)
    high = max(when(straight, far, 0.9), when(decay, ratio, 0.9), middle)
    ceiling = 1e15
    return Forecast(
        last + math.ceil(min(middle, ceiling)),
        last + math.floor(min(low, ceiling)),
        last + math.ceil(high) if high < ceiling else None,
    )
