"""The goals of the alerts at one density: figures of many runs, and by how much each of them is missed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .agreement import Agreement
from .score import STATISTICS
from .tally import Tally

ENOUGH = 20
"""Forecasts of one kind of run, at least, for a share of them to be judged."""


class Goal(NamedTuple):
    """A figure has to lie in [low, high]; a miss by `scale` counts as one."""

    name: str
    low: float
    high: float
    scale: float

    def missed(self, value: float) -> float:
        """By how much; 0 where the goal is met, or there is no case."""
        if not np.isfinite(value):
            return 0.0
        return max(self.low - value, value - self.high, 0.0) / self.scale


WARNED = Goal("gradual losses warned of", 0.95, 1.0, 0.05)
LEAD = Goal("median lead", 0.40, 1.0, 0.10)
TOLD = Goal("sudden losses alerted", 0.95, 1.0, 0.05)
FALSE = Goal("false per 10 healthy", 0.0, 1.0, 1.0)
COLLAPSE = Goal("false COLLAPSE per 10 healthy", 0.0, 0.0, 0.2)
NEVER = Goal("never in use, alerted", 0.95, 1.0, 0.2)
HOLDS = Goal("forecast holds", 0.75, 0.85, 0.05)
KINDS = Goal("forecast holds, kind by kind", 0.70, 0.90, 0.10)
"""Of each kind of run, over all densities."""
AGREES = Goal("alerts that agree", 0.95, 1.0, 0.05)
GOALS = (WARNED, LEAD, TOLD, FALSE, COLLAPSE, NEVER, HOLDS, AGREES)


class Value(NamedTuple):
    """A figure, and how many cases it rests on."""

    value: float
    cases: int


def figures(tallies: Sequence[Tally], agreement: Agreement | None = None) -> dict[Goal, Value]:
    """The figure of every goal; NaN where there is no case."""
    never = [one for t in tallies for one in t.never]
    agreed = agreement.agreeing / agreement.alerts if agreement is not None and agreement.alerts else np.nan
    return {
        WARNED: Value(*STATISTICS["losses warned of"](tallies)),
        LEAD: Value(*STATISTICS["median lead"](tallies)),
        TOLD: Value(*STATISTICS["sudden losses alerted"](tallies)),
        FALSE: Value(*STATISTICS["false per 10 healthy"](tallies)),
        COLLAPSE: Value(*STATISTICS["false COLLAPSE per 10 healthy"](tallies)),
        NEVER: Value(float(np.mean(never)) if never else np.nan, len(never)),
        HOLDS: Value(*STATISTICS["forecast holds"](tallies)),
        AGREES: Value(agreed, 0 if agreement is None else agreement.alerts),
    }


def by_kind(tallies: Sequence[Tally]) -> dict[str, Value]:
    """The share of the forecasts that hold, of each kind of run with enough of them."""
    held = defaultdict[str, list[bool]](list)
    for t in tallies:
        held[t.kind] += t.held
    return {kind: Value(float(np.mean(each)), len(each)) for kind, each in held.items() if len(each) >= ENOUGH}
