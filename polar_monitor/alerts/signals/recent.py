"""The last evaluations, as far as trends and causes need them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...context import Context
from ...statistics.snapshot import Array, Snapshot
from .cusum import log_level
from .trend import EARLY_ROWS, RECENT_ROWS

MAX_HISTORY = RECENT_ROWS + EARLY_ROWS - 1
"""Evaluations that are kept: as many as a trend needs."""
CONTEXT_VALUES = 3
BETA, RATE, RECONSTRUCTION = range(CONTEXT_VALUES)
"""Places in the context."""
ContextRow = tuple[float, float, float]
UNKNOWN_CONTEXT: ContextRow = (math.nan, math.nan, math.nan)
"""The context of a loop that logs nothing."""


class Remembered(NamedTuple):
    """One evaluation. Its arrays are copies, which nobody changes."""

    step: int
    levels: Array
    """(2, D): `Snapshot.information` and its standard error; 0 where they are not finite."""
    context: ContextRow
    """β, the learning rate and the reconstruction term; NaN where the training loop did not log them."""
    log_level: Array
    """Logarithm of the level (D,), for its changes."""

    @property
    def level(self) -> Array:
        """The information (D,)."""
        level: Array = self.levels[0]
        return level

    @property
    def error(self) -> Array:
        """Its standard error (D,)."""
        error: Array = self.levels[1]
        return error

    @classmethod
    def of(cls, step: int, level: Array, error: Array, context: Sequence[float]) -> Remembered:
        """Return an evaluation of a saved state."""
        beta, rate, reconstruction = (float(value) for value in context)
        return cls(int(step), np.array((level, error)), (beta, rate, reconstruction), log_level(level))


def remember(s: Snapshot, context: Context) -> tuple[Remembered, Array]:
    """Return what later evaluations need of this one, and its V and E (2, D)."""
    numbers = np.array((s.information, s.information_se, s.variance, s.posterior_variance), np.float64)
    levels, moments = numbers[:2], numbers[2:]
    if not math.isfinite(np.add.reduce(levels, axis=None)):
        levels = np.where(np.isfinite(levels), levels, 0.0)
    row = _known(context.beta), _known(context.learning_rate), _known(context.reconstruction)
    return Remembered(s.step, levels, row, log_level(levels[0])), moments


def context_before(recent: Sequence[Remembered]) -> ContextRow:
    """Return the lowest β and learning rate of some evaluations, and the last reconstruction term."""
    return _lowest(recent, BETA), _lowest(recent, RATE), recent[-1].context[RECONSTRUCTION]


def interval(recent: Sequence[Remembered]) -> float:
    """Return the steps from one evaluation to the next."""
    return float(recent[-1].step - recent[0].step) / max(len(recent) - 1, 1)


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _lowest(recent: Sequence[Remembered], place: int) -> float:
    known = [value for one in recent if not math.isnan(value := one.context[place])]
    return min(known, default=math.nan)
