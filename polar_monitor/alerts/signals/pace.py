"""Counts what a training has seen and done since the evaluation before: independent windows, and steps.

Rules count in these, never in evaluations, so that the same training gives the same alerts however often one evaluates.
"""

from __future__ import annotations

import math
from typing import NamedTuple

LONG_RUN = 10_000
"""Steps beyond which a step counts less, LONG_RUN / step: a rule then keeps its share of the run."""
STEPS_OF_A_WINDOW = 12.5
"""Steps that a whole window of new rows counts as at least, whatever the size of a batch."""


class Pace(NamedTuple):
    """The progress of one evaluation."""

    steps: float
    """Steps since the evaluation before, as the rules count them."""
    windows: float
    """Independent windows of rows, at most 1: evidence."""
    growth: float
    """Growth of the logarithm of the step: the time of a training that settles."""
    interval: int
    """Optimiser steps since the evaluation before."""
    scale: float
    """Optimiser steps that count as one step."""
    lag: float = 0.0
    """Optimiser steps by which the statistics are late: those of half of the window."""


def scale_at(step: int) -> float:
    """Return the optimiser steps that count as one step at `step`."""
    return max(1.0, step / LONG_RUN)


def pace(step_before: int | None, step: int, observed: int, window_rows: int) -> Pace:
    """Return the progress from one evaluation to the next.

    `step_before` is None for the first one, which counts from step 0 on. `observed` rows are new, of the `window_rows`
    in the window.

    Example:
        >>> pace(975, 1000, 2400, 4096).windows
        0.5859375
    """
    windows = observed / max(window_rows, 1)
    scale = scale_at(step)
    before = step_before or 0
    interval = max(step - before, 0)
    growth = max(math.log1p(max(step, 0)) - math.log1p(max(before, 0)), 0.0)
    steps = max(interval, STEPS_OF_A_WINDOW * windows) / scale
    lag = 0.5 * interval / windows if windows > 0 else 0.0
    return Pace(steps, min(windows, 1.0), growth, interval, scale, lag)
