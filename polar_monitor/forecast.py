"""When a falling dimension will be out of use: its trend, and an interval calibrated on runs with known losses.

A trend's own uncertainty says nothing about what drives the fall: it may stop, or grow. The interval is the trend's
time times two factors, quantiles of true over forecast time in the tuning half of the suite in `bench/alerts` (after
split conformal prediction, Papadopoulos et al. 2002), so that it holds the loss in about 80 of 100 cases like those.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .alerts import Forecast
from .detector import FLOOR
from .rule import INFORMATIVE
from .snapshot import Array
from .trend import crossing, rates

LEAST, MOST = 0.4, 2.7
"""Factors of the interval: over 111 losses the 10 % quantile was 0.43, the 90 % quantile 2.9."""
MOST_PLUNGED = 1.3
"""The same after a plunge, over 91 losses: the 85 % quantile was 1.15, the 90 % quantile 1.4."""
FALLING = 0.005
"""A level that falls by less than this share in an evaluation does not fall."""
CEILING = 10**15


@dataclass(frozen=True, eq=False)
class Outlook:
    """What the trends of D dimensions say; in evaluations, each `interval` steps."""

    ahead: Array
    """(D,): evaluations until a dimension is no longer surely in use; inf where it does not fall."""
    interval: float

    def forecast(self, dimension: int, step: int, plunged: bool = False) -> Forecast:
        """From `step` on, in steps. What `plunged` may be lost already: an evaluation sees a window of the past."""
        ahead = float(self.ahead[dimension]) * self.interval
        most = (MOST_PLUNGED if plunged else MOST) * max(ahead, self.interval)
        return Forecast(
            step + math.ceil(min(ahead, CEILING)),
            step - math.ceil(self.interval) if plunged else step + math.floor(min(LEAST * ahead, CEILING)),
            step + math.ceil(most) if most < CEILING else None,
        )


def outlook(information: Array, interval: float, where: NDArray[np.bool_]) -> Outlook:
    """From the last evaluations (h, D) of the information, in nats; only `where` (D,) it is asked for."""
    level = np.log(np.maximum(information[:, where], FLOOR))
    rate, growth = rates(level)
    distance = level[-1] - math.log(INFORMATIVE)
    ahead = np.full(where.shape, np.inf)
    ahead[where] = np.where(rate > FALLING, crossing(distance, rate, growth), np.inf)
    return Outlook(ahead, interval)
