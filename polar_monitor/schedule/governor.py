"""The governor: compares the monitor's own time with the loop's and stretches the interval of evaluations."""

from __future__ import annotations

import math
from collections import deque
from statistics import median, median_low
from time import perf_counter

MAX_STRETCH = 1000
"""Bound of the interval, as a multiple of the `every` that the user asked for."""
BUDGET_STEPS = 500
"""Steps in a row over which the share stays below twice `max_overhead`, if they contain two evaluations or more."""
GROWTH = 4
"""Largest factor from one interval to the next: a single slow evaluation must not blind the monitor."""
PLANNED_SHARE = 0.9
"""Planned part of the budget: the time that PyTorch takes to call the hooks cannot be measured inside them."""
KINDS = 16
"""Latest evaluations whose kinds, light or full, show how often each kind comes."""


class Governor:
    """Keeps the monitor's share of the loop's time below `max_overhead`; with 1 the interval stays as it is."""

    def __init__(self, every: int, max_overhead: float) -> None:
        self.base = every
        self.every = every
        self.max_overhead = max_overhead
        self.own = 0.0
        """Seconds spent in the monitor since it began."""
        self.recordings: int | None = None
        """Steps to record between two evaluations; None if the budget is no limit."""
        self._begin: float | None = None
        self._last: tuple[float, float, int] | None = None
        self._costs: dict[bool, deque[float]] = {}
        """Latest costs of full evaluations (True) and of light ones."""
        self._kinds: deque[bool] = deque(maxlen=KINDS)
        self._recording_costs: deque[float] = deque(maxlen=5)
        """Seconds of a recorded step, in the latest intervals."""
        self._planned = False
        """True once `every` is planned from a cost."""
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

    def wait(self, step: int) -> int:
        """Return the steps until one more evaluation fits twice the budget of BUDGET_STEPS steps; 0 if it does now.

        It uses the pace of the steps since the last evaluation, because `every` may come from slower steps, and the
        latest cost. After BUDGET_STEPS steps without an evaluation the answer is always 0: one that was slow by chance
        does not blind the monitor.
        """
        recent = self._recent
        while recent and recent[0][0] <= step - BUDGET_STEPS:
            recent.popleft()
        if not recent or self._last is None or self.max_overhead >= 1:
            return 0
        then, own, at = self._last
        pace = (perf_counter() - then - (self.own - own)) / max(step - at, 1)
        left = 2 * PLANNED_SHARE * self.max_overhead * BUDGET_STEPS * pace
        cost = sum(seconds for _, seconds in recent) + self._costs[False not in self._kinds][-1]
        fits = step
        for at, seconds in recent:
            if cost <= left:
                break
            cost, fits = cost - seconds, at + BUDGET_STEPS
        return fits - step

    def evaluated(
        self, seconds: float, step: int, full: bool = True, recorded: int = 0, wanted: int | None = None
    ) -> None:
        """Record the cost of an evaluation, which `own` already includes, and plan the next interval.

        `recorded` steps since the evaluation before had hooks. `wanted` steps renew the window; None if the hooks
        cannot pause. The first evaluation plans nothing: it is full, and all that it touches is new.
        """
        now = perf_counter()
        if self._last is None:
            self.started(step)
            return
        then, own, at = self._last
        self._last = (now, self.own, step)
        steps = step - at
        if steps <= 0:
            return
        second = len(self._kinds) == 1 and not self._planned
        if second:
            self._costs.clear()
            self._kinds.clear()
        self._recent.append((step, seconds))
        self._kinds.append(full)
        self._costs.setdefault(full, deque(maxlen=5)).append(seconds)
        if recorded:
            self._recording_costs.append(max(self.own - own - seconds, 0.0) / recorded)
        if self.max_overhead < 1 and (second or self._planned):
            self._plan(max((now - then - (self.own - own)) / steps, 1e-9), steps, wanted)

    def _plan(self, pace: float, steps: int, wanted: int | None) -> None:
        """Set `every` and `recordings` after an interval of `steps` steps of `pace` seconds.

        Recorded steps may take what evaluations at `base` leave of the budget, or as much as evaluations take.
        """
        self._planned = True
        budget = PLANNED_SHARE * self.max_overhead * pace
        costs = {full: median_low(latest) for full, latest in self._costs.items()}
        cost = sum(costs[full] for full in self._kinds) / len(self._kinds)
        recording = median(self._recording_costs) if self._recording_costs else 0.0
        if wanted is None:
            self.recordings, left = None, budget - recording
            needed = cost / left if left > 0 else math.inf
        else:
            spare = max(budget * self.base - cost, cost)
            self.recordings = max(min(wanted, int(min(spare / max(recording, 1e-9), 1e9))), 1)
            needed = (cost + self.recordings * recording) / budget
        most = min(GROWTH * max(self.every, steps), MAX_STRETCH * self.base)
        self.every = max(self.base, min(math.ceil(min(needed, 1e12)), most))
