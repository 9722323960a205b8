"""What the search makes small: by how much goals are missed, over all densities, and then how far they are passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..scoring.density import DENSEST, DENSITIES
from ..scoring.goals import FALSE, GOALS, KINDS, LEAD, WARNED, Goal, Value, by_kind, figures
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
    kinds: dict[str, Value]
    """The share of the forecasts that hold over all densities, by kind of run."""

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
        if kinds := [f"{kind} {share.value:.2f}" for kind, share in self.kinds.items() if KINDS.missed(share.value)]:
            parts.append(f"{KINDS.name}: {', '.join(kinds)}")
        return "; ".join(parts) or "none"


def objective(outcomes: Sequence[Outcome]) -> Objective:
    """The mean over densities of the sum of all misses, less a little for what goes beyond; and the mean over kinds."""
    found, tallies = {}, []
    for density in DENSITIES:
        agreed = None if density == DENSEST else total(one.agreement(density) for one in outcomes)
        mine = [one.tally(density) for one in outcomes]
        found[density] = figures(mine, agreed)
        tallies += mine
    kinds = by_kind(tallies)
    far = [min(KINDS.missed(share.value), LIMIT) for share in kinds.values()]
    value = np.mean([_value(each) for each in found.values()]) + (np.mean(far) if far else 0.0)
    return Objective(float(value), found, kinds)


def _value(found: dict[Goal, Value]) -> float:
    missed = sum(min(goal.missed(value), LIMIT) for goal, (value, _) in found.items())
    better = sum(float(np.nan_to_num(found[goal].value)) for goal in (WARNED, LEAD)) - found[FALSE].value / 10
    return missed - BEYOND * float(np.nan_to_num(better))
