"""The last evaluations, as far as trends and causes need them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...context import Context
from ...statistics.snapshot import Array, Snapshot
from .cusum import log_level
from .pace import scale_at

MAX_HISTORY = 20
"""Evaluations that are kept for trends: the newest, and of the older ones the farther back the fewer."""
NEWEST = 6
"""The newest of them, which are all kept."""
MAX_CONTEXT_STEPS = 200.0
"""Steps for which a rise of β or of the learning rate may take effect late."""
MIN_WINDOWS_APART = 0.35
"""Independent windows between those that are kept, except for the latest: closer ones share most of their rows."""
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
    windows: float
    """Independent windows since the one that is kept before."""
    total: float
    """Information of all dimensions."""

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
    def of(cls, step: int, level: Array, error: Array, context: Sequence[float], windows: float) -> Remembered:
        """Return an evaluation of a saved state."""
        beta, rate, reconstruction = (float(value) for value in context)
        row = beta, rate, reconstruction
        total = float(np.add.reduce(level))
        return cls(int(step), np.array((level, error)), row, log_level(level), float(windows), total)


def remember(
    s: Snapshot, context: Context, windows: float, before: Remembered | None = None
) -> tuple[Remembered, Array, bool]:
    """Return what later evaluations need of this one, its V and E (2, D), and whether all its information is known.

    A level that is not known stays as it was `before`: what cannot be measured has not fallen.
    """
    numbers = np.empty((4, s.dimensions))
    numbers[0], numbers[1], numbers[2], numbers[3] = s.information, s.information_se, s.variance, s.posterior_variance
    levels, moments = numbers[:2], numbers[2:]
    total, error = np.add.reduce(levels, axis=1)
    known = math.isfinite(total)
    if not math.isfinite(total + error):
        levels = np.where(np.isfinite(levels).all(axis=0), levels, 0.0 if before is None else before.levels)
        total = np.add.reduce(levels[0])
    row = _known(context.beta), _known(context.learning_rate), _known(context.reconstruction)
    return Remembered(s.step, levels, row, log_level(levels[0]), windows, float(total)), moments, known


def keep(recent: tuple[Remembered, ...], now: Remembered) -> tuple[Remembered, ...]:
    """Return the evaluations that are kept, ending with the present one; it replaces one too close to the others."""
    if len(recent) >= 2 and recent[-1].windows < MIN_WINDOWS_APART:
        return (*recent[:-1], now._replace(windows=recent[-1].windows + now.windows))
    recent = (*recent, now)
    return recent if len(recent) <= MAX_HISTORY else _thinned(recent)


def _thinned(recent: tuple[Remembered, ...]) -> tuple[Remembered, ...]:
    """Return the evaluations without the one whose gap is the smallest for its age."""
    last = recent[-1].step

    def gap(k: int) -> float:
        return (recent[k + 1].step - recent[k - 1].step) / max(last - recent[k].step, 1)

    k = min(range(1, len(recent) - NEWEST), key=gap)
    after = recent[k + 1]
    return (*recent[:k], after._replace(windows=after.windows + recent[k].windows), *recent[k + 2 :])


def earlier(recent: Sequence[Remembered]) -> Remembered:
    """Return the last evaluation before the latest that shares less than about half of its rows with it."""
    close = len(recent) >= 3 and recent[-1].windows < MIN_WINDOWS_APART
    return recent[-3] if close else recent[-2]


def context_before(recent: Sequence[Remembered]) -> ContextRow:
    """Return the lowest β and learning rate of the newest evaluations, and the last reconstruction term."""
    now = recent[-1]
    if math.isnan(now.context[BETA]) and math.isnan(now.context[RATE]):
        return math.nan, math.nan, now.context[RECONSTRUCTION]
    first = now.step - MAX_CONTEXT_STEPS * scale_at(now.step)
    newest = [one for k, one in enumerate(reversed(recent)) if one.step >= first or k < 3]
    return _lowest(newest, BETA), _lowest(newest, RATE), now.context[RECONSTRUCTION]


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _lowest(recent: Sequence[Remembered], place: int) -> float:
    known = [value for one in recent if not math.isnan(value := one.context[place])]
    return min(known, default=math.nan)
