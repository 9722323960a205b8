"""Five densities of one run: what monitors see that look more or less often.

While a run is trained, a monitor evaluates every 10 steps and others every 50, 100 and 500 steps. Each records its own
rows: one that looks seldom spreads those of its window over the whole interval and pauses in between, so its evaluation
is about a time, not about a moment.

`every=20` is made from every second evaluation of the first monitor, and the default schedule from its early ones and
from those of every 50 steps. That is exact while an interval has no more rows than the window, as a monitor does not
pause then. It leaves out the pauses of batches of 256 and more. Of the default schedule it leaves out that the first
evaluation waits for 512 rows, that those after the early ones may fall between the multiples of 50, and that they are
farther apart where a loop is short of time or a run is long. Runs that one monitor alone recorded are thinned in this
way at all densities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from polar_monitor.schedule.looks import EARLY_SHARE, FIRST_STEP, MAX_STEPS

from ..training.record import Run, Series

Steps = NDArray[np.int64]
FIRST, RATIO, LATER = FIRST_STEP, 1 + EARLY_SHARE, MAX_STEPS
"""The default schedule: its first evaluation, the ratio of the next ones, and the steps between all others."""


def regular(every: int) -> Callable[[int], Steps]:
    """Look every so many steps."""
    return lambda last: np.arange(every, last + 1, every, dtype=np.int64)


def default(last: int) -> Steps:
    """Look at 10, 13, 17, 22, … steps, and at every multiple of 50 once that is sooner."""
    early, step = [], float(FIRST)
    while step * (RATIO - 1) < LATER:
        early.append(round(step))
        step *= RATIO
    steps = np.array([*early, *range((early[-1] // LATER + 1) * LATER, last + 1, LATER)], np.int64)
    return steps[steps <= last]


DENSITIES: dict[str, Callable[[int], Steps]] = {
    "every=20": regular(20),
    "every=50": regular(50),
    "every=100": regular(100),
    "every=500": regular(500),
    "default": default,
}
"""Steps of the evaluations up to the last step of a run."""
SOURCES = {"every=50": 50, "every=100": 100, "every=500": 500, "default": LATER}
"""The further monitor whose evaluations a density takes where it has them."""
DENSEST = "every=20"
"""The density that the others are compared with; it has the truth at every evaluation."""


def thinned(run: Run, density: str) -> Run:
    """Return the run as a monitor of this density saw it, with the truth as it was."""
    wanted = DENSITIES[density](int(run.steps[-1]))
    series = _nearest(run, wanted)
    own = run.seldom.get(SOURCES.get(density, 0))
    if own is not None:
        series = _joined(series, own, early=density == "default")
    places = _places(run.steps, series.steps)
    return replace(
        run,
        every=int(np.median(np.diff(series.steps))) if len(series.steps) > 1 else run.every,
        alerts=(),
        labels=run.labels[places],
        **series._asdict(),
        host={name: _since(name, values, run, places) for name, values in run.host.items()},
    )


def _places(steps: Steps, wanted: Steps) -> NDArray[np.intp]:
    """The places of the steps nearest to those wanted."""
    return np.searchsorted(0.5 * (steps[1:] + steps[:-1]), wanted)


def _nearest(run: Run, wanted: Steps) -> Series:
    """The evaluations nearest to some steps; each has seen the rows since the one before, or a window of them."""
    places = np.unique(_places(run.steps, wanted))
    observed = np.diff(np.cumsum(run.observed)[places], prepend=0)
    if "n" in run.snapshots:
        observed = np.minimum(observed, run.snapshots["n"].max())
    return _of(run.steps[places], observed, {name: values[places] for name, values in run.snapshots.items()})


def _joined(series: Series, own: Series, early: bool) -> Series:
    """The evaluations of a further monitor; `early`, after the early ones of a series."""
    first = series.steps < (LATER / (RATIO - 1) if early else 0)
    rest = own.steps > series.steps[first].max(initial=0)
    return _of(
        np.concatenate([series.steps[first], own.steps[rest]]),
        np.concatenate([series.observed[first], own.observed[rest]]),
        {name: np.concatenate([series.snapshots[name][first], own.snapshots[name][rest]]) for name in own.snapshots},
    )


def _of(steps: Steps, observed: Steps, snapshots: dict[str, NDArray[np.float64]]) -> Series:
    rows = {"rows": np.cumsum(observed)} if "rows" in snapshots else {}
    return Series(steps, observed, snapshots | rows)


def _since(name: str, values: NDArray[np.float64], run: Run, places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Means since the evaluation before, where the values are means; β and the learning rate are those of the step."""
    if name in ("beta", "rate"):
        return values[places]
    steps = np.diff(run.steps, prepend=0)
    sums, counts = np.cumsum(values * steps)[places], np.cumsum(steps)[places]
    return np.diff(sums, prepend=0.0) / np.diff(counts, prepend=0)
