"""Whether two densities tell the same of a run: an alert agrees if the other has one of its kind and dimension in time.

In time is within the larger of the two intervals between evaluations, plus the delay of the rules themselves: one more
interval, since a fall must be seen twice, and the rows of one window, over which a change spreads.

Every alert of either density is compared, with two exceptions. One near the end, whose counterpart may come after it,
is left out if it has none. A warning of a loss that leaves one of the two no time for it cannot be asked of that
density: such a FADING, DRAIN or LOST agrees if the other has any of these about the dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..training.record import Run
from .tally import Warned, concerns, leaves_time
from .truth import LOOSE, Loss, events

ABOUT_A_LOSS = ("fading", "drain", "lost")
NOTES = ("settling",)
WINDOW = 4096


class Tolerance(NamedTuple):
    """How far apart two alerts about the same may be."""

    intervals: float = 2.0
    windows: float = 1.0
    kinds: bool = True
    """Whether a loss that leaves one of the two no time may have another kind of alert there."""


STATED = Tolerance()
SENSITIVITY: dict[str, Tolerance] = {
    "one interval": Tolerance(1.0, 0.0, False),
    "two intervals": Tolerance(2.0, 0.0, False),
    "two intervals and a window": Tolerance(2.0, 1.0, False),
    "the same, other kinds for losses without time": STATED,
    "four intervals and two windows": Tolerance(4.0, 2.0),
}


@dataclass(frozen=True)
class Seen:
    """What one density made of a run."""

    run: Run
    """As it saw it."""
    alarms: Sequence[Warned]


class Agreement(NamedTuple):
    """Of all alerts of both densities, how many agree."""

    agreeing: int
    alerts: int


def agreement(one: Seen, other: Seen, tolerance: Tolerance = STATED) -> Agreement:
    """Compare the alerts of two densities of one run, both ways."""
    pairs = [pair for a, b in ((one, other), (other, one)) for pair in compared(a, b, tolerance)]
    return Agreement(sum(agrees for _, agrees in pairs), len(pairs))


def compared(one: Seen, other: Seen, tolerance: Tolerance = STATED) -> list[tuple[Warned, bool]]:
    """Return the alerts of `one` that count, and whether each has a counterpart in `other`."""
    found = []
    last = int(one.run.steps[-1])
    window = tolerance.windows * steps_of_window(one.run)
    quick = _without_time(one.run, other.run) if tolerance.kinds else []
    for alarm in one.alarms:
        if alarm.kind in NOTES:
            continue
        apart = tolerance.intervals * max(interval(x.run, alarm.step) for x in (one, other)) + window
        near = [b for b in other.alarms if abs(b.step - alarm.step) <= apart]
        agrees = any(b.kind == alarm.kind and b.dimension == alarm.dimension for b in near)
        if not agrees and alarm.kind in ABOUT_A_LOSS and any(concerns(one.run, alarm, loss) for loss in quick):
            agrees = any(_about(b, alarm) for b in near)
        if agrees or alarm.step + apart <= last:
            found.append((alarm, agrees))
    return found


def interval(run: Run, step: int) -> int:
    """The steps between the evaluations around a step."""
    place = min(int(np.searchsorted(run.steps, step)), len(run.steps) - 1)
    return int(run.steps[place] - run.steps[place - 1]) if place else int(run.steps[0])


def steps_of_window(run: Run) -> float:
    """The steps whose rows fill a window, at most all of them."""
    rows = np.cumsum(run.observed)
    full = float(np.median(run.snapshots["n"])) if "n" in run.snapshots else WINDOW
    return float(run.steps[-1]) * min(full / max(float(rows[-1]), 1.0), 1.0)


def _without_time(one: Run, other: Run) -> list[Loss]:
    return [loss for loss in events(one, LOOSE).losses if not (leaves_time(one, loss) and leaves_time(other, loss))]


def _about(found: Warned, alarm: Warned) -> bool:
    same = None in (found.dimension, alarm.dimension) or found.dimension == alarm.dimension
    return found.kind in ABOUT_A_LOSS and same
