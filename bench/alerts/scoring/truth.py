"""Events from the interventions: which dimensions were in use, when each began to decline, and when it was lost.

The series is a dimension's rise, smoothed by a running median of three, in units of the nominal price of a nat. A
dimension is *established* once its rise has surely been above a cut for some evaluations, and *lost* at the first
evaluation from which it stays below the low cut. The onset is the last evaluation at 90 % of its plateau. How much
depends on the cuts: `python -m bench.alerts --full --replay-only --sensitivity`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polar_monitor.statistics.snapshot import Array

from ..training.record import Run


@dataclass(frozen=True)
class Cuts:
    """Rises are in units of the price, counts in evaluations."""

    established: float = 1.0
    """A rise surely above is worth having: the valley between the two modes of all rises. For a linear Gaussian model 1
    is 0.35 nats of information."""
    lost: float = 0.2
    """A rise below is nothing any more: for a linear Gaussian model 0.2 is 0.09 nats of information."""
    remains: float = 0.05
    """So is a rise below this share of the highest that the dimension had, if it is below the price too."""
    lasting: int = 5
    """Evaluations that establish a dimension."""
    hold: int = 10
    """Evaluations for which a lost dimension stays so, or to the end of the run."""
    plateau: float = 0.9
    """Share of the plateau at which the decline begins."""
    sudden: int = 3
    """From onset to loss: a loss within so many leaves no time for a warning."""


NOISE_COST = 0.02
"""Prices that the posterior's noise has to cost in reconstruction, for a posterior that is not a point."""
STRICT = Cuts()
LOOSE = Cuts(established=0.35)
"""Also dimensions that carried little (0.15 nats in a linear model). An alarm about the loss of one is not false, but
no rule has to warn of it."""


@dataclass(frozen=True)
class Loss:
    """Places are indices of evaluations."""

    dimension: int
    onset: int
    at: int
    plateau: float
    """Nats."""
    sudden: bool

    @property
    def length(self) -> int:
        """Evaluations from onset to loss."""
        return self.at - self.onset


@dataclass(frozen=True, eq=False)
class Events:
    """What really happened in a run."""

    losses: tuple[Loss, ...]
    """In the order of time."""
    collapse: int | None
    """The evaluation from which no dimension is in use any more, to the end of the run."""
    used: NDArray[np.bool_]
    """(T, D): whether a dimension was established and not lost."""
    sharp: int | None
    """The evaluation from which the posterior's noise costs nothing although dimensions are in use: σ → 0."""


@functools.cache
def events(run: Run, cuts: Cuts = STRICT) -> Events:
    """The losses after the warm-up of a run; what happens before is nobody's business."""
    rise = np.nan_to_num(run.truth["rise"] / run.nominal)  # a model that is NaN has lost everything
    error = np.nan_to_num(run.truth["rise_se"] / run.nominal)
    first = int(np.searchsorted(run.steps, run.warmup))
    used = np.zeros(rise.shape, np.bool_)
    losses: list[Loss] = []
    for j in range(rise.shape[1]):
        found, used[:, j] = _losses(rise[:, j], error[:, j], j, first, run.nominal, cuts)
        losses += found
    losses.sort(key=lambda loss: loss.at)
    collapse = losses[-1].at if losses and not used[-1].any() else None
    costly = np.flatnonzero(np.abs(smooth(run.truth["noise"] / run.nominal)) > NOISE_COST)
    since = int(costly[-1]) + 1 if costly.size else 0
    return Events(tuple(losses), collapse, used, since if used[since:].any() else None)


def smooth(series: Array, width: int = 3) -> Array:
    """Running median, shorter at the ends."""
    padded = np.pad(series, width // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1))


def _losses(
    rise: Array, error: Array, dimension: int, first: int, price: float, cuts: Cuts
) -> tuple[list[Loss], NDArray[np.bool_]]:
    level = smooth(rise)
    least = level - 2 * smooth(error)
    used, losses = np.zeros(len(rise), np.bool_), []
    since, run, highest, cut = -1, 0, 0.0, cuts.lost
    for t in range(first, len(rise)):
        run = run + 1 if least[t] >= max(cuts.established, 2 * cut) else 0
        if since < 0 and run >= cuts.lasting:
            since = t - run + 1
        if since < 0:
            continue
        highest = max(highest, float(level[t]))
        cut = max(cuts.lost, min(cuts.remains * highest, 1.0))
        used[t] = not (level[t : t + cuts.hold] <= cut).all()
        if not used[t]:
            losses.append(_loss(level, since, t, dimension, price, cuts))
            since, run = -1, 0
    return losses, used


def _loss(level: Array, since: int, at: int, dimension: int, price: float, cuts: Cuts) -> Loss:
    stretch = level[since:at]
    plateau = float(np.quantile(stretch, 0.75))
    onset = since + int(np.flatnonzero(stretch >= cuts.plateau * plateau)[-1])
    return Loss(dimension, onset, at, plateau * price, at - onset <= cuts.sudden)
