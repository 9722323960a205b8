"""The governor: measures the monitor's own time against the loop's and stretches the interval of evaluations."""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from time import perf_counter

STRETCH = 1000
"""Most that the interval is stretched, as a multiple of what the user asked for."""
SPAN = 500
"""Steps in any of which the share may be twice `max_overhead` and no more, as long as there are two evaluations."""
GROWTH = 4
"""Most that it grows from one evaluation to the next: a single slow one must not blind the monitor."""
AIM = 0.9
"""Part of the budget that is planned for: what PyTorch takes to call us cannot be timed from within."""


class Governor:
    """Keeps the share of the loop's time spent in the monitor under `max_overhead`; 1 leaves the interval alone."""

    def __init__(self, every: int, max_overhead: float) -> None:
        self.base = every
        self.every = every
        self.max_overhead = max_overhead
        self.own = 0.0
        """Seconds spent in the monitor since the beginning."""
        self._begin: float | None = None
        self._last: tuple[float, float, int] | None = None
        self._costs: deque[float] = deque(maxlen=5)
        self._recent: deque[tuple[int, float]] = deque()
        """Step and cost of the evaluations of the last SPAN steps."""

    def started(self, step: int) -> None:
        """Called at the first tick: the time before it (data loading, compilation) is not the loop's."""
        self._begin = perf_counter()
        self._last = (self._begin, self.own, step)
        self._recent.clear()

    def leave_out(self, seconds: float) -> None:
        """So much time has just gone by that is not the loop's."""
        if self._begin is not None and self._last is not None:
            self._begin += seconds
            self._last = (self._last[0] + seconds, *self._last[1:])

    @property
    def overhead(self) -> float:
        """Share of the wall time since the first tick."""
        if self._begin is None:
            return 0.0
        return self.own / max(perf_counter() - self._begin, 1e-9)

    def affords(self, step: int) -> bool:
        """Whether one more evaluation, as dear as the last, leaves the last SPAN steps at twice the budget or less.

        At the pace of the steps since the last one: `every` was set when they may have been slower. What has not been
        tried for SPAN steps is always afforded, so one that was slow by chance does not blind the monitor.
        """
        while self._recent and self._recent[0][0] <= step - SPAN:
            self._recent.popleft()
        if not self._recent or self._last is None or self.max_overhead >= 1:
            return True
        then, own, at = self._last
        pace = (perf_counter() - then - (self.own - own)) / max(step - at, 1)
        cost = sum(seconds for _, seconds in self._recent) + self._recent[-1][1]
        return cost <= 2 * AIM * self.max_overhead * SPAN * pace

    def evaluated(self, seconds: float, step: int) -> None:
        """Tell what an evaluation, already in `own`, has cost; sets `every` so that the next ones fit the budget."""
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
        left = AIM * self.max_overhead * loop - taps
        wanted = math.ceil(min(median(self._costs) / left, 1e12)) if left > 0 else 10**12
        self.every = max(self.base, min(wanted, GROWTH * self.every, STRETCH * self.base))
