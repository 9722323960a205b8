"""The governor: compares the monitor's own time with the loop's and stretches the interval of evaluations."""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from time import perf_counter

MAX_STRETCH = 1000
"""Bound of the interval, as a multiple of the `every` that the user asked for."""
BUDGET_STEPS = 500
"""Steps in a row over which the share stays below twice `max_overhead`, if they contain two evaluations or more."""
GROWTH = 4
"""Largest factor from one interval to the next: a single slow evaluation must not blind the monitor."""
PLANNED_SHARE = 0.9
"""Planned part of the budget: the time that PyTorch takes to call the hooks cannot be measured inside them."""


class Governor:
    """Keeps the monitor's share of the loop's time below `max_overhead`; with 1 the interval stays as it is."""

    def __init__(self, every: int, max_overhead: float) -> None:
        self.base = every
        self.every = every
        self.max_overhead = max_overhead
        self.own = 0.0
        """Seconds spent in the monitor since it began."""
        self._begin: float | None = None
        self._last: tuple[float, float, int] | None = None
        self._costs: deque[float] = deque(maxlen=5)
        self._recent: deque[tuple[int, float]] = deque()
        """Step and cost of each evaluation in the last BUDGET_STEPS steps."""

    def started(self, step: int) -> None:
        """Begin to measure, at the first step: the time before it (data loading, compilation) is not the loop's."""
        self._begin = perf_counter()
        self._last = (self._begin, self.own, step)
        self._recent.clear()

    def leave_out(self, seconds: float) -> None:
        """Leave out the last `seconds`: they are not the loop's time."""
        if self._begin is not None and self._last is not None:
            self._begin += seconds
            self._last = (self._last[0] + seconds, *self._last[1:])

    @property
    def overhead(self) -> float:
        """The monitor's share of the wall time since the first step."""
        if self._begin is None:
            return 0.0
        return self.own / max(perf_counter() - self._begin, 1e-9)

    def affords(self, step: int) -> bool:
        """Return True if one more evaluation at the last one's cost fits twice the budget of BUDGET_STEPS steps.

        It uses the pace of the steps since the last evaluation, because `every` may come from slower steps. After
        BUDGET_STEPS steps without an evaluation the answer is always True: one that was slow by chance does not blind
        the monitor.
        """
        while self._recent and self._recent[0][0] <= step - BUDGET_STEPS:
            self._recent.popleft()
        if not self._recent or self._last is None or self.max_overhead >= 1:
            return True
        then, own, at = self._last
        pace = (perf_counter() - then - (self.own - own)) / max(step - at, 1)
        cost = sum(seconds for _, seconds in self._recent) + self._recent[-1][1]
        return cost <= 2 * PLANNED_SHARE * self.max_overhead * BUDGET_STEPS * pace

    def evaluated(self, seconds: float, step: int) -> None:
        """Record the cost of an evaluation, which `own` already includes, and set `every` so that the next ones fit."""
        now = perf_counter()
        if self._last is None:
            self.started(step)
            return
        then, own, at = self._last
        self._last = (now, self.own, step)
        steps = step - at
        if steps <= 0:
            return
        self._costs.append(seconds)
        self._recent.append((step, seconds))
        if self.max_overhead >= 1:
            return
        taps = max(self.own - own - seconds, 0.0) / steps
        loop = max((now - then - (self.own - own)) / steps, 1e-9)
        left = PLANNED_SHARE * self.max_overhead * loop - taps
        wanted = math.ceil(min(median(self._costs) / left, 1e12)) if left > 0 else 10**12
        self.every = max(self.base, min(wanted, GROWTH * self.every, MAX_STRETCH * self.base))
