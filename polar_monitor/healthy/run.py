"""What is known of one run: its latents, how far it came, what it has lost and which step to go back to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..alerts.alert import Alert
from .series import Series

Key = tuple[str, str]
"""Name and mode."""


@dataclass
class Run:
    """All of it but `leads` outlives a restart."""

    series: dict[Key, Series] = field(default_factory=dict)
    reached: int = -1
    """The last step that is known of."""
    healthy: int | None = None
    """Step of the file to go back to."""
    since: int = -1
    """Step of the alert that `healthy` is of."""
    known: bool = False
    """That alert has told a last healthy step."""
    leads: dict[str, str] = field(default_factory=dict)
    """The mode of each latent in which evaluations are counted."""

    @property
    def trouble(self) -> bool:
        """Whether something that was lost is not back yet."""
        return any(one.wanted for one in self.series.values())

    @property
    def well(self) -> bool:
        """Whether a checkpoint would be a healthy one."""
        return not self.trouble and all(one.well for one in self.series.values())

    def is_another(self, key: Key, step: int, begun: bool) -> bool:
        """Whether an evaluation is of a run that began again; `begun` where this process has seen some of this one."""
        return step < self.series.get(key, Series()).last or (not begun and step <= self.reached)

    def counts(self, key: Key, step: int) -> bool:
        """Whether an evaluation, not yet taken in, is one more of those between two checkpoints."""
        name, mode = key
        if mode == "train" or name not in self.leads:
            self.leads[name] = mode
        return self.leads[name] == mode and step != self.series[key].last

    def point_back(self, step: int, bad: Sequence[Alert], there: Sequence[int]) -> int | float:
        """Choose the step to go back to, of those that are `there`; returns the last healthy one, inf if not told."""
        told = [alert.last_healthy_step for alert in bad if alert.last_healthy_step is not None]
        last = min(told, default=math.inf)
        self.healthy = max((one for one in there if one <= last), default=None)
        self.since, self.known = step, bool(told)
        return last

    def forget(self) -> None:
        """There is no step to go back to."""
        self.healthy, self.known = None, False

    def clear(self) -> None:
        """Take all as well as it is now."""
        for one in self.series.values():
            one.wanted.clear()
            one.well = True
        self.forget()

    def resume(self, step: int) -> None:
        """Forget what came after `step`."""
        for one in self.series.values():
            one.resume(step)
        self.reached = min(self.reached, step)
        if self.since > step:
            self.forget()
