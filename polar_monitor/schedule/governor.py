"""The governor: compares the monitor's own time with the loop's and stretches the interval of evaluations."""

from __future__ import annotations

import math
from collections import deque
from statistics import median, median_low
from time import perf_counter

from .allowance import Allowance

MAX_STRETCH = 1000
"""Bound of the interval, as a multiple of the wanted one."""
BUDGET_STEPS = 500
"""Steps in a row over which the share stays below twice `max_overhead`, if they contain two evaluations or more."""
MAX_DEBT_SECONDS = 120.0
"""Time of the loop whose share pays the largest debt. An evaluation that is held up for longer, as in a process that
was stopped, must not blind the monitor: it counts as no more."""
PLANNED_SHARE = 0.9
"""Planned part of the budget: the time that PyTorch takes to call the hooks cannot be measured inside them."""
KINDS = 16
"""Latest evaluations whose kinds, light or full, show how often each kind comes."""


class Governor:
    """Keeps the monitor's time below `max_overhead` of the loop's and a start allowance, in seconds.

    With a `max_overhead` of 1 the interval stays as it is.
    """

    def __init__(self, every: int, max_overhead: float, start_allowance: float = 0.0) -> None:
        self.base = every
        """Steps between two evaluations that are wanted."""
        self.every = every
        """Steps between two evaluations: the wanted ones or, if they are more, those that the budget demands."""
        self.max_overhead = max_overhead
        self.allowance = Allowance(start_allowance)
        self.pace = 0.0
        """Seconds of a step in the latest interval, without the monitor's own; 0 before it is known."""
        self.own = 0.0
        """Seconds spent in the monitor since it began."""
        self.recordings: int | None = None
        """Steps to record between two evaluations; None if the budget is no limit."""
        self._resumed = False
        """True if the run has an earlier part."""
        self._needed = 0
        """Steps between two evaluations that the budget demands; 0 before it is planned."""
        self._begin: float | None = None
        self._last: tuple[float, float, int] | None = None
        self._costs: dict[bool, deque[float]] = {}
        """Latest costs of full evaluations (True) and of light ones."""
        self._full_cost = 0.0
        """Cost of the latest full evaluation, the first one included."""
        self._kinds: deque[bool] = deque(maxlen=KINDS)
        self._recording_costs: deque[float] = deque(maxlen=5)
        """Seconds of a recorded step, in the latest intervals."""
        self._planned = False
        """True once `every` is planned from a cost."""
        self._recent: deque[tuple[int, float]] = deque()
        """Step and cost of each evaluation in the last BUDGET_STEPS steps; the cost is 0 if the account paid it."""

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
        return self.own / max(self.elapsed, 1e-9)

    @property
    def elapsed(self) -> float:
        """Wall time since the first step, in this process."""
        return 0.0 if self._begin is None else max(perf_counter() - self._begin, 0.0)

    def want(self, steps: int) -> None:
        """Set the wanted interval; the budget may demand a longer one."""
        self.base, self.every = steps, max(steps, self._needed)

    def resume(self, step: int, every: int, allowance: int) -> None:
        """Continue from the numbers of a state; `allowance` is its balance in milliseconds."""
        self.every = every
        self._needed = every if self.max_overhead < 1 else 0
        self.pace, self._resumed = 0.0, step > 0
        self.allowance.resume(allowance)
        self.started(step)

    def wait(self, step: int) -> int:
        """Return the steps until one more evaluation fits the budget; 0 if it does now.

        It fits if the account pays for it, or if the account is full. Without an allowance, it fits twice the budget of
        BUDGET_STEPS steps, and always after as many without an evaluation: one that was slow by chance does not blind
        the monitor. The pace is that of the steps since the last evaluation, because `every` may come from slower
        steps, and the cost is the latest one.
        """
        recent = self._recent
        while recent and recent[0][0] <= step - BUDGET_STEPS:
            recent.popleft()
        if self._last is None or not self._kinds or self.max_overhead >= 1:
            return 0
        if not recent and not self.allowance.seconds:
            return 0
        then, own, at = self._last
        spent, share = self.own - own, PLANNED_SHARE * self.max_overhead
        passed, next_cost = perf_counter() - then - spent, self._costs[False not in self._kinds][-1]
        if self.allowance.seconds:
            next_cost = max(next_cost, self._full_cost)  # a verdict that changes makes a light one full
        if self.allowance.after(share * passed, spent) >= next_cost:
            return 0
        if self.allowance.seconds:
            missing = min(next_cost + spent, self.allowance.seconds) - (self.allowance.balance + share * passed)
            per_step = max(share * passed / max(step - at, 1), 1e-12)
            return min(max(math.ceil(missing / per_step), 0), BUDGET_STEPS)
        left = 2 * share * BUDGET_STEPS * passed / max(step - at, 1)
        cost = sum(seconds for _, seconds in recent) + next_cost
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
        steps, spent = step - at, self.own - own
        passed = now - then - spent
        share = PLANNED_SHARE * self.max_overhead
        paid = self.allowance.account(share * passed, spent, share * MAX_DEBT_SECONDS)
        if steps <= 0:
            return
        self.pace = max(passed / steps, 1e-9)
        second = len(self._kinds) == 1 and not self._planned
        if second:
            self._costs.clear()
            self._kinds.clear()
        self._recent.append((step, 0.0 if paid else seconds))
        self._kinds.append(full)
        self._full_cost = seconds if full else self._full_cost
        self._costs.setdefault(full, deque(maxlen=5)).append(seconds)
        if recorded:
            self._recording_costs.append(max(spent - seconds, 0.0) / recorded)
        if self.max_overhead < 1 and (second or self._planned):
            self._plan(wanted)

    def _plan(self, wanted: int | None) -> None:
        """Set `every` and `recordings` after an interval.

        Recorded steps may take what evaluations at `base` leave of the budget, or as much as evaluations take.
        """
        self._planned = True
        costs = {full: median_low(latest) for full, latest in self._costs.items()}
        cost = sum(costs[full] for full in self._kinds) / len(self._kinds)
        elapsed = math.inf if self._resumed else self.elapsed
        rate = PLANNED_SHARE * self.max_overhead + self.allowance.rate(max(costs.values()), elapsed)
        budget = rate * self.pace
        recording = median(self._recording_costs) if self._recording_costs else 0.0
        if wanted is None:
            self.recordings, left = None, budget - recording
            needed = cost / left if left > 0 else math.inf
        else:
            spare = max(budget * self.base - cost, cost)
            self.recordings = max(min(wanted, int(min(spare / max(recording, 1e-9), 1e9))), 1)
            needed = (cost + self.recordings * recording) / budget
        self._needed = min(math.ceil(min(needed, 1e12)), MAX_STRETCH * self.base)
        self.every = max(self.base, self._needed)
