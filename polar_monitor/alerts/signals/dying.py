"""Finds a code that dies, in place of one at a saddle, by the total information of the last evaluations.

The information of a dead code decays exponentially, long before its means stop to move. That of a model at a saddle may
fall for some hundred steps while it is young, and then stays or grows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...statistics.thresholds import Z
from .recent import Remembered

SPAN, QUARTERS = 500.0, 4
"""Steps over which a dying code loses a share of its total, and the parts of them, in each of which it loses some."""
MIN_LOSS, MIN_QUARTER = 0.5, 0.05
"""Fall of the logarithm of the total over the span, and in each quarter: models that left a saddle later lost 0.32 at
most, or rose in the last quarter; those that never came into use lost 0.66 at least, and 0.1 in a quarter."""
MAX_GROWTH = 0.15
"""Growth of the logarithm of one dimension since the middle of the span, if it is sure, that is a sign of life."""
MIN_TOTAL = 1e-9
"""Nats; a smaller total counts as this one."""


def dies(recent: Sequence[Remembered], scale: float) -> bool:
    """Return True if the total has fallen all the time for `SPAN` steps, and no dimension grows now.

    A step is `scale` optimiser steps. Between two evaluations the logarithm of the total is taken as a line;
    evaluations farther apart than a quarter cannot say.
    """
    steps = np.array([one.step for one in recent], np.float64)
    begin, quarter = steps[-1] - SPAN * scale, SPAN * scale / QUARTERS
    inside = steps >= begin - quarter
    if steps[0] > begin or np.diff(steps[inside]).max(initial=0.0) > quarter:
        return False
    times = np.linspace(begin, steps[-1], QUARTERS + 1)
    logs = np.log(np.maximum([one.total for one in recent], MIN_TOTAL))
    falls = -np.diff(np.interp(times, steps, logs))
    return bool(falls.sum() >= MIN_LOSS and falls.min() >= MIN_QUARTER) and not _one_grows(recent, times[2])


def _one_grows(recent: Sequence[Remembered], since: float) -> bool:
    """Return True if some dimension surely carries more now than at the last evaluation up to a step."""
    before, now = [one for one in recent if one.step <= since][-1], recent[-1]
    grown = now.level - before.level * np.exp(MAX_GROWTH)
    return bool((grown > Z * np.hypot(before.error, now.error)).any())
