"""The governor: measures the monitor's own time against the loop's and stretches the interval of evaluations."""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from time import perf_counter

STRETCH = 1000
"""Most that the interval is stretched, as a multiple of what the user asked for."""
GROWTH = 4
"""Most that it grows from one evaluation to the next: a single slow one must not blind the monitor."""


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

    def started(self, step: int) -> None:
        """Called at the first tick: the time before it (data loading, compilation) is not the loop's."""
        self._begin = perf_counter()
        self._last = (self._begin, self.own, step)

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

    def evaluated(self, seconds: float, step: int) -> None:
        """Tell what an evaluation cost; sets `every` so that the next ones fit the budget."""
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
        if self.max_overhead >= 1:
            return
        taps = max(self.own - own - seconds, 0.0) / steps
        loop = max((now - then - (self.own - own)) / steps, 1e-9)
        left = self.max_overhead * loop - taps
        wanted = math.ceil(min(median(self._costs) / left, 1e12)) if left > 0 else 10**12
        self.every = max(self.base, min(wanted, GROWTH * self.every, STRETCH * self.base))
