"""Five densities: the evaluations of a monitor that looks more seldom than the one that was recorded.

A run is recorded with an evaluation every 10 steps. A density takes some of them: those nearest to the steps at which
it looks. An evaluation describes the last rows before it (`Setup.window`, mostly 4,096) whatever came before, so the
evaluation that is taken is the one that the other monitor would have made.

What this leaves out: a monitor that looks seldom may record only the rows that fill its window, so `observed`, here all
rows since its evaluation before, is then smaller; and full evaluations do not fall at every so many of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..training.record import Run

Steps = NDArray[np.int64]
FIRST, RATIO, LATER = 10, 1.3, 50
"""The default schedule: its first evaluation, the ratio of the next ones, and the steps between all others."""


def regular(every: int) -> Callable[[int], Steps]:
    """Look every so many steps."""
    return lambda last: np.arange(every, last + 1, every, dtype=np.int64)


def default(last: int) -> Steps:
    """Look at 10, 13, 17, 22, … steps, and every 50 steps once that is sooner."""
    steps, step = [], float(FIRST)
    while step <= last:
        steps.append(round(step))
        step = min(step * RATIO, step + LATER)
    return np.array(steps, np.int64)


DENSITIES: dict[str, Callable[[int], Steps]] = {
    "every=20": regular(20),
    "every=50": regular(50),
    "every=100": regular(100),
    "every=500": regular(500),
    "default": default,
}
"""Steps of the evaluations up to the last step of a run."""
DENSEST = "every=20"
"""The density that the others are compared with; it has the truth at every evaluation."""


def thinned(run: Run, density: str) -> Run:
    """Return the run as a monitor of this density had recorded it, with the truth as it was."""
    wanted = DENSITIES[density](int(run.steps[-1]))
    middles = 0.5 * (run.steps[1:] + run.steps[:-1])
    places = np.unique(np.searchsorted(middles, wanted))
    rows = np.cumsum(run.observed)[places]
    return replace(
        run,
        every=int(np.median(np.diff(run.steps[places]))) if len(places) > 1 else run.every,
        alerts=(),
        labels=run.labels[places],
        steps=run.steps[places],
        observed=np.diff(rows, prepend=0),
        snapshots={name: values[places] for name, values in run.snapshots.items()},
        host={name: _since(name, values, run, places) for name, values in run.host.items()},
    )


def _since(name: str, values: NDArray[np.float64], run: Run, places: Steps) -> NDArray[np.float64]:
    """Means since the evaluation before, where the values are means; β and the learning rate are those of the step."""
    if name in ("beta", "rate"):
        return values[places]
    steps = np.diff(run.steps, prepend=0)
    sums, counts = np.cumsum(values * steps)[places], np.cumsum(steps)[places]
    return np.diff(sums, prepend=0.0) / np.diff(counts, prepend=0)
