"""Forecasts when a falling dimension will be out of use: its trend, with an interval calibrated on known losses.

A trend's own uncertainty does not cover what drives the fall: it may stop, or grow. The interval is the trend's time
times two factors: quantiles of true over forecast time in the tuning half of the suite in `bench/alerts` (after split
conformal prediction, Papadopoulos et al. 2002), so the interval holds the loss in about 80 of 100 similar cases.

If the training loop logs its learning rate, time is counted in evaluations at the present one: a gradient flow moves by
the rate. If it logs β and β rises, the information is extrapolated over log β instead: at the optimum of a linear
Gaussian model I = ½ log(λ/β) (Lucas et al. 2019), a straight line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...statistics.snapshot import Array
from ..alert import Forecast
from .cusum import LEVEL_FLOOR
from .trend import crossing, rates, slopes

LOW_FACTOR, HIGH_FACTOR = 0.4, 2.7
"""Factors of the interval: over 111 losses the 10 % quantile was 0.43, the 90 % quantile 2.9."""
LOW_FACTOR_BETA, HIGH_FACTOR_BETA = 0.95, 2.6
"""The same under a rising β, over 39 losses: 0.99 and 2.54."""
HIGH_FACTOR_PLUNGE = 1.3
"""The same after a plunge, over 91 losses: the 85 % quantile was 1.15, the 90 % quantile 1.4."""
MIN_RATE = 0.005
"""A level that falls by a smaller share in an evaluation does not fall."""
MAX_STEPS_AHEAD = 10**15
BETA_ROWS = 5
"""Evaluations over which β is followed."""
MIN_BETA_RISE = 0.05
"""A smaller rise of log β over them does not drive a fall."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """The trends of D dimensions; in evaluations, each `interval` steps."""

    ahead: Array
    """(D,): evaluations until a dimension is no longer surely in use; inf where it does not fall."""
    interval: float
    driven: NDArray[np.bool_]
    """(D,): True where the forecast follows a rising β."""

    def forecast(self, dimension: int, step: int, plunged: bool = False) -> Forecast:
        """Return the forecast from `step` on, in steps.

        A dimension that `plunged` may be lost already: an evaluation sees a window of the past.
        """
        ahead = float(self.ahead[dimension]) * self.interval
        beta = self.driven[dimension]
        low_factor, high_factor = (LOW_FACTOR_BETA, HIGH_FACTOR_BETA) if beta else (LOW_FACTOR, HIGH_FACTOR)
        high = (HIGH_FACTOR_PLUNGE if plunged else high_factor) * max(ahead, self.interval)
        early = -math.ceil(self.interval) if plunged else math.floor(min(low_factor * ahead, MAX_STEPS_AHEAD))
        return Forecast(
            step + math.ceil(min(ahead, MAX_STEPS_AHEAD)),
            step + early,
            step + math.ceil(high) if high < MAX_STEPS_AHEAD else None,
        )


def outlook(
    information: Array,
    interval: float,
    where: NDArray[np.bool_],
    cut: float,
    beta: Array | None = None,
    rate: Array | None = None,
) -> Outlook:
    """Extrapolate the last evaluations (h, D) of the information, in nats, to the `cut`; only `where` (D,) is True.

    `beta` and `rate`, the learning rate, are (h,), and NaN where they were not logged.
    """
    level = np.log(np.maximum(information[:, where], LEVEL_FLOOR))
    slope, growth = rates(level, None if rate is None else _progress(rate))
    distance = level[-1] - math.log(cut)
    ahead = np.full(where.shape, np.inf)
    ahead[where] = np.where(slope > MIN_RATE, crossing(distance, slope, growth), np.inf)
    driven = np.zeros(where.shape, np.bool_)
    if beta is not None and _rises(beta):
        pushed = _follows_beta(information[-BETA_ROWS:, where] - cut, beta[-BETA_ROWS:])
        driven[where] = np.isfinite(pushed)
        ahead[where] = np.where(driven[where], pushed, ahead[where])
    return Outlook(ahead, interval, driven)


def _progress(rate: Array) -> Array | None:
    """Return the times (h,) of the evaluations, in evaluations at the present learning rate; None if not known."""
    if not (rate > 0).all() or (rate == rate[-1]).all():  # NaN is not above 0
        return None
    return np.concatenate([[0.0], np.cumsum(rate[1:] / rate[-1])])


def _rises(beta: Array) -> bool:
    """Return True if β, (h,), has risen over the last evaluations and still rises."""
    last = beta[-BETA_ROWS:]
    if len(last) < BETA_ROWS or not (last > 0).all():
        return False
    return bool(np.log(last[-1] / last[0]) > MIN_BETA_RISE and last[-1] > last[-2])


def _follows_beta(above: Array, beta: Array) -> Array:
    """Return the evaluations until β, at its present pace, pushes each series (rows, D) to 0; inf if it does not."""
    slope, distance = slopes(above, np.log(beta)), np.maximum(above[-1], 0.0)
    with np.errstate(all="ignore"):  # what is not finite is no forecast
        further = np.where(slope < 0, distance / -np.minimum(slope, 0.0), np.inf)  # of log β
        linear, exponential = np.diff(beta), np.diff(np.log(beta))
        if np.std(linear) / np.mean(linear) <= np.std(exponential) / np.mean(exponential):
            return np.asarray(beta[-1] * np.expm1(further) / np.median(linear))
        return np.asarray(further / np.median(exponential))
