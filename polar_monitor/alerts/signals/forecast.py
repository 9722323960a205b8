"""When a falling dimension will be out of use: its trend, and an interval calibrated on runs with known losses.

A trend's own uncertainty says nothing about what drives the fall: it may stop, or grow. The interval is the trend's
time times two factors, quantiles of true over forecast time in the tuning half of the suite in `bench/alerts` (after
split conformal prediction, Papadopoulos et al. 2002), so that it holds the loss in about 80 of 100 cases like those.

Where the loop tells its learning rate, time is counted in evaluations at the present one: a gradient flow moves by the
rate. Where it tells β and β rises, the information is extrapolated over log β instead: at the optimum of a linear
Gaussian model I = ½ log(λ/β) (Lucas et al. 2019), a straight line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...statistics.snapshot import Array
from ..alert import Forecast
from .cusum import FLOOR
from .trend import crossing, rates, slopes

LEAST, MOST = 0.4, 2.7
"""Factors of the interval: over 111 losses the 10 % quantile was 0.43, the 90 % quantile 2.9."""
LEAST_DRIVEN, MOST_DRIVEN = 0.95, 2.6
"""The same where a rising β is followed, over 39 losses: 0.99 and 2.54."""
MOST_PLUNGED = 1.3
"""The same after a plunge, over 91 losses: the 85 % quantile was 1.15, the 90 % quantile 1.4."""
FALLING = 0.005
"""A level that falls by less than this share in an evaluation does not fall."""
CEILING = 10**15
RISE = 5
"""Evaluations over which β is looked at."""
RISEN = 0.05
"""A rise of log β over them that drives what falls."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """What the trends of D dimensions say; in evaluations, each `interval` steps."""

    ahead: Array
    """(D,): evaluations until a dimension is no longer surely in use; inf where it does not fall."""
    interval: float
    driven: NDArray[np.bool_]
    """(D,): whether a rising β was followed."""

    def forecast(self, dimension: int, step: int, plunged: bool = False) -> Forecast:
        """From `step` on, in steps. What `plunged` may be lost already: an evaluation sees a window of the past."""
        ahead = float(self.ahead[dimension]) * self.interval
        least, most = (LEAST_DRIVEN, MOST_DRIVEN) if self.driven[dimension] else (LEAST, MOST)
        most = (MOST_PLUNGED if plunged else most) * max(ahead, self.interval)
        return Forecast(
            step + math.ceil(min(ahead, CEILING)),
            step - math.ceil(self.interval) if plunged else step + math.floor(min(least * ahead, CEILING)),
            step + math.ceil(most) if most < CEILING else None,
        )


def outlook(
    information: Array,
    interval: float,
    where: NDArray[np.bool_],
    cut: float,
    beta: Array | None = None,
    rate: Array | None = None,
) -> Outlook:
    """From the last evaluations (h, D) of the information, in nats, to the `cut`; only `where` (D,) it is asked for.

    `beta` and `rate`, the learning rate, are (h,), and NaN where they have not been told.
    """
    level = np.log(np.maximum(information[:, where], FLOOR))
    slope, growth = rates(level, None if rate is None else _progress(rate))
    distance = level[-1] - math.log(cut)
    ahead = np.full(where.shape, np.inf)
    ahead[where] = np.where(slope > FALLING, crossing(distance, slope, growth), np.inf)
    driven = np.zeros(where.shape, np.bool_)
    if beta is not None and _rises(beta):
        pushed = _driven(information[-RISE:, where] - cut, beta[-RISE:])
        driven[where] = np.isfinite(pushed)
        ahead[where] = np.where(driven[where], pushed, ahead[where])
    return Outlook(ahead, interval, driven)


def _progress(rate: Array) -> Array | None:
    """(h,): when each evaluation was, in evaluations at the present learning rate; None where that is not known."""
    if not (rate > 0).all() or (rate == rate[-1]).all():  # NaN is not above 0
        return None
    return np.concatenate([[0.0], np.cumsum(rate[1:] / rate[-1])])


def _rises(beta: Array) -> bool:
    """Whether β, (h,), has risen over the last evaluations and still does."""
    last = beta[-RISE:]
    return bool(len(last) == RISE and (last > 0).all() and np.log(last[-1] / last[0]) > RISEN and last[-1] > last[-2])


def _driven(above: Array, beta: Array) -> Array:
    """Evaluations until β, going on as it does, has pushed each series (RISE, D) to 0; inf where it does not."""
    slope, distance = slopes(above, np.log(beta)), np.maximum(above[-1], 0.0)
    with np.errstate(all="ignore"):  # what is not finite is no forecast
        further = np.where(slope < 0, distance / -np.minimum(slope, 0.0), np.inf)  # of log β
        linear, exponential = np.diff(beta), np.diff(np.log(beta))
        if np.std(linear) / np.mean(linear) <= np.std(exponential) / np.mean(exponential):
            return np.asarray(beta[-1] * np.expm1(further) / np.median(linear))
        return np.asarray(further / np.median(exponential))
