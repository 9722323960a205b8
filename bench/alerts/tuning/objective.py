"""What the search makes small: by how much goals are missed, over all densities, and then how far they are passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..scoring.density import DENSEST, DENSITIES
from ..scoring.goals import FALSE, GOALS, LEAD, WARNED, Goal, Value, figures
from ..scoring.outcomes import Outcome, total

LIMIT = 3.0
"""Largest miss that counts, so that one goal out of reach does not hide the others."""
BEYOND = 0.1
"""Weight of what goes beyond the goals: more warnings, longer leads, fewer false alarms."""


class Objective(NamedTuple):
    """A number to make small, and what it is made of."""

    value: float
    figures: dict[str, dict[Goal, Value]]
    """By density."""

    def missed(self) -> str:
        """The goals that are missed, at which density, and by which value."""
        parts = []
        for goal in GOALS:
            where = [
                f"{density} {found[goal].value:.2f}"
                for density, found in self.figures.items()
                if goal.missed(found[goal].value)
            ]
            if where:
                parts.append(f"{goal.name}: {', '.join(where)}")
        return "; ".join(parts) or "none"


def objective(outcomes: Sequence[Outcome]) -> Objective:
    """The mean over densities of the sum of all misses, less a little for what goes beyond."""
    found = {}
    for density in DENSITIES:
        agreed = None if density == DENSEST else total(one.agreement(density) for one in outcomes)
        found[density] = figures([one.tally(density) for one in outcomes], agreed)
    return Objective(float(np.mean([_value(each) for each in found.values()])), found)


def _value(found: dict[Goal, Value]) -> float:
    missed = sum(min(goal.missed(value), LIMIT) for goal, (value, _) in found.items())
    better = sum(float(np.nan_to_num(found[goal].value)) for goal in (WARNED, LEAD)) - found[FALSE].value / 10
    return missed - BEYOND * float(np.nan_to_num(better))
