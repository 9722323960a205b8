"""What people use instead: five alarms about the model as a whole, each with a number that makes it more or less eager.

A baseline is a function (run, number) that gives the evaluations at which it alarms. After an alarm it is silent until
what it looks at has recovered; none alarms during the warm-up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polar_monitor.statistics.snapshot import Array

from ..training.record import Run
from .tally import Warned


class Baseline(NamedTuple):
    """An alarm rule and the numbers it is tried with; `usual` is the one that people use."""

    alarms: Callable[[Run, float], list[int]]
    numbers: tuple[float, ...]
    usual: float
    said: str
    """What the number is."""


def active_units(run: Run, number: float) -> list[int]:
    """The count of active units (Var μ > 0.01; Burda et al. 2016) is so many below its highest."""
    count = (run.snapshots["variance"] > 0.01).sum(axis=1).astype(np.float64)
    return _falls(count, number, run)


def kl_floor(run: Run, number: float) -> list[int]:
    """The training's KL term is below a floor, in nats."""
    return _edges(run.host["kl"] < number, run)


def validation_mi(run: Run, number: float) -> list[int]:
    """The mutual information on held-out images is a share below its highest; 0 is any fall (He et al. 2019)."""
    mi = run.truth_so_far("mi")
    start = _start(run)
    best = np.fmax.accumulate(mi[start:])
    return _edges(np.concatenate([np.zeros(start, np.bool_), mi[start:] < (1 - number) * best]), run)


def early_stopping(run: Run, number: float) -> list[int]:
    """The validation loss has not been below its lowest for so many evaluations."""
    loss, start = run.truth_so_far("validation"), _start(run)
    best, stale, stalled = np.inf, 0, np.zeros(len(loss), np.bool_)
    for t in range(start, len(loss)):
        best, stale = (float(loss[t]), 0) if loss[t] < best else (best, stale + 1)
        stalled[t] = stale >= number
    return _edges(stalled, run)


def page_hinkley(run: Run, number: float) -> list[int]:
    """Page and Hinkley's test for a fall of the KL term, in nats of accumulated deviation."""
    start = _start(run)
    return [start + t for t in falls_of_mean(run.host["kl"][start:], number)]


def falls_of_mean(series: Array, threshold: float, tolerance: float = 0.005, least: int = 30) -> list[int]:
    """Page-Hinkley: where the mean of a series has fallen; it starts anew after each detection.

    The sum of (x - mean + tolerance) over time, the mean that of the values so far, is compared with its highest value:
    an alarm when it is `threshold` below, after `least` values (Page 1954; Mouss et al. 2004).
    """
    found: list[int] = []
    n, mean, total, highest = 0, 0.0, 0.0, -np.inf
    for t, x in enumerate(series.tolist()):
        n += 1
        mean += (x - mean) / n
        total += x - mean + tolerance
        highest = max(highest, total)
        if n >= least and highest - total > threshold:
            found.append(t)
            n, mean, total, highest = 0, 0.0, 0.0, -np.inf
    return found


BASELINES: dict[str, Baseline] = {
    "active units fall": Baseline(active_units, (1, 2, 3, 4), 1, "units"),
    "KL under a floor": Baseline(kl_floor, (0.1, 0.3, 1, 2, 3, 4, 6), 1, "nats"),
    "validation MI falls": Baseline(validation_mi, (0, 0.01, 0.03, 0.1, 0.2, 0.4), 0, "share"),
    "early stopping": Baseline(early_stopping, (2, 3, 5, 10, 20), 5, "evaluations"),
    "Page-Hinkley on KL": Baseline(page_hinkley, (0.5, 1, 3, 10, 30, 50), 50, "nats"),
}


def warned(run: Run, name: str, number: float) -> list[Warned]:
    """A baseline's alarms as the score takes them."""
    return [Warned("alarm", int(run.steps[t])) for t in BASELINES[name].alarms(run, number)]


def _start(run: Run) -> int:
    return int(np.searchsorted(run.steps, run.warmup))


def _edges(bad: NDArray[np.bool_], run: Run) -> list[int]:
    """Where a condition begins; at the end of the warm-up, where it holds already."""
    after = bad[_start(run) :]
    return (_start(run) + np.flatnonzero(after & ~np.concatenate([[False], after[:-1]]))).tolist()


def _falls(count: Array, least: float, run: Run) -> list[int]:
    """Where a count is `least` below the highest since the last alarm."""
    found, highest = [], -np.inf
    for t in range(_start(run), len(count)):
        highest = max(highest, count[t])
        if count[t] <= highest - least:
            found.append(t)
            highest = count[t]
    return found
