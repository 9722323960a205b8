"""The wanted interval of evaluations: short at the beginning and where something happens, long in quiet stretches.

`every=N` is N, always. Without it the interval is a share of the steps so far, up to a bound in steps and one in
seconds. In a long run it is a small share of the steps so far again, so that the number of evaluations, and with it the
log, grows with their logarithm. The length of a step, which is a measurement of few steps, only ever makes intervals
shorter. The budget is not known here: `governor.py` makes intervals longer.
"""

from __future__ import annotations

FIRST_STEP = 10
"""Step of the first evaluation."""
EARLY_SHARE = 0.3
"""Interval at the beginning, as a share of the steps so far."""
MAX_STEPS = 50
"""Longest dense interval in steps."""
MAX_SECONDS = 0.3
"""Longest dense interval in seconds of the loop, unless one step takes longer."""
RESTLESS_SHARE = 1 / 600
"""Least interval in a long run, as a share of the steps so far."""
QUIET_SHARE = 1 / 250
"""The same in a quiet stretch."""
LONGEST = 120.0
"""Seconds of the longest interval."""
GROWTH = 1.3
"""Factor from one interval to the next in a quiet stretch."""
MAX_QUIET = 50
"""Bound of the counter of quiet evaluations: GROWTH to this power exceeds all intervals."""
MIN_ROWS = 512
"""Rows of different inputs before the first evaluation: a label needs as many."""
MAX_WAIT = 100
"""Steps after which an evaluation without rows comes nevertheless: it reports the silence."""


class Looks:
    """Rule that gives the wanted interval, in steps."""

    def __init__(self, every: int | None, log_every: int | None) -> None:
        self.every = every
        self.log_every = log_every
        """Steps after which an evaluation is wanted, however quiet it is; None for no such bound."""
        self.quiet = 0
        """Evaluations in a row at which nothing had happened."""

    @property
    def first(self) -> int:
        """Step of the first evaluation."""
        return self.every or min(FIRST_STEP, self.log_every or FIRST_STEP)

    @property
    def longest_dense(self) -> int:
        """Longest interval where something happens, in steps."""
        return self.every or min(MAX_STEPS, self.log_every or MAX_STEPS)

    def count(self, restless: bool) -> None:
        """Count an evaluation."""
        self.quiet = 0 if restless else min(self.quiet + 1, MAX_QUIET)

    def interval(self, step: int, pace: float) -> int:
        """Return the steps from an evaluation at `step` to the next; `pace` is the seconds of a step, 0 if unknown."""
        if self.every is not None:
            return self.every
        pace = max(pace, 1e-9)
        dense, longest = min(EARLY_SHARE * step, MAX_STEPS, MAX_SECONDS / pace), LONGEST / pace
        restless = max(dense, min(RESTLESS_SHARE * step, longest), 1.0)
        quiet = max(dense, min(QUIET_SHARE * step, longest), 1.0)
        steps = round(min(restless * GROWTH**self.quiet, quiet))
        return steps if self.log_every is None else min(steps, self.log_every)

    def missing_rows(self, rows: int, new: int, waited: int) -> int:
        """Return the rows to wait for at an evaluation that is due; 0 after MAX_WAIT steps without an evaluation.

        `rows`, of different inputs, were recorded so far, and `new` since the evaluation before, `waited` steps ago.
        """
        if self.every is not None or waited >= MAX_WAIT:
            return 0
        return max(MIN_ROWS - rows, int(new <= 0), 0)
