"""VARIANCE_COLLAPSE: the posterior of half or more of the dimensions in use is a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ..advice import make_alert
from ..alert import Alert, AlertKind
from ..observation import Observation
from ..signals.signals import Signals
from .rule import MIN_CLEAN_EVALUATIONS

POINT_EVALUATIONS = 3
"""Evaluations in a row with a posterior that is a point, for an alert."""
MAX_RELIABILITY = 0.9999
"""Reliability above which the posterior is a point."""


class VarianceCollapseState(TypedDict):
    """State of VARIANCE_COLLAPSE."""

    point_streak: int
    """Evaluations in a row with a posterior that is a point."""
    since_point: int
    """Evaluations with another one since the last alert."""


class VarianceCollapse:
    """Raises VARIANCE_COLLAPSE when the posterior stays a point for `POINT_EVALUATIONS` evaluations."""

    name = "variance_collapse"

    def start(self) -> VarianceCollapseState:
        """Return the state before the first evaluation."""
        return VarianceCollapseState(point_streak=0, since_point=MIN_CLEAN_EVALUATIONS)

    def reset_in_warmup(self, state: VarianceCollapseState) -> VarianceCollapseState:
        """Return the state as if the posterior had not been a point."""
        return self.start()

    def update(
        self, state: VarianceCollapseState, observation: Observation
    ) -> tuple[VarianceCollapseState, Sequence[Alert]]:
        """Return the state after one evaluation, and the alert."""
        signals = observation.signals
        if signals is None:
            return state, ()
        points, used = _points(signals)
        if not points or 2 * points < used:
            return VarianceCollapseState(point_streak=0, since_point=state["since_point"] + 1), ()
        streak = state["point_streak"] + 1
        if streak < POINT_EVALUATIONS:
            return VarianceCollapseState(point_streak=streak, since_point=state["since_point"]), ()
        new = VarianceCollapseState(point_streak=streak, since_point=0)
        if state["since_point"] < MIN_CLEAN_EVALUATIONS:
            return new, ()
        share = "the reliability of half or more of the dimensions in use"
        message = f"the posterior is a point: {share} is above {MAX_RELIABILITY}"
        evidence = {"dimensions": float(points)}
        return new, [make_alert(AlertKind.VARIANCE_COLLAPSE, signals.snapshot.step, message, evidence)]


def _points(signals: Signals) -> tuple[int, int]:
    """Return the number of dimensions in use whose posterior is a point, and of all in use; (0, 0) for no points."""
    s = signals.snapshot
    if not s.has_variance or np.maximum.reduce(s.reliability, initial=0.0) <= MAX_RELIABILITY:
        return 0, 0
    used = signals.history.used
    return int((s.reliability[used] > MAX_RELIABILITY).sum()), int(used.sum())
