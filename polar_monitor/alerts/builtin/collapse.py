"""COLLAPSE: no dimension is in use any more, or none has come into use for a long time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ...regime.regime import Verdict
from ..advice import Cause, make_alert
from ..alert import Alert, AlertKind
from ..observation import Observation
from ..signals.attribution import is_constant, most_common
from .rule import MIN_CLEAN_EVALUATIONS


class CollapseState(TypedDict):
    """State of COLLAPSE."""

    collapsed_streak: int
    """Evaluations in a row with the verdict COLLAPSED."""
    since_collapse: int
    """Evaluations with another verdict since the last collapse that was, or would have been, an alert."""


class Collapse:
    """Raises COLLAPSE once for each collapse: one that hovers at the cut is the same one."""

    name = "collapse"

    def start(self) -> CollapseState:
        """Return the state before the first evaluation."""
        return CollapseState(collapsed_streak=0, since_collapse=MIN_CLEAN_EVALUATIONS)

    def reset_in_warmup(self, state: CollapseState) -> CollapseState:
        """Return the state as if the model had not collapsed."""
        return self.start()

    def update(self, state: CollapseState, observation: Observation) -> tuple[CollapseState, Sequence[Alert]]:
        """Return the state after one evaluation, and the alert."""
        signals = observation.signals
        if signals is None:
            return state, ()
        s, history = signals.snapshot, signals.history
        since = state["since_collapse"]
        if signals.regime.verdict is not Verdict.COLLAPSED:
            return CollapseState(collapsed_streak=0, since_collapse=since + 1), ()
        streak, used = state["collapsed_streak"] + 1, history.was_used
        had_any = bool(used.any())
        if streak < (1 if had_any else signals.rules.collapsed):
            return CollapseState(collapsed_streak=streak, since_collapse=since), ()
        new = CollapseState(collapsed_streak=streak, since_collapse=0)
        if since < MIN_CLEAN_EVALUATIONS:
            return new, ()
        message = "no informative dimension is left" if had_any else "no dimension has become informative"
        evidence = {"total": float(np.nansum(s.information)), "largest": float(np.max(np.nan_to_num(s.information)))}
        cause = Cause.DEAD_ENCODER if is_constant(s, used) else most_common(history.cause[used])
        healthy = signals.last_healthy_step if had_any else None
        alert = make_alert(AlertKind.COLLAPSE, s.step, message, evidence, last_healthy_step=healthy, cause=cause)
        return new, [alert]
