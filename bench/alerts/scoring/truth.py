"""Events from the interventions: which dimensions were in use, when each began to decline, and when it was lost.

The series is a dimension's rise, smoothed by a running median of three, in units of the nominal price of a nat. A
dimension is *established* once its rise has surely been above a cut for some time, and *lost* at the first measurement
from which it stays below the low cut. The onset is the last measurement at 90 % of its plateau. How much depends on the
cuts: `python -m bench.alerts --full --replay-only --sensitivity`. All times are steps: the truth of a run does not
depend on how often its monitor looks.

A loss is *settling* where others take over: over its fall the worth of all dimensions together does not become less,
or the held-out loss, at one β, does not become worse; in a collapsing run, neither of them does. The model chooses its
dimensions: no rule has to warn of that, and a warning of it in a healthy run is false.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from polar_monitor.statistics.snapshot import Array

from ..training.record import Run


@dataclass(frozen=True)
class Cuts:
    """Rises are in units of the price, times in steps."""

    established: float = 1.0
    """A rise surely above is worth having: the valley between the two modes of all rises. For a linear Gaussian model 1
    is 0.35 nats of information."""
    lost: float = 0.2
    """A rise below is nothing any more: for a linear Gaussian model 0.2 is 0.09 nats of information."""
    remains: float = 0.05
    """So is a rise below this share of the highest that the dimension had, if it is below the price too."""
    lasting: int = 125
    """Steps that establish a dimension."""
    hold: int = 250
    """Steps for which a lost dimension stays so, or to the end of the run."""
    plateau: float = 0.9
    """Share of the plateau at which the decline begins."""
    sudden: int = 75
    """From onset to loss: a loss within so many steps leaves no time for a warning."""
    around: int = 100
    """Steps before the onset and after the loss over which total and held-out loss are averaged."""


SMOOTH = 25
"""Steps on each side over which the running median goes."""
NOISE_COST = 0.02
"""Prices that the posterior's noise has to cost in reconstruction, for a posterior that is not a point."""
SAME_BETA = 0.01
"""Largest share by which β may change for two held-out losses to be compared."""
STRICT = Cuts()
LOOSE = Cuts(established=0.35)
"""Also dimensions that carried little (0.15 nats in a linear model). An alarm about the loss of one is not false, but
no rule has to warn of it."""


@dataclass(frozen=True)
class Loss:
    """Times are steps at which the truth was measured."""

    dimension: int
    since: int
    """Since when it was established."""
    onset: int
    before: int
    """The last measurement before the loss."""
    at: int
    plateau: float
    """Nats."""
    sudden: bool
    settling: bool = False
    """Whether others took over."""

    @property
    def length(self) -> int:
        """Steps from onset to loss."""
        return self.at - self.onset


@dataclass(frozen=True, eq=False)
class Events:
    """What really happened in a run."""

    losses: tuple[Loss, ...]
    """In the order of time."""
    collapse: int | None
    """The step from which no dimension is in use any more, to the end of the run."""
    used: NDArray[np.bool_]
    """(S, D): whether a dimension was established and not lost."""
    sharp: int | None
    """The step from which the posterior's noise costs nothing although dimensions are in use: σ → 0."""
    first_use: int | None
    """The step from which the first dimension was established; None if none was."""


def events(run: Run, cuts: Cuts = STRICT) -> Events:
    """The losses after the warm-up of a run; what happens before is nobody's business."""
    return _events(_Truth(run), cuts)


class _Truth:
    """The truth of a run: the same for all its densities, which share its arrays."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.key = (id(run.truth), run.warmup, run.nominal, run.healthy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Truth) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@functools.cache
def _events(of: _Truth, cuts: Cuts) -> Events:
    run, steps = of.run, of.run.truth_steps
    rise = np.nan_to_num(run.truth["rise"] / run.nominal)  # a model that is NaN has lost everything
    error = np.nan_to_num(run.truth["rise_se"] / run.nominal)
    first = int(np.searchsorted(steps, run.warmup))
    used = np.zeros(rise.shape, np.bool_)
    losses: list[Loss] = []
    for j in range(rise.shape[1]):
        if not (rise[first:, j] >= cuts.established).any():
            continue
        found, used[:, j] = _losses(rise[:, j], error[:, j], j, first, run, cuts)
        losses += found
    losses = [replace(loss, settling=_taken_over(loss, run, cuts)) for loss in sorted(losses, key=lambda loss: loss.at)]
    collapse = losses[-1].at if losses and not used[-1].any() else None
    costly = np.flatnonzero(np.abs(smooth(run.truth["noise"] / run.nominal)) > NOISE_COST)
    since = int(costly[-1]) + 1 if costly.size else 0
    any_used = np.flatnonzero(used.any(axis=1))
    return Events(
        losses=tuple(losses),
        collapse=collapse,
        used=used,
        sharp=int(steps[since]) if used[since:].any() else None,
        first_use=int(steps[any_used[0]]) if any_used.size else None,
    )


def smooth(series: Array, width: int = 3) -> Array:
    """Running median, shorter at the ends."""
    padded = np.pad(series, width // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1))


def _losses(
    rise: Array, error: Array, dimension: int, first: int, run: Run, cuts: Cuts
) -> tuple[list[Loss], NDArray[np.bool_]]:
    apart = float(np.median(np.diff(run.truth_steps)))
    lasting, hold = (max(1, round(steps / apart)) for steps in (cuts.lasting, cuts.hold))
    width = 2 * max(1, round(SMOOTH / apart)) + 1
    level = smooth(rise, width)
    least = level - 2 * smooth(error, width)
    used, losses = np.zeros(len(rise), np.bool_), []
    since, streak, highest, cut = -1, 0, 0.0, cuts.lost
    for t in range(first, len(rise)):
        streak = streak + 1 if least[t] >= max(cuts.established, 2 * cut) else 0
        if since < 0 and streak >= lasting:
            since = t - streak + 1
        if since < 0:
            continue
        highest = max(highest, float(level[t]))
        cut = max(cuts.lost, min(cuts.remains * highest, 1.0))
        used[t] = not (level[t : t + hold] <= cut).all()
        if not used[t]:
            losses.append(_loss(level, since, t, dimension, run, cuts))
            since, streak = -1, 0
    return losses, used


def _loss(level: Array, since: int, at: int, dimension: int, run: Run, cuts: Cuts) -> Loss:
    stretch = level[since:at]
    plateau = float(np.quantile(stretch, 0.75))
    onset = since + int(np.flatnonzero(stretch >= cuts.plateau * plateau)[-1])
    began, begin, before, end = (int(run.truth_steps[t]) for t in (since, onset, at - 1, at))
    return Loss(dimension, began, begin, before, end, plateau * run.nominal, end - begin <= cuts.sudden)


def _taken_over(loss: Loss, run: Run, cuts: Cuts) -> bool:
    """Whether the model as a whole was no worse after a loss than before its fall."""
    steps = run.truth_steps
    before = (steps <= loss.onset) & (steps > loss.onset - cuts.around)
    after = (steps >= loss.at) & (steps < loss.at + cuts.around)

    def mean(name: str, where: NDArray[np.bool_]) -> float:
        return float(np.mean(run.truth[name][where]))

    total = mean("total", after) >= mean("total", before)
    comparable = abs(mean("beta", after) - mean("beta", before)) <= SAME_BETA * mean("beta", before)
    held_out = comparable and mean("validation", after) <= mean("validation", before)
    return total or held_out if run.healthy else total and held_out
