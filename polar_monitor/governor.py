"""The governor: measures the monitor's own time against the loop's and stretches the interval of evaluations."""

from __future__ import annotations

import math
from time import perf_counter

STRETCH = 1000
"""Most that the interval is stretched, as a multiple of what the user asked for."""


class Governor:
    """Keeps the share of the loop's time spent in the monitor under `max_overhead`."""

    def __init__(self, every: int, max_overhead: float) -> None:
        self.base = every
        self.every = every
        self.max_overhead = max_overhead
        self.own = 0.0
        """Seconds spent in the monitor since the beginning."""
        self._begin: float | None = None
        self._paused = 0.0
        self._last: tuple[float, float, int] | None = None
        self._cost = 0.0

    def started(self, step: int) -> None:
        """Called at the first tick: the time before it (data loading, compilation) is not the loop's."""
        self._begin = perf_counter()
        self._last = (self._begin, self.own, step)

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
        self._cost = seconds if self._cost == 0.0 else max(0.7 * self._cost + 0.3 * seconds, 0.5 * seconds)
        taps = max(self.own - own - seconds, 0.0) / steps
        loop = max((now - then - (self.own - own)) / steps, 1e-9)
        left = self.max_overhead * loop - taps
        wanted = self._cost / left if left > 0 else math.inf
        self.every = int(min(max(self.base, math.ceil(wanted) if wanted < 1e12 else 10**12), self.base * STRETCH))
