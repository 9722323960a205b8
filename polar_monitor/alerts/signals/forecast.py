"""Forecasts when a falling dimension will be out of use: its trend, with an interval calibrated on known losses.

A trend's own uncertainty does not cover what drives the fall: it may stop, or grow. The interval is the trend's time
times two factors: quantiles of true over forecast time in the tuning half of the suite in `bench/alerts` (after split
conformal prediction, Papadopoulos et al. 2002), so the interval holds the loss in about 80 of 100 similar cases.

Far from the prior the information falls in a line where β grows by a factor, I = ½ log(λ/β) at the optimum of a linear
Gaussian model (Lucas et al. 2019); near the prior it decays exponentially. I + NEAR · log I has both as a line. A fall
may be exponential from the start, and at its beginning looks like a line: as long as its evaluations leave both open,
the interval reaches to the end of the exponential one.

If the training loop logs its learning rate, time is counted in steps at the present one: a gradient flow moves by
the rate. If it logs β and β rises, the information is extrapolated over log β instead, a straight line.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...statistics.snapshot import Array
from ..alert import Forecast
from .cusum import LEVEL_FLOOR
from .pace import Pace
from .trend import Spans, crossing, line_evidence, rates, slopes, slows, spans

LOW_FACTOR, HIGH_FACTOR = 0.55, 1.5
"""Factors of the interval: over 264 forecasts of losses the 10 % quantile was 0.58, the 85 % quantile 1.64. A few
losses come before their alert, so the interval is a little narrower."""
LOW_FACTOR_BETA, HIGH_FACTOR_BETA = 0.95, 2.1
"""The same under a rising β that is logged, over 77 forecasts: 1.00 and 2.19."""
LOW_FACTOR_SHRINKING, MIDDLE_FACTOR_SHRINKING, HIGH_FACTOR_SHRINKING = 0.4, 0.65, 1.2
"""The same where the means shrink, over 36 forecasts: 0.39, 0.61 in the middle, and 1.10 at 90 %."""
HIGH_FACTOR_DECAY = 1.2
"""The same of the time of an exponential, where a fall may be one: over 31 of them the 90 % quantile was 1.07."""
MIN_LINE_EVIDENCE = 4.0
"""`line_evidence` from which a fall is no exponential: a likelihood ratio of 7."""
MIN_ERROR = 1e-4
"""Nats; a smaller standard error counts as this one."""
NEAR = 0.1
"""Nats below which a fall is close to exponential, and above which it is close to a line."""
MIN_RATE = 0.0002
"""A level that falls by a smaller share in a step does not fall."""
MAX_STEPS_AHEAD = 10**15
BETA_STEPS = 100.0
"""Steps over which β is followed, or the last three evaluations."""
MIN_BETA_RISE = 0.05
"""A smaller rise of log β over them does not drive a fall."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """The trends of D dimensions, in optimiser steps."""

    ahead: Array
    """(D,): steps until a dimension is no longer surely in use; inf where it does not fall."""
    interval: int
    """Steps since the evaluation before."""
    driven: NDArray[np.bool_]
    """(D,): True where the forecast follows a rising β."""
    sudden: NDArray[np.bool_]
    """(D,): True where the window reaches back to before the fall, or to the end of it: nobody knows the level now."""
    soonest: Array | None = None
    """(D,): the steps if no fall slowed down; None if they are `ahead`."""
    slowest: Array | None = None
    """(D,): the steps of an exponential, where the fall may be one; else 0."""
    average: Array | None = None
    """(D,): the steps at the average pace since the fall began."""

    def forecast(self, dimension: int, step: int, in_steps: bool = False, shrinks: bool = False) -> Forecast | None:
        """Return the forecast from `step` on, which begins in the future; None for a fall that may be over.

        A dimension that falls `in_steps`, since it plunged or its units die, may be lost at the next step, or go on at
        the pace that it had on average. One whose means shrink, as under weight decay, falls faster near the end than
        its trend.
        """
        ahead = float(self.ahead[dimension])
        if self.sudden[dimension]:
            return None
        beta = self.driven[dimension]
        low_factor, high_factor = (LOW_FACTOR_BETA, HIGH_FACTOR_BETA) if beta else (LOW_FACTOR, HIGH_FACTOR)
        if shrinks and not beta:
            low_factor, high_factor = LOW_FACTOR_SHRINKING, HIGH_FACTOR_SHRINKING
        low_factor = 0.0 if in_steps else low_factor
        low = max(math.floor(min(low_factor * ahead, MAX_STEPS_AHEAD)), 1)
        expected = MIDDLE_FACTOR_SHRINKING * ahead if shrinks and not beta else ahead
        middle = max(math.ceil(min(expected, MAX_STEPS_AHEAD)), low)
        high = high_factor * max(ahead, self.interval)
        if self.slowest is not None and not beta:
            high = max(high, HIGH_FACTOR_DECAY * float(self.slowest[dimension]))
        if self.average is not None and in_steps:
            high = max(high, float(self.average[dimension]))
        return Forecast(
            step + middle, step + low, step + max(math.ceil(high), middle) if high < MAX_STEPS_AHEAD else None
        )


def outlook(
    information: Array,
    errors: Array,
    steps: Array,
    windows: Array,
    pace: Pace,
    where: NDArray[np.bool_],
    starts: NDArray[np.int64],
    cut: float,
    beta: Array | None = None,
    rate: Array | None = None,
) -> Outlook:
    """Extrapolate the last evaluations (h, D) of the information, in nats, to the `cut`; only `where` (D,) is True.
    `errors` (h, D) are the standard errors, `starts` (D,) the steps at which the falls began.

    `steps` (h,) are those of the evaluations, `windows` (h,) the independent windows since the one before; `beta` and
    `rate`, the learning rate, are (h,), and NaN where they were not logged.
    """
    ahead, times, soonest = np.full(where.shape, np.inf), _progress(steps, rate), None
    slowest, average = np.zeros(where.shape), np.zeros(where.shape)
    for start in np.unique(starts[where]).tolist():
        some = where & (starts == start)
        nats = np.maximum(information[:, some], LEVEL_FLOOR)
        level, pull = nats + NEAR * np.log(nats), 1.0 + NEAR / nats
        rows = spans(steps, windows, pace.scale, start)
        slope, growth = rates(level, times, rows, pull * errors[:, some])
        falls = slope * pace.scale > MIN_RATE * pull[-1] * nats[-1]
        distance = level[-1] - (cut + NEAR * math.log(cut))
        ahead[some] = np.where(falls, crossing(distance, slope, growth), np.inf)
        slow = falls & slows(level, times, rows, pull * errors[:, some])
        logs = np.log(nats)
        distance, steady = logs[-1] - math.log(cut), Spans(rows.recent, rows.recent)
        decay = crossing(distance, *rates(logs, times, steady))
        inside = steps >= start + 2 * pace.lag  # their windows have no rows from before the fall
        evidence = line_evidence(nats[inside], times[inside], np.maximum(errors[:, some][inside], MIN_ERROR))
        both = falls & ~slow & (evidence < MIN_LINE_EVIDENCE) & np.isfinite(decay)
        slowest[some] = np.where(both, np.maximum(decay - pace.lag, 0.0), 0.0)
        lost = nats[rows.early] - nats[-1]
        pace_before = np.maximum(lost, LEVEL_FLOOR) / (times[-1] - times[rows.early])
        average[some] = np.maximum(nats[-1] - cut, 0.0) / pace_before
        if slow.any():
            soonest = ahead.copy() if soonest is None else np.where(some, ahead, soonest)
            growing = crossing(distance, *rates(logs, times, rows, errors[:, some] / nats))
            ahead[some] = np.where(slow, growing, ahead[some])
    driven = np.zeros(where.shape, np.bool_)
    if beta is not None:
        first = min(max(len(steps) - 3, 0), int(np.searchsorted(steps, steps[-1] - pace.scale * BETA_STEPS)))
        if _rises(beta[first:]):
            pushed = _follows_beta(information[first:, where] - cut, beta[first:], steps[first:])
            driven[where] = np.isfinite(pushed)
            ahead[where] = np.where(driven[where], pushed, ahead[where])
    ahead = np.maximum(ahead - pace.lag, 0.0)
    mixed = starts >= steps[-1] - max(2 * pace.lag, pace.interval)
    if soonest is not None:
        soonest = np.where(driven, ahead, np.fmin(np.maximum(soonest - pace.lag, 0.0), ahead))
    return Outlook(ahead, pace.interval, driven, mixed | (ahead <= 0), soonest, slowest, average)


def _progress(steps: Array, rate: Array | None) -> Array:
    """Return the times (h,) of the evaluations, in steps at the present learning rate if it is known."""
    if rate is None or not (rate > 0).all() or (rate == rate[-1]).all():  # NaN is not above 0
        return steps
    passed = np.cumsum(np.diff(steps) * rate[1:] / rate[-1])
    return np.concatenate([[0.0], passed])


def _rises(beta: Array) -> bool:
    """Return True if β, (h,), has risen over the last evaluations and still rises."""
    if len(beta) < 3 or not (beta > 0).all():
        return False
    return bool(np.log(beta[-1] / beta[0]) > MIN_BETA_RISE and beta[-1] > beta[-2])


def _follows_beta(above: Array, beta: Array, steps: Array) -> Array:
    """Return the steps until β, at its present pace, pushes each series (rows, D) to 0; inf if it does not."""
    slope, distance = slopes(above, np.log(beta)), np.maximum(above[-1], 0.0)
    with np.errstate(all="ignore"):  # what is not finite is no forecast
        further = np.where(slope < 0, distance / -np.minimum(slope, 0.0), np.inf)  # of log β
        linear, exponential = np.diff(beta) / np.diff(steps), np.diff(np.log(beta)) / np.diff(steps)
        if np.std(linear) / np.mean(linear) <= np.std(exponential) / np.mean(exponential):
            return np.asarray(beta[-1] * np.expm1(further) / np.median(linear))
        return np.asarray(further / np.median(exponential))
