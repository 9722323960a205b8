"""What is known of one latent in one mode: whether it is well, what it has lost, and what it had before.

Also here: which of many steps to keep, for the levels of the past and for the files alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..alerts.alert import Alert
from ..evaluation import Evaluation
from ..regime.regime import DWELL, Verdict

BACK = 0.9
"""Share of the information before the trouble that must be there again."""
PAST = 16
"""Evaluations of which the information is remembered, thinned out like the files."""


class Wanted(NamedTuple):
    """What an alert says is missing, and has to be there again before anything is saved."""

    since: int
    """Step of the alert."""
    dimension: int | None
    """None for the total of what is in use."""
    level: float
    """Nats at the last healthy step."""

    def is_back(self, levels: dict[int, float]) -> bool:
        """Whether it is there, given the nats of the dimensions in use."""
        now = sum(levels.values()) if self.dimension is None else levels.get(self.dimension, 0.0)
        return now > 0 and now >= BACK * self.level


@dataclass
class Series:
    """What is known of one latent in one mode."""

    last: int = -1
    """Step of the last evaluation."""
    well: bool = True
    """Nothing was wrong in it by itself."""
    non_finite: float = 0.0
    wanted: list[Wanted] = field(default_factory=list)
    back: int = 0
    """Evaluations in a row that found all that is wanted."""
    past: dict[int, dict[int, float]] = field(default_factory=dict)
    """Step: nats of each dimension in use; of some evaluations at which all was well."""
    waited: int | None = None
    """Evaluations since the last checkpoint; None before the first."""

    def look(self, evaluation: Evaluation, bad: Sequence[Alert]) -> None:
        """Take in one evaluation, with those of its alerts that mean trouble."""
        again, self.last = evaluation.step == self.last, evaluation.step  # asked for twice, or two of one name
        now, non_finite, collapsed = levels(evaluation), self.non_finite, True
        if evaluation.snapshot is not None and evaluation.regime is not None:
            non_finite = float(np.sum(evaluation.snapshot.non_finite))
            collapsed = evaluation.regime.verdict is Verdict.COLLAPSED
        self.well = evaluation.observed > 0 and not collapsed and non_finite <= self.non_finite and not bad
        self.non_finite = non_finite
        for alert in bad:
            self._want(alert)
        self.back = self.back + (not again) if self.well and all(one.is_back(now) for one in self.wanted) else 0
        if self.back >= DWELL:
            self.wanted.clear()
        if self.well and not self.wanted:
            self.past[evaluation.step] = now
            for step in thinned(sorted(self.past), PAST):
                del self.past[step]

    def resume(self, step: int) -> None:
        """Forget what came after `step`."""
        self.last, self.back, self.well = -1, 0, True
        self.wanted = [one for one in self.wanted if one.since <= step]
        self.past = {one: nats for one, nats in self.past.items() if one <= step}

    def _want(self, alert: Alert) -> None:
        last = alert.last_healthy_step
        before = [step for step in self.past if last is None or step <= last]
        had = self.past[max(before) if before else min(self.past)] if self.past else {}
        have = {one.dimension for one in self.wanted}
        if None not in have:
            self.wanted.append(Wanted(alert.step, None, sum(had.values())))
        if alert.dimension is not None and alert.dimension not in have:
            level = had.get(alert.dimension, float(alert.evidence.get("from", 0.0)))
            self.wanted.append(Wanted(alert.step, alert.dimension, level if math.isfinite(level) else 0.0))


def levels(evaluation: Evaluation) -> dict[int, float]:
    """Nats of each dimension that is labelled as in use; only what is finite and above 0."""
    s, regime = evaluation.snapshot, evaluation.regime
    if s is None or regime is None:
        return {}
    nats = {j: float(s.information[j]) for j in regime.informative}
    return {j: float(f"{value:.4g}") for j, value in nats.items() if math.isfinite(value) and value > 0}


def thinned(steps: Sequence[int], keep: int) -> list[int]:
    """Which of the increasing `steps` to drop so that `keep` are left, the wider apart the farther back.

    One after the other goes the one whose neighbours are nearest to each other, for its age. The newest never goes, the
    oldest only where no more than one is kept.

    Example:
        >>> thinned([1, 2, 3, 4, 5, 6], 4)
        [2, 3]
    """
    left, gone = list(steps), []
    while len(left) > keep:
        gaps = [(left[i + 1] - left[i - 1]) / max(left[-1] - left[i], 1) for i in range(1, len(left) - 1)]
        gone.append(left.pop(1 + gaps.index(min(gaps)) if gaps and keep > 1 else 0))
    return gone
