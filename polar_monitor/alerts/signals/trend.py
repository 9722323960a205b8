"""Robust trends of D series over unevenly spaced times, and the time until they reach a given value.

Decay towards the prior is close to exponential (a gradient flow near its fixed point), but what drives it often grows:
log x(t) = log x₀ − r t − ½ a t² with a ≥ 0. On an exact exponential a is 0 and the crossing exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FORECAST_ROWS = 3
"""Evaluations that a forecast needs: one before the fall, and two of it."""
RECENT_STEPS = 80.0
"""Steps that give the present rate, if they hold enough rows."""
RECENT_WINDOWS = 1.25
"""Independent windows that give it at least."""
GROWTH_ERRORS = 3.0
"""Standard errors that the growth of a rate loses."""


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


SLOWING_ERRORS, MIN_SLOWING = 2.0, 0.05
"""Standard errors by which a rate must have become lower to be one that slows, and the least share of it."""


class Spans(NamedTuple):
    """The rows of a trend: places of the first recent one, and of the first early one."""

    recent: int
    early: int


def spans(times: Array, windows: Array, scale: float = 1.0, start: float | None = None) -> Spans:
    """Return the rows that give the present rate of series at `times` (h,), and those that give the rate before.

    `windows` (h,) are the independent windows from each row to the next; `scale` is the length of a step. A fall that
    began at `start` is halved: its second half gives the present rate, its first half the rate before. Without a start
    there is no rate before. The present rate has two rows or more, however far they are apart.
    """
    last = len(times) - 1
    apart = np.append(np.cumsum(windows[:0:-1])[::-1], 0.0)
    begin = 0 if start is None else min(int(np.searchsorted(times, start)), max(last - 1, 0))
    half = 0.0 if start is None else 0.5 * float(times[last] - times[begin])
    close = (times >= times[last] - max(scale * RECENT_STEPS, half)) | (apart <= RECENT_WINDOWS)
    recent = max(min(int(np.argmax(close)), last - 1), begin)
    return Spans(recent, recent if start is None else begin)


def rates(values: Array, times: Array, rows: Spans, errors: Array | None = None) -> tuple[Array, Array]:
    """Return (r, a), each (D,): the present fall of the columns of `values` (h, D) in a unit of time, and its growth.

    `times` (h,) increase, by any steps. Two rows give a rate. `errors` (h, D) are those of the
    values: the growth is what is left of it after its own error, since one that is noise would speed up every fall.
    """
    if len(values) < 2:
        zero = np.zeros(values.shape[1])
        return zero, zero
    now = -slopes(values[rows.recent :], times[rows.recent :])
    early = slice(rows.early, rows.recent + 1)
    middle = times[rows.recent :].mean()
    apart = middle - times[early].mean()
    if rows.recent == rows.early or apart <= 0:
        return now, np.zeros_like(now)
    growth = now + slopes(values[early], times[early])
    if errors is not None:
        growth = growth - GROWTH_ERRORS * np.hypot(
            _slope_error(errors[rows.recent :], times[rows.recent :]), _slope_error(errors[early], times[early])
        )
    growth = np.maximum(growth, 0.0) / apart
    return now + (times[-1] - middle) * growth, growth


def slows(values: Array, times: Array, rows: Spans, errors: Array) -> NDArray[np.bool_]:
    """Return which columns of `values` (h, D) surely fall at a lower rate now than before (D,)."""
    if len(values) < 2 or rows.recent == rows.early:
        return np.zeros(values.shape[1], np.bool_)
    now, early = slice(rows.recent, None), slice(rows.early, rows.recent + 1)
    before = slopes(values[early], times[early])
    gain = slopes(values[now], times[now]) - before
    error = np.hypot(_slope_error(errors[now], times[now]), _slope_error(errors[early], times[early]))
    return np.asarray(gain > np.maximum(SLOWING_ERRORS * error, -MIN_SLOWING * before))


def line_evidence(values: Array, times: Array, errors: Array) -> Array:
    """Return by how much a line fits positive columns of `values` (h, D) better than an exponential does (D,).

    It is the difference of their sums of squared residuals in units of the standard `errors` (h, D): twice the
    logarithm of their likelihood ratio. It is below 0 where the exponential fits better, and 0 for two rows, which
    both fit.

    Example:
        >>> import numpy as np
        >>> times = np.arange(6.0)
        >>> both = np.stack([6 - times, 6 * np.exp(-times / 4)], axis=1)
        >>> line_evidence(both, times, np.full((6, 2), 0.05)).round()
        array([ 209., -163.])
    """
    if len(values) < 3:
        return np.zeros(values.shape[1])
    return _misfit(np.log(values), times, errors / values) - _misfit(values, times, errors)


def _misfit(values: Array, times: Array, errors: Array) -> Array:
    """Return the sum of squared residuals of the weighted least squares line through each column (D,)."""
    weights = 1.0 / np.square(errors)
    total = weights.sum(axis=0)
    apart = times[:, None] - (weights * times[:, None]).sum(axis=0) / total
    above = values - (weights * values).sum(axis=0) / total
    slope = (weights * apart * above).sum(axis=0) / (weights * apart * apart).sum(axis=0)
    return np.asarray((weights * np.square(above - slope * apart)).sum(axis=0))


def _slope_error(errors: Array, times: Array) -> Array:
    """Return the standard error (D,) of the slope of a line through values with these errors."""
    spread = float(np.sum((times - times.mean()) ** 2))
    return np.asarray(np.sqrt(np.mean(errors * errors, axis=0) / spread))


def crossing(distance: Array, rate: Array, growth: Array) -> Array:
    """Return the time until a series `distance` above a value falls to it; inf without a fall. All (D,).

    Example:
        >>> import numpy as np
        >>> crossing(np.array([3.0, 3.0]), np.array([0.5, 0.0]), np.zeros(2))
        array([ 6., inf])
    """
    far = np.maximum(distance, 0.0)
    root = rate + np.sqrt(np.maximum(rate, 0.0) ** 2 + 2 * growth * far)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance <= 0, 0.0, np.where(rate > 0, 2 * far / root, np.inf))
